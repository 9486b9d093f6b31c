// Stands in for the RTL in tests of what watches over it: the models' own results, and from a run on one
// fault.
#include "tetrarch/devices/npu/machine.h"
#include "tetrarch/devices/npu/rtl.h"

namespace tetrarch::npu {
namespace {

enum class Fault { None, Bit, DramBit, Cycle, Halt, Hang };
constexpr auto kFault = Fault::NPU_FAULT;
constexpr int kAfter = NPU_AFTER;

class FaultyRtl final : public NpuRtl {
 public:
  explicit FaultyRtl(const Config& config) : config_(config) {}

  Result<Timing> run(std::span<const Word> words, State& state, const Dram& dram, int64_t dram_bytes,
                     int64_t max_cycles) override {
    const Fault fault = runs_++ < kAfter ? Fault::None : kFault;
    if (fault == Fault::Hang) {
      return fail(StatusCode::kDeadlineExceeded, "it was not done after {} cycles", max_cycles);
    }
    Timing timing = simulateTiming(config_, words, TimingStart::of(state), dram_bytes);
    if (fault == Fault::Cycle) ++timing.cycles;
    if (fault == Fault::Halt) {
      timing.cause = Cause::TokenOverflow;
      timing.queue = Queue::Store;
      return timing;
    }
    TET_ASSIGN_OR_RETURN(const std::vector<Instruction> program, decode(words));
    Machine machine(config_, dram);
    machine.restore(std::move(state));
    machine.run(program);
    state = std::move(machine.state());
    if (fault == Fault::Bit) state.acc[2 * config_.side + 5] ^= 4;
    if (fault == Fault::DramBit) flipLastWritable(dram);
    return timing;
  }

 private:
  static void flipLastWritable(const Dram& dram) {
    for (const Dram::Segment& segment : dram.segments()) {
      if (segment.writable) segment.data[segment.bytes - 1] ^= std::byte{1};
    }
  }

  const Config config_;
  int runs_ = 0;
};

}  // namespace
}  // namespace tetrarch::npu

extern "C" __attribute__((visibility("default"))) const tetrarch::npu::RtlTable* tetrarch_npu_rtl() {
  using namespace tetrarch::npu;
  constexpr int64_t kSide = 16;
  static const Config config = Config::standard(kSide, Kind::NPU_KIND);
  static const RtlTable table = {kRtlLayout,
                                 config.kind,
                                 config.side,
                                 config.sp_rows,
                                 config.acc_rows,
                                 kDramLatency,
                                 "a program",
                                 [](const Config& c) -> std::unique_ptr<NpuRtl> { return std::make_unique<FaultyRtl>(c); }};
  return &table;
}
