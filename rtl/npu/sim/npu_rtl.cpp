#include "rtl/npu/sim/npu_rtl.h"

#ifdef NPU_RTL_16
#include "Vnpu_16.h"
#include "Vnpu_16___024root.h"
#endif
#include "Vnpu_8.h"
#include "Vnpu_8___024root.h"
#include "rtl/npu/sim/verilated_npu.h"

namespace tetrarch::npu {
namespace {

std::byte* bytesOf(auto& memory) { return reinterpret_cast<std::byte*>(&memory[0]); }

// Memories and registers by the names that Verilator gives them.
#define NPU_BANK(memory, i) \
  bytesOf(r.npu__DOT__##memory##__DOT__gen_bank__BRA__##i##__KET____DOT__u_ram__DOT__mem)
#define NPU_BANKS_4(memory, a, b, c, d) \
  NPU_BANK(memory, a), NPU_BANK(memory, b), NPU_BANK(memory, c), NPU_BANK(memory, d)
#define NPU_LOOPS(name) \
  {&r.npu__DOT__u_load__DOT__u_loops__DOT__##name[0], &r.npu__DOT__u_store__DOT__u_loops__DOT__##name[0]}

}  // namespace

template <typename Model>
ModelParts partsOf(Model& model) {
  auto& r = *model.rootp;
  ModelParts parts = {
      .sp = {NPU_BANKS_4(u_scratchpad, 0, 1, 2, 3), NPU_BANKS_4(u_scratchpad, 4, 5, 6, 7),
             NPU_BANKS_4(u_scratchpad, 8, 9, 10, 11), NPU_BANKS_4(u_scratchpad, 12, 13, 14, 15)},
      .acc = {NPU_BANKS_4(u_accumulator, 0, 1, 2, 3)},
      .table =
          bytesOf(r.npu__DOT__u_vector__DOT__gen_lane__BRA__0__KET____DOT__u_lane__DOT__u_table__DOT__mem),
      .tokens = {},
      .counts = NPU_LOOPS(count_q),
      .strides = NPU_LOOPS(row_stride_q),
      .dram_strides = NPU_LOOPS(dram_stride_q),
      .extents = &r.npu__DOT__u_fetch__DOT__u_decode__DOT__extent_q[0],
      .bias = &r.npu__DOT__u_vector__DOT__bias_q[0],
      .scale = &r.npu__DOT__u_vector__DOT__scale_q[0],
      .scalars = &r.npu__DOT__u_vector__DOT__scalars_q[0],
  };
  for (int from = 0; from < kQueues; ++from) {
    for (int to = 0; to < kQueues; ++to) {
      parts.tokens[from][to] = &r.npu__DOT__u_tokens__DOT__count_q[from][to];
    }
  }
  return parts;
}

namespace {

template <typename Model>
std::unique_ptr<NpuRtl> make(const Config& config) {
  return std::make_unique<VerilatedNpu<Model>>(config);
}

// The models of CMakeLists.txt.
struct Variant {
  int64_t side, sp_rows, acc_rows;
  std::unique_ptr<NpuRtl> (*make)(const Config&);
};
constexpr Variant kVariants[] = {
    {8, 256, 64, make<Vnpu_8>},
#ifdef NPU_RTL_16
    {16, 16384, 1024, make<Vnpu_16>},
#endif
};
constexpr int64_t kMaxLatency = 127;  // RowsInFlight of the RTL, less one

}  // namespace

Result<std::unique_ptr<NpuRtl>> makeNpuRtl(const Config& config) {
  for (const Variant& v : kVariants) {
    if (config.kind == Kind::Int8 && config.side == v.side && config.sp_rows == v.sp_rows &&
        config.acc_rows == v.acc_rows && config.latency <= kMaxLatency) {
      return v.make(config);
    }
  }
  std::string built;
  for (const Variant& v : kVariants) built += fmt::format(" {}x{}x{}", v.side, v.sp_rows, v.acc_rows);
  return fail(
      StatusCode::kUnimplemented,
      "no RTL was built for a {} NPU of side {} with {} scratchpad and {} accumulator rows and latency {}; "
      "there is int8, latency up to {}, of:{}",
      kindName(config.kind), config.side, config.sp_rows, config.acc_rows, config.latency, kMaxLatency,
      built);
}

Config builtNpuRtl(int64_t side) {
  for (const Variant& v : kVariants) {
    if (v.side == side) return {.side = side, .sp_rows = v.sp_rows, .acc_rows = v.acc_rows};
  }
  return Config::standard(side, Kind::Int8);
}

Result<Outcome> runRtl(NpuRtl& rtl, const Case& c, int64_t max_cycles) {
  Outcome outcome{c.state, c.dram, {}};
  auto dram = Dram::make({{0, outcome.dram.data(), outcome.dram.size(), true}});
  if (!dram) return std::unexpected(dram.error());
  auto timing =
      rtl.run(c.program, outcome.state, *dram, static_cast<int64_t>(outcome.dram.size()), max_cycles);
  if (!timing) return std::unexpected(timing.error());
  outcome.timing = *timing;
  return outcome;
}

}  // namespace tetrarch::npu
