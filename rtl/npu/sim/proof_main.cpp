// The long comparison of the standard configurations: random programs, each tenth of them one that ends in a
// fault, and a window of each legal one, in a library of the RTL and in the models. Ends with one line of
// JSON that counts what ran and what differed, and with 1 when anything did.
//
// Usage: npu_proof --rtl FOLDER [--side N] [--kind int8|bf16] [--programs N] [--seed FIRST]
#include <CLI/CLI.hpp>
#include <map>

#include "tetrarch/devices/npu/random_case.h"

namespace {

using namespace tetrarch;
using namespace tetrarch::npu;

constexpr int64_t kMaxCycles = 1000000;
constexpr uint64_t kFaultEvery = 10;

struct Totals {
  int64_t programs = 0, windows = 0, cycles = 0, bit_differences = 0, cycle_differences = 0;
  bool clean() const { return bit_differences == 0 && cycle_differences == 0; }
};

class Comparison {
 public:
  Comparison(const Config& config, const RtlTable& table) : config_(config), table_(table) {}

  void program(uint64_t seed) {
    const RandomOptions options = {.side = config_.side,
                                   .kind = static_cast<int>(config_.kind),
                                   .sp_rows = config_.sp_rows,
                                   .acc_rows = config_.acc_rows};
    ++totals_.programs;
    if (seed % kFaultEvery == 0) {
      const auto faults = static_cast<uint64_t>(causeRows().size() - 1);
      const auto cause = static_cast<Cause>(causeRows()[1 + seed / kFaultEvery % faults].value);
      return compare(seed, randomFault(seed, cause, options));
    }
    const Case c = randomCase(seed, options);
    compare(seed, c);
    ++totals_.windows;
    Random random(seed);
    const auto count = static_cast<int64_t>(c.program.size()) - 1;
    const int64_t begin = random.range(0, count), end = random.range(begin, count);
    compare(seed, windowOf(c, static_cast<size_t>(begin), static_cast<size_t>(end)));
  }

  const Totals& totals() const { return totals_; }

 private:
  void compare(uint64_t seed, const Case& c) {
    const std::unique_ptr<NpuRtl> rtl = table_.make(c.config);
    auto outcome = runRtl(*rtl, c, kMaxCycles);
    const Outcome expected = runModels(c);
    std::string found = outcome ? difference(*outcome, expected) : outcome.error().toString();
    if (outcome) totals_.cycles += outcome->timing.cycles;
    if (found.empty()) return;
    const bool in_cycles = !outcome || outcome->timing.cycles != expected.timing.cycles;
    ++(in_cycles ? totals_.cycle_differences : totals_.bit_differences);
    fmt::print(stderr, "seed {}: {}\n{}", seed, found, listing(c));
  }

  const Config config_;
  const RtlTable& table_;
  Totals totals_;
};

}  // namespace

int main(int argc, char** argv) {
  int64_t side = 16, programs = 1000;
  uint64_t first = 0;
  Kind kind = Kind::Int8;
  std::string folder;
  CLI::App app("Compare a library of the NPU's RTL with the models on random programs");
  const std::map<std::string, Kind> kinds = {{"int8", Kind::Int8}, {"bf16", Kind::Bf16}};
  app.add_option("--rtl", folder, "folder of the libraries")->required();
  app.add_option("--side", side, "of the array: 8, 16 or 32")->check(CLI::IsMember({8, 16, 32}));
  app.add_option("--kind", kind, "of its elements: int8 or bf16")->transform(CLI::CheckedTransformer(kinds));
  app.add_option("--programs", programs, "how many");
  app.add_option("--seed", first, "of the first");
  CLI11_PARSE(app, argc, argv);
  const Config config = Config::standard(side, kind);
  auto table = openRtl(config, folder);
  if (!table) {
    fmt::print(stderr, "{}\n", table.error().message());
    return 1;
  }
  Comparison comparison(config, **table);
  for (uint64_t seed = first; seed < first + static_cast<uint64_t>(programs); ++seed)
    comparison.program(seed);
  const Totals& t = comparison.totals();
  fmt::print(R"({{"side":{},"kind":"{}","programs":{},"windows":{},"cycles":{},)"
             R"("bit_differences":{},"cycle_differences":{}}})"
             "\n",
             side, kindName(kind), t.programs, t.windows, t.cycles, t.bit_differences, t.cycle_differences);
  return t.clean() ? 0 : 1;
}
