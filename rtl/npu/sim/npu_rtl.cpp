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

}  // namespace tetrarch::npu
