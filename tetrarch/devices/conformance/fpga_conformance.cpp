// The suite's kernels as pipelines of one float operator.
#include "tetrarch/abi/fpga_blob.h"
#include "tetrarch/abi/fpga_cost.h"
#include "tetrarch/devices/conformance/suite.h"

namespace {

using namespace tetrarch::fpga;

Kernel task(const std::string& symbol, Operator op, uint64_t constant) {
  constexpr int64_t kUnit = tetrarch::conformance::kElements / tetrarch::conformance::kUnits;
  Nest nest{.loops = {{kUnit, false}}};
  nest.nodes = {{.op = Operator::Pop, .type = kF32, .object = 0},
                {.op = Operator::Const, .type = kF32, .imm = constant},
                {.op = op, .type = kF32, .operands = {0, 1}}};
  nest.depth = static_cast<uint32_t>(costOf(op, kF32, kF32).latency);
  nest.outputs = {{.object = 1, .values = {2}}};
  Kernel kernel{.symbol = symbol, .units = {tetrarch::conformance::kUnits}, .buffers = 2};
  kernel.streams = {{.type = kF32}, {.type = kF32}};
  kernel.ports = {
      {.buffer = 0, .stream = 0, .storage_bytes = 4, .unit_strides = {kUnit}, .loops = {{kUnit, 1}}},
      {.is_input = false,
       .buffer = 1,
       .stream = 1,
       .storage_bytes = 4,
       .unit_strides = {kUnit},
       .loops = {{kUnit, 1}}}};
  kernel.stages = {{.name = "each", .work = nest}};
  return kernel;
}

}  // namespace

tetrarch::conformance::Subject tetrarch::conformance::subject() {
  const Program program{
      .part = "ecp5-85k",
      .kernels = {task("add_one", Operator::FAdd, 0x3f800000), task("twice", Operator::FMul, 0x40000000)}};
  return {.plugin = TETRARCH_PLUGIN_UNDER_TEST,
          .options = "{}",
          .format = TET_FPGA_FORMAT,
          .blob = writeProgram(program),
          .loss_options = R"({"fail_after_launches":3})"};
}
