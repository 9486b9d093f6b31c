// Compositions that a model spells out in primitives, as exporters of older opsets do.
#pragma once

#include <cstdint>

#include "mlir/IR/BuiltinOps.h"

namespace tetrarch::compile {

// Tags (composite_tag.h) the ops of each composition that is found, with numbers from `number` on, in a graph
// that the rewrite rules have brought to canonical form. Nothing is computed differently for it.
void recogniseCompositions(mlir::ModuleOp module, int64_t number);

}  // namespace tetrarch::compile
