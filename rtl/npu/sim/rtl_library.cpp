// One standard configuration of the RTL as a library, see devices/npu/rtl.h. The build says which: NPU_MODEL
// is Verilator's class, NPU_SIDE its side.
#define NPU_TEXT_(x) #x
#define NPU_TEXT(x) NPU_TEXT_(x)
#define NPU_JOIN_(a, b) a##b
#define NPU_JOIN(a, b) NPU_JOIN_(a, b)
// clang-format off
#include NPU_TEXT(NPU_MODEL.h)
#include NPU_TEXT(NPU_JOIN(NPU_MODEL, ___024root.h))
// clang-format on
#include "rtl/npu/sim/verilated_npu.h"

namespace tetrarch::npu {
namespace {

const RtlTable& table() {
  static const Config config = Config::standard(NPU_SIDE, Kind::NPU_KIND);
  static const RtlTable made = {.layout = kRtlLayout,
                                .kind = config.kind,
                                .side = config.side,
                                .sp_rows = config.sp_rows,
                                .acc_rows = config.acc_rows,
                                .max_latency = kMaxLatency,
                                .simulator = Verilated::productVersion(),
                                .make = [](const Config& c) -> std::unique_ptr<NpuRtl> {
                                  return std::make_unique<VerilatedNpu<NPU_MODEL>>(c);
                                }};
  return made;
}

}  // namespace
}  // namespace tetrarch::npu

extern "C" __attribute__((visibility("default"))) const tetrarch::npu::RtlTable* tetrarch_npu_rtl() {
  return &tetrarch::npu::table();
}
