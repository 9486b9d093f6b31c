#include "tetrarch/devices/npu/random_case.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "tetrarch/devices/npu/legality.h"
#include "tetrarch/devices/npu/verifier.h"

namespace tetrarch::npu {
namespace {

Config randomConfig(Random& r, const RandomOptions& options) {
  Config config;
  config.side = options.side ? options.side : r.pick({8, 16, 32});
  config.kind = options.kind < 0 ? static_cast<Kind>(r.range(0, 1)) : static_cast<Kind>(options.kind);
  // Rows enough for a few tiles and one table.
  const int64_t least = (std::max(2 * config.side, config.tableRows()) / kSpBanks + 1) * kSpBanks;
  config.sp_rows = options.sp_rows ? options.sp_rows : least * r.range(1, 4);
  config.acc_rows = options.acc_rows ? options.acc_rows : kAccBanks * r.range(4, 24);
  config.latency = options.latency ? options.latency : r.pick({1, 2, 7, 20, 64});
  return config;
}

// ---- instructions --------------------------------------------------------------------------------

// Proposes instructions whose fields are mostly legal.
class Proposer {
 public:
  Proposer(Random& random, const Config& config, int64_t dram_bytes)
      : r(random), config_(config), dram_bytes_(dram_bytes) {}

  Instruction propose(const LoopState& loops) {
    // For a while one queue gets most, so that queues fill up.
    if (burst_ == 0) {
      burst_ = r.range(1, 30);
      favourite_ = r.range(0, 99);
      single_rows_ = r.chance(40);
    }
    --burst_;
    const int64_t dice = r.chance(60) ? favourite_ : r.range(0, 99);
    if (dice < 12) return dim();
    if (dice < 28) return load(loops.load);
    if (dice < 35) return fill(loops.load);
    if (dice < 47) return store(loops.store);
    if (dice < 66) return matmul();
    if (dice < 74) return vparam();
    if (dice < 76) return Table{{}, std::max<int64_t>(0, r.range(-4, config_.sp_rows - config_.tableRows()))};
    if (dice < 97) return vop();
    return Sync{{}, r.range(0, kQueues - 1)};
  }

 private:
  int64_t spRow() {
    return r.chance(15) ? r.pick({0, config_.sp_rows - 1}) : r.range(0, config_.sp_rows - 1);
  }
  int64_t accRow() {
    return r.chance(15) ? r.pick({0, config_.acc_rows - 1}) : r.range(0, config_.acc_rows - 1);
  }
  int64_t local() { return r.chance(50) ? spRow() : accAddress(accRow()); }
  int64_t rowsOf(int64_t where) const { return isAcc(where) ? config_.acc_rows : config_.sp_rows; }

  Instruction dim() {
    return Dim{{},
               r.range(0, 1),
               r.range(0, kLoops - 1),
               r.chance(20) ? 1 : r.range(1, 6),
               r.chance(60) ? 1 : r.range(0, 7),
               r.chance(40)   ? config_.side * r.range(-3, 6)
               : r.chance(20) ? 0
                              : r.range(-70, 150)};
  }

  // Loops that fit into both memories from where `row` and `dram` are put.
  template <typename Transfer>
  Transfer transfer(const Loops& all) {
    Transfer t;
    t.row = local();
    t.bytes = r.chance(40) ? rowBytes(config_, t.row) : r.range(1, rowBytes(config_, t.row));
    for (t.loops = single_rows_ ? 0 : r.range(0, 15);; t.loops &= r.range(0, 15)) {
      const Loops loops = activeLoops(all, t.loops);
      const RowRange rows = localRange(t.row & kAccBit, loops);
      const ByteRange bytes = dramRange(0, loops, t.bytes);
      if (rows.last >= rowsOf(t.row) || bytes.end - bytes.begin > dram_bytes_ || rowCount(loops) > 100)
        continue;
      t.row = (t.row & kAccBit) | r.range(0, rowsOf(t.row) - 1 - rows.last);
      dram_ = r.range(-bytes.begin, dram_bytes_ - bytes.end);
      if (r.chance(30)) dram_ = std::max(-bytes.begin, dram_ / config_.side * config_.side);
      return t;
    }
  }
  Instruction load(const Loops& loops) {
    auto t = transfer<Load>(loops);
    t.dram = dram_;
    return t;
  }
  Instruction store(const Loops& loops) {
    auto t = transfer<Store>(loops);
    t.dram = dram_;
    return t;
  }
  Instruction fill(const Loops& loops) {
    auto t = transfer<Fill>(loops);
    t.value = r.range(-128, 127);
    return t;
  }

