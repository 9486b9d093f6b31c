// The part of the pack stage for quantised graphs: a channel's multiplier and shift of a requantisation
// (graph/quantized.h) become one constant word, its bias a word of 32 bits.
//
//   word = multiplier | shift << 16        (as the NPU's vector unit reads it; multiplier has 15 bits)
//
// In the graph the words are unpacked again by elementwise ops on all elements, which become part of the
// task. So every task shows by its types and masks how large each number can be: factors that were folded
// into 64-bit constants outside would not.
#pragma once

#include "mlir/IR/BuiltinOps.h"

namespace tetrarch::compile {

void packFactors(mlir::ModuleOp module);

}  // namespace tetrarch::compile
