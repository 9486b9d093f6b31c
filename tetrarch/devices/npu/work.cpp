#include "tetrarch/devices/npu/work.h"

namespace tetrarch::npu {
namespace {

uint32_t banksOf(const Config& config, const RowRange& range) {
  const int64_t banks = range.in_acc ? kAccBanks : kSpBanks;
  const int64_t rows = (range.in_acc ? config.acc_rows : config.sp_rows) / banks;
  const int64_t first = range.first / rows, last = range.last / rows;
  const uint32_t mask = (uint32_t{2} << last) - (uint32_t{1} << first);
  return range.in_acc ? mask << kSpBanks : mask;
}

int64_t floorTo(int64_t value, int64_t step) { return value - (((value % step) + step) % step); }

// Beats of `bytes` at `address`.
int64_t beatsOf(int64_t address, int64_t bytes, int64_t side) {
  return (floorTo(address + bytes - 1, side) - floorTo(address, side)) / side + 1;
}

// Counts beats row by row; sets `fault_beat` to the first one outside of DRAM.
int64_t countBeats(const Config& config, const Loops& loops, int64_t dram, int64_t bytes, int64_t dram_bytes,
                   int64_t& fault_beat) {
  const ByteRange range = dramRange(dram, loops, bytes);
  const bool inside = range.begin >= 0 && range.end <= dram_bytes;
  bool aligned = true;
  for (const Loop& loop : loops) aligned &= loop.count == 1 || loop.dram_stride % config.side == 0;
  if (inside && aligned) return rowCount(loops) * beatsOf(dram, bytes, config.side);
  int64_t beats = 0;
  forEachRow(loops, dram, 0, [&](int64_t address, int64_t /*row*/) {
    if (fault_beat >= 0) return;
    const int64_t first = floorTo(address, config.side), count = beatsOf(address, bytes, config.side);
    if (first < 0 || first >= dram_bytes) {
      fault_beat = beats;
    } else if (first + count * config.side > dram_bytes) {
      fault_beat = beats + (dram_bytes - first) / config.side;
    }
    beats += count;
  });
  return beats;
}

class Describer {
 public:
  Describer(const Config& config, const LoopState& loops, int64_t dram_bytes)
      : config_(config), loops_(loops), dram_bytes_(dram_bytes) {}

  void describe(const Halt& /*i*/) {}
  void describe(const Sync& /*i*/) {}
  void describe(const Dim& /*i*/) {}
  void describe(const Load& i) {
    const Loops loops = activeLoops(loops_.load, i.loops);
    work.cycles = countBeats(config_, loops, i.dram, i.bytes, dram_bytes_, work.fault_beat);
    work.ports.write = banksOf(config_, localRange(i.row, loops));
  }
  void describe(const Fill& i) {
    const Loops loops = activeLoops(loops_.load, i.loops);
    work.cycles = rowCount(loops);
    work.ports.write = banksOf(config_, localRange(i.row, loops));
  }
  void describe(const Store& i) {
    const Loops loops = activeLoops(loops_.store, i.loops);
    work.cycles = countBeats(config_, loops, i.dram, i.bytes, dram_bytes_, work.fault_beat);
    work.ports.read = banksOf(config_, localRange(i.row, loops));
  }
  void describe(const Matmul& i) {
    work.cycles = i.n0 * i.n1;
    work.keep = i.keep != 0;
    work.prepare = i.keep ? 1 : config_.side * config_.matrixStep();
    work.multiplications = work.cycles * i.k * config_.side;
    if (!i.keep) {
      work.weights.read =
          banksOf(config_, {false, i.w_addr, i.w_addr + config_.side / (i.ternary ? 4 : 1) - 1});
    }
    work.activations.read = banksOf(config_, gridRange(i.a_addr, i.n1, i.n0, i.s1, i.s0));
    work.ports.read = work.ports.write = banksOf(config_, {true, i.c_addr, i.c_addr + work.cycles - 1});
  }
  void describe(const Vparam& i) {
    if (!i.rows) return;
    work.cycles = kVparamReads;
    work.ports.read = banksOf(config_, {true, i.p_addr, i.p_addr + kVparamReads - 1});
  }
  void describe(const Table& i) {
    work.cycles = config_.tableRows();
    work.ports.read = banksOf(config_, {false, i.addr, i.addr + work.cycles - 1});
  }
  void describe(const Vop& i) {
    const uint32_t a = banksOf(config_, rangeOfA(i));
    const uint32_t b = vectorOpInfo(i.op)->two_operands ? banksOf(config_, rangeOfB(i)) : 0;
    work.cycles = i.n0 * i.n1 * ((a & b) != 0 ? 2 : 1);
    work.ports = {a | b, banksOf(config_, rangeOfD(i))};
  }

  Work work;

 private:
  const Config& config_;
  const LoopState& loops_;
  const int64_t dram_bytes_;
};

}  // namespace

Work workOf(const Config& config, const LoopState& loops, const Instruction& instruction,
            int64_t dram_bytes) {
  Describer describer(config, loops, dram_bytes);
  describer.work.opcode = opcodeOf(instruction);
  describer.work.wait = tokensOf(instruction).wait;
  describer.work.signal = tokensOf(instruction).signal;
  std::visit([&](const auto& i) { describer.describe(i); }, instruction);
  return describer.work;
}

}  // namespace tetrarch::npu
