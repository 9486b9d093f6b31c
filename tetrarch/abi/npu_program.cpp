#include "tetrarch/abi/npu_program.h"

#include <algorithm>
#include <cstring>
#include <set>

#include "tetrarch/abi/blob_tables.h"

namespace tetrarch::npu {
namespace {

constexpr uint64_t kPieceAlignment = 64;
constexpr uint64_t kDramEnd = uint64_t{1} << 32;

uint64_t alignTo(uint64_t value, uint64_t alignment) {
  return (value + alignment - 1) / alignment * alignment;
}

template <typename T>
void append(std::vector<std::byte>& bytes, const T* rows, size_t count) {
  const auto* begin = reinterpret_cast<const std::byte*>(rows);
  bytes.insert(bytes.end(), begin, begin + count * sizeof(T));
}

class Reader : abi::BlobTables {
 public:
  using BlobTables::BlobTables;
  Result<Program> read();

 private:
  static Status check(const tet_npu_header& header, size_t size);
  Result<ProgramEntry> entry(const tet_npu_entry& row);
  Result<ProgramPiece> piece(const tet_npu_piece& row, const ProgramEntry& entry) const;
  Result<std::vector<Word>> stream(const tet_npu_stream& row);

  std::span<const std::byte> text_, instructions_, constants_;
  uint64_t unfolded_ = 0;  // instructions of all streams so far
  std::vector<tet_npu_piece> pieces_;
  std::vector<tet_npu_stream> streams_;
};

Status Reader::check(const tet_npu_header& header, size_t size) {
  if (header.magic != TET_NPU_MAGIC) return invalidArgument("the bytes are not an npu blob");
  if (header.version != TET_NPU_VERSION) {
    return invalidArgument("the blob has version {} and this program reads version {}", header.version,
                           TET_NPU_VERSION);
  }
  if (header.blob_bytes != size) {
    return invalidArgument("the blob has {} bytes and should have {}", size, header.blob_bytes);
  }
  if (header.kind > TET_NPU_BF16) return invalidArgument("the blob is for the unknown kind {}", header.kind);
  return {};
}

Result<ProgramPiece> Reader::piece(const tet_npu_piece& row, const ProgramEntry& entry) const {
  if (row.address % kPieceAlignment != 0 || row.bytes == 0 || row.address >= kDramEnd ||
      row.bytes > kDramEnd - row.address) {
    return invalidArgument("a piece of {} bytes at address {} does not fit into DRAM", row.bytes,
                           row.address);
  }
  if (row.writable > 1 || (row.writable == 1 && row.kind == TET_NPU_CONSTANTS)) {
    return invalidArgument("a piece of constants is writable");
  }
  const auto inside = [&](uint64_t size) { return row.offset <= size && row.bytes <= size - row.offset; };
  const bool fits = row.kind == TET_NPU_BUFFER      ? row.buffer < entry.buffer_count && row.offset == 0
                    : row.kind == TET_NPU_CONSTANTS ? inside(constants_.size())
                                                    : inside(entry.workspace_bytes);
  if (row.kind > TET_NPU_WORKSPACE || !fits) {
    return invalidArgument("the piece at address {} refers to something that is not there", row.address);
  }
  return ProgramPiece{row.kind, row.buffer, row.address, row.bytes, row.offset, row.writable == 1};
}

Result<std::vector<Word>> Reader::stream(const tet_npu_stream& row) {
  const uint64_t count = instructions_.size() / sizeof(Word);
  if (row.first_instruction > count || row.instruction_count > count - row.first_instruction) {
    return invalidArgument("a stream of {} instructions is outside the blob", row.instruction_count);
  }
  // No blob needs it, and a small one must not unfold into a large program.
  unfolded_ += row.instruction_count;
  if (unfolded_ > count) return invalidArgument("the streams share instructions");
  std::vector<Word> words(row.instruction_count);
  if (!words.empty()) {
    std::memcpy(words.data(), instructions_.data() + row.first_instruction * sizeof(Word),
                words.size() * sizeof(Word));
  }
  return words;
}

Result<ProgramEntry> Reader::entry(const tet_npu_entry& row) {
  if (row.symbol_offset > text_.size() || row.symbol_bytes > text_.size() - row.symbol_offset ||
      row.symbol_bytes == 0) {
    return invalidArgument("the symbol of a task is outside the text");
  }
  ProgramEntry entry{.symbol = std::string(reinterpret_cast<const char*>(text_.data()) + row.symbol_offset,
                                           row.symbol_bytes),
                     .units = row.units,
                     .granularity = row.granularity,
                     .workspace_bytes = row.workspace_bytes,
                     .buffer_count = row.buffer_count};
  if (row.units == 0 || row.granularity == 0 || row.granularity > row.units ||
      row.workspace_bytes > kDramEnd) {
    return invalidArgument("task {} has {} units of granularity {} and {} bytes of workspace", entry.symbol,
                           row.units, row.granularity, row.workspace_bytes);
  }
  if (row.first_piece > pieces_.size() || row.piece_count > pieces_.size() - row.first_piece) {
    return invalidArgument("the pieces of task {} are outside their table", entry.symbol);
  }
  const uint64_t streams = (row.units - 1) / row.granularity + 1;
  if (row.first_stream > streams_.size() || streams > streams_.size() - row.first_stream) {
    return invalidArgument("the streams of task {} are outside their table", entry.symbol);
  }
  for (uint32_t i = 0; i < row.piece_count; ++i) {
    auto read = piece(pieces_[row.first_piece + i], entry);
    if (!read) return propagate(read.error().withContext("task " + entry.symbol));
    entry.pieces.push_back(*read);
  }
  for (uint64_t i = 0; i < streams; ++i) {
    auto read = stream(streams_[row.first_stream + i]);
    if (!read) return propagate(read.error().withContext("task " + entry.symbol));
    entry.streams.push_back(std::move(*read));
  }
  return entry;
}

Result<Program> Reader::read() {
  TET_ASSIGN_OR_RETURN(const auto headers, table<tet_npu_header>(1, "header"));
  const tet_npu_header& header = headers[0];
  TET_RETURN_IF_ERROR(check(header, bytes().size()));
  TET_ASSIGN_OR_RETURN(const auto entries, table<tet_npu_entry>(header.entry_count, "tasks"));
  TET_ASSIGN_OR_RETURN(pieces_, table<tet_npu_piece>(header.piece_count, "pieces"));
  TET_ASSIGN_OR_RETURN(streams_, table<tet_npu_stream>(header.stream_count, "streams"));
  TET_ASSIGN_OR_RETURN(text_, part(header.text.offset, header.text.bytes, "names"));
  TET_ASSIGN_OR_RETURN(instructions_,
                       part(header.instructions.offset, header.instructions.bytes, "instructions"));
  TET_ASSIGN_OR_RETURN(constants_, part(header.constants.offset, header.constants.bytes, "constants"));
  Program program{.side = header.side,
                  .kind = static_cast<Kind>(header.kind),
                  .sp_rows = header.sp_rows,
                  .acc_rows = header.acc_rows};
  program.constants.assign(constants_.begin(), constants_.end());
  std::set<std::string> symbols;
  for (const tet_npu_entry& row : entries) {
    TET_ASSIGN_OR_RETURN(ProgramEntry read, entry(row));
    if (!symbols.insert(read.symbol).second) return invalidArgument("two tasks are called {}", read.symbol);
    program.entries.push_back(std::move(read));
  }
  return program;
}

}  // namespace

std::vector<std::byte> writeProgram(const Program& program) {
  std::vector<tet_npu_entry> entries;
  std::vector<tet_npu_piece> pieces;
  std::vector<tet_npu_stream> streams;
  std::vector<Word> instructions;
  std::string text;
  for (const ProgramEntry& e : program.entries) {
    entries.push_back({text.size(), e.symbol.size(), e.units, e.granularity, e.workspace_bytes,
                       streams.size(), static_cast<uint32_t>(pieces.size()),
                       static_cast<uint32_t>(e.pieces.size()), e.buffer_count, 0});
    text += e.symbol;
    for (const ProgramPiece& p : e.pieces) {
      pieces.push_back({p.kind, p.buffer, p.address, p.bytes, p.offset, p.writable ? 1u : 0u, 0});
    }
    for (const std::vector<Word>& words : e.streams) {
      streams.push_back({instructions.size(), words.size()});
      instructions.insert(instructions.end(), words.begin(), words.end());
    }
  }
  tet_npu_header header = {.magic = TET_NPU_MAGIC,
                           .version = TET_NPU_VERSION,
                           .side = static_cast<uint32_t>(program.side),
                           .kind = static_cast<uint32_t>(program.kind),
                           .sp_rows = static_cast<uint32_t>(program.sp_rows),
                           .acc_rows = static_cast<uint32_t>(program.acc_rows),
                           .entry_count = static_cast<uint32_t>(entries.size()),
                           .piece_count = static_cast<uint32_t>(pieces.size()),
                           .stream_count = streams.size()};
  const uint64_t tables = sizeof header + entries.size() * sizeof(tet_npu_entry) +
                          pieces.size() * sizeof(tet_npu_piece) + streams.size() * sizeof(tet_npu_stream);
  header.text = {tables, text.size()};
  header.instructions = {alignTo(tables + text.size(), sizeof(Word)), instructions.size() * sizeof(Word)};
  header.constants = {alignTo(header.instructions.offset + header.instructions.bytes, kPieceAlignment),
                      program.constants.size()};
  header.blob_bytes = header.constants.offset + header.constants.bytes;
  std::vector<std::byte> bytes;
  bytes.reserve(header.blob_bytes);
  append(bytes, &header, 1);
  append(bytes, entries.data(), entries.size());
  append(bytes, pieces.data(), pieces.size());
  append(bytes, streams.data(), streams.size());
  append(bytes, text.data(), text.size());
  bytes.resize(header.instructions.offset);
  append(bytes, instructions.data(), instructions.size());
  bytes.resize(header.constants.offset);
  append(bytes, program.constants.data(), program.constants.size());
  return bytes;
}

Result<Program> readProgram(std::span<const std::byte> bytes) { return Reader(bytes).read(); }

}  // namespace tetrarch::npu
