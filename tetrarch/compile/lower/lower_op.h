// The functions that lowerings.def names. Each binds tensors to the op's results, or emits a diagnostic and
// fails.
#pragma once

#include "tetrarch/compile/lower/lowering.h"

namespace tetrarch::compile {

#define LOWERING(op, function) mlir::LogicalResult function(Lowering& lowering, tet::op op_to_lower);
#include "tetrarch/compile/lower/lowerings.def"
#undef LOWERING

}  // namespace tetrarch::compile
