// Programs as bytes: each struct lists its members once, in fields(); Writer and Reader walk that list.
#include "tetrarch/abi/fpga_program.h"

#include <algorithm>
#include <bit>
#include <concepts>
#include <cstring>
#include <type_traits>

#include "tetrarch/abi/fpga_blob.h"

namespace tetrarch::fpga {
namespace {

// ---- the members of each struct ---------------------------------------------------------------------------

// fields(v, x) of a struct, which may be constant: v(member, …) for all members.
#define FPGA_FIELDS(Struct, ...)                            \
  template <typename Visitor, typename T>                   \
    requires std::is_same_v<std::remove_const_t<T>, Struct> \
  void fields(Visitor& v, T& x) {                           \
    v(__VA_ARGS__);                                         \
  }

FPGA_FIELDS(Type, x.width, x.exponent)
FPGA_FIELDS(Port::Loop, x.extent, x.stride)
FPGA_FIELDS(Port, x.is_input, x.buffer, x.stream, x.storage_bytes, x.offset, x.unit_strides, x.loops)
FPGA_FIELDS(Stream, x.type, x.lanes, x.depth)
FPGA_FIELDS(Range, x.low, x.high)
FPGA_FIELDS(Node, x.op, x.type, x.operands, x.imm, x.offset, x.strides, x.object, x.box, x.cycle)
FPGA_FIELDS(Accumulator, x.init, x.update)
FPGA_FIELDS(Output, x.is_store, x.object, x.address, x.enable, x.values, x.when, x.box)
FPGA_FIELDS(Nest::Loop, x.extent, x.is_reduction)
FPGA_FIELDS(Nest, x.loops, x.nodes, x.accumulators, x.outputs, x.interval, x.shares, x.depth)
FPGA_FIELDS(Machine::Instruction, x.node, x.result, x.is_store)
FPGA_FIELDS(Machine::Block, x.instructions, x.condition, x.then, x.otherwise, x.cycles)
FPGA_FIELDS(Machine, x.registers, x.blocks)
FPGA_FIELDS(Stage, x.name, x.work, x.after)
FPGA_FIELDS(Resources, x.luts, x.flip_flops, x.multipliers, x.block_rams)
FPGA_FIELDS(Kernel, x.symbol, x.units, x.buffers, x.ports, x.streams, x.memories, x.stages, x.estimate,
            x.estimated_hz, x.verilog, x.top)
FPGA_FIELDS(Program, x.part, x.kernels)
#undef FPGA_FIELDS

int bytesOf(Type type) { return (type.width + 7) / 8; }

// ---- to bytes ---------------------------------------------------------------------------------------------

class Writer {
 public:
  template <typename... T>
  void operator()(const T&... values) {
    (write(values), ...);
  }
  std::vector<std::byte> take() { return std::move(bytes_); }

 private:
  template <std::unsigned_integral T>
  void write(T value) {
    uint64_t rest = value;
    for (; rest > 127; rest >>= 7) byte(rest | 128);
    byte(rest);
  }
  template <std::signed_integral T>
  void write(T value) {
    const auto wide = static_cast<int64_t>(value);
    write((static_cast<uint64_t>(wide) << 1) ^ static_cast<uint64_t>(wide >> 63));
  }
  void write(double value) { raw(std::bit_cast<uint64_t>(value), sizeof value); }
  template <typename T>
    requires std::is_enum_v<T>
  void write(T value) {
    write(static_cast<uint64_t>(value));
  }
  void write(const std::string& text) {
    write(text.size());
    for (const char c : text) byte(static_cast<unsigned char>(c));
  }
  template <typename T>
  void write(const std::vector<T>& values) {
    write(values.size());
    for (const T& value : values) write(value);
  }
  template <typename... T>
  void write(const std::variant<T...>& value) {
    write(value.index());
    std::visit([this](const auto& member) { this->write(member); }, value);
  }
  void write(const Memory& memory) {
    (*this)(memory.type, memory.lanes, memory.depth, memory.data.size());
    for (const uint64_t element : memory.data) raw(element, bytesOf(memory.type));
  }
  template <typename T>
    requires std::is_class_v<T>
  void write(const T& value) {
    fields(*this, value);
  }

  void byte(uint64_t value) { bytes_.push_back(static_cast<std::byte>(value)); }
  void raw(uint64_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) byte(value >> (8 * i));
  }

