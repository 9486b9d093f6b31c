// How the name of a composition survives its inlining: as a tag in the locations of the ops that it was made
// of, which every rewrite passes on to what it makes of them.
#pragma once

#include "llvm/ADT/SmallVector.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Location.h"

namespace tetrarch::compile {

// One composition of the graph. Two of one name differ in `number`.
struct CompositeTag {
  mlir::StringAttr name;
  mlir::IntegerAttr number;
  bool operator==(const CompositeTag&) const = default;
};

// The location with a tag around what it had.
mlir::Location withTag(mlir::Location location, const CompositeTag& tag);
// Of a composition in a composition both, the inner one first.
llvm::SmallVector<CompositeTag, 2> tagsOf(mlir::Location location);
// The name that a frontend gave, below the tags; empty when there is none.
llvm::StringRef frontendName(mlir::Location location);

}  // namespace tetrarch::compile
