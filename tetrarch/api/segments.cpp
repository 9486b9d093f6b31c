#include "tetrarch/api/segments.h"

#include <algorithm>
#include <map>

#include "tetrarch/run/program.h"

namespace tetrarch::api {
namespace {

using compile::CodeGenerator;
using compile::PlansGet;

bool isWholeOn(const abi::PlanEntry& plan, int task, int device) {
  return plan.placement[task] == std::vector{abi::Share{device}};
}

// Whether the device has some of the tasks that it has code for, and each of them wholly.
bool hasWholeSome(const abi::Manifest& manifest, const abi::PlanEntry& plan, const abi::PlanCode& code) {
  size_t whole = 0, touched = 0, all = 0;
  for (size_t t = 0; t < plan.placement.size(); ++t) {
    whole += isWholeOn(plan, static_cast<int>(t), code.device);
    touched += std::ranges::any_of(plan.placement[t],
                                   [&](const abi::Share& share) { return share.device == code.device; });
    all += !manifest.code[code.code].kernels[t].symbol.empty();
  }
  return whole == touched && 0 < whole && whole < all;
}

const run::Device* findDevice(const OpenDevices& devices, const abi::PlanDevice& id) {
  const auto found = std::ranges::find_if(devices, [&](const auto& open) { return open->id() == id; });
  return found == devices.end() ? nullptr : found->get();
}

bool gains(PlansGet what, const abi::Manifest& manifest, const abi::PlanEntry& plan,
           const abi::PlanCode& code) {
  switch (what) {
    case PlansGet::kTheCodeOfAllTasks:
      return false;
    case PlansGet::kSegments:
      return !segmentsOf(manifest, plan, code.device).empty();
    case PlansGet::kTasksTogether:
      return hasWholeSome(manifest, plan, code);
  }
  return false;
}

// Numbers a segment's tensors in the order of its buffers, then those inside.
compile::Segment describeSegment(const TaskGraph& graph, int first, int count) {
  const abi::Manifest& m = graph.manifest;
  const abi::SegmentTensors ports = abi::segmentTensors(m, first, count);
  compile::Segment segment{.name = fmt::format("segment_{}_{}", first, first + count - 1)};
  std::map<int, int> numbers;
  const auto number = [&](int tensor) {
    const auto [it, fresh] =
        numbers.try_emplace(abi::rootTensor(m, tensor), static_cast<int>(numbers.size()));
    return it->second;
  };
  for (int tensor : ports.inputs) number(tensor);
  for (int tensor : ports.outputs) number(tensor);
  segment.inputs = static_cast<int>(ports.inputs.size());
  segment.outputs = static_cast<int>(ports.outputs.size());
  for (int t = first; t < first + count; ++t) {
    segment.tasks.push_back(graph.tasks[t]);
    compile::Segment::Uses& uses = segment.uses.emplace_back();
    for (int tensor : m.tasks[t].inputs) uses.inputs.push_back(number(tensor));
    for (int tensor : m.tasks[t].outputs) uses.outputs.push_back(number(tensor));
  }
  segment.tensors = static_cast<int>(numbers.size());
  return segment;
}

// Code of one device of one plan.
class PlanCompiler {
 public:
  PlanCompiler(const TaskGraph& graph, const CodeGenerator& generator, const abi::PlanEntry& plan,
               abi::PlanCode& code)
      : graph_(graph), generator_(generator), plan_(plan), code_(code) {}

  Result<std::vector<std::byte>> run() {
    return generator_.plansGet() == PlansGet::kSegments ? fuse() : compileTogether();
  }

 private:
  Result<std::vector<std::byte>> fuse() {
    std::vector<compile::Segment> segments;
    for (const auto& [first, count] : segmentsOf(graph_.manifest, plan_, code_.device)) {
      segments.push_back(describeSegment(graph_, first, count));
      code_.segments.push_back({.first_task = first, .symbol = segments.back().name});
    }
    TET_ASSIGN_OR_RETURN(const auto rest, sharedTasks());
    TET_ASSIGN_OR_RETURN(compile::SegmentCode made, generator_.addSegments(rest, segments));
    for (size_t i = 0; i < segments.size(); ++i) {
      code_.segments[i].shares = std::move(made.kernels[i].shares);
      code_.segments[i].utilisation = std::move(made.kernels[i].utilisation);
    }
    return std::move(made.bytes);
  }

  Result<std::vector<std::byte>> compileTogether() {
    std::vector<compile::Task> tasks;
    std::vector<size_t> numbers;
    for (size_t t = 0; t < graph_.tasks.size(); ++t) {
      if (!isWholeOn(plan_, static_cast<int>(t), code_.device)) continue;
      tasks.push_back(graph_.tasks[t]);
      numbers.push_back(t);
    }
    TET_ASSIGN_OR_RETURN(auto blobs, generator_.compile(tasks, {}));
    code_.kernels.resize(graph_.tasks.size(), {.reason = "the plan has it elsewhere"});
    for (size_t i = 0; i < tasks.size(); ++i) code_.kernels[numbers[i]] = entryOf(blobs.front().entries[i]);
    return std::move(blobs.front().bytes);
  }

