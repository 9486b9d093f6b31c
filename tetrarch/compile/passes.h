// The passes that passes.td describes: create<Name>Pass() for each, and registerCompilePasses() for tet-opt.
#pragma once

#include <memory>

#include "mlir/Pass/Pass.h"

namespace mlir {
class ModuleOp;
}

namespace tetrarch::compile {

#define GEN_PASS_DECL
#include "tetrarch/compile/passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "tetrarch/compile/passes.h.inc"

}  // namespace tetrarch::compile