  // A grid of rows inside a memory of `rows` rows, at most `most` of them.
  struct Grid {
    int64_t first, n1, n0, s1, s0;
  };
  Grid grid(int64_t rows, int64_t most) {
    for (;;) {
      Grid g{0, r.chance(60) ? 1 : r.range(1, 5), r.chance(10) ? r.range(1, most) : r.range(1, 12),
             r.range(0, 20), r.chance(60) ? 1 : r.range(0, 4)};
      const int64_t extent = (g.n1 - 1) * g.s1 + (g.n0 - 1) * g.s0;
      if (g.n1 * g.n0 > most || extent >= rows) continue;
      g.first = r.range(0, rows - 1 - extent);
      return g;
    }
  }

  Instruction matmul() {
    const Grid g = grid(config_.sp_rows, std::min<int64_t>(config_.acc_rows, 60));
    Matmul m;
    m.accumulate = r.range(0, 1);
    m.keep = r.chance(25);
    m.ternary = !m.keep && config_.kind == Kind::Int8 && r.chance(25);
    if (!m.keep) m.w_addr = r.range(0, config_.sp_rows - config_.side / (m.ternary ? 4 : 1));
    m.a_addr = g.first;
    m.n0 = g.n0;
    m.n1 = g.n1;
    m.s0 = g.s0;
    m.s1 = g.s1;
    m.c_addr = r.range(0, config_.acc_rows - g.n0 * g.n1);
    // Rows that the MATMUL before has just summed.
    if (r.chance(30)) m.c_addr = std::min(c_addr_, config_.acc_rows - g.n0 * g.n1);
    c_addr_ = m.c_addr + (r.chance(50) ? g.n0 * g.n1 - 1 : 0);
    m.k = r.chance(60) ? config_.side : r.range(1, config_.side);
    return m;
  }

  Instruction vparam() {
    Vparam p;
    p.rows = r.chance(60);
    p.scalars = r.chance(70);
    if (p.rows) p.p_addr = r.range(0, config_.acc_rows - kVparamReads);
    if (!p.scalars) return p;
    p.shift_b = r.range(0, r.chance(80) ? 12 : 31);
    p.mult_b = r.range(INT16_MIN, INT16_MAX);
    p.zp_b = r.range(-128, 127);
    p.zp = r.chance(80) ? r.range(-128, 127) : r.range(INT16_MIN, INT16_MAX);
    p.lo = r.chance(60) ? -128 : r.range(INT16_MIN, INT16_MAX);
    p.hi = r.chance(60) ? 127 : r.range(INT16_MIN, INT16_MAX);
    return p;
  }

  const VectorOpInfo& vectorOp() {
    for (;;) {
      const VectorOpInfo* op = vectorOpInfo(r.range(0, 31));
      if (op && (config_.kind == Kind::Int8 ? op->int8 : op->bf16)) return *op;
    }
  }

