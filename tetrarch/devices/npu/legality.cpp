#include "tetrarch/devices/npu/legality.h"

#include <algorithm>
#include <expected>

namespace tetrarch::npu {
namespace {

// Collects the first fault, IllegalField before LocalRange.
class Checker {
 public:
  explicit Checker(const Config& config) : config_(config) {}

  void atLeastOne(std::string_view name, int64_t value) {
    if (value < 1) field(fmt::format("{} = {}", name, value));
  }
  void zero(std::string_view name, int64_t value, std::string_view because) {
    if (value != 0) field(fmt::format("{} = {} {}", name, value, because));
  }
  void field(std::string why) { keep(field_, Cause::IllegalField, std::move(why)); }

  void rows(const RowRange& range) {
    const int64_t limit = range.in_acc ? config_.acc_rows : config_.sp_rows;
    if (range.last < limit) return;
    keep(range_, Cause::LocalRange,
         fmt::format("row {} of {} in the {}", range.last, limit,
                     range.in_acc ? "accumulator memory" : "scratchpad"));
  }
  std::optional<Fault> fault() { return field_ ? std::move(field_) : std::move(range_); }
  const Config& config() const { return config_; }

 private:
  static void keep(std::optional<Fault>& slot, Cause cause, std::string why) {
    if (!slot) slot = Fault{cause, std::move(why)};
  }
  const Config& config_;
  std::optional<Fault> field_, range_;
};

void noTokens(Checker& c, const Tokens& tokens) {
  if (tokens.wait != 0 || tokens.signal != 0) c.field("it has tokens");
}

void check(Checker& c, const LoopState& /*loops*/, const Halt& i) { noTokens(c, i.tokens); }
void check(Checker& /*c*/, const LoopState& /*loops*/, const Sync& /*i*/) {}

void check(Checker& c, const LoopState& /*loops*/, const Dim& i) {
  noTokens(c, i.tokens);
  c.atLeastOne("count", i.count);
}

void checkTransfer(Checker& c, const Loops& loops, int64_t mask, int64_t local, int64_t bytes) {
  c.atLeastOne("bytes", bytes);
  if (bytes > rowBytes(c.config(), local)) {
    c.field(fmt::format("bytes = {} of a row of {}", bytes, rowBytes(c.config(), local)));
  }
  c.rows(localRange(local, activeLoops(loops, mask)));
}
void check(Checker& c, const LoopState& loops, const Load& i) {
  checkTransfer(c, loops.load, i.loops, i.row, i.bytes);
}
void check(Checker& c, const LoopState& loops, const Fill& i) {
  checkTransfer(c, loops.load, i.loops, i.row, i.bytes);
}
void check(Checker& c, const LoopState& loops, const Store& i) {
  checkTransfer(c, loops.store, i.loops, i.row, i.bytes);
}

void check(Checker& c, const LoopState& /*loops*/, const Matmul& i) {
  c.atLeastOne("n0", i.n0);
  c.atLeastOne("n1", i.n1);
  c.atLeastOne("k", i.k);
  if (i.k > c.config().side) c.field(fmt::format("k = {} of {} array rows", i.k, c.config().side));
  if (i.ternary && c.config().kind == Kind::Bf16) c.field("ternary weights of the bf16 kind");
  if (i.keep) {
    c.zero("w_addr", i.w_addr, "beside keep");
    c.zero("ternary", i.ternary, "beside keep");
  } else {
    c.rows({false, i.w_addr, i.w_addr + c.config().side / (i.ternary ? 4 : 1) - 1});
  }
  c.rows(gridRange(i.a_addr, i.n1, i.n0, i.s1, i.s0));
  c.rows({true, i.c_addr, i.c_addr + i.n0 * i.n1 - 1});
}

void check(Checker& c, const LoopState& /*loops*/, const Vparam& i) {
  if (i.rows) {
    c.rows({true, i.p_addr, i.p_addr + kVparamReads - 1});
  } else {
    c.zero("p_addr", i.p_addr, "without rows");
  }
  if (!i.scalars && (i.shift_b || i.mult_b || i.zp_b || i.zp || i.lo || i.hi)) {
    c.field("scalars that it does not set");
  }
}

void check(Checker& c, const LoopState& /*loops*/, const Table& i) {
  c.rows({false, i.addr, i.addr + c.config().tableRows() - 1});
}

void check(Checker& c, const LoopState& /*loops*/, const Vop& i) {
  const VectorOpInfo* op = vectorOpInfo(i.op);
  if (!op || !(c.config().kind == Kind::Int8 ? op->int8 : op->bf16)) {
    return c.field(fmt::format("the {} kind has no vector op {}", kindName(c.config().kind), i.op));
  }
  c.atLeastOne("n0", i.n0);
  c.atLeastOne("n1", i.n1);
  if (!op->takes_imm) c.zero("imm", i.imm, "of an op without it");
  if (!op->two_operands) {
    c.zero("b", i.b, "of an op of one operand");
    c.zero("broadcast", i.broadcast, "of an op of one operand");
  }
  if (op->op == VectorOp::REQUANT_ADD && isAcc(i.b)) c.field("B of requant_add in the accumulator memory");
  c.rows(rangeOfA(i));
  if (op->two_operands) c.rows(rangeOfB(i));
  c.rows(rangeOfD(i));
}

}  // namespace

void LoopState::apply(const Dim& dim) {
  (dim.of_store ? store : load)[dim.loop] = {dim.count, dim.row_stride, dim.dram_stride};
}

std::optional<Fault> checkFields(const Config& config, const LoopState& loops,
                                 const Instruction& instruction) {
  Checker checker(config);
  std::visit([&](const auto& i) { check(checker, loops, i); }, instruction);
  return checker.fault();
}

std::expected<Instruction, Fault> checkWord(const Config& config, const LoopState& loops, const Word& word) {
  auto instruction = decode(word);
  if (!instruction) {
    const bool known = std::ranges::any_of(opcodeRows(), [&](const OpcodeRow& row) {
      return static_cast<uint64_t>(row.opcode) == (word.low & 15);
    });
    return std::unexpected(Fault{known ? Cause::IllegalField : Cause::IllegalOpcode,
                                 std::string(instruction.error().message())});
  }
  if (auto fault = checkFields(config, loops, *instruction)) return std::unexpected(std::move(*fault));
  return *instruction;
}

Loops activeLoops(const Loops& loops, int64_t mask) {
  Loops active;
  for (int k = 0; k < kLoops; ++k) {
    if (mask >> k & 1) active[k] = loops[k];
  }
  return active;
}

int64_t rowCount(const Loops& loops) {
  int64_t rows = 1;
  for (const Loop& loop : loops) rows = std::min(rows * loop.count, kManyRows);
  return rows;
}

RowRange localRange(int64_t local, const Loops& loops) {
  RowRange range{isAcc(local), rowOf(local), rowOf(local)};
  for (const Loop& loop : loops) range.last += (loop.count - 1) * loop.row_stride;
  return range;
}

int64_t rowBytes(const Config& config, int64_t local) {
  return isAcc(local) ? config.accRowBytes() : config.spRowBytes();
}

RowRange gridRange(int64_t local, int64_t n1, int64_t n0, int64_t s1, int64_t s0) {
  const int64_t first = rowOf(local);
  return {isAcc(local), first, first + (n1 - 1) * s1 + (n0 - 1) * s0};
}

RowRange rangeOfA(const Vop& vop) { return gridRange(vop.a, vop.n1, vop.n0, vop.s1, vop.s0); }
RowRange rangeOfB(const Vop& vop) {
  return vop.broadcast ? gridRange(vop.b, 1, 1, 0, 0) : gridRange(vop.b, vop.n1, vop.n0, vop.pitch, 1);
}
RowRange rangeOfD(const Vop& vop) {
  const VectorOpInfo* op = vectorOpInfo(vop.op);
  return gridRange(vop.d, vop.n1, op && op->fold ? 1 : vop.n0, vop.pitch, 1);
}

ByteRange dramRange(int64_t dram, const Loops& loops, int64_t bytes) {
  ByteRange range{dram, dram + bytes};
  for (const Loop& loop : loops) {
    const int64_t extent = (loop.count - 1) * loop.dram_stride;
    (extent < 0 ? range.begin : range.end) += extent;
  }
  return range;
}

}  // namespace tetrarch::npu
