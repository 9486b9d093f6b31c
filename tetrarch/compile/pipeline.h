// The way from an imported graph to tasks. pipeline.cpp is the list of stages; each can be the last one.
#pragma once

#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "tetrarch/base/status.h"

namespace mlir {
class ModuleOp;
}

namespace tetrarch::compile {

struct Calibration;  // quantize/calibrate.h

struct PipelineOptions {
  std::string_view stop_after = "tasks";  // a name of stageNames()
  // Not null: the graph is made narrower, and its errors are measured on the samples and filled in: quantised
  // to 8 bits, with ranges from the samples, or
  Calibration* calibration = nullptr;
  // … contractions of f32 read bf16, which needs no samples.
  bool bf16 = false;
  // No other module of the context shares constants with this one: those that a stage leaves unused are
  // freed.
  bool frees_constants = false;
  // Called after each stage with its name and the seconds that it took; the module then holds its result.
  // May be empty.
  std::function<void(std::string_view stage, double seconds)> on_stage;
};

// import rewrite quantize layout pack fuse tasks, in order. "import" does nothing: it is the graph as the
// frontend made it.
std::vector<std::string_view> stageNames();

// Changes the module in place. InvalidArgument when `stop_after` names no stage; Internal, with the pass's
// own words, when a pass fails: a valid graph has tasks. Verifies after each stage.
Status runPipeline(mlir::ModuleOp module, const PipelineOptions& options = {});

}  // namespace tetrarch::compile
