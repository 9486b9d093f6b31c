// NpuRtl of one Verilated model: drives its clock, answers its DRAM channels, reaches into its memories.
//
// State goes in and out of the model by its public registers and memories, but for the weights in the array
// and the lanes' tables, of which there are hundreds: those are loaded and read by the processor itself, with
// a few instructions before and after the run. They have no reset, so a reset in between leaves them alone.
#pragma once

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "rtl/npu/sim/model_parts.h"
#include "tetrarch/devices/npu/rtl.h"

namespace tetrarch::npu {

inline constexpr int64_t kMaxLatency = 127;  // RowsInFlight of the RTL, less one

template <typename Model>
class VerilatedNpu final : public NpuRtl {
 public:
  explicit VerilatedNpu(const Config& config) : config_(config), dut_(&context_), parts_(partsOf(dut_)) {
    context_.fatalOnError(false);  // an assertion that fails ends the run, not the program
    dut_.clk_i = 0;
    dut_.rst_ni = 1;
    dut_.eval();
    reset();
  }
  ~VerilatedNpu() override { dut_.final(); }

  Result<Timing> run(std::span<const Word> program, State& state, const Dram& dram, int64_t dram_bytes,
                     int64_t max_cycles) override {
    Verilated::threadContextp(&context_);
    if (Status loaded = loadHidden(state); !loaded.ok()) return std::unexpected(loaded);
    reset();
    poke(state);
    auto timing = runToEnd(program, dram, dram_bytes, max_cycles);
    if (!timing || timing->cause != Cause::Done) return timing;
    peek(state);
    if (Status read = readWeights(state); !read.ok()) return std::unexpected(read);
    return timing;
  }

 private:
  static constexpr int64_t kMaxBeat = 32;

  struct Slot {
    bool valid = false;
    std::array<std::byte, kMaxBeat> data;
  };

  // ---- clock and memory
  // -----------------------------------------------------------------------------------------

  void reset() {
    dut_.run_i = 0;
    dut_.fetch_valid_i = 0;
    dut_.read_valid_i = 0;
    dut_.rst_ni = 0;
    tick();
    dut_.rst_ni = 1;
    tick();
  }

  void tick() {
    dut_.clk_i = 0;
    dut_.eval();
    dut_.clk_i = 1;
    dut_.eval();
  }

  Result<Timing> runToEnd(std::span<const Word> program, const Dram& dram, int64_t dram_bytes,
                          int64_t max_cycles) {
    fetches_.assign(config_.latency, {});
    reads_.assign(config_.latency, {});
    dut_.program_i = 0;
    dut_.length_i = program.size();
    dut_.dram_bytes_i = dram_bytes;
    tick();  // lets what was put into registers reach the logic behind them
    dut_.run_i = 1;
    for (int64_t cycle = 0; cycle < max_cycles; ++cycle) {
      Slot& fetch = fetches_[cycle % config_.latency];
      Slot& read = reads_[cycle % config_.latency];
      answer(fetch, dut_.fetch_valid_i, &dut_.fetch_data_i, kInstructionBytes);
      answer(read, dut_.read_valid_i, &dut_.read_data_i, config_.side);
      dut_.clk_i = 0;
      dut_.eval();
      if (context_.gotError()) return assertionFailed(cycle);
      if (dut_.done_o) return timing();
      acceptFetch(fetch, program);
      acceptRead(read, dram);
      acceptWrite(dram);
      dut_.clk_i = 1;
      dut_.eval();
    }
    return fail(StatusCode::kDeadlineExceeded, "the NPU's RTL was not done after {} cycles", max_cycles);
  }

  // Verilator has printed which one.
  Failure assertionFailed(int64_t cycle) {
    context_.gotError(false);
    context_.gotFinish(false);
    return internalError("an assertion of the NPU's RTL failed in cycle {}", cycle);
  }

  static void answer(const Slot& slot, auto& valid, void* data, size_t bytes) {
    valid = slot.valid;
    if (slot.valid) std::memcpy(data, slot.data.data(), bytes);
  }

