// What one implementation of the processor reaches: read from a JSON file, of which the build carries
// figures.json.
#pragma once

#include <string>
#include <string_view>

#include "tetrarch/devices/npu/config.h"
#include "tetrarch/devices/npu/energy.h"

namespace tetrarch::npu {

struct Figures {
  double clock_hz = 0;
  int32_t source = 0;  // TET_MEASURED, TET_SIMULATED or TET_MODELLED of abi/device.h
  std::string node, corner;
  Energies energies;  // at the activity that was asked for
};

// How busy the data is that energies are for, by its name in the file.
inline constexpr const char* kActivities[] = {"random", "relu", "idle"};

// The row of `json` for the configuration's side and kind; `name` is for messages. InvalidArgument for text
// that is no such file, NotFound when the row is missing. A row may lack energies.
Result<Figures> parseFigures(std::string_view json, std::string_view name, const Config& config,
                             const std::string& activity = kActivities[0]);
// From a file, or from what the build carries when `path` is empty.
Result<Figures> loadFigures(const std::string& path, const Config& config,
                            const std::string& activity = kActivities[0]);

}  // namespace tetrarch::npu
