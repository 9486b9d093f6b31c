#include "rtl/npu/sim/npu_rtl.h"

// The models that the build linked: mutate.py links only the one of its mutant.
#if __has_include("Vnpu_8.h")
#include "Vnpu_8.h"
#include "Vnpu_8___024root.h"
#endif
#if __has_include("Vnpu_16.h")
#include "Vnpu_16.h"
#include "Vnpu_16___024root.h"
#endif
#if __has_include("Vnpu_bf16_8.h")
#include "Vnpu_bf16_8.h"
#include "Vnpu_bf16_8___024root.h"
#endif
#if __has_include("Vnpu_bf16_16.h")
#include "Vnpu_bf16_16.h"
#include "Vnpu_bf16_16___024root.h"
#endif
#include "rtl/npu/sim/verilated_npu.h"

namespace tetrarch::npu {
namespace {

template <typename Model>
std::unique_ptr<NpuRtl> make(const Config& config) {
  return std::make_unique<VerilatedNpu<Model>>(config);
}

// The models of CMakeLists.txt.
struct Variant {
  Kind kind;
  int64_t side, sp_rows, acc_rows;
  std::unique_ptr<NpuRtl> (*make)(const Config&);
};
constexpr Variant kVariants[] = {
#if __has_include("Vnpu_8.h")
    {Kind::Int8, 8, 256, 64, make<Vnpu_8>},
#endif
#if __has_include("Vnpu_16.h")
    {Kind::Int8, 16, 16384, 1024, make<Vnpu_16>},
#endif
#if __has_include("Vnpu_bf16_8.h")
    {Kind::Bf16, 8, 256, 64, make<Vnpu_bf16_8>},
#endif
#if __has_include("Vnpu_bf16_16.h")
    {Kind::Bf16, 16, 8192, 1024, make<Vnpu_bf16_16>},
#endif
};

}  // namespace

Result<std::unique_ptr<NpuRtl>> makeNpuRtl(const Config& config) {
  for (const Variant& v : kVariants) {
    if (config.kind == v.kind && config.side == v.side && config.sp_rows == v.sp_rows &&
        config.acc_rows == v.acc_rows && config.latency <= kMaxLatency) {
      return v.make(config);
    }
  }
  std::string built;
  for (const Variant& v : kVariants) {
    built += fmt::format(" {} {}x{}x{}", kindName(v.kind), v.side, v.sp_rows, v.acc_rows);
  }
  return fail(
      StatusCode::kUnimplemented,
      "no RTL was built for a {} NPU of side {} with {} scratchpad and {} accumulator rows and latency {}; "
      "there is latency up to {} of:{}",
      kindName(config.kind), config.side, config.sp_rows, config.acc_rows, config.latency, kMaxLatency,
      built);
}

Config builtNpuRtl(int64_t side, Kind kind) {
  for (const Variant& v : kVariants) {
    if (v.side == side && v.kind == kind) {
      return {.side = side, .kind = kind, .sp_rows = v.sp_rows, .acc_rows = v.acc_rows};
    }
  }
  return Config::standard(side, kind);
}

}  // namespace tetrarch::npu
