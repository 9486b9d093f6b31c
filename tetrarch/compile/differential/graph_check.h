// Whether a graph gives the same when it is compiled as when it is interpreted, on one target.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "mlir/IR/BuiltinOps.h"
#include "tetrarch/compile/kernel_tool/plugin_runner.h"

namespace tetrarch::compile {

struct GraphCheckOptions {
  std::string target = "cpu";  // a code generator; the CPU takes the tasks that it declines
  std::string plugin;          // what runs its code; not needed for the CPU, which runs in this process
  std::string device;          // options of its device, as device_open takes them, or ""
  // Largest difference of a float, relative to the largest value of its result; integers must be equal.
  double tolerance = 1e-3;
  int threads = 2;
};

// One thread at a time.
class GraphCheck {
 public:
  explicit GraphCheck(GraphCheckOptions options) : options_(std::move(options)) {}

  // Ok, or one sentence: what failed to compile, or which result differs and where. `seed` makes the inputs.
  // The graph is not changed.
  Status check(mlir::ModuleOp graph, unsigned seed);
  // Of all checks: the tasks that the target took ("tasks") and those that it declined ("declined"), and what
  // its device counted.
  std::map<std::string, uint64_t> counters() const;

 private:
  Status compareOn(std::string_view target, const class TaskProgram& program,
                   const std::vector<Tensor>& inputs, const std::vector<Tensor>& expected);
  Status compare(const std::vector<Tensor>& actual, const std::vector<Tensor>& expected) const;
  Result<PluginRunner*> device();

  GraphCheckOptions options_;
  std::optional<PluginRunner> device_;
  uint64_t tasks_ = 0, declined_ = 0;
};

}  // namespace tetrarch::compile
