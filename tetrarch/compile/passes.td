// The passes from graph to tasks, in the order in which pipeline.cpp runs them. Each works on the module alone and leaves it
// valid; a test of the same name shows it on small graphs.
#ifndef TETRARCH_COMPILE_PASSES_TD
#define TETRARCH_COMPILE_PASSES_TD

include "mlir/Pass/PassBase.td"

def RewritePass : Pass<"tet-rewrite", "mlir::ModuleOp"> {
  let summary = "Canonical form: equations, constants computed, equal ops merged";
  let description = [{
    Composites are replaced by their meaning, what can be computed now is computed, batch normalisation is folded into
    weights, and reshapes, transposes, broadcasts and converts are merged. Afterwards a dot_general is
    [batch…, m…, k] x [batch…, k…, n].
  }];
  let dependentDialects = ["tetrarch::tet::TetDialect"];
}

def QuantizePass : Pass<"tet-quantize", "mlir::ModuleOp"> {
  let summary = "Integer arithmetic between quantised values";
  let description = [{
    A value with the attribute "tet.range" (what calibration found) is quantised where a contraction reads it, and so
    is what makes it. Then every op between `dequantize` and `quantize` composites, given by the model or made here,
    becomes a composite of integer arithmetic (graph/quantized.h) where one exists. What is left is in floats.
  }];
  let dependentDialects = ["tetrarch::tet::TetDialect"];
}

def BfloatPass : Pass<"tet-bfloat", "mlir::ModuleOp"> {
  let summary = "Contractions of f32 read bf16 and sum in f32";
  let description = [{
    A part of the quantize stage when bf16 is asked for. Constants are rounded here, other operands by a convert behind
    what makes them, which fusion takes into that task.
  }];
  let dependentDialects = ["tetrarch::tet::TetDialect"];
}

def LayoutPass : Pass<"tet-layout", "mlir::ModuleOp"> {
  let summary = "Convolutions and pools channels-last, transposes moved until they cancel";
  let dependentDialects = ["tetrarch::tet::TetDialect"];
}

def PackPass : Pass<"tet-pack", "mlir::ModuleOp"> {
  let summary = "Constant right-hand sides of contractions stored in panels of 16 columns";
  let dependentDialects = ["tetrarch::tet::TetDialect"];
}

def FusePass : Pass<"tet-fuse", "mlir::ModuleOp"> {
  let summary = "Ops grouped: one composite \"task\" for each future task";
  let description = [{
    Afterwards @main holds constants, reshapes, composites named "task" and the return. A group has at most one
    contraction, window or other op with a loop nest of its own, and the elementwise ops around it; or a chain of
    elementwise ops; or rows: elementwise ops and reductions over trailing dimensions.
  }];
  let dependentDialects = ["tetrarch::tet::TetDialect"];
}

def TasksPass : Pass<"tet-tasks", "mlir::ModuleOp"> {
  let summary = "Composites named \"task\" become tet.task: bodies in linalg, tensor, arith, math and scf";
  let dependentDialects = ["tetrarch::tet::TetDialect", "mlir::arith::ArithDialect", "mlir::linalg::LinalgDialect",
                           "mlir::math::MathDialect", "mlir::scf::SCFDialect", "mlir::tensor::TensorDialect"];
}

#endif  // TETRARCH_COMPILE_PASSES_TD
