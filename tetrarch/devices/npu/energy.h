// Modelled energy of a program: how much of each class of work it holds, times what a unit of it takes. The
// tables come from rtl/flow by way of figures.json.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "tetrarch/devices/npu/legality.h"
#include "tetrarch/devices/npu/timing.h"

namespace tetrarch::npu {

// A class of work, by its name in figures.json.
enum class EnergyClass : uint8_t {
  Cycle,        // one of the clock, whatever else happens
  Instruction,  // fetched, decoded, queued, issued
  MatmulRow,    // an activation row through the array, all array rows live
  MatmulTile,   // a tile of weights, and the ends of its stream
  Move,
  Requant,
  RequantAdd,
  Alu,
  Mul,
  Shr,
  Lut,
  NormLut,
  Lanes,
  Fold,  // a row of a vector op of that class
  LoadBeat,
  StoreBeat,
  FillRow,
  SpRead,
  SpWrite,
  AccRead,
  AccWrite,  // a row of a local memory
  DramByte,
};
inline constexpr int kEnergyClasses = static_cast<int>(EnergyClass::DramByte) + 1;
std::string_view energyClassName(EnergyClass energy_class);

// How much of each class; rows with fewer live array rows than all count as a share of one.
using EnergyUnits = std::array<double, kEnergyClasses>;
// REQUIRES: the verifier accepted the program, and `timing` is its.
EnergyUnits energyUnits(const Config& config, std::span<const Instruction> program, const Timing& timing);

// What one implementation takes.
struct Energies {
  bool known = false;
  std::array<double, kEnergyClasses> joules = {};  // a unit
  double leakage_watts = 0;
};
double joulesOf(const EnergyUnits& units, const Energies& energies, double seconds);

}  // namespace tetrarch::npu
