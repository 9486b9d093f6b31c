#include "tetrarch/devices/npu/machine.h"

#include <algorithm>
#include <cstring>

#include "tetrarch/devices/npu/legality.h"
#include "tetrarch/devices/npu/vector_ops.h"

namespace tetrarch::npu {

Machine::Machine(const Config& config, Dram dram, SimdLevel level)
    : config_(config),
      dram_(std::move(dram)),
      level_(level),
      state_(config),
      tile_(level, static_cast<int>(config.side)) {}

void Machine::restore(State state) {
  state_ = std::move(state);
  tile_rows_ = -1;
}

void Machine::run(std::span<const Instruction> program) {
  for (const Instruction& instruction : program) {
    if (std::holds_alternative<Halt>(instruction)) return;
    step(instruction);
  }
}

void Machine::step(const Instruction& instruction) {
  std::visit([this](const auto& i) { execute(i); }, instruction);
  if (std::holds_alternative<Halt>(instruction)) return;
  const auto me = static_cast<size_t>(queueOf(instruction));
  const Tokens& tokens = tokensOf(instruction);
  for (size_t q = 0; q < kQueues; ++q) {
    state_.tokens[q][me] -= tokens.wait >> q & 1;
    state_.tokens[me][q] += tokens.signal >> q & 1;
  }
}

std::byte* Machine::localRow(bool in_acc, int64_t row) {
  return in_acc ? reinterpret_cast<std::byte*>(&state_.acc[row * config_.side])
                : &state_.sp[row * config_.spRowBytes()];
}

void Machine::execute(const Dim& i) {
  (i.of_store ? state_.store_loops : state_.load_loops)[i.loop] = {i.count, i.row_stride, i.dram_stride};
}

void Machine::execute(const Load& i) {
  const bool in_acc = isAcc(i.row);
  const int64_t rest = rowBytes(config_, i.row) - i.bytes;
  const Loops loops = activeLoops(state_.load_loops, i.loops);
  const ByteRange range = dramRange(i.dram, loops, i.bytes);
  const std::byte* dram = dram_.at(range.begin, range.end - range.begin, false);
  forEachRow(loops, i.dram, i.row, [&](int64_t address, int64_t row) {
    std::byte* to = localRow(in_acc, row);
    std::memcpy(to, dram + (address - range.begin), i.bytes);
    std::memset(to + i.bytes, 0, rest);
  });
}

void Machine::execute(const Fill& i) {
  const bool in_acc = isAcc(i.row);
  const int64_t rest = rowBytes(config_, i.row) - i.bytes;
  forEachRow(activeLoops(state_.load_loops, i.loops), 0, i.row, [&](int64_t /*address*/, int64_t row) {
    std::byte* to = localRow(in_acc, row);
    std::memset(to, static_cast<int>(i.value), i.bytes);
    std::memset(to + i.bytes, 0, rest);
  });
}

void Machine::execute(const Store& i) {
  const bool in_acc = isAcc(i.row);
  const Loops loops = activeLoops(state_.store_loops, i.loops);
  const ByteRange range = dramRange(i.dram, loops, i.bytes);
  std::byte* dram = dram_.at(range.begin, range.end - range.begin, true);
  forEachRow(loops, i.dram, i.row, [&](int64_t address, int64_t row) {
    std::memcpy(dram + (address - range.begin), localRow(in_acc, row), i.bytes);
  });
}

void Machine::loadWeights(const Matmul& i) {
  const std::byte* rows = localRow(false, i.w_addr);
  if (!i.ternary) {
    std::copy_n(rows, state_.weights.size(), state_.weights.begin());
    return;
  }
  constexpr std::byte kValues[] = {std::byte{0}, std::byte{1}, std::byte{0}, std::byte{0xff}};
  for (int64_t r = 0; r < config_.side; ++r) {
    for (int64_t c = 0; c < config_.side; ++c) {
      const auto four = static_cast<uint8_t>(rows[r / 4 * config_.side + c]);
      state_.weights[r * config_.side + c] = kValues[four >> (2 * (r % 4)) & 3];
    }
  }
}

void Machine::execute(const Matmul& i) {
  if (!i.keep) loadWeights(i);
  const MatmulRows rows = {.a = localRow(false, i.a_addr),
                           .c = &state_.acc[i.c_addr * config_.side],
                           .n1 = i.n1,
                           .n0 = i.n0,
                           .s1 = i.s1,
                           .s0 = i.s0,
                           .accumulate = i.accumulate != 0};
  if (config_.kind == Kind::Bf16) {
    return multiplyBf16(level_, state_.weights, static_cast<int>(config_.side), static_cast<int>(i.k), rows);
  }
  if (!i.keep || tile_rows_ != i.k) {
    tile_.load(state_.weights, static_cast<int>(i.k));
    tile_rows_ = i.k;
  }
  tile_.multiply(rows);
}

void Machine::execute(const Vparam& i) {
  VectorParameters& p = state_.parameters;
  if (i.rows) {
    const auto* bias = &state_.acc[i.p_addr * config_.side];
    std::copy_n(bias, config_.side, p.bias.begin());
    // The int8 lanes keep a multiplier of 16 bits and a shift of 6.
    const uint32_t kept = config_.kind == Kind::Int8 ? 0x3fffff : UINT32_MAX;
    std::transform(bias + config_.side, bias + 2 * config_.side, p.scale.begin(),
                   [&](uint32_t word) { return word & kept; });
  }
  if (!i.scalars) return;
  p.zp = i.zp;
  p.lo = i.lo;
  p.hi = i.hi;
  p.zp_b = i.zp_b;
  p.mult_b = i.mult_b;
  p.shift_b = i.shift_b;
}

void Machine::execute(const Table& i) {
  std::memcpy(state_.table.data(), localRow(false, i.addr), 2 * kTableEntries);
}

void Machine::execute(const Vop& i) { runVectorOp(config_, state_, i); }

}  // namespace tetrarch::npu
