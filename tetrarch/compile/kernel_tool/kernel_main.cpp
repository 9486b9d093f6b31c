// tetrarch-kernel: the code of single tasks, for compiler engineers and lit tests.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <optional>
#include <unordered_set>

#include "llvm/Support/SourceMgr.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"
#include "tetrarch/abi/opencl_program.h"
#include "tetrarch/compile/kernel_tool/kernel_runner.h"
#include "tetrarch/compile/kernel_tool/plugin_runner.h"
#include "tetrarch/compile/target/fpga/kernel.h"
#include "tetrarch/compile/target/fpga/verilog.h"
#include "tetrarch/compile/tile/tile.h"
#include "tetrarch/graph/tet.h"

namespace tetrarch::compile {
namespace {

struct Arguments {
  std::string file, emit, choice, output, only;
  std::string target = "cpu", device, device_options;
  int threads = 1;
  int64_t vector_bytes = 64, vector_registers = 32;
  bool tune = false, check = false;
  double seconds = 0;
};

// The distinct tet.tasks of a graph, or each function as one task where there are none.
std::vector<Task> collectTasks(mlir::ModuleOp module, const std::string& only) {
  std::vector<Task> tasks;
  std::unordered_set<uint64_t> seen;
  auto add = [&](std::string name, mlir::Block& block) {
    if (!only.empty() && name != only) return;
    tasks.push_back({std::move(name), &block, taskHash(block)});
    if (!seen.insert(tasks.back().hash).second) tasks.pop_back();
  };
  module.walk([&](tet::TaskOp task) { add(task.getName().str(), task.getBody().front()); });
  if (!tasks.empty()) return tasks;
  for (auto function : module.getOps<mlir::func::FuncOp>()) {
    add(function.getName().str(), function.getBody().front());
  }
  return tasks;
}

// The tiled loops of each task as text.
Status printTiles(const std::vector<Task>& tasks, const Arguments& arguments, mlir::MLIRContext& context) {
  TileTarget target{.vector_bytes = arguments.vector_bytes, .vector_registers = arguments.vector_registers};
  TileChoice choice;
  if (!arguments.choice.empty()) {
    TET_ASSIGN_OR_RETURN(choice, tileChoiceFromString(arguments.choice));
  }
  auto module = mlir::OwningOpRef<mlir::ModuleOp>(mlir::ModuleOp::create(mlir::UnknownLoc::get(&context)));
  for (const Task& task : tasks) {
    TET_ASSIGN_OR_RETURN(TilePlan plan, planTile(*task.block, target, choice));
    auto b = mlir::OpBuilder::atBlockEnd(module->getBody());
    llvm::SmallVector<mlir::Type> types;
    auto add = [&](mlir::Type type) {
      auto tensor = mlir::cast<mlir::RankedTensorType>(type);
      types.push_back(mlir::MemRefType::get({tensor.getNumElements()}, tensor.getElementType()));
    };
    for (mlir::Type type : task.block->getArgumentTypes()) add(type);
    for (mlir::Value value : task.block->getTerminator()->getOperands()) add(value.getType());
    const size_t buffers = types.size();
    types.push_back(b.getIndexType());
    if (plan.scratch_bytes > 0) types.push_back(mlir::MemRefType::get({plan.scratch_bytes}, b.getI8Type()));
    auto function = mlir::func::FuncOp::create(b, b.getUnknownLoc(), task.name, b.getFunctionType(types, {}));
    function->setAttr("tile.units", b.getI64IntegerAttr(plan.units));
    function->setAttr("tile.choice", b.getStringAttr(toString(plan.choice)));
    b.setInsertionPointToStart(function.addEntryBlock());
    TET_RETURN_IF_ERROR(emitUnit(b, b.getUnknownLoc(), plan, function.getArgument(buffers),
                                 function.getArguments().take_front(buffers),
                                 plan.scratch_bytes > 0 ? function.getArgument(buffers + 1) : mlir::Value()));
    mlir::func::ReturnOp::create(b, b.getUnknownLoc());
  }
  mlir::PassManager pm(&context);
  pm.addPass(mlir::createCanonicalizerPass());
  pm.addPass(mlir::createCSEPass());
  if (mlir::failed(pm.run(*module))) return internalError("the tiled loops are invalid");
  module->print(llvm::outs());
  llvm::outs() << "\n";
  return {};
}

// Compares each task's code with that of the general path.
Status checkAll(const std::vector<Task>& tasks, const std::vector<CodeBlob>& blobs, int threads) {
  TET_ASSIGN_OR_RETURN(CodeBlob reference, compileGeneral(tasks));
  for (const CodeBlob& blob : blobs) {
    for (size_t i = 0; i < tasks.size(); ++i) {
      TET_ASSIGN_OR_RETURN(Difference difference,
                           compareKernels(blob, reference, i, tasks[i], threads, i + 1));
      fmt::print("{:32} relative difference {:.3g} ({:.3g} at {})\n", tasks[i].name, difference.relative,
                 difference.absolute, difference.at);
    }
  }
  return {};
}

Status printOpenClSource(const std::vector<Task>& tasks) {
  TET_ASSIGN_OR_RETURN(const std::vector<CodeBlob> blobs, findCodeGenerator("opencl")->compile(tasks, {}));
  for (const CodeBlob& blob : blobs) {
    TET_ASSIGN_OR_RETURN(const abi::OpenClProgram program, abi::readOpenClProgram(blob.bytes));
    llvm::outs() << program.source;
  }
  return {};
}

// What a task becomes on an FPGA: its stages, or all of its SystemVerilog.
Status printFpga(const std::vector<Task>& tasks, const Arguments& arguments) {
  for (const Task& task : tasks) {
    if (arguments.emit == "flow") {
      TET_ASSIGN_OR_RETURN(auto module, fpga::readKernel(task, fpga::kEcp5_85k, {}));
      module->print(llvm::outs());
      llvm::outs() << "\n";
      continue;
    }
    TET_ASSIGN_OR_RETURN(const fpga::Kernel kernel, fpga::makeKernel(task, fpga::kEcp5_85k));
    llvm::outs() << fpga::printVerilog(kernel, task.name);
  }
  return {};
}

Status compileAndTime(const std::vector<Task>& tasks, const Arguments& arguments) {
  const CodeGenerator* generator = findCodeGenerator(arguments.target);
  if (!generator) return invalidArgument("there is no code generator '{}'", arguments.target);
  std::optional<PluginRunner> device;
  if (!arguments.device.empty()) {
    TET_ASSIGN_OR_RETURN(device, PluginRunner::open(arguments.device, arguments.device_options));
  }
  auto timeTask = [&](const CodeBlob& blob, size_t entry, const Task& task,
                      double seconds) -> Result<double> {
    return device ? device->time(blob, entry, task, seconds)
                  : timeKernel(blob, entry, task, arguments.threads, seconds);
  };
  CodegenOptions options;
  options.threads = arguments.threads;
  if (arguments.tune) {
    options.measure = [&](const CodeBlob& blob, size_t entry, const Task& task) {
      return timeTask(blob, entry, task, 0.02);
    };
    options.cache.store = [&](uint64_t hash, std::string_view target, std::string_view choice) {
      for (const Task& task : tasks) {
        if (task.hash == hash) fmt::print("{:32} {} {}\n", task.name, target, choice);
      }
    };
  }
  if (!arguments.choice.empty()) {
    options.cache.load = [&](uint64_t, std::string_view) { return arguments.choice; };
  }
  TET_ASSIGN_OR_RETURN(std::vector<CodeBlob> blobs, generator->compile(tasks, options));
  if (arguments.check) TET_RETURN_IF_ERROR(checkAll(tasks, blobs, arguments.threads));
  for (const CodeBlob& blob : blobs) {
    if (!arguments.output.empty()) {
      std::FILE* file = std::fopen((arguments.output + (&blob == &blobs.back() ? "" : ".v3")).c_str(), "wb");
      if (!file) return invalidArgument("{} cannot be written", arguments.output);
      std::fwrite(blob.bytes.data(), 1, blob.bytes.size(), file);
      std::fclose(file);
    }
    for (size_t i = 0; arguments.seconds > 0 && i < tasks.size(); ++i) {
      TET_ASSIGN_OR_RETURN(double seconds, timeTask(blob, i, tasks[i], arguments.seconds));
      TileTarget target;
      auto plan = planTile(*tasks[i].block, target);
      fmt::print("{:32} {:10.1f} us {:8.1f} GFLOP/s {:8.1f} GB/s  units {} scratch {} [{}]\n", tasks[i].name,
                 seconds * 1e6, plan ? plan->flops / seconds * 1e-9 : 0.0,
                 plan ? plan->bytes / seconds * 1e-9 : 0.0, blob.entries[i].units,
                 blob.entries[i].scratch_bytes, plan ? "tiled" : plan.error().message());
    }
  }
  return {};
}

Status run(const Arguments& arguments) {
  mlir::DialectRegistry registry;
  registerCodegenDialects(registry);
  registry.insert<tet::TetDialect>();
  mlir::MLIRContext context(registry);
  context.loadAllAvailableDialects();
  mlir::OwningOpRef<mlir::ModuleOp> module = mlir::parseSourceFile<mlir::ModuleOp>(arguments.file, &context);
  if (!module) return invalidArgument("{} is not a valid MLIR module", arguments.file);
  const std::vector<Task> tasks = collectTasks(*module, arguments.only);
  if (arguments.emit == "tile") return printTiles(tasks, arguments, context);
  if (arguments.emit == "opencl") return printOpenClSource(tasks);
  if (arguments.emit == "flow" || arguments.emit == "verilog") return printFpga(tasks, arguments);
  return compileAndTime(tasks, arguments);
}

}  // namespace
}  // namespace tetrarch::compile

