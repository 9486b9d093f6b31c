#include "tetrarch/compile/kernel_tool/kernel_runner.h"

#include <dlfcn.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <numeric>
#include <random>
#include <thread>

#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "mlir/IR/Block.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Operation.h"
#include "tetrarch/base/trace.h"
#include "tetrarch/compile/target/cpu/object.h"

namespace tetrarch::compile {
namespace {

std::string typeName(mlir::Type type) {
  std::string name;
  llvm::raw_string_ostream(name) << type;
  return name;
}

Result<Tensor> makeTensor(mlir::Type type) {
  auto tensor = mlir::cast<mlir::RankedTensorType>(type);
  auto element = elementTypeFromName(typeName(tensor.getElementType()));
  if (!element) return unimplemented("no tensors of {}", typeName(tensor.getElementType()));
  return Tensor::create(*element, Shape(tensor.getShape().begin(), tensor.getShape().end()));
}

// Floats in [-1, 1), integers in [0, 4).
void fill(Tensor& tensor, uint32_t seed) {
  std::minstd_rand random(seed);
  std::uniform_real_distribution<float> real(-1.0f, 1.0f);
  std::uniform_int_distribution<int> integer(0, 3);
  for (int64_t i = 0; i < tensor.count(); ++i) {
    if (isFloat(tensor.type())) {
      tensor.setDouble(i, real(random));
    } else {
      tensor.setInt(i, integer(random));
    }
  }
}

struct Free {
  void operator()(void* p) const { std::free(p); }
};

void runRange(const tet_cpu_kernel& kernel, void* const* buffers, int64_t begin, int64_t end) {
  thread_local std::unique_ptr<void, Free> scratch;
  thread_local int64_t scratch_bytes = 0;
  if (scratch_bytes < kernel.scratch_bytes) {
    scratch_bytes = (kernel.scratch_bytes + 63) / 64 * 64;
    scratch.reset(std::aligned_alloc(64, scratch_bytes));
  }
  kernel.run(buffers, begin, end, scratch.get());
}

}  // namespace

Result<KernelModule> KernelModule::load(const CodeBlob& blob) {
  const int file = memfd_create("kernels", 0);
  if (file < 0 ||
      write(file, blob.bytes.data(), blob.bytes.size()) != static_cast<ssize_t>(blob.bytes.size())) {
    return fail(StatusCode::kResourceExhausted, "no memory for a code blob");
  }
  KernelModule loaded;
  void* handle = dlopen(fmt::format("/proc/self/fd/{}", file).c_str(), RTLD_NOW | RTLD_LOCAL);
  close(file);
  if (!handle) return internalError("the code blob cannot be loaded: {}", dlerror());
  loaded.handle_ = std::shared_ptr<void>(handle, [](void* h) { dlclose(h); });
  loaded.module_ = static_cast<const tet_cpu_module*>(dlsym(handle, TET_CPU_MODULE_SYMBOL));
  if (!loaded.module_ || loaded.module_->magic != TET_CPU_MODULE_MAGIC)
    return internalError("the code blob has no table");
  return loaded;
}

const tet_cpu_kernel* KernelModule::find(std::string_view name) const {
  for (uint32_t i = 0; i < module_->kernel_count; ++i) {
    if (module_->kernels[i].name == name) return &module_->kernels[i];
  }
  return nullptr;
}

Result<std::vector<Tensor>> makeOperands(const Task& task, uint32_t seed) {
  std::vector<Tensor> tensors;
  for (mlir::Type type : task.block->getArgumentTypes()) {
    TET_ASSIGN_OR_RETURN(Tensor tensor, makeTensor(type));
    fill(tensor, seed++);
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

Result<std::vector<Tensor>> makeResults(const Task& task) {
  std::vector<Tensor> tensors;
  for (mlir::Value value : task.block->getTerminator()->getOperands()) {
    TET_ASSIGN_OR_RETURN(Tensor tensor, makeTensor(value.getType()));
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

void launch(const tet_cpu_kernel& kernel, std::vector<Tensor>& operands, std::vector<Tensor>& results,
            int threads, uint32_t seed) {
  std::vector<void*> buffers;
  for (Tensor& tensor : operands) buffers.push_back(tensor.data());
  for (Tensor& tensor : results) buffers.push_back(tensor.data());
  const int64_t pieces = std::min<int64_t>(kernel.units, seed == 0 ? threads : 7);
  std::vector<int64_t> order(pieces);
  std::iota(order.begin(), order.end(), 0);
  if (seed != 0) std::ranges::shuffle(order, std::minstd_rand(seed));
  std::atomic<int64_t> next = 0;
  auto work = [&] {
    for (int64_t i = next++; i < pieces; i = next++) {
      runRange(kernel, buffers.data(), order[i] * kernel.units / pieces,
               (order[i] + 1) * kernel.units / pieces);
    }
  };
  std::vector<std::jthread> others;
  for (int i = 1; i < std::min<int64_t>(threads, pieces); ++i) others.emplace_back(work);
  work();
}

Result<CodeBlob> compileGeneral(std::span<const Task> tasks) {
  const cpu::Variant variant = cpu::hostVariants().front();
  std::vector<cpu::ObjectCode> objects;
  for (const Task& task : tasks) {
    llvm::LLVMContext context;
    TET_ASSIGN_OR_RETURN(cpu::LoweredKernel kernel,
                         cpu::lowerGeneral(task, fmt::format("general_{}", objects.size()), context));
    TET_ASSIGN_OR_RETURN(cpu::ObjectCode object, cpu::assemble(std::move(kernel), variant));
    objects.push_back(std::move(object));
  }
  CodeBlob blob{"elf", variant.features, {}, {}};
  std::vector<cpu::Export> exports;
  for (const cpu::ObjectCode& object : objects) {
    exports.push_back({object.entry.symbol, &object});
    blob.entries.push_back(object.entry);
  }
  TET_ASSIGN_OR_RETURN(blob.bytes, cpu::link(exports, variant));
  return blob;
}

Result<Difference> compareKernels(const CodeBlob& blob, const CodeBlob& reference, size_t i, const Task& task,
                                  int threads, uint32_t seed) {
  TET_ASSIGN_OR_RETURN(std::vector<Tensor> operands, makeOperands(task, seed));
  std::vector<std::vector<Tensor>> results;
  for (const CodeBlob* one : {&blob, &reference}) {
    TET_ASSIGN_OR_RETURN(KernelModule module, KernelModule::load(*one));
    const tet_cpu_kernel* kernel = module.find(one->entries[i].symbol);
    if (!kernel) return internalError("the blob has no kernel '{}'", one->entries[i].symbol);
    TET_ASSIGN_OR_RETURN(std::vector<Tensor> out, makeResults(task));
    launch(*kernel, operands, out, threads, seed);
    results.push_back(std::move(out));
  }
  Difference largest;
  for (size_t r = 0; r < results[0].size(); ++r) {
    TET_ASSIGN_OR_RETURN(Difference now, difference(results[0][r], results[1][r]));
    if (r == 0 || now.relative > largest.relative) largest = now;
  }
  return largest;
}

Result<double> timeKernel(const CodeBlob& blob, size_t entry, const Task& task, int threads,
                          double budget_seconds) {
  TET_ASSIGN_OR_RETURN(KernelModule module, KernelModule::load(blob));
  const tet_cpu_kernel* kernel = module.find(blob.entries[entry].symbol);
  if (!kernel) return internalError("the blob has no kernel '{}'", blob.entries[entry].symbol);
  TET_ASSIGN_OR_RETURN(std::vector<Tensor> operands, makeOperands(task, 1));
  TET_ASSIGN_OR_RETURN(std::vector<Tensor> results, makeResults(task));
  double best = 1e30;
  const int64_t start = nowNs();
  do {
    const int64_t begin = nowNs();
    launch(*kernel, operands, results, threads);
    best = std::min(best, static_cast<double>(nowNs() - begin) * 1e-9);
  } while (static_cast<double>(nowNs() - start) * 1e-9 < budget_seconds);
  return best;
}

}  // namespace tetrarch::compile
