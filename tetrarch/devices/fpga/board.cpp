#include "tetrarch/devices/fpga/board.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "tetrarch/abi/fpga_part.h"

namespace tetrarch::fpga {
namespace {

// A quad SPI flash at 62 MHz.
constexpr double kConfiguration = 4 * 62e6 / 8;

constexpr Board kBoards[] = {
    // name, resources, bitstream, configuration, static watts, clock
    {kEcp5_25k.name, kEcp5_25k.has, 582376, kConfiguration, 0.12, 100e6},
    {kEcp5_45k.name, kEcp5_45k.has, 1032752, kConfiguration, 0.20, 100e6},
    {kEcp5_85k.name, kEcp5_85k.has, 1948916, kConfiguration, 0.35, 100e6},
};

struct Row {
  const char* name;
  int64_t Resources::* member;
};
constexpr Row kResources[] = {{"LUTs", &Resources::luts},
                              {"flip-flops", &Resources::flip_flops},
                              {"multipliers", &Resources::multipliers},
                              {"block RAMs", &Resources::block_rams}};

}  // namespace

std::span<const Board> boards() { return kBoards; }

Result<Board> findBoard(std::string_view name) {
  const auto found = std::ranges::find(kBoards, name, &Board::part);
  if (found != std::end(kBoards)) return *found;
  std::vector<std::string_view> names;
  for (const Board& board : kBoards) names.push_back(board.part);
  return invalidArgument("there is no part '{}'; there are {}", name, fmt::join(names, ", "));
}

double secondsOf(const Board& board, double cycles, double hz, double bytes) {
  return cycles / hz + 2 * board.link_latency + bytes / board.link_bytes_per_second;
}

double configurationSeconds(const Board& board) {
  return static_cast<double>(board.bitstream_bytes) / board.configuration_bytes_per_second;
}

double joulesPerCycle(const Resources& uses) {
  return static_cast<double>(uses.luts) * kCycleEnergy.lut +
         static_cast<double>(uses.flip_flops) * kCycleEnergy.flip_flop +
         static_cast<double>(uses.multipliers) * kCycleEnergy.multiplier +
         static_cast<double>(uses.block_rams) * kCycleEnergy.block_ram;
}

Status checkFits(const Resources& uses, const Board& board) {
  for (const auto& [name, member] : kResources) {
    if (uses.*member <= board.has.*member) continue;
    return fail(StatusCode::kResourceExhausted, "it takes {} {} and {} has {}", uses.*member, name,
                board.part, board.has.*member);
  }
  return {};
}

Resources operator+(const Resources& a, const Resources& b) {
  Resources sum = a;
  for (const auto& [name, member] : kResources) sum.*member += b.*member;
  return sum;
}

}  // namespace tetrarch::fpga
