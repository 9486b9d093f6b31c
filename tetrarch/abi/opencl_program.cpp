#include "tetrarch/abi/opencl_program.h"

#include <algorithm>
#include <cctype>
#include <cstring>
#include <set>
#include <type_traits>

#include "tetrarch/abi/blob_tables.h"

namespace tetrarch::abi {
namespace {

// Launch sizes stay far inside 64 bits and inside size_t of any host that loads a model.
constexpr uint64_t kMaxItems = uint64_t{1} << 48;

class Writer {
 public:
  // The tables come first, so that texts know where they begin.
  explicit Writer(uint64_t table_bytes) : text_begin_(table_bytes) {}

  tet_opencl_text text(const std::string& value) {
    const tet_opencl_text at{text_begin_ + text_.size(), value.size()};
    text_ += value;
    return at;
  }
  template <typename T>
  void put(const T& row) {
    const auto* bytes = reinterpret_cast<const std::byte*>(&row);
    tables_.insert(tables_.end(), bytes, bytes + sizeof row);
  }
  std::vector<std::byte> finish() {
    const auto* bytes = reinterpret_cast<const std::byte*>(text_.data());
    tables_.insert(tables_.end(), bytes, bytes + text_.size());
    return std::move(tables_);
  }

 private:
  uint64_t text_begin_;
  std::vector<std::byte> tables_;
  std::string text_;
};

class Reader : abi::BlobTables {
 public:
  using BlobTables::BlobTables;
  Result<OpenClProgram> read();

 private:
  Result<std::string> text(const tet_opencl_text& where, std::string_view what) const {
    TET_ASSIGN_OR_RETURN(const auto found, part(where.offset, where.bytes, what));
    return std::string(reinterpret_cast<const char*>(found.data()), found.size());
  }
  Result<std::string> name(const tet_opencl_text& where, std::string_view what) const {
    TET_ASSIGN_OR_RETURN(std::string found, text(where, what));
    const bool fine = !found.empty() && std::ranges::all_of(found, [](unsigned char c) {
      return std::isalnum(c) || c == '_' || c == '.' || c == '-' || c == '$' || c == '/' || c == ':';
    });
    if (!fine) return invalidArgument("the {} is not a name", what);
    return found;
  }
  Result<OpenClEntry> entry(const tet_opencl_entry& row) const;
  Result<OpenClPass> pass(const tet_opencl_pass& row, const OpenClEntry& entry) const;
  Status checkArgument(const tet_opencl_argument& row, const OpenClEntry& entry) const;

