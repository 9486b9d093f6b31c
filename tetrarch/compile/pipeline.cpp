#include "tetrarch/compile/pipeline.h"

#include <chrono>
#include <string>

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/OwningOpRef.h"
#include "mlir/Pass/PassManager.h"
#include "tetrarch/compile/passes.h"
#include "tetrarch/compile/quantize/calibrate.h"
#include "tetrarch/graph/constant_memory.h"

namespace tetrarch::compile {
namespace {

struct Stage {
  std::string_view name;
  std::unique_ptr<mlir::Pass> (*pass)();  // null: nothing to do
};

constexpr Stage kStages[] = {
    // The graph as the frontend made it: composites with regions, any layout.
    {"import", nullptr},
    // No composites; constants computed; normalisation folded into weights; contractions in canonical form.
    {"rewrite", createRewritePass},
    // Integer arithmetic where the graph is quantised, as composites (graph/quantized.h); contractions of
    // bf16
    // if those are asked for.
    {"quantize", createQuantizePass},
    // Convolutions and pools channels-last; only the transposes that could not be cancelled remain.
    {"layout", createLayoutPass},
    // Constant right-hand sides in panels of 16 columns.
    {"pack", createPackPass},
    // @main holds constants, reshapes and composites named "task".
    {"fuse", createFusePass},
    // @main holds constants, reshapes and tet.task with bodies in upstream dialects.
    {"tasks", createTasksPass},
};

Status runStage(const Stage& stage, mlir::ModuleOp module) {
  mlir::PassManager manager(module->getContext(), mlir::ModuleOp::getOperationName());
  manager.addPass(stage.pass());
  std::string problem;
  mlir::ScopedDiagnosticHandler handler(module->getContext(), [&](mlir::Diagnostic& diagnostic) {
    if (problem.empty()) problem = diagnostic.str();
    return mlir::success();
  });
  if (mlir::succeeded(manager.run(module))) return {};
  return internalError("stage {} failed: {}", stage.name, problem.empty() ? "no reason given" : problem);
}

// The quantize stage: what it observes before, and measures after.
Status runQuantization(const Stage& stage, mlir::ModuleOp module, const PipelineOptions& options) {
  mlir::OwningOpRef<mlir::ModuleOp> reference;
  if (options.calibration) {
    numberReferences(module);
    reference = module.clone();
    if (!options.bf16) TET_RETURN_IF_ERROR(observeRanges(module, *options.calibration));
  }
  TET_RETURN_IF_ERROR(runStage(stage, module));
  if (options.bf16) TET_RETURN_IF_ERROR(runStage({"bf16", createBfloatPass}, module));
  return options.calibration ? measureErrors(*reference, module, *options.calibration) : Status();
}

}  // namespace

std::vector<std::string_view> stageNames() {
  std::vector<std::string_view> names;
  for (const Stage& stage : kStages) names.push_back(stage.name);
  return names;
}

Status runPipeline(mlir::ModuleOp module, const PipelineOptions& options) {
  auto names = stageNames();
  if (std::find(names.begin(), names.end(), options.stop_after) == names.end()) {
    return invalidArgument("no stage is named '{}'; the stages are {}", options.stop_after,
                           fmt::join(names, ", "));
  }
  for (const Stage& stage : kStages) {
    const auto begin = std::chrono::steady_clock::now();
    if (stage.name == "quantize") {
      TET_RETURN_IF_ERROR(runQuantization(stage, module, options));
    } else if (stage.pass) {
      TET_RETURN_IF_ERROR(runStage(stage, module));
    }
    if (options.frees_constants) tet::releaseUnusedConstants(module);
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin;
    if (options.on_stage) options.on_stage(stage.name, taken.count());
    if (stage.name == options.stop_after) break;
  }
  return {};
}

}  // namespace tetrarch::compile
