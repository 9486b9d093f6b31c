// What every code generator offers, whatever the class of its processor: can you, how well, and compile.
//
// A generator sees a task as a name and a block of upstream dialects (linalg, tensor, arith, math, scf): the
// block's arguments are the task's operands and its terminator's operands the task's results, all statically
// shaped ranked tensors of storage types. It never sees the graph's dialect. See ARCHITECTURE.md, "Task".
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tetrarch/base/status.h"

namespace mlir {
class Block;
class DialectRegistry;
}  // namespace mlir

namespace tetrarch::compile {

// One task as code generators see it. `block` is borrowed and not changed. Two tasks with the same `hash` are
// the same computation, whatever their names (taskHash() below makes it).
struct Task {
  std::string name;
  mlir::Block* block = nullptr;
  uint64_t hash = 0;
  // One for each operand, or none at all: its bytes where it is a constant of the model, else empty.
  // Borrowed. Not part of the hash: a generator whose code depends on them says so.
  std::vector<std::span<const std::byte>> constants = {};
};

// A unit attribute of an scf.for in a task: its iterations do not depend on each other, whatever loops are
// around it, so that they may run in any order or at once.
inline constexpr const char* kIndependentAttr = "independent";

// The hash of the block's text, without locations and names: stable between runs and machines.
uint64_t taskHash(mlir::Block& block);

// One row of a blob's kernel table: how to launch one task.
struct KernelEntry {
  std::string symbol;
  int64_t units = 1;            // independent pieces of work; a launch takes any range [begin, end) of them
  int64_t granularity = 1;      // ranges should begin at multiples of this for full speed
  int64_t workspace_bytes = 0;  // devices: one buffer for one launch, passed after the outputs; 0 = none
  int64_t scratch_bytes = 0;    // CPU: private to each worker, 64-byte aligned; 0 = none
  // How units map to the first output, so that unlike devices can divide the task: see abi::KernelEntry. 0 =
  // they do not, the task stays whole.
  int64_t rows = 0;
  int64_t row_tile = 1;
  // Of the processor's multipliers, the share that does what the task asks for while it runs, 0 to 1, where
  // the generator knows it.
  std::optional<double> utilisation;
};

// Code of some tasks for one kind of processor.
struct CodeBlob {
  std::string format;    // what a device must be able to load: "elf", "opencl-c"
  std::string features;  // what the processor must have: "x86-64-v3", "avx512f,…"; empty = nothing special
  std::vector<std::byte> bytes;
  std::vector<KernelEntry> entries;  // one per task, in the order of the tasks
};

// A guess from the task alone, before anything was measured; always of source "modelled".
struct Estimate {
  double seconds = 0;            // one launch over all units, on the whole device
  std::optional<double> joules;  // absent when the class has no energy model
  double error = 0;              // expected largest relative error against exact arithmetic
};

// Tasks that follow one another on one device, to be compiled as one. Tensors are numbered: those from
// outside, then those that outside needs, which are the buffers of a launch in this order, then the rest.
struct Segment {
  std::string name;  // the symbol
  std::vector<Task> tasks;
  struct Uses {
    std::vector<int> inputs, outputs;  // tensors
  };
  std::vector<Uses> uses;  // by task
  int inputs = 0, outputs = 0, tensors = 0;
};

// A segment's place in the code, which is a kernel of one unit.
struct SegmentKernel {
  std::vector<double> shares;       // of its time, by task
  std::vector<double> utilisation;  // by task as in KernelEntry, 0 where that is not known
};
struct SegmentCode {
  std::vector<std::byte> bytes;
  std::vector<SegmentKernel> kernels;  // one a segment
};

// What a plan's device loads.
enum class PlansGet : uint8_t {
  kTheCodeOfAllTasks,
  kSegments,       // a segment is worth more than its tasks: addSegments()
  kTasksTogether,  // tasks share what the device has, so fewer of them get more each: compile() of those
};

// Choices of the tuner that were measured before, by task hash and target. Both callbacks may be empty.
// Thread safety is the caller's: a generator calls them from one thread at a time.
struct TuningCache {
  std::function<std::optional<std::string>(uint64_t task_hash, std::string_view target)> load;
  std::function<void(uint64_t task_hash, std::string_view target, std::string_view choice)> store;
};

struct CodegenOptions {
  // Seconds of one launch over all units of entry `entry`, which belongs to `task`. Empty: no measuring, the
  // generator's default choices are used.
  std::function<Result<double>(const CodeBlob& blob, size_t entry, const Task& task)> measure;
  TuningCache cache;
  int threads = 1;  // that the generator may use for itself, and that launches will use
  std::function<void(size_t done, size_t total, std::string_view what)> progress;  // may be empty
  // How long candidates are compiled and measured in all. Tasks whose turn has not come by then get the
  // default choice, which is not remembered.
  double search_seconds = 20;
};

// Implementations are stateless: const members may be called from several threads, each with its own MLIR
// context.
class CodeGenerator {
 public:
  virtual ~CodeGenerator() = default;
  virtual std::string_view name() const = 0;         // the row in target/targets.def
  virtual std::string_view deviceClass() const = 0;  // "cpu", "gpu", …
  // Whether code depends on the values of constants, and not on the block alone.
  virtual bool readsConstants() const { return false; }
  // The generator for a device that has these features, where that is another than this one.
  virtual std::unique_ptr<CodeGenerator> forFeatures(std::string_view /*features*/) const { return nullptr; }
  // OK, or Unimplemented with the reason.
  virtual Status supports(const Task& task) const = 0;
  virtual Estimate estimate(const Task& task) const = 0;
  virtual PlansGet plansGet() const { return PlansGet::kTheCodeOfAllTasks; }
  // The blob, which compile() made, with the segments beside what it has.
  virtual Result<SegmentCode> addSegments(std::span<const std::byte> blob,
                                          std::span<const Segment> segments) const;
  // One blob per variant (for CPUs: x86-64-v3 and this machine's own features); each holds every task. An
  // error names the task that could not be compiled.
  virtual Result<std::vector<CodeBlob>> compile(std::span<const Task> tasks,
                                                const CodegenOptions& options) const = 0;
};

// The generators of target/targets.def, in its order; made once.
std::span<const std::unique_ptr<CodeGenerator>> codeGenerators();
// Null when no row has that name.
const CodeGenerator* findCodeGenerator(std::string_view name);
// Dialects and interfaces that the generators need in the tasks' context.
void registerCodegenDialects(mlir::DialectRegistry& registry);

}  // namespace tetrarch::compile