int main(int argc, char** argv) {
  tetrarch::compile::Arguments arguments;
  CLI::App app("Compiles the tet.tasks of an MLIR file, or each of its func.funcs as the body of one task.");
  app.add_option("file", arguments.file, "MLIR text, - for standard input")->required();
  app.add_option(
      "--emit", arguments.emit,
      "'tile': print the loops of one unit; 'opencl': OpenCL C; 'flow', 'verilog': stages of an FPGA");
  app.add_option("--only", arguments.only, "just the function of this name");
  app.add_option("--choice", arguments.choice, "tile choice, as printed by --tune");
  app.add_option("--vector-bytes", arguments.vector_bytes, "of the vectors that --emit=tile prints");
  app.add_option("--vector-registers", arguments.vector_registers, "that --emit=tile may use");
  app.add_option("-o,--output", arguments.output, "write the code blob here");
  app.add_option("--target", arguments.target, "code generator: cpu or opencl");
  app.add_option("--device", arguments.device,
                 "plug-in (.so) to run on; needed for --time unless the target is cpu");
  app.add_option("--device-options", arguments.device_options,
                 "for opening the device, such as {\"threads\":1}");
  app.add_option("--threads", arguments.threads, "to compile and to run with");
  app.add_option("--time", arguments.seconds, "run each task for so many seconds and print its best time");
  app.add_flag("--check", arguments.check, "compare the results with those of the general path");
  app.add_flag("--tune", arguments.tune, "measure several tiles and keep the fastest");
  CLI11_PARSE(app, argc, argv);
  const tetrarch::Status status = tetrarch::compile::run(arguments);
  if (!status.ok()) fmt::print(stderr, "tetrarch-kernel: {}\n", status.toString());
  return exitCode(status);
}