  // The code of the tasks that the device divides with others.
  Result<std::vector<std::byte>> sharedTasks() {
    std::map<std::string, compile::Task> tasks;  // by symbol
    const std::vector<abi::KernelEntry>& kernels = graph_.manifest.code[code_.code].kernels;
    for (size_t t = 0; t < kernels.size(); ++t) {
      const bool is_here = std::ranges::any_of(
          plan_.placement[t], [&](const abi::Share& share) { return share.device == code_.device; });
      if (!is_here || isWholeOn(plan_, static_cast<int>(t), code_.device)) continue;
      compile::Task task = graph_.tasks[t];
      task.name = kernels[t].symbol;
      tasks.emplace(task.name, std::move(task));
    }
    if (tasks.empty()) return std::vector<std::byte>();
    std::vector<compile::Task> list;
    for (auto& [symbol, task] : tasks) list.push_back(std::move(task));
    TET_ASSIGN_OR_RETURN(auto blobs, generator_.compile(list, {}));
    return std::move(blobs.front().bytes);
  }

  const TaskGraph& graph_;
  const CodeGenerator& generator_;
  const abi::PlanEntry& plan_;
  abi::PlanCode& code_;
};

}  // namespace

std::vector<std::pair<int, int>> segmentsOf(const abi::Manifest& m, const abi::PlanEntry& plan, int device) {
  const int tasks = static_cast<int>(m.tasks.size());
  // Who of the other devices writes, and who reads, each root tensor.
  std::vector<bool> foreign(m.tensors.size()), awaited(m.tensors.size());
  for (int t = 0; t < tasks; ++t) {
    if (isWholeOn(plan, t, device)) continue;
    for (int tensor : m.tasks[t].outputs) foreign[tensor] = true;
    for (int tensor : m.tasks[t].inputs) awaited[abi::rootTensor(m, tensor)] = true;
  }
  const auto waits = [&](int task) {
    return std::ranges::any_of(m.tasks[task].inputs,
                               [&](int tensor) { return foreign[abi::rootTensor(m, tensor)]; });
  };
  const auto isAwaited = [&](int task) {
    return std::ranges::any_of(m.tasks[task].outputs, [&](int tensor) { return awaited[tensor]; });
  };
  std::vector<std::pair<int, int>> runs;
  bool goes_on = false;
  for (int t = 0; t < tasks; ++t) {
    if (!isWholeOn(plan, t, device)) {
      goes_on = false;
      continue;
    }
    if (goes_on && !waits(t)) {
      ++runs.back().second;
    } else {
      runs.emplace_back(t, 1);
    }
    goes_on = !isAwaited(t);
  }
  return runs;
}

std::vector<abi::PlanCode> missingCode(const abi::Manifest& manifest, const OpenDevices& devices,
                                       const abi::PlanEntry& plan) {
  std::vector<abi::PlanCode> missing;
  for (size_t d = 0; d < plan.devices.size(); ++d) {
    const run::Device* device = findDevice(devices, plan.devices[d]);
    if (!device) continue;
    const auto number = run::chooseCode(manifest, device->info());
    if (!number) continue;  // runs nothing
    const abi::PlanCode code{.device = static_cast<int>(d), .code = *number};
    const CodeGenerator* row = compile::findCodeGenerator(manifest.code[*number].generator);
    const bool has_own = std::ranges::find(plan.code, code.device, &abi::PlanCode::device) != plan.code.end();
    if (!has_own && row && gains(row->plansGet(), manifest, plan, code)) missing.push_back(code);
  }
  return missing;
}

Status addPlanCode(const TaskGraph& graph, const DriverOptions& options, abi::PlanEntry& plan) {
  for (abi::PlanCode& code : missingCode(graph.manifest, options.devices, plan)) {
    const CodeGenerator& row = *compile::findCodeGenerator(graph.manifest.code[code.code].generator);
    if (options.progress)
      options.progress({fmt::format("code of the plan for {}", row.name()), plan.name, 0, 0});
    const run::Device& device = *findDevice(options.devices, plan.devices[code.device]);
    const auto special = row.forFeatures(device.info().features);
    TET_ASSIGN_OR_RETURN(auto bytes, PlanCompiler(graph, special ? *special : row, plan, code).run());
    code.made = std::make_shared<const std::vector<std::byte>>(std::move(bytes));
    plan.code.push_back(std::move(code));
  }
  return {};
}

}  // namespace tetrarch::api