  Instruction vop() {
    const VectorOpInfo& op = vectorOp();
    Vop v;
    v.op = static_cast<int64_t>(op.op);
    if (op.takes_imm) v.imm = r.range(0, r.chance(70) ? 16 : 31);
    const bool a_in_acc = r.chance(50), b_in_acc = op.op != VectorOp::REQUANT_ADD && r.chance(50);
    const Grid g = grid(a_in_acc ? config_.acc_rows : config_.sp_rows, 40);
    v.a = a_in_acc ? accAddress(g.first) : g.first;
    v.n0 = g.n0;
    v.n1 = g.n1;
    v.s0 = g.s0;
    v.s1 = g.s1;
    v.pitch = r.chance(50) ? g.n0 : r.range(0, 12);
    const bool d_in_acc = r.chance(50);
    const int64_t extent = (g.n1 - 1) * v.pitch + (op.fold ? 0 : g.n0 - 1);
    v.d = place(d_in_acc, extent, v);
    if (op.two_operands) {
      v.broadcast = r.chance(25);
      v.b = place(b_in_acc, v.broadcast ? 0 : (g.n1 - 1) * v.pitch + g.n0 - 1, v);
    }
    // In place.
    if (r.chance(10) && g.s0 == 1 && d_in_acc == a_in_acc && (g.n1 == 1 || g.s1 == v.pitch)) v.d = v.a;
    return v;
  }
  // Where a block of rows fits; makes the grid smaller when it fits nowhere.
  int64_t place(bool in_acc, int64_t extent, Vop& v) {
    const int64_t rows = in_acc ? config_.acc_rows : config_.sp_rows;
    if (extent >= rows) {
      v.n1 = 1;
      v.n0 = std::min(v.n0, rows);
      extent = v.n0 - 1;
    }
    const int64_t first = r.range(0, rows - 1 - extent);
    return in_acc ? accAddress(first) : first;
  }

  Random& r;
  const Config& config_;
  const int64_t dram_bytes_;
  int64_t dram_ = 0, c_addr_ = 0, burst_ = 0, favourite_ = 0;
  bool single_rows_ = false;  // of transfers, so that many are in flight
};

// ---- programs ------------------------------------------------------------------------------------

// Puts proposals one behind another, with tokens where the verifier asks for order and some where it does
// not.
class Composer {
 public:
  Composer(Random& random, const Config& config, const Dram& dram)
      : r(random),
        verifier_(config, dram),
        proposer_(random, config, static_cast<int64_t>(dram.segments()[0].bytes)) {}

  std::vector<Instruction> compose(int instructions) {
    while (program_.size() < static_cast<size_t>(instructions)) {
      Instruction next = proposer_.propose(verifier_.loops());
      if (!std::holds_alternative<Dim>(next)) sprinkleTokens(next);
      if (!append(next)) appendBehindBarrier(next);
    }
    program_.emplace_back(Halt{});
    return std::move(program_);
  }

 private:
  void sprinkleTokens(Instruction& instruction) {
    const auto me = static_cast<size_t>(queueOf(instruction));
    Tokens& tokens = tokensOf(instruction);
    for (size_t q = 0; q < kQueues; ++q) {
      if (sent_[q][me] > 0 && r.chance(sent_[q][me] > 3 ? 90 : 40)) tokens.wait |= 1 << q;
      if (sent_[me][q] < 6 && r.chance(20)) tokens.signal |= 1 << q;
    }
  }

  bool append(const Instruction& instruction) {
    Verifier attempt = verifier_;
    if (!attempt.add(instruction).ok()) return false;
    verifier_ = std::move(attempt);
    const auto me = static_cast<size_t>(queueOf(instruction));
    for (size_t q = 0; q < kQueues; ++q) {
      sent_[q][me] -= tokensOf(instruction).wait >> q & 1;
      sent_[me][q] += tokensOf(instruction).signal >> q & 1;
    }
    program_.push_back(instruction);
    return true;
  }

  // Orders the instruction behind the other queues, one queue at a time until that is enough; gives it up
  // when it is not (a VOP that reads what it wrote).
  void appendBehindBarrier(Instruction instruction) {
    const auto me = static_cast<size_t>(queueOf(instruction));
    tokensOf(instruction).wait = 0;
    const auto start = static_cast<size_t>(r.range(0, kQueues - 1));
    for (size_t step = 0; step < kQueues; ++step) {
      const size_t from = (start + step) % kQueues;
      if (from == me) continue;
      const auto bit = static_cast<uint8_t>(1 << from);
      while (sent_[from][me] > 0) append(Sync{{bit, 0}, static_cast<int64_t>(me)});
      append(Sync{{0, static_cast<uint8_t>(1 << me)}, static_cast<int64_t>(from)});
      if (r.chance(50)) {
        append(Sync{{bit, 0}, static_cast<int64_t>(me)});
      } else {
        tokensOf(instruction).wait |= bit;
      }
      if (append(instruction)) return;
    }
  }

