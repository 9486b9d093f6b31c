// The dialect `flow` as C++. Its ops are in flow.td; rtl/fpga/README.md says what they mean.
#pragma once

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/RegionKindInterface.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/InferIntRangeInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Pass/Pass.h"
#include "tetrarch/compile/target/fpga/flow_dialect.h.inc"

#define GET_TYPEDEF_CLASSES
#include "tetrarch/compile/target/fpga/flow_types.h.inc"
#define GET_OP_CLASSES
#include "tetrarch/compile/target/fpga/flow_ops.h.inc"

namespace tetrarch::flow {

#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "tetrarch/compile/target/fpga/flow_passes.h.inc"

}  // namespace tetrarch::flow
