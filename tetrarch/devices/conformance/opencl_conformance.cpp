#include "tetrarch/abi/opencl_program.h"
#include "tetrarch/devices/conformance/suite.h"

namespace {

// One kernel leaves its work-groups to the device, the other has groups of its own and goes through the
// workspace.
constexpr const char* kSource = R"(
__kernel __attribute__((reqd_work_group_size(TET_LOCAL_ITEMS, 1, 1)))
void add_one(__global const float* restrict in, __global float* restrict out, long item_end) {
  const long i = get_global_id(0);
  if (i < item_end) out[i] = in[i] + 1.0f;
}
__kernel void stage(__global const float* restrict in, __global float* restrict workspace) {
  workspace[get_global_id(0)] = in[get_global_id(0)];
}
__kernel __attribute__((reqd_work_group_size(16, 1, 1)))
void twice(__global const float* restrict workspace, __global float* restrict out) {
  const size_t i = get_global_id(0) * 4;
  vstore4(vload4(0, workspace + i) * 2.0f, 0, out + i);
}
)";

std::vector<std::byte> blob() {
  using namespace tetrarch::abi;
  constexpr uint64_t kUnitElements = tetrarch::conformance::kElements / tetrarch::conformance::kUnits;
  const OpenClArgument in{TET_OPENCL_BUFFER, 0}, out{TET_OPENCL_BUFFER, 1},
      workspace{TET_OPENCL_WORKSPACE, 0};
  OpenClProgram program{.source = kSource};
  program.entries.push_back(
      {.symbol = "add_one",
       .units = tetrarch::conformance::kUnits,
       .buffer_count = 2,
       .passes = {
           {.kernel = "add_one", .items = kUnitElements, .arguments = {in, out, {TET_OPENCL_ITEM_END, 0}}}}});
  program.entries.push_back({.symbol = "twice",
                             .units = tetrarch::conformance::kUnits,
                             .workspace_bytes = tetrarch::conformance::kElements * sizeof(float),
                             .buffer_count = 2,
                             .passes = {{.kernel = "stage",
                                         .kind = TET_OPENCL_WHOLE,
                                         .local_items = 1,
                                         .items = tetrarch::conformance::kElements,
                                         .arguments = {in, workspace}},
                                        {.kernel = "twice",
                                         .local_items = 16,
                                         .items = kUnitElements / 4,
                                         .arguments = {workspace, out}}}});
  return writeOpenClProgram(program);
}

}  // namespace

tetrarch::conformance::Subject tetrarch::conformance::subject() {
  return {.plugin = TETRARCH_PLUGIN_UNDER_TEST,
          .options = "",
          .format = "opencl-c",
          .blob = blob(),
          .loss_options = R"({"fail_after_launches":3})"};
}