  Random& r;
  Verifier verifier_;
  Proposer proposer_;
  std::vector<Instruction> program_;
  TokenCounters sent_ = {};  // and not taken
};

Word encoded(const Instruction& instruction) { return encode(instruction).value_or(Word{}); }

std::vector<Word> encoded(const std::vector<Instruction>& program) {
  std::vector<Word> words;
  for (const Instruction& instruction : program) words.push_back(encoded(instruction));
  return words;
}

// ---- faults --------------------------------------------------------------------------------------

Word illegalField(Random& r, const Config& config) {
  Word word;
  switch (r.range(0, 11)) {
    case 0:
      word = encoded(Sync{{}, r.range(0, 3)});
      word.high |= uint64_t{1} << r.range(0, 63);
      return word;
    case 1:
      return encoded(Dim{{}, 0, 1, 0, 0, 0});
    case 2:
      return encoded(Dim{{1, 0}, 0, 1, 1, 0, 0});
    case 3:
      return encoded(Load{{}, 0, 0, config.spRowBytes() + 1, 0});
    case 4:
      return encoded(Store{{}, 0, 0, 0, 0});
    case 5:
      return encoded(Fill{{}, 0, accAddress(0), config.accRowBytes() + 1, 0});
    case 6:
      return encoded(Matmul{.n0 = 1, .n1 = 1, .k = config.side + 1});
    case 7:
      return encoded(Matmul{.keep = 1, .w_addr = 1, .n0 = 1, .n1 = 1, .k = 1});
    case 8:
      return encoded(Vparam{.scalars = 1, .p_addr = 1});
    case 9:
      return encoded(Vparam{.zp = -1});
    case 10:
      return encoded(
          Vop{.op = config.kind == Kind::Int8 ? r.range(16, 31) : r.range(1, 15), .n0 = 1, .n1 = 1});
    default:
      return encoded(Vop{.op = 0, .imm = r.range(0, 1), .b = 1, .n0 = 1, .n1 = 1});
  }
}

Word localRange(Random& r, const Config& config) {
  switch (r.range(0, 5)) {
    case 0:
      return encoded(Load{{}, 0, config.sp_rows, 1, 0});
    case 1:
      return encoded(Store{{}, 0, accAddress(config.acc_rows), 1, 0});
    case 2:
      return encoded(Matmul{.c_addr = config.acc_rows - 1, .n0 = 2, .n1 = 1, .k = 1});
    case 3:
      return encoded(Matmul{.w_addr = config.sp_rows - config.side + 1, .n0 = 1, .n1 = 1, .k = 1});
    case 4:
      return encoded(Table{{}, config.sp_rows - config.tableRows() + 1});
    default:
      return encoded(Vop{.a = config.sp_rows - 1, .n0 = 2, .n1 = 1, .s0 = 1});
  }
}

// Breaks the case so that it should end with `cause`.
void breakCase(Random& r, Case& c, Cause cause) {
  const auto at = c.program.begin() + r.range(0, static_cast<int64_t>(c.program.size()) - 1);
  const auto queue = r.range(0, kQueues - 1);
  const auto bit = static_cast<uint8_t>(1 << r.range(0, kQueues - 1));
  switch (cause) {
    case Cause::IllegalOpcode:
      c.program.insert(at, Word{static_cast<uint64_t>(r.pick({0, 11, 12, 13, 14, 15})), r.bits()});
      break;
    case Cause::IllegalField:
      c.program.insert(at, illegalField(r, c.config));
      break;
    case Cause::LocalRange:
      c.program.insert(at, localRange(r, c.config));
      break;
    case Cause::FetchRange:
      c.program.pop_back();
      break;
    case Cause::DramRange: {
      const auto end = static_cast<int64_t>(c.dram.size());
      const int64_t dram = end - r.range(0, c.config.side - 1);
      c.program.insert(at, r.chance(50) ? encoded(Load{{}, 0, 0, c.config.side, dram})
                                        : encoded(Store{{}, 0, 0, c.config.side, dram}));
      break;
    }
    case Cause::TokenOverflow:
      for (auto& counters : c.state.tokens) counters.fill(kTokenMax);
      c.program.insert(at, encoded(Sync{{0, bit}, queue}));
      break;
    default:
      c.program.insert(at, encoded(Sync{{bit, 0}, queue}));
  }
}

}  // namespace

uint64_t Random::bits() {  // splitmix64
  uint64_t z = state_ += 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

int64_t Random::range(int64_t min, int64_t max) {
  if (max <= min) return min;
  return min + static_cast<int64_t>(bits() % (static_cast<uint64_t>(max - min) + 1));
}

namespace {

// An accumulator word: small sums, scale rows, extremes, anything; of the bf16 kind floats of all sorts, or
// small ones only.
uint32_t randomWord(Random& r, Kind kind, bool small) {
  const int64_t dice = small ? 0 : r.range(0, 9);
  if (kind == Kind::Bf16) {
    if (dice < 6)
      return std::bit_cast<uint32_t>(std::ldexp(static_cast<float>(r.range(-999, 999)), r.range(-12, 3)));
    constexpr int64_t kCorners[] = {0,          0x80000000, 0x00000001, 0x807fffff, 0x00800000, 0x7f7fffff,
                                    0x7f800000, 0xff800000, 0x7fc00000, 0xffc12345, 0x7f800001};
    return static_cast<uint32_t>(dice < 7 ? r.pick(kCorners) : r.bits());
  }
  if (dice < 4) return static_cast<uint32_t>(r.range(-4096, 4096));
  if (dice < 7) return static_cast<uint32_t>(r.range(0, 20) << 16 | r.range(0, 0xffff));
  constexpr int64_t kCorners[] = {0, INT32_MAX, INT32_MIN, -1, 0x7fff, 0x8000};
  return static_cast<uint32_t>(dice < 8 ? r.pick(kCorners) : r.bits());
}

std::byte randomByte(Random& r) {
  constexpr int64_t kCorners[] = {0, 1, -1, 127, -128, 64, -127};
  return static_cast<std::byte>(r.chance(40) ? r.pick(kCorners) : r.range(-128, 127));
}

}  // namespace

void fillRandomly(Random& random, std::span<std::byte> bytes) {
  for (std::byte& byte : bytes) byte = randomByte(random);
}

void fillRandomly(Random& random, const Config& config, State& state) {
  // Among floats of all sorts most sums are infinite or NaN, so every second state has none of those.
  const bool small = config.kind == Kind::Bf16 && random.chance(50);
  const auto fill = [&](std::vector<std::byte>& bytes) {
    if (config.kind == Kind::Int8) return fillRandomly(random, bytes);
    for (size_t i = 0; i < bytes.size(); i += 2) {
      const auto bits = static_cast<uint16_t>(randomWord(random, Kind::Bf16, small) >> 16);
      std::memcpy(&bytes[i], &bits, sizeof bits);
    }
  };
  fill(state.sp);
  fill(state.weights);
  for (uint32_t& word : state.acc) word = randomWord(random, config.kind, small);
  const uint32_t kept = config.kind == Kind::Int8 ? 0x3fffff : UINT32_MAX;
  for (uint32_t& word : state.parameters.bias) word = randomWord(random, config.kind, small);
  for (uint32_t& word : state.parameters.scale) word = randomWord(random, config.kind, small) & kept;
  for (uint16_t& entry : state.table) entry = static_cast<uint16_t>(random.bits());
}

Case randomCase(uint64_t seed, const RandomOptions& options) {
  Random r(seed);
  const Config config = randomConfig(r, options);
  Case c{config, {}, State(config), std::vector<std::byte>(64 * r.range(32, 128))};
  fillRandomly(r, config, c.state);
  fillRandomly(r, c.dram);
  auto dram = Dram::make({{0, c.dram.data(), c.dram.size(), true}});
  if (!dram) return c;
  const auto instructions = static_cast<int>(r.range(1, options.instructions));
  c.program = encoded(Composer(r, c.config, *dram).compose(instructions));
  return c;
}

Case randomFault(uint64_t seed, Cause cause, const RandomOptions& options) {
  for (uint64_t attempt = 0;; ++attempt) {
    Random r(seed + (attempt << 32));
    Case c = randomCase(r.bits(), options);
    breakCase(r, c, cause);
    const Timing timing =
        simulateTiming(c.config, c.program, TimingStart::of(c.state), static_cast<int64_t>(c.dram.size()));
    if (timing.cause == cause) return c;
  }
}

}  // namespace tetrarch::npu
