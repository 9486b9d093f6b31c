// The manifest of an artifact: what is in it, as C++ structs and as JSON.
//
// Tensors, tasks and sections are named by their index, which is what the JSON stores too. parseManifest()
// checks everything that a consumer relies on, so code that holds a Manifest from it indexes without checks;
// a Manifest made by hand goes through validate() first. Pure functions; no threads, no files.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tetrarch/base/element_type.h"
#include "tetrarch/base/status.h"
#include "tetrarch/base/tensor.h"

namespace tetrarch::abi {

// Where a figure comes from. Numbers are TET_MEASURED … of device.h.
enum class Source : uint8_t { Measured = 0, Simulated = 1, Modelled = 2 };
std::string_view sourceName(Source source);  // "measured", "simulated", "modelled"
std::optional<Source> sourceFromName(std::string_view name);

// Numbers are TET_CLASS_CPU … of device.h.
enum class DeviceClass : uint8_t { Cpu = 0, Gpu = 1, Fpga = 2, Asic = 3, Other = 4 };
std::string_view deviceClassName(DeviceClass device_class);  // "cpu", "gpu", …
std::optional<DeviceClass> deviceClassFromName(std::string_view name);

struct Port {  // an input or output of the model
  std::string name;
  ElementType type = ElementType::F32;
  Shape shape;
  int tensor = 0;
  bool operator==(const Port&) const = default;
};

// Input: the caller's memory. Constant: in the weights section. Temporary: written by exactly one task. An
// alias (a free reshape) has the kind of what it aliases, which is never an alias itself.
enum class TensorKind : uint8_t { Input, Constant, Temporary };

struct TensorEntry {
  ElementType type = ElementType::F32;
  Shape shape;
  uint64_t bytes = 0;  // elements * byteSize(type)
  TensorKind kind = TensorKind::Temporary;
  uint64_t offset = 0;  // constants: in the weights section, a multiple of 64
  int alias_of = -1;    // the same bytes as that earlier tensor, or -1
  bool operator==(const TensorEntry&) const = default;
};

// Tasks are in an order in which each input is written before it is read.
struct TaskEntry {
  std::string name;  // unique
  std::string root;  // "convolution", "reduce", …, for people
  std::string hash;  // of the task's body: equal hash, equal code and cost
  std::vector<int> inputs, outputs;
  double flops = 0;
  double bytes = 0;  // read and written at least once
  // Of a quantised result against the float model's, measured on the calibration samples: root mean square of
  // the difference by that of the float values, and the largest difference.
  std::optional<double> error, largest_error;
  bool operator==(const TaskEntry&) const = default;
};

// How one task is compiled in one code blob. An empty symbol: declined, with the reason.
struct KernelEntry {
  std::string symbol;
  std::string reason;
  uint64_t units = 0;
  uint64_t granularity = 1;
  uint64_t workspace_bytes = 0;
  // How a range of units maps to the output, so that a task can be split between unlike devices: the output
  // seen as `rows` equal contiguous rows, the units as ceil(rows / row_tile) equal groups in order, of which
  // group g writes rows [g * row_tile, (g + 1) * row_tile), the last one up to `rows` (it may also rewrite
  // rows before, with equal values). rows = 0: no such mapping, the task stays whole.
  uint64_t rows = 0;
  uint64_t row_tile = 1;
  // Of the processor's multipliers, the share that does what the task asks for while it runs, as its code
  // generator models it: 0 to 1.
  std::optional<double> utilisation;
  bool operator==(const KernelEntry&) const = default;
};

struct CodeEntry {
  std::string generator;  // "cpu"
  DeviceClass device_class = DeviceClass::Cpu;
  std::string format;  // one of tet_device_info.formats: "elf"
  std::string
      features;     // space-separated, all needed to run it: "avx2 fma"; a subset of tet_device_info.features
  int section = 0;  // index in the artifact's section table, type TET_SECTION_CODE
  int binary = -1;  // a TET_SECTION_BINARY with the driver's form of it, or -1
  std::string binary_format;
  std::string binary_driver;  // tet_device_info.driver that made the binary; for another it is not used
  std::vector<KernelEntry> kernels;  // one a task
  bool operator==(const CodeEntry&) const = default;
};

struct CostEntry {
  int task = 0;
  std::string device;  // tet_device_info.name and options: what was measured, as in PlanDevice
  double seconds = 0;
  double stddev = 0;
  std::optional<double> joules;
  Source source = Source::Measured;
  Source joules_source = Source::Modelled;
  bool operator==(const CostEntry&) const = default;
};

struct PlanDevice {
  std::string name;     // "cpu", "opencl:0": plug-in, and the device's number where it has several
  std::string options;  // JSON object for device_open, or ""
  bool operator==(const PlanDevice&) const = default;
};

// A range of units of the device's own code for the task; end = kAllUnits: to the last one.
inline constexpr uint64_t kAllUnits = UINT64_MAX;
struct Share {
  int device = 0;  // index in PlanEntry.devices
  uint64_t begin = 0;
  uint64_t end = kAllUnits;
  bool operator==(const Share&) const = default;
};

// Tasks that follow one another on one device as one kernel of one unit: what only they use never leaves it.
// Its buffers are segmentTensors().
struct SegmentEntry {
  int first_task = 0;
  std::string symbol;
  std::vector<double> shares;       // of its time, one a task: so many tasks it has
  std::vector<double> utilisation;  // one a task as in KernelEntry, 0 where that is not known
  bool operator==(const SegmentEntry&) const = default;
};

// What a plan's device loads instead of the code of all tasks: its segments, and kernels of those tasks that
// the plan puts there and no segment holds.
struct PlanCode {
  int device = 0;                      // index in PlanEntry.devices
  int code = 0;                        // index in Manifest.code: that code
  int section = 0;                     // index in the artifact's section table, type TET_SECTION_CODE
  std::vector<SegmentEntry> segments;  // by first task
  std::vector<KernelEntry> kernels;    // one a task, empty ones elsewhere; or none at all: as that code has
  // The code itself, in place of a section, where it was made after the artifact: no file has this.
  std::shared_ptr<const std::vector<std::byte>> made = nullptr;
  bool operator==(const PlanCode&) const = default;
};

struct SinglePrice {  // the best plan that uses one device only
  int device = 0;     // index in PlanEntry.devices
  double seconds = 0;
  Source source = Source::Measured;
  bool operator==(const SinglePrice&) const = default;
};

struct PlanEntry {
  std::string name;  // unique: "fastest", "cpu", …
  std::vector<PlanDevice> devices;
  std::vector<std::vector<Share>> placement;  // one a task: one share, or several that split it
  double seconds = 0;                         // predicted
  double lower_bound_seconds = 0;
  Source source = Source::Measured;
  std::vector<SinglePrice> singles;
  std::vector<std::string> reasons;  // one a task, or none at all: why it sits there
  std::vector<PlanCode> code;        // of some of its devices
  bool operator==(const PlanEntry&) const = default;
};

struct Maker {
  std::string tetrarch, llvm;       // versions
  std::string host, host_features;  // of the CPU it was compiled on
  bool operator==(const Maker&) const = default;
};

struct Manifest {
  std::string model;
  std::string source;                   // file name without folder
  std::string source_hash;              // of its bytes, hexadecimal
  std::map<std::string, int64_t> dims;  // binding of the named symbolic dimensions
  std::string precision;                // "int8" or "bf16", as was asked for, else ""
  std::vector<Port> inputs, outputs;
  std::vector<TensorEntry> tensors;
  std::vector<TaskEntry> tasks;
  std::vector<CodeEntry> code;
  std::vector<CostEntry> costs;
  std::vector<PlanEntry> plans;  // the first one is what runs unless told otherwise; may be empty
  Maker maker;
  bool operator==(const Manifest&) const = default;
};

// A task's row in an entry of Manifest::code, or in the plan's own code in place of that, which may be null.
const KernelEntry& kernelOf(const Manifest& manifest, int code, const PlanCode* own, int task);

// The tensor whose memory `tensor` is: itself, or what it is an alias of.
int rootTensor(const Manifest& manifest, int tensor);

// Of `count` tasks from `first` on: the root tensors that come from outside, constants among them, in the
// order in which they are first read, and those that are needed outside, in the order in which they are made.
struct SegmentTensors {
  std::vector<int> inputs, outputs;
};
SegmentTensors segmentTensors(const Manifest& manifest, int first, int count);

// What a manifest is checked against: the sections of the file that holds it.
struct SectionSummary {
  uint32_t type = 0;
  uint64_t bytes = 0;
};

inline constexpr size_t kMaxManifestBytes = size_t{64} << 20;
inline constexpr int kMaxManifestDepth = 16;

// InvalidArgument names the first thing that is wrong, as in "tasks[3].inputs[0]: 17 is not a tensor (there
// are 12)".
Status validate(const Manifest& manifest, const std::vector<SectionSummary>& sections);
std::string toJson(const Manifest& manifest);
// Parses and validates. Any bytes at all are safe to pass.
Result<Manifest> parseManifest(std::string_view json, const std::vector<SectionSummary>& sections);

}  // namespace tetrarch::abi