  void acceptFetch(Slot& slot, std::span<const Word> program) {
    slot.valid = dut_.fetch_req_o;
    if (!slot.valid) return;
    const size_t index = dut_.fetch_addr_o / kInstructionBytes;
    const Word word = index < program.size() ? program[index] : Word{};
    std::memcpy(slot.data.data(), &word, sizeof word);
  }

  void acceptRead(Slot& slot, const Dram& dram) {
    slot.valid = dut_.read_req_o;
    if (!slot.valid || dut_.read_empty_o) return;
    const int64_t address = dut_.read_addr_o;
    if (const std::byte* all = dram.at(address, config_.side, false)) {
      std::memcpy(slot.data.data(), all, config_.side);
      return;
    }
    for (int64_t i = 0; i < config_.side; ++i) {
      const std::byte* one = dram.at(address + i, 1, false);
      slot.data[i] = one ? *one : std::byte{0};
    }
  }

  void acceptWrite(const Dram& dram) {
    if (!dut_.write_req_o) return;
    std::array<std::byte, kMaxBeat> data;
    std::memcpy(data.data(), &dut_.write_data_o, config_.side);
    for (int64_t i = 0; i < config_.side; ++i) {
      if (!(dut_.write_strobe_o >> i & 1)) continue;
      if (std::byte* at = dram.at(static_cast<int64_t>(dut_.write_addr_o) + i, 1, true)) *at = data[i];
    }
  }

  Timing timing() const {
    Timing timing;
    timing.cause = static_cast<Cause>(dut_.cause_o);
    timing.queue = static_cast<Queue>(dut_.cause_queue_o);
    timing.index = dut_.cause_index_o;
    timing.cycles = static_cast<int64_t>(dut_.cycles_o);
    return timing;
  }

  // ---- state that is public
  // -------------------------------------------------------------------------------------

  template <typename Copy>
  void forEachBank(State& state, Copy copy) {
    const size_t sp_bytes = state.sp.size() / kSpBanks, acc_words = state.acc.size() / kAccBanks;
    for (int b = 0; b < kSpBanks; ++b) copy(parts_.sp[b], state.sp.data() + b * sp_bytes, sp_bytes);
    for (int b = 0; b < kAccBanks; ++b) copy(parts_.acc[b], state.acc.data() + b * acc_words, acc_words * 4);
  }

  void poke(State& state) {
    forEachBank(state, [](void* model, const void* ours, size_t bytes) { std::memcpy(model, ours, bytes); });
    for (int from = 0; from < kQueues; ++from) {
      for (int to = 0; to < kQueues; ++to) *parts_.tokens[from][to] = state.tokens[from][to];
    }
    pokeLoops(0, state.load_loops);
    pokeLoops(1, state.store_loops);
    const VectorParameters& p = state.parameters;
    constexpr uint32_t kInt8Scale = 0x3fffff;  // multiplier and shift
    for (int64_t lane = 0; lane < config_.side; ++lane) {
      parts_.bias[lane] = p.bias[lane];
      parts_.scale[lane] = p.scale[lane] & (config_.kind == Kind::Int8 ? kInt8Scale : UINT32_MAX);
    }
    // scalars_t, from bit 0: shift_b 5, mult_b 16, zp_b 8, zp 16, lo 16, hi 16.
    const auto field = [](int64_t value, int bits, int lsb) {
      return (static_cast<uint64_t>(value) & ((1U << bits) - 1)) << lsb;
    };
    const uint64_t low = field(p.shift_b, 5, 0) | field(p.mult_b, 16, 5) | field(p.zp_b, 8, 21) |
                         field(p.zp, 16, 29) | field(p.lo, 16, 45) | field(p.hi, 16, 61);
    parts_.scalars[0] = static_cast<uint32_t>(low);
    parts_.scalars[1] = static_cast<uint32_t>(low >> 32);
    parts_.scalars[2] = static_cast<uint32_t>(field(p.hi, 16, 0) >> 3);
  }

