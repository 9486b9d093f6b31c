#include "tetrarch/compile/target/npu/stream.h"

#include <algorithm>

#include "tetrarch/devices/npu/verifier.h"

namespace tetrarch::npu {
namespace {

constexpr int64_t kMaxLoopCount = 65535;

// Without loops of one iteration, and with neighbours merged that are one longer loop.
std::vector<Loop> simplified(std::span<const Loop> loops) {
  std::vector<Loop> simple;
  for (const Loop& loop : loops) {
    if (loop.count != 1) simple.push_back(loop);
  }
  for (size_t i = 0; i < simple.size(); ++i) {
    for (size_t j = 0; j < simple.size(); ++j) {
      const Loop &inner = simple[i], &outer = simple[j];
      if (i == j || outer.row_stride != inner.row_stride * inner.count ||
          outer.dram_stride != inner.dram_stride * inner.count || inner.count * outer.count > kMaxLoopCount) {
        continue;
      }
      simple[i].count *= outer.count;
      simple.erase(simple.begin() + static_cast<int64_t>(j));
      i = j = 0;
    }
  }
  return simple;
}

int64_t rowsOf(std::span<const Loop> loops) {
  int64_t rows = 1;
  for (const Loop& loop : loops) rows = std::min(rows * loop.count, kManyRows);
  return rows;
}

bool meet(const ByteRange& a, const ByteRange& b) { return a.begin < b.end && b.begin < a.end; }

}  // namespace

StreamBuilder::StreamBuilder(const Config& config)
    : config_(config), shadows_{std::vector<Shadow>(config.sp_rows), std::vector<Shadow>(config.acc_rows)} {}

// ---- transfers --------------------------------------------------------------------------------------------

void StreamBuilder::load(int64_t row, int64_t bytes, int64_t dram, std::span<const Loop> loops) {
  transfer(Load{.row = row, .bytes = bytes, .dram = dram}, loops);
}

void StreamBuilder::fill(int64_t row, int64_t bytes, int64_t value, std::span<const Loop> loops) {
  transfer(Fill{.row = row, .bytes = bytes, .value = value}, loops);
}

void StreamBuilder::store(int64_t row, int64_t bytes, int64_t dram, std::span<const Loop> loops) {
  transfer(Store{.row = row, .bytes = bytes, .dram = dram}, loops);
}

template <typename Transfer>
void StreamBuilder::transfer(Transfer instruction, std::span<const Loop> loops) {
  emit(instruction, simplified(loops));
}

// Unrolls the shortest loop until the rest is what one instruction takes.
template <typename Transfer>
void StreamBuilder::emit(Transfer instruction, std::span<const Loop> loops) {
  const auto too_long = std::ranges::find_if(loops, [](const Loop& l) { return l.count > kMaxLoopCount; });
  if (loops.size() <= kLoops && too_long == loops.end() && rowsOf(loops) <= kMaxTransferRows) {
    instruction.loops = setLoops(std::is_same_v<Transfer, Store>, loops);
    add(instruction);
    return;
  }
  const auto victim = too_long != loops.end() ? too_long : std::ranges::min_element(loops, {}, &Loop::count);
  std::vector<Loop> rest(loops.begin(), loops.end());
  rest.erase(rest.begin() + (victim - loops.begin()));
  for (int64_t i = 0; i < victim->count; ++i) {
    emit(instruction, rest);
    instruction.row += victim->row_stride;
    if constexpr (!std::is_same_v<Transfer, Fill>) instruction.dram += victim->dram_stride;
  }
}

int64_t StreamBuilder::setLoops(bool of_store, std::span<const Loop> loops) {
  const Loops& now = of_store ? loops_.store : loops_.load;
  auto& used = used_[of_store];
  ++uses_;
  int64_t mask = 0;
  std::vector<Loop> missing;
  for (const Loop& loop : loops) {
    int k = 0;
    while (k < kLoops && ((mask >> k & 1) || now[k] != loop)) ++k;
    if (k == kLoops) {
      missing.push_back(loop);
    } else {
      mask |= 1 << k;
      used[k] = uses_;
    }
  }
  for (const Loop& loop : missing) {
    int oldest = -1;
    for (int k = 0; k < kLoops; ++k) {
      if (!(mask >> k & 1) && (oldest < 0 || used[k] < used[oldest])) oldest = k;
    }
    const Dim dim{.of_store = of_store,
                  .loop = oldest,
                  .count = loop.count,
                  .row_stride = loop.row_stride,
                  .dram_stride = loop.dram_stride};
    begin(of_store ? Queue::Store : Queue::Load);
    end(dim);
    loops_.apply(dim);
    mask |= 1 << oldest;
    used[oldest] = uses_;
  }
  return mask;
}

// ---- accesses ---------------------------------------------------------------------------------------------

void StreamBuilder::begin(Queue queue) {
  queue_ = static_cast<int>(queue);
  needs_ = {};
  ++issued_[queue_];
}

void StreamBuilder::end(const Instruction& instruction) {
  steps_.push_back({instruction, needs_});
  tokensOf(steps_.back().instruction) = {};
}

StreamBuilder::Shadow& StreamBuilder::shadow(bool in_acc, int64_t row) { return shadows_[in_acc][row]; }

void StreamBuilder::touch(Shadow& shadow, bool write) {
  if (shadow.writer != queue_) needs_[shadow.writer] = std::max(needs_[shadow.writer], shadow.written);
  if (!write) {
    shadow.read[queue_] = issued_[queue_];
    return;
  }
  for (int q = 0; q < kQueues; ++q) {
    if (q != queue_) needs_[q] = std::max(needs_[q], shadow.read[q]);
  }
  shadow.writer = static_cast<int8_t>(queue_);
  shadow.written = issued_[queue_];
}

void StreamBuilder::touch(const RowRange& rows, bool write) {
  for (int64_t row = rows.first; row <= rows.last; ++row) touch(shadow(rows.in_acc, row), write);
}

void StreamBuilder::touchGrid(int64_t local, int64_t n1, int64_t n0, int64_t s1, int64_t s0, bool write) {
  for (int64_t i1 = 0; i1 < n1; ++i1) {
    for (int64_t i0 = 0; i0 < n0; ++i0) {
      touch(shadow(isAcc(local), rowOf(local) + i1 * s1 + i0 * s0), write);
    }
  }
}

void StreamBuilder::touchRows(int64_t local, const Loops& loops, bool write) {
  forEachRow(loops, 0, local, [&](int64_t, int64_t row) { touch(shadow(isAcc(local), row), write); });
}

// LOADs and STOREs complete in order, so the last one that meets the range counts.
void StreamBuilder::touchDram(const ByteRange& range, bool write) {
  const int other = static_cast<int>(write ? Queue::Load : Queue::Store);
  if (meet(hulls_[!write], range)) {
    const auto& theirs = dram_[!write];
    const auto last = std::ranges::find_if(
        theirs.rbegin(), theirs.rend(), [&](const DramAccess& access) { return meet(access.range, range); });
    if (last != theirs.rend()) needs_[other] = std::max(needs_[other], last->ordinal);
  }
  ByteRange& hull = hulls_[write];
  hull = dram_[write].empty() ? range
                              : ByteRange{std::min(hull.begin, range.begin), std::max(hull.end, range.end)};
  dram_[write].push_back({range, issued_[queue_]});
}

void StreamBuilder::add(const Matmul& i) {
  if (!valid(i)) return;
  begin(Queue::Matrix);
  if (!i.keep) touch(RowRange{false, i.w_addr, i.w_addr + config_.side / (i.ternary ? 4 : 1) - 1}, false);
  touchGrid(i.a_addr, i.n1, i.n0, i.s1, i.s0, false);
  touch(RowRange{true, i.c_addr, i.c_addr + i.n0 * i.n1 - 1}, true);
  end(i);
}

void StreamBuilder::add(const Vparam& i) {
  if (!valid(i)) return;
  begin(Queue::Vector);
  if (i.rows) touch(RowRange{true, i.p_addr, i.p_addr + kVparamReads - 1}, false);
  end(i);
}

void StreamBuilder::add(const Table& i) {
  if (!valid(i)) return;
  begin(Queue::Vector);
  touch(RowRange{false, i.addr, i.addr + config_.tableRows() - 1}, false);
  end(i);
}

void StreamBuilder::add(const Vop& i) {
  if (!valid(i)) return;
  begin(Queue::Vector);
  const VectorOpInfo& op = *vectorOpInfo(i.op);
  touchGrid(i.a, i.n1, i.n0, i.s1, i.s0, false);
  if (op.two_operands && i.broadcast) touchGrid(i.b, 1, 1, 0, 0, false);
  if (op.two_operands && !i.broadcast) touchGrid(i.b, i.n1, i.n0, i.pitch, 1, false);
  touchGrid(i.d, i.n1, op.fold ? 1 : i.n0, i.pitch, 1, true);
  end(i);
}

void StreamBuilder::add(const Load& i) {
  if (!valid(i)) return;
  begin(Queue::Load);
  const Loops loops = activeLoops(loops_.load, i.loops);
  touchDram(dramRange(i.dram, loops, i.bytes), false);
  touchRows(i.row, loops, true);
  end(i);
}

void StreamBuilder::add(const Fill& i) {
  if (!valid(i)) return;
  begin(Queue::Load);
  touchRows(i.row, activeLoops(loops_.load, i.loops), true);
  end(i);
}

void StreamBuilder::add(const Store& i) {
  if (!valid(i)) return;
  begin(Queue::Store);
  const Loops loops = activeLoops(loops_.store, i.loops);
  touchDram(dramRange(i.dram, loops, i.bytes), true);
  touchRows(i.row, loops, false);
  end(i);
}

// What the processor would refuse is kept as the error of finish().
bool StreamBuilder::valid(const Instruction& instruction) {
  auto word = encode(instruction);
  std::string why = word ? "" : std::string(word.error().message());
  if (auto fault = word ? checkFields(config_, loops_, instruction) : std::nullopt) why = fault->why;
  if (!why.empty() && error_.ok()) {
    error_ =
        internalError("instruction {} ({}) cannot run: {}", steps_.size(), disassemble(instruction), why);
  }
  return why.empty();
}

// ---- tokens -----------------------------------------------------------------------------------------------

// What instructions wait for, as the verifier counts it: a queue knows that instructions are complete from
// the tokens it took, and from what their senders knew.
void StreamBuilder::order(const Strides& strides) {
  std::array<std::vector<Ordinals>, kQueues> knew;  // at the issue of each instruction of a queue
  std::array<std::vector<size_t>, kQueues> places;  // of them in the program
  std::array<Ordinals, kQueues> clocks = {};
  for (size_t at = 0; at < steps_.size(); ++at) {
    Step& step = steps_[at];
    const auto q = static_cast<size_t>(queueOf(step.instruction));
    Ordinals needs = {};
    for (size_t p = 0; p < kQueues; ++p) {
      if (step.needs[p] <= clocks[q][p]) continue;
      const int32_t stride = strides.by[p][q];
      needs[p] =
          std::min((step.needs[p] + stride - 1) / stride * stride, static_cast<int32_t>(places[p].size()));
    }
    // A sender may know that what another would say is done.
    for (size_t p = 0; p < kQueues; ++p) {
      for (size_t other = 0; other < kQueues; ++other) {
        if (needs[p] > 0 && needs[other] > 0 && other != p && knew[other][needs[other] - 1][p] >= needs[p])
          needs[p] = 0;
      }
    }
    uint8_t wait = 0;
    for (size_t p = 0; p < kQueues; ++p) {
      if (needs[p] == 0) continue;
      wait |= 1 << p;
      tokensOf(steps_[places[p][needs[p] - 1]].instruction).signal |= 1 << q;
      for (size_t r = 0; r < kQueues; ++r) clocks[q][r] = std::max(clocks[q][r], knew[p][needs[p] - 1][r]);
      clocks[q][p] = std::max(clocks[q][p], needs[p]);
    }
    tokensOf(step.instruction) = {wait, 0};
    places[q].push_back(at);
    knew[q].push_back(clocks[q]);
  }
}

// Whether a counter could overflow; its tokens are then sent half as often.
bool StreamBuilder::tooManyTokens(Strides& strides) const {
  std::array<std::array<int64_t, kQueues>, kQueues> sent = {}, most = {};
  for (const Step& step : steps_) {
    const auto q = static_cast<size_t>(queueOf(step.instruction));
    const Tokens& tokens = tokensOf(step.instruction);
    for (size_t other = 0; other < kQueues; ++other) {
      sent[other][q] -= tokens.wait >> other & 1;
      sent[q][other] += tokens.signal >> other & 1;
      most[q][other] = std::max(most[q][other], sent[q][other]);
    }
  }
  bool any = false;
  for (size_t p = 0; p < kQueues; ++p) {
    for (size_t q = 0; q < kQueues; ++q) {
      if (most[p][q] <= kTokenMax - kQueueDepth) continue;
      any = true;
      strides.by[p][q] *= 2;
    }
  }
  return any;
}

Result<std::vector<Instruction>> StreamBuilder::finish() {
  TET_RETURN_IF_ERROR(error_);
  Strides strides;
  for (auto& row : strides.by) row.fill(1);
  do {
    order(strides);
  } while (tooManyTokens(strides));
  std::vector<Instruction> program;
  program.reserve(steps_.size() + 1);
  for (const Step& step : steps_) program.push_back(step.instruction);
  program.emplace_back(Halt{});
  return program;
}

}  // namespace tetrarch::npu
