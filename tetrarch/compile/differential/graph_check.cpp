#include "tetrarch/compile/differential/graph_check.h"

#include "tetrarch/compile/differential/task_program.h"
#include "tetrarch/compile/kernel_tool/kernel_runner.h"
#include "tetrarch/graph/interpreter.h"
#include "tetrarch/graph/random_graph.h"

namespace tetrarch::compile {
namespace {

// Values are near 1: what is left where some hundreds of them cancel out is no error.
constexpr double kRounding = 1e-4;

// The code of a program's tasks in one variant, ready to run.
class Kernels {
 public:
  static Result<Kernels> load(const CodeBlob& blob) {
    Kernels kernels;
    TET_ASSIGN_OR_RETURN(kernels.module_, KernelModule::load(blob));
    for (const KernelEntry& entry : blob.entries) {
      kernels.entries_.push_back(kernels.module_->find(entry.symbol));
      if (!kernels.entries_.back()) return internalError("the code blob lacks {}", entry.symbol);
    }
    return kernels;
  }
  const tet_cpu_kernel& operator[](size_t task) const { return *entries_[task]; }

 private:
  std::optional<KernelModule> module_;
  std::vector<const tet_cpu_kernel*> entries_;
};

// What the device takes; the rest is the CPU's.
struct DeviceTasks {
  std::vector<Task> tasks;
  std::vector<int> place;  // of each task of the program among `tasks`; -1: not there
};

DeviceTasks tasksFor(const CodeGenerator& generator, const std::vector<Task>& all) {
  DeviceTasks taken;
  for (const Task& task : all) {
    const bool takes = generator.supports(task).ok();
    taken.place.push_back(takes ? static_cast<int>(taken.tasks.size()) : -1);
    if (takes) taken.tasks.push_back(task);
  }
  return taken;
}

}  // namespace

Result<PluginRunner*> GraphCheck::device() {
  if (!device_) {
    TET_ASSIGN_OR_RETURN(device_, PluginRunner::open(options_.plugin, options_.device));
  }
  return &*device_;
}

Status GraphCheck::compare(const std::vector<Tensor>& actual, const std::vector<Tensor>& expected) const {
  for (size_t i = 0; i < expected.size(); ++i) {
    TET_ASSIGN_OR_RETURN(const Difference found, difference(actual[i], expected[i]));
    const bool exact = isInteger(expected[i].type());
    if (exact ? found.absolute == 0 : found.relative <= options_.tolerance || found.absolute <= kRounding)
      continue;
    return internalError("result {} is {} at element {} instead of {}", i, actual[i].getDouble(found.at),
                         found.at, expected[i].getDouble(found.at));
  }
  return {};
}

Status GraphCheck::compareOn(std::string_view target, const TaskProgram& program,
                             const std::vector<Tensor>& inputs, const std::vector<Tensor>& expected) {
  const CodeGenerator* cpu = findCodeGenerator("cpu");
  const CodegenOptions codegen{.threads = options_.threads};
  TET_ASSIGN_OR_RETURN(const std::vector<CodeBlob> blobs, cpu->compile(program.tasks(), codegen));
  if (target == "cpu") {
    tasks_ += program.tasks().size();
    for (const CodeBlob& blob : blobs) {
      TET_ASSIGN_OR_RETURN(const Kernels kernels, Kernels::load(blob));
      TET_ASSIGN_OR_RETURN(
          const std::vector<Tensor> actual, program.run(inputs, [&](size_t task, auto& in, auto& out) {
            launch(kernels[task], in, out, options_.threads, static_cast<uint32_t>(task + 1));
            return Status();
          }));
      TET_RETURN_IF_ERROR(compare(actual, expected).withContext(blob.features));
    }
    return {};
  }
  const CodeGenerator* generator = findCodeGenerator(target);
  if (!generator) return invalidArgument("there is no code generator '{}'", target);
  const DeviceTasks taken = tasksFor(*generator, program.tasks());
  tasks_ += taken.tasks.size();
  declined_ += program.tasks().size() - taken.tasks.size();
  TET_ASSIGN_OR_RETURN(const std::vector<CodeBlob> own, generator->compile(taken.tasks, codegen));
  TET_ASSIGN_OR_RETURN(PluginRunner * runner, device());
  if (blobs.empty()) return {};
  TET_ASSIGN_OR_RETURN(const Kernels kernels, Kernels::load(blobs.back()));
  TET_ASSIGN_OR_RETURN(const std::vector<Tensor> actual,
                       program.run(inputs, [&](size_t task, auto& in, auto& out) {
                         if (taken.place[task] >= 0)
                           return runner->run(own.back(), taken.place[task], in, out, 3);
                         launch(kernels[task], in, out, options_.threads);
                         return Status();
                       }));
  return compare(actual, expected).withContext(target);
}

std::map<std::string, uint64_t> GraphCheck::counters() const {
  std::map<std::string, uint64_t> counters =
      device_ ? device_->counters() : std::map<std::string, uint64_t>();
  counters["tasks"] = tasks_;
  counters["declined"] = declined_;
  return counters;
}

Status GraphCheck::check(mlir::ModuleOp graph, unsigned seed) {
  const std::vector<Tensor> inputs = tet::randomInputs(graph, seed);
  TET_ASSIGN_OR_RETURN(const std::vector<Tensor> expected, tet::interpret(graph, inputs));
  TET_ASSIGN_OR_RETURN(const TaskProgram program,
                       TaskProgram::make(mlir::OwningOpRef<mlir::ModuleOp>(graph.clone())));
  return compareOn(options_.target, program, inputs, expected);
}

}  // namespace tetrarch::compile
