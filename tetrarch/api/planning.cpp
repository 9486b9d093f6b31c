#include "tetrarch/api/planning.h"

#include <algorithm>
#include <numeric>

#include "tetrarch/api/device_spec.h"

namespace tetrarch::api {
namespace {

const abi::KernelEntry* kernelOf(const abi::Manifest& manifest, const DeviceFacts& device, size_t task) {
  return device.code < 0 ? nullptr : &manifest.code[device.code].kernels[task];
}

// Rows of the output that a device's ranges should be multiples of.
uint64_t rowStep(const abi::KernelEntry& kernel) {
  const uint64_t groups = (kernel.rows + kernel.row_tile - 1) / kernel.row_tile;
  const uint64_t units_per_group = std::max<uint64_t>(1, kernel.units / std::max<uint64_t>(1, groups));
  const uint64_t grain = std::max<uint64_t>(1, kernel.granularity);
  return kernel.row_tile * (std::lcm(grain, units_per_group) / units_per_group);
}

// How a task may be divided over all devices that run it: in pieces of `step` output rows; `rows` = 0: not at
// all.
struct Division {
  uint64_t rows = 0, step = 1;
  int64_t pieces() const { return rows == 0 ? 1 : static_cast<int64_t>((rows + step - 1) / step); }
};

Division divisionOf(const abi::Manifest& manifest, const std::vector<DeviceFacts>& devices, size_t task) {
  Division division;
  for (const DeviceFacts& device : devices) {
    const abi::KernelEntry* kernel = kernelOf(manifest, device, task);
    if (!kernel || kernel->symbol.empty()) continue;
    if (kernel->rows == 0 || (division.rows != 0 && kernel->rows != division.rows)) return {};
    division.rows = kernel->rows;
    division.step = std::lcm(division.step, rowStep(*kernel));
    if (division.step >= division.rows) return {};
  }
  return division;
}

// The units of `kernel` that write the rows of pieces [begin, end).
abi::Share shareOf(const abi::KernelEntry& kernel, const Division& division, const plan::Part& part) {
  if (part.begin == 0 && part.end == division.pieces()) return {part.device, 0, abi::kAllUnits};
  const uint64_t groups = (kernel.rows + kernel.row_tile - 1) / kernel.row_tile;
  const uint64_t units_per_group = kernel.units / groups;
  auto unitAt = [&](int64_t piece) { return piece * division.step / kernel.row_tile * units_per_group; };
  return {part.device, unitAt(part.begin), part.end == division.pieces() ? abi::kAllUnits : unitAt(part.end)};
}

plan::TaskCost costOf(const abi::Manifest& manifest, const DeviceFacts& device, int task) {
  const abi::KernelEntry* kernel = kernelOf(manifest, device, task);
  if (!kernel) return {std::nullopt, device.no_code_reason};
  if (kernel->symbol.empty()) return {std::nullopt, kernel->reason};
  const std::string spec = deviceSpec(device.id);
  const abi::CostEntry* near = nullptr;
  for (const abi::CostEntry& cost : manifest.costs) {
    if (cost.task != task) continue;
    if (cost.device == spec) return {plan::Cost{cost.seconds, cost.stddev, cost.source}, ""};
    if (cost.device.starts_with(device.id.name)) near = &cost;
  }
  if (!near) return {std::nullopt, "the artifact has no cost for this device"};
  return {plan::Cost{near->seconds, near->stddev, plan::Source::Modelled}, ""};
}

plan::Link between(const DeviceFacts& from, const DeviceFacts& to) {
  if (from.host_memory && to.host_memory) {
    return {std::max(from.to_host.latency, to.from_host.latency), 0, true};
  }
  // Through the host, one copy after the other.
  const auto inverse = [](const plan::Link& link) { return link.shared ? 0 : 1 / link.bandwidth; };
  const double seconds_per_byte = inverse(from.to_host) + inverse(to.from_host);
  return {from.to_host.latency + to.from_host.latency, seconds_per_byte > 0 ? 1 / seconds_per_byte : 0,
          seconds_per_byte == 0};
}

void addLinks(const std::vector<DeviceFacts>& devices, plan::Problem& problem) {
  const size_t n = devices.size();
  for (size_t from = 0; from <= n; ++from) {
    for (size_t to = 0; to <= n; ++to) {
      plan::Link link{0, 0, true};
      if (from < n && to < n && from != to) link = between(devices[from], devices[to]);
      if (from < n && to == n) link = devices[from].to_host;
      if (from == n && to < n) link = devices[to].from_host;
      problem.links.push_back(link);
    }
  }
}

}  // namespace

Result<plan::Problem> makeProblem(const abi::Manifest& manifest, const std::vector<DeviceFacts>& devices) {
  plan::Problem problem;
  for (size_t t = 0; t < manifest.tensors.size(); ++t) {
    const abi::TensorEntry& tensor = manifest.tensors[t];
    problem.tensors.push_back(
        {std::to_string(t), static_cast<int64_t>(tensor.bytes), tensor.kind == abi::TensorKind::Constant});
  }
  for (const abi::Port& port : manifest.inputs)
    problem.inputs.push_back(abi::rootTensor(manifest, port.tensor));
  for (const abi::Port& port : manifest.outputs)
    problem.outputs.push_back(abi::rootTensor(manifest, port.tensor));
  for (size_t i = 0; i < manifest.tasks.size(); ++i) {
    plan::Task task{manifest.tasks[i].name, {}, {}, {}, divisionOf(manifest, devices, i).pieces()};
    for (int t : manifest.tasks[i].inputs) task.inputs.push_back(abi::rootTensor(manifest, t));
    for (int t : manifest.tasks[i].outputs) task.outputs.push_back(abi::rootTensor(manifest, t));
    for (const DeviceFacts& device : devices)
      task.costs.push_back(costOf(manifest, device, static_cast<int>(i)));
    problem.tasks.push_back(std::move(task));
  }
  for (const DeviceFacts& device : devices) {
    plan::Device entry{deviceSpec(device.id), device.memory_bytes, device.shares, 0};
    if (entry.memory_bytes <= 0) entry.memory_bytes = std::numeric_limits<int64_t>::max();
    problem.devices.push_back(std::move(entry));
  }
  addLinks(devices, problem);
  TET_RETURN_IF_ERROR(plan::validate(problem));
  return problem;
}

abi::PlanEntry makePlan(const abi::Manifest& manifest, const std::vector<DeviceFacts>& devices,
                        const plan::Problem& problem, const plan::Placement& placement, std::string name) {
  abi::PlanEntry entry;
  entry.name = std::move(name);
  for (const DeviceFacts& device : devices) entry.devices.push_back(device.id);
  for (size_t i = 0; i < placement.tasks.size(); ++i) {
    const Division division = divisionOf(manifest, devices, i);
    std::vector<abi::Share> shares;
    for (const plan::Part& part : placement.tasks[i].parts) {
      const bool whole = placement.tasks[i].parts.size() == 1;
      const abi::KernelEntry& kernel = manifest.code[devices[part.device].code].kernels[i];
      shares.push_back(whole ? abi::Share{part.device, 0, abi::kAllUnits} : shareOf(kernel, division, part));
    }
    entry.placement.push_back(std::move(shares));
    entry.reasons.push_back(placement.tasks[i].reason);
  }
  entry.seconds = placement.seconds;
  entry.lower_bound_seconds = placement.lower_bound;
  entry.source = placement.source;
  for (const plan::SingleDevice& single : placement.singles) {
    if (single.seconds == plan::kNever) continue;
    plan::Source source = plan::Source::Measured;
    for (const plan::Task& task : problem.tasks)
      source = std::max(source, task.costs[single.device].cost->source);
    entry.singles.push_back({single.device, single.seconds, source});
  }
  return entry;
}

}  // namespace tetrarch::api