  std::vector<std::byte> bytes_;
};

// ---- from bytes -------------------------------------------------------------------------------------------

// After something wrong it reads zeros and empty arrays.
class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) : rest_(bytes) {}
  template <typename... T>
  void operator()(T&... values) {
    (read(values), ...);
  }
  const char* wrong() const { return wrong_; }  // null: nothing
  bool atEnd() const { return rest_.empty(); }

 private:
  template <typename T>
    requires std::unsigned_integral<T> || std::is_enum_v<T>
  void read(T& value) {
    uint64_t wide = 0;
    number(wide);
    value = static_cast<T>(wide);
    if (static_cast<uint64_t>(value) != wide) fail("a number is too large");
  }
  void read(bool& value) {
    uint64_t wide = 0;
    number(wide);
    value = wide != 0;
    if (wide > 1) fail("a number that is 0 or 1 is neither");
  }
  void read(int64_t& value) {
    uint64_t wide = 0;
    number(wide);
    value = static_cast<int64_t>(wide >> 1 ^ (0 - (wide & 1)));
  }
  void read(double& value) { value = std::bit_cast<double>(raw(sizeof value)); }
  void read(std::string& text) {
    text.resize(length(1));
    if (!text.empty()) std::memcpy(text.data(), rest_.data(), text.size());
    rest_ = rest_.subspan(text.size());
  }
  template <typename T>
  void read(std::vector<T>& values) {
    // One after the other: a small blob that claims a large array must not get it.
    for (size_t left = length(1); left > 0 && !wrong_; --left) read(values.emplace_back());
  }
  template <typename... T>
  void read(std::variant<T...>& value) {
    static_assert(sizeof...(T) == 2);
    bool second = false;
    read(second);
    if (second) value.template emplace<1>();
    std::visit([this](auto& member) { this->read(member); }, value);
  }
  void read(Memory& memory) {
    (*this)(memory.type, memory.lanes, memory.depth);
    const int bytes = std::max(bytesOf(memory.type), 1);
    memory.data.resize(length(bytes));
    for (uint64_t& element : memory.data) element = raw(bytes);
  }
  template <typename T>
    requires std::is_class_v<T>
  void read(T& value) {
    fields(*this, value);
  }

  void number(uint64_t& value) {
    for (int shift = 0;; shift += 7) {
      if (rest_.empty()) return fail("the program ends too early");
      const auto byte = static_cast<uint64_t>(rest_[0]);
      rest_ = rest_.subspan(1);
      if (shift == 63 && byte > 1) return fail("a number is too large");
      value |= (byte & 127) << shift;
      if (byte < 128) return;
    }
  }
  // Of an array, each element of which has at least so many bytes.
  size_t length(size_t element_bytes) {
    uint64_t count = 0;
    number(count);
    if (count <= rest_.size() / element_bytes) return count;
    fail("the program ends too early");
    return 0;
  }
  uint64_t raw(size_t bytes) {
    if (bytes > rest_.size() || bytes > sizeof(uint64_t)) {
      fail("the program ends too early");
      return 0;
    }
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; ++i) value |= static_cast<uint64_t>(rest_[i]) << (8 * i);
    rest_ = rest_.subspan(bytes);
    return value;
  }
  void fail(const char* why) {
    if (!wrong_) wrong_ = why;
    rest_ = {};
  }

  std::span<const std::byte> rest_;
  const char* wrong_ = nullptr;
};

Status check(const tet_fpga_header& header, size_t size) {
  if (header.magic != TET_FPGA_MAGIC) return invalidArgument("the bytes are not an fpga blob");
  if (header.version != TET_FPGA_VERSION) {
    return invalidArgument("the blob has version {} and this program reads version {}", header.version,
                           TET_FPGA_VERSION);
  }
  if (header.blob_bytes != size) {
    return invalidArgument("the blob has {} bytes and should have {}", size, header.blob_bytes);
  }
  return {};
}

}  // namespace

const OperatorInfo& operatorInfo(Operator op) {
  static constexpr OperatorInfo kRows[] = {
#define FPGA_OPERATOR(id, name, operands, domain, meaning) {name, operands, Domain::domain},
#include "tetrarch/abi/fpga_ops.def"
  };
  return kRows[static_cast<size_t>(op)];
}

std::vector<std::byte> writeProgram(const Program& program) {
  Writer writer;
  writer(program);
  const std::vector<std::byte> body = writer.take();
  const tet_fpga_header header = {TET_FPGA_MAGIC, TET_FPGA_VERSION, sizeof header + body.size()};
  std::vector<std::byte> bytes(sizeof header);
  std::memcpy(bytes.data(), &header, sizeof header);
  bytes.insert(bytes.end(), body.begin(), body.end());
  return bytes;
}

Result<Program> readProgram(std::span<const std::byte> bytes) {
  tet_fpga_header header;
  if (bytes.size() < sizeof header) return invalidArgument("the bytes are not an fpga blob");
  std::memcpy(&header, bytes.data(), sizeof header);
  TET_RETURN_IF_ERROR(check(header, bytes.size()));
  Reader reader(bytes.subspan(sizeof header));
  Program program;
  reader(program);
  if (reader.wrong()) return invalidArgument("the blob is damaged: {}", reader.wrong());
  if (!reader.atEnd()) return invalidArgument("the blob is damaged: bytes follow the program");
  TET_RETURN_IF_ERROR(verify(program));
  return program;
}

}  // namespace tetrarch::fpga
