// Runs random programs, each tenth of them one that ends in a fault, in the RTL and in the models and
// compares every bit and the cycles: the long form of npu_rtl_test. Ends with 1 at the first difference, and
// with the shrunk program unless told not to.
//
// Usage: npu_cosim [--kind int8|bf16] [--side N] [--programs N] [--seed FIRST] [--no-shrink]
#include <CLI/CLI.hpp>
#include <cstdio>
#include <map>
#include <string>

#include "rtl/npu/sim/npu_rtl.h"
#include "tetrarch/devices/npu/random_case.h"

namespace {

using namespace tetrarch::npu;

constexpr int64_t kMaxCycles = 1000000;

// "" when RTL and models agree; adds the cycles.
std::string compare(const Case& c, int64_t& cycles) {
  auto rtl = makeNpuRtl(c.config);
  if (!rtl) return rtl.error().toString();
  auto outcome = runRtl(**rtl, c, kMaxCycles);
  if (!outcome) return outcome.error().toString();
  cycles += outcome->timing.cycles;
  return difference(*outcome, runModels(c));
}

// The configuration of that side and kind that was built.
RandomOptions optionsOf(int64_t side, Kind kind) {
  RandomOptions options{.side = side, .kind = static_cast<int>(kind)};
  const Config config = builtNpuRtl(side, kind);
  options.sp_rows = config.sp_rows;
  options.acc_rows = config.acc_rows;
  return options;
}

constexpr uint64_t kFaultEvery = 10;

bool isFault(uint64_t seed) { return seed % kFaultEvery == 0; }

Case caseOf(uint64_t seed, const RandomOptions& options) {
  if (!isFault(seed)) return randomCase(seed, options);
  // Causes from the one behind Done on.
  const auto faults = static_cast<uint64_t>(causeRows().size() - 1);
  return randomFault(seed, static_cast<Cause>(causeRows()[1 + seed / kFaultEvery % faults].value), options);
}

}  // namespace

int main(int argc, char** argv) {
  int64_t side = 8, programs = 1000, cycles = 0;
  uint64_t first = 0;
  bool no_shrink = false;
  Kind kind = Kind::Int8;
  CLI::App app("Compare the NPU's RTL with its models on random programs");
  const std::map<std::string, Kind> kinds = {{"int8", Kind::Int8}, {"bf16", Kind::Bf16}};
  app.add_option("--kind", kind, "of the array: int8 or bf16")->transform(CLI::CheckedTransformer(kinds));
  app.add_option("--side", side, "of the array: 8 or 16")->check(CLI::IsMember({8, 16}));
  app.add_option("--programs", programs, "how many");
  app.add_option("--seed", first, "of the first");
  app.add_flag("--no-shrink", no_shrink, "stop at the first difference");
  CLI11_PARSE(app, argc, argv);
  for (uint64_t seed = first; seed < first + static_cast<uint64_t>(programs); ++seed) {
    const Case c = caseOf(seed, optionsOf(side, kind));
    const std::string found = compare(c, cycles);
    if (found.empty()) continue;
    fmt::print("seed {}: {}\n", seed, found);
    if (no_shrink || isFault(seed)) return 1;
    const Case small = shrink(c, [&](const Case& smaller) { return !compare(smaller, cycles).empty(); });
    fmt::print("shrunk: {}\n{}\n", compare(small, cycles), listing(small));
    return 1;
  }
  fmt::print("{} programs, {} cycles of RTL: no difference in any bit or in the cycles\n", programs, cycles);
  return 0;
}