  void pokeLoops(int queue, const Loops& loops) {
    for (int k = 0; k < kLoops; ++k) {
      parts_.counts[queue][k] = loops[k].count;
      parts_.strides[queue][k] = loops[k].row_stride;
      parts_.dram_strides[queue][k] = static_cast<uint32_t>(loops[k].dram_stride);
      parts_.extents[queue * kLoops + k] = static_cast<uint32_t>((loops[k].count - 1) * loops[k].row_stride);
    }
  }

  void peek(State& state) {
    forEachBank(state, [](const void* model, void* ours, size_t bytes) { std::memcpy(ours, model, bytes); });
    std::memcpy(state.table.data(), parts_.table, 2 * kTableEntries);
    for (int from = 0; from < kQueues; ++from) {
      for (int to = 0; to < kQueues; ++to) state.tokens[from][to] = *parts_.tokens[from][to];
    }
    peekLoops(0, state.load_loops);
    peekLoops(1, state.store_loops);
    VectorParameters& p = state.parameters;
    for (int64_t lane = 0; lane < config_.side; ++lane) {
      p.bias[lane] = parts_.bias[lane];
      p.scale[lane] = parts_.scale[lane];
    }
    const uint32_t* s = parts_.scalars;
    const uint64_t low = s[0] | static_cast<uint64_t>(s[1]) << 32;
    p.shift_b = low & 31;
    p.mult_b = static_cast<int16_t>(low >> 5);
    p.zp_b = static_cast<int8_t>(low >> 21);
    p.zp = static_cast<int16_t>(low >> 29);
    p.lo = static_cast<int16_t>(low >> 45);
    p.hi = static_cast<int16_t>(low >> 61 | static_cast<uint64_t>(s[2]) << 3);
  }

  void peekLoops(int queue, Loops& loops) {
    for (int k = 0; k < kLoops; ++k) {
      loops[k] = {parts_.counts[queue][k], parts_.strides[queue][k],
                  static_cast<int32_t>(parts_.dram_strides[queue][k])};
    }
  }

  // ---- state that the processor loads and reads itself
  // ----------------------------------------------------------

  Status runShort(std::span<const Instruction> instructions, State& scratch) {
    auto program = encode(instructions);
    if (!program) return program.error();
    auto dram = Dram::make({});
    if (!dram) return dram.error();
    reset();
    poke(scratch);
    constexpr int64_t kEnough = 100000;
    auto timing = runToEnd(*program, *dram, 0, kEnough);
    if (!timing) return timing.error();
    if (timing->cause != Cause::Done) {
      return fail(StatusCode::kInternal, "the NPU's RTL refused its state: {}", causeText(timing->cause));
    }
    return {};
  }

  // Weights in rows 0 to S - 1, the table behind them.
  Status loadHidden(const State& state) {
    State scratch(config_);
    std::ranges::copy(state.weights, scratch.sp.begin());
    std::memcpy(scratch.sp.data() + state.weights.size(), state.table.data(), 2 * kTableEntries);
    const Instruction program[] = {Matmul{.n0 = 1, .n1 = 1, .k = 1}, Table{.addr = config_.side}, Halt{}};
    return runShort(program, scratch);
  }

  // The identity times the weights. Floats would not pass that unchanged: those can be looked at.
  Status readWeights(State& state) {
    if (parts_.weights) {
      std::memcpy(state.weights.data(), parts_.weights, state.weights.size());
      return {};
    }
    State scratch(config_);
    for (int64_t i = 0; i < config_.side; ++i) scratch.sp[i * config_.side + i] = std::byte{1};
    const Instruction program[] = {Matmul{.keep = 1, .n0 = config_.side, .n1 = 1, .s0 = 1, .k = config_.side},
                                   Halt{}};
    if (Status run = runShort(program, scratch); !run.ok()) return run;
    peek(scratch);
    for (size_t i = 0; i < state.weights.size(); ++i) {
      state.weights[i] = static_cast<std::byte>(scratch.acc[i]);
    }
    return {};
  }

  const Config config_;
  // Never freed: the thread that ran a model goes on to point at its context.
  VerilatedContext& context_ = *new VerilatedContext;
  Model dut_;
  const ModelParts parts_;
  std::vector<Slot> fetches_, reads_;  // answers on their way, that of cycle c at c modulo the latency
};

}  // namespace tetrarch::npu
