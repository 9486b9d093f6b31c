// The code generator for CPUs: shared objects for x86-64-v3 and, where this machine has AVX-512, for
// x86-64-v4.
#pragma once

#include <memory>

#include "tetrarch/compile/code_generator.h"

namespace tetrarch::compile {

// Declines nothing: what has no fast path (tile/tile.h) becomes plain loops, run as one unit.
std::unique_ptr<CodeGenerator> makeCpuGenerator();

}  // namespace tetrarch::compile