  std::vector<tet_opencl_pass> passes_;
  std::vector<tet_opencl_argument> arguments_;
};

Status Reader::checkArgument(const tet_opencl_argument& row, const OpenClEntry& entry) const {
  switch (row.kind) {
    case TET_OPENCL_BUFFER:
      if (row.value < entry.buffer_count) return {};
      return invalidArgument("an argument is buffer {} of {}", row.value, entry.buffer_count);
    case TET_OPENCL_WORKSPACE:
      if (row.value == 0 && entry.workspace_bytes > 0) return {};
      return invalidArgument("an argument begins at byte {} of a workspace of {}", row.value,
                             entry.workspace_bytes);
    case TET_OPENCL_ITEM_END:
      return {};
    default:
      return invalidArgument("an argument has the unknown kind {}", row.kind);
  }
}

Result<OpenClPass> Reader::pass(const tet_opencl_pass& row, const OpenClEntry& entry) const {
  TET_ASSIGN_OR_RETURN(std::string kernel, name(row.kernel, "name of a kernel"));
  OpenClPass pass{
      .kernel = std::move(kernel), .kind = row.kind, .local_items = row.local_items, .items = row.items};
  if (row.kind > TET_OPENCL_WHOLE)
    return invalidArgument("kernel {} has the unknown kind {}", pass.kernel, row.kind);
  const uint64_t repeats = row.kind == TET_OPENCL_UNITS ? entry.units : 1;
  if (row.items == 0 || row.items > kMaxItems / repeats) {
    return invalidArgument("kernel {} has {} work-items a unit", pass.kernel, row.items);
  }
  if (row.first_argument > arguments_.size() || row.argument_count > arguments_.size() - row.first_argument) {
    return invalidArgument("the arguments of kernel {} are outside their table", pass.kernel);
  }
  for (uint32_t i = 0; i < row.argument_count; ++i) {
    const tet_opencl_argument& argument = arguments_[row.first_argument + i];
    if (Status s = checkArgument(argument, entry); !s.ok())
      return propagate(s.withContext("kernel " + pass.kernel));
    pass.arguments.push_back({argument.kind, argument.value});
  }
  return pass;
}

Result<OpenClEntry> Reader::entry(const tet_opencl_entry& row) const {
  TET_ASSIGN_OR_RETURN(std::string symbol, name(row.symbol, "symbol of a task"));
  OpenClEntry entry{.symbol = std::move(symbol),
                    .units = row.units,
                    .granularity = row.granularity,
                    .workspace_bytes = row.workspace_bytes,
                    .buffer_count = row.buffer_count};
  if (row.units == 0 || row.units > kMaxItems || row.granularity == 0 || row.granularity > row.units) {
    return invalidArgument("task {} has {} units of granularity {}", entry.symbol, row.units,
                           row.granularity);
  }
  if (row.workspace_bytes > kMaxItems)
    return invalidArgument("task {} has no sensible workspace", entry.symbol);
  if (row.first_pass > passes_.size() || row.pass_count > passes_.size() - row.first_pass) {
    return invalidArgument("the passes of task {} are outside their table", entry.symbol);
  }
  for (uint32_t i = 0; i < row.pass_count; ++i) {
    auto read = pass(passes_[row.first_pass + i], entry);
    if (!read) return propagate(read.error().withContext("task " + entry.symbol));
    entry.passes.push_back(std::move(*read));
  }
  return entry;
}

Result<OpenClProgram> Reader::read() {
  TET_ASSIGN_OR_RETURN(const auto headers, table<tet_opencl_header>(1, "header"));
  const tet_opencl_header& header = headers[0];
  if (header.magic != TET_OPENCL_MAGIC) return invalidArgument("the bytes are not an opencl-c blob");
  if (header.version != TET_OPENCL_VERSION) {
    return invalidArgument("the blob has version {} and this program reads version {}", header.version,
                           TET_OPENCL_VERSION);
  }
  if (header.blob_bytes != bytes().size()) {
    return invalidArgument("the blob has {} bytes and should have {}", bytes().size(), header.blob_bytes);
  }
  TET_ASSIGN_OR_RETURN(const auto entries, table<tet_opencl_entry>(header.entry_count, "entries"));
  TET_ASSIGN_OR_RETURN(passes_, table<tet_opencl_pass>(header.pass_count, "passes"));
  TET_ASSIGN_OR_RETURN(arguments_, table<tet_opencl_argument>(header.argument_count, "arguments"));
  TET_ASSIGN_OR_RETURN(const auto binaries, table<tet_opencl_binary>(header.binary_count, "binaries"));
  OpenClProgram program;
  TET_ASSIGN_OR_RETURN(program.source, text(header.source, "source"));
  TET_ASSIGN_OR_RETURN(program.options, text(header.options, "build options"));
  std::set<std::string> symbols;
  for (const tet_opencl_entry& row : entries) {
    TET_ASSIGN_OR_RETURN(OpenClEntry read, entry(row));
    if (!symbols.insert(read.symbol).second) return invalidArgument("two tasks are called {}", read.symbol);
    program.entries.push_back(std::move(read));
  }
  for (const tet_opencl_binary& row : binaries) {
    OpenClBinary binary;
    TET_ASSIGN_OR_RETURN(binary.device, text(row.device, "device of a binary"));
    TET_ASSIGN_OR_RETURN(binary.program, text(row.program, "program of a binary"));
    program.binaries.push_back(std::move(binary));
  }
  return program;
}

}  // namespace

std::vector<std::byte> writeOpenClProgram(const OpenClProgram& program) {
  tet_opencl_header header = {.magic = TET_OPENCL_MAGIC, .version = TET_OPENCL_VERSION};
  header.entry_count = static_cast<uint32_t>(program.entries.size());
  header.binary_count = static_cast<uint32_t>(program.binaries.size());
  for (const OpenClEntry& entry : program.entries) {
    header.pass_count += static_cast<uint32_t>(entry.passes.size());
    for (const OpenClPass& pass : entry.passes)
      header.argument_count += static_cast<uint32_t>(pass.arguments.size());
  }
  Writer writer(sizeof header + header.entry_count * sizeof(tet_opencl_entry) +
                header.pass_count * sizeof(tet_opencl_pass) +
                header.argument_count * sizeof(tet_opencl_argument) +
                header.binary_count * sizeof(tet_opencl_binary));
  header.source = writer.text(program.source);
  header.options = writer.text(program.options);
  writer.put(header);
  uint32_t passes = 0, arguments = 0;
  for (const OpenClEntry& e : program.entries) {
    const auto count = static_cast<uint32_t>(e.passes.size());
    writer.put(tet_opencl_entry{writer.text(e.symbol), e.units, e.granularity, e.workspace_bytes,
                                e.buffer_count, passes, count, 0});
    passes += count;
  }
  for (const OpenClEntry& e : program.entries) {
    for (const OpenClPass& p : e.passes) {
      const auto count = static_cast<uint32_t>(p.arguments.size());
      writer.put(tet_opencl_pass{writer.text(p.kernel), p.kind, p.local_items, p.items, arguments, count});
      arguments += count;
    }
  }
  for (const OpenClEntry& e : program.entries) {
    for (const OpenClPass& p : e.passes) {
      for (const OpenClArgument& a : p.arguments) writer.put(tet_opencl_argument{a.kind, 0, a.value});
    }
  }
  for (const OpenClBinary& b : program.binaries) {
    writer.put(tet_opencl_binary{writer.text(b.device), writer.text(b.program)});
  }
  std::vector<std::byte> bytes = writer.finish();
  const uint64_t size = bytes.size();
  std::memcpy(bytes.data() + offsetof(tet_opencl_header, blob_bytes), &size, sizeof size);
  return bytes;
}

Result<OpenClProgram> readOpenClProgram(std::span<const std::byte> bytes) { return Reader(bytes).read(); }

}  // namespace tetrarch::abi
