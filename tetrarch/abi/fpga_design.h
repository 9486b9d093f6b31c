// Designs: what place and route made of a kernel's SystemVerilog. `tetrarch fpga build` makes them, in a
// cache whose folders are named by the hash of the text; who prices or runs a kernel reads them there.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "tetrarch/abi/fpga_program.h"

namespace tetrarch::fpga {

struct Design {
  std::string part;
  std::map<int, double> clocks;  // by seed, in Hz
  double hz = 0;                 // the worst of them; modelled, as place and route sees the part
  Resources uses;                // of the kernel alone, without what holds it in place for its routing
  int64_t bitstream_bytes = 0;
};

// $XDG_CACHE_HOME/tetrarch/fpga, else ~/.cache/tetrarch/fpga.
std::filesystem::path designCache();
// Where the design of this SystemVerilog lies: in designCache(), by its hash (XXH3, 128 bits).
std::filesystem::path designFolder(std::string_view verilog);
// In `designs`, a folder like designCache(). Nothing when it was not built yet. DataLoss when the report
// there makes no sense or is of another kernel or part: then the design must not be used.
Result<std::optional<Design>> readDesign(const Kernel& kernel, std::string_view part,
                                         const std::filesystem::path& designs = designCache());

}  // namespace tetrarch::fpga
