// A grouped convolution is summed over loops (…, group, feature of the group), and its features are joined
// afterwards. What is computed with the joined features would be a loop nest of its own, which reads the sums
// from memory again; over (…, group, feature) it is an epilogue as that of any contraction.
#pragma once

#include "mlir/IR/Region.h"

namespace tetrarch::compile {

// Moves the collapse of a task's sums behind the elementwise generics that read it: these get the sums'
// loops, their other operands are expanded, and their results are collapsed instead, which moves no data.
void joinFeaturesLast(mlir::Region& task);

}  // namespace tetrarch::compile
