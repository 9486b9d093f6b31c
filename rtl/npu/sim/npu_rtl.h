// The Verilated models that the tests link, among them one with small memories; those of the standard
// configurations are libraries (rtl_library.cpp), which devices/npu/rtl.h opens.
#pragma once

#include <cstdint>
#include <memory>

#include "tetrarch/devices/npu/case.h"
#include "tetrarch/devices/npu/rtl.h"

namespace tetrarch::npu {

// One model; not thread safe, but models are independent. Unimplemented names the configurations that were
// built.
Result<std::unique_ptr<NpuRtl>> makeNpuRtl(const Config& config);
// The configuration of this side and kind that was built; the standard one if there is none.
Config builtNpuRtl(int64_t side, Kind kind = Kind::Int8);

}  // namespace tetrarch::npu
