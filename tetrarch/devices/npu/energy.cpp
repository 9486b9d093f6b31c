#include "tetrarch/devices/npu/energy.h"

#include <variant>

namespace tetrarch::npu {
namespace {

constexpr std::array<std::string_view, kEnergyClasses> kNames = {
    "cycle",       "instruction", "matmul_row", "matmul_tile", "move",     "requant",
    "requant_add", "alu",         "mul",        "shr",         "lut",      "norm_lut",
    "lanes",       "fold",        "load_beat",  "store_beat",  "fill_row", "sp_read",
    "sp_write",    "acc_read",    "acc_write",  "dram_byte"};

// A vector op's class; the ops of the bf16 kind have none yet.
EnergyClass classOf(VectorOp op) {
  switch (op) {
    case VectorOp::REQUANT:
      return EnergyClass::Requant;
    case VectorOp::REQUANT_ADD:
      return EnergyClass::RequantAdd;
    case VectorOp::ADD:
    case VectorOp::SUB:
    case VectorOp::MAX:
    case VectorOp::MIN:
      return EnergyClass::Alu;
    case VectorOp::MUL:
      return EnergyClass::Mul;
    case VectorOp::SHR:
      return EnergyClass::Shr;
    case VectorOp::LUT:
      return EnergyClass::Lut;
    case VectorOp::RECIP_LUT:
    case VectorOp::RSQRT_LUT:
      return EnergyClass::NormLut;
    case VectorOp::LANE_SUM:
    case VectorOp::LANE_MAX:
      return EnergyClass::Lanes;
    case VectorOp::FOLD_SUM:
    case VectorOp::FOLD_MAX:
      return EnergyClass::Fold;
    default:
      return EnergyClass::Move;
  }
}

class Counter {
 public:
  explicit Counter(const Config& config) : config_(config) {}

  void count(const Halt& /*i*/) {}
  void count(const Sync& /*i*/) {}
  void count(const Dim& i) { loops_.apply(i); }
  void count(const Load& i) {
    const int64_t rows = rowCount(activeLoops(loops_.load, i.loops));
    add(EnergyClass::LoadBeat, rows * beats(i.bytes));
    add(EnergyClass::DramByte, rows * i.bytes);
    write(i.row, rows);
  }
  void count(const Fill& i) {
    const int64_t rows = rowCount(activeLoops(loops_.load, i.loops));
    add(EnergyClass::FillRow, rows);
    write(i.row, rows);
  }
  void count(const Store& i) {
    const int64_t rows = rowCount(activeLoops(loops_.store, i.loops));
    add(EnergyClass::StoreBeat, rows * beats(i.bytes));
    add(EnergyClass::DramByte, rows * i.bytes);
    read(i.row, rows);
  }
  void count(const Matmul& i) {
    const int64_t rows = i.n0 * i.n1;
    at(EnergyClass::MatmulRow) += static_cast<double>(rows * i.k) / static_cast<double>(config_.side);
    if (!i.keep) {
      add(EnergyClass::MatmulTile, 1);
      add(EnergyClass::SpRead, config_.side / (i.ternary ? 4 : 1));
    }
    add(EnergyClass::SpRead, rows);
    add(EnergyClass::AccWrite, rows);
    if (i.accumulate) add(EnergyClass::AccRead, rows);
  }
  void count(const Vparam& i) {
    if (i.rows) add(EnergyClass::AccRead, kVparamReads);
  }
  void count(const Table& /*i*/) { add(EnergyClass::SpRead, config_.tableRows()); }
  void count(const Vop& i) {
    const VectorOpInfo& info = *vectorOpInfo(i.op);
    const int64_t rows = i.n0 * i.n1;
    add(classOf(info.op), rows);
    read(i.a, rows);
    if (info.two_operands) read(i.b, rows);
    write(i.d, info.fold ? i.n1 : rows);
  }

  void add(EnergyClass which, int64_t count) { at(which) += static_cast<double>(count); }
  EnergyUnits units = {};

 private:
  double& at(EnergyClass which) { return units[static_cast<size_t>(which)]; }
  int64_t beats(int64_t bytes) const { return (bytes + config_.side - 1) / config_.side; }
  void read(int64_t local, int64_t rows) {
    add((local & kAccBit) != 0 ? EnergyClass::AccRead : EnergyClass::SpRead, rows);
  }
  void write(int64_t local, int64_t rows) {
    add((local & kAccBit) != 0 ? EnergyClass::AccWrite : EnergyClass::SpWrite, rows);
  }

  const Config& config_;
  LoopState loops_;
};

}  // namespace

std::string_view energyClassName(EnergyClass energy_class) {
  return kNames[static_cast<size_t>(energy_class)];
}

EnergyUnits energyUnits(const Config& config, std::span<const Instruction> program, const Timing& timing) {
  Counter counter(config);
  const auto instructions = static_cast<int64_t>(program.size());
  counter.add(EnergyClass::Cycle, timing.cycles);
  counter.add(EnergyClass::Instruction, instructions);
  counter.add(EnergyClass::DramByte, instructions * kInstructionBytes);
  for (const Instruction& instruction : program) {
    std::visit([&](const auto& i) { counter.count(i); }, instruction);
  }
  return counter.units;
}

double joulesOf(const EnergyUnits& units, const Energies& energies, double seconds) {
  double joules = energies.leakage_watts * seconds;
  for (size_t i = 0; i < units.size(); ++i) joules += units[i] * energies.joules[i];
  return joules;
}

}  // namespace tetrarch::npu
