// A scheduled kernel as SystemVerilog: a module a stage, and one that joins them, as rtl/fpga/README.md has
// it.
#pragma once

#include "tetrarch/abi/fpga_program.h"

namespace tetrarch::fpga {

// Self-contained text: the modules of rtl/fpga/ that it uses come first. `top` names the module.
std::string printVerilog(const Kernel& kernel, const std::string& top);

// The modules of rtl/fpga/ that `text` uses, and those that they use, each once, the users after the used.
std::string libraryFor(const std::string& text);

}  // namespace tetrarch::fpga
