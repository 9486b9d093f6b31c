#include "tetrarch/api/variant.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "tetrarch/api/device_spec.h"
#include "tetrarch/base/trace.h"

namespace tetrarch::api {
namespace {

bool sameValue(const Tensor& a, const Tensor& b) {
  return a.type() == b.type() && a.shape() == b.shape() && std::memcmp(a.data(), b.data(), a.bytes()) == 0;
}

bool isOf(const run::StepReport& step, int task) {
  if (step.kind != run::StepReport::Kind::Launch) return false;
  const int count = step.segment ? static_cast<int>(step.segment->shares.size()) : 1;
  return task >= step.task && task < step.task + count;
}

// Of one task of a launch.
double secondsOf(const run::StepReport& step, int task) {
  const double all =
      std::isnan(step.seconds) ? static_cast<double>(step.end_ns - step.begin_ns) * 1e-9 : step.seconds;
  return step.segment ? all * step.segment->shares[task - step.task] : all;
}

// Where the plan puts a task, with the cost of that from the artifact: what is known before the first run.
void addPlannedParts(const abi::Manifest& manifest, const abi::PlanEntry& plan, int task, TaskReport& row) {
  for (const abi::Share& share : plan.placement[task]) {
    const std::string spec = deviceSpec(plan.devices[share.device]);
    const bool whole = plan.placement[task].size() == 1;
    TaskPart part{spec, whole ? 1.0 : std::nan(""), figure(std::nan(""), "s", abi::Source::Modelled)};
    for (const abi::CostEntry& cost : manifest.costs) {
      if (cost.task == task && cost.device == spec && whole)
        part.time = figure(cost.seconds, "s", cost.source);
    }
    row.parts.push_back(std::move(part));
  }
  row.time = row.parts.size() == 1 ? row.parts[0].time : figure(std::nan(""), "s", abi::Source::Modelled);
  row.bytes = figure(manifest.tasks[task].bytes, "B", abi::Source::Modelled);
}

// Adds a launch to the row of a task of it.
void addLaunch(const abi::PlanEntry& plan, const run::StepReport& step, int task, TaskReport& row) {
  const std::string spec = deviceSpec(plan.devices[step.device]);
  auto part =
      std::find_if(row.parts.begin(), row.parts.end(), [&](const TaskPart& p) { return p.device == spec; });
  if (part == row.parts.end()) part = row.parts.insert(part, {spec, 0, figure(0, "s", step.source)});
  part->share +=
      step.units > 0 ? static_cast<double>(step.end - step.begin) / static_cast<double>(step.units) : 1;
  part->time.value += secondsOf(step, task);
  if (task != step.task) return;
  for (const auto& [name, count] : step.counters) part->counters[name] += count;
  row.bytes.value += static_cast<double>(step.bytes);
}

// How busy the code generator says the multipliers are, and the segment, of the code that is launched.
void addCode(const abi::Manifest& manifest, const abi::PlanEntry& plan, const OpenDevices& devices,
             const run::RunReport& run, int task, TaskReport& row) {
  for (const run::StepReport& step : run.steps) {
    if (!isOf(step, task)) continue;
    const auto code = run::chooseCode(manifest, devices[step.device]->info());
    if (!code) continue;
    const abi::SegmentEntry* segment = step.segment;
    const double utilisation = segment ? segment->utilisation[task - segment->first_task]
                                       : manifest.code[*code].kernels[task].utilisation.value_or(0);
    if (segment && segment->shares.size() > 1) row.segment = segment->symbol;
    for (TaskPart& part : row.parts) {
      if (part.device == deviceSpec(plan.devices[step.device]) && utilisation > 0)
        part.utilisation = figure(utilisation, "1", abi::Source::Modelled);
    }
  }
}

void addMeasuredParts(const abi::PlanEntry& plan, const run::RunReport& run, int task, TaskReport& row) {
  row.bytes = figure(0, "B", abi::Source::Measured);
  int64_t begin = INT64_MAX, end = 0;
  abi::Source source = abi::Source::Measured;
  double seconds = 0;
  for (const run::StepReport& step : run.steps) {
    if (!isOf(step, task)) continue;
    addLaunch(plan, step, task, row);
    begin = std::min(begin, step.begin_ns), end = std::max(end, step.end_ns);
    source = std::max(source, step.source);
    seconds += secondsOf(step, task);
  }
  const bool divided = row.parts.size() > 1;
  row.time = figure(divided ? static_cast<double>(end - begin) * 1e-9 : seconds, "s", source);
}

std::string whyNotAlone(const abi::Manifest& manifest, const run::Device& device) {
  const auto code = run::chooseCode(manifest, device.info());
  if (!code) return std::string(code.error().message());
  for (size_t i = 0; i < manifest.tasks.size(); ++i) {
    const abi::KernelEntry& kernel = manifest.code[*code].kernels[i];
    if (kernel.symbol.empty())
      return fmt::format("declines task '{}': {}", manifest.tasks[i].name, kernel.reason);
  }
  return "was not priced";
}

void addSingles(const abi::Manifest& manifest, const abi::PlanEntry& plan, const OpenDevices& devices,
                Report& out) {
  for (size_t d = 0; d < devices.size(); ++d) {
    SinglePrice price{deviceSpec(plan.devices[d]), figure(std::nan(""), "s", abi::Source::Modelled), ""};
    for (const abi::SinglePrice& single : plan.singles) {
      if (single.device == static_cast<int>(d)) price.time = figure(single.seconds, "s", single.source);
    }
    if (std::isnan(price.time.value)) price.reason = whyNotAlone(manifest, *devices[d]);
    out.singles.push_back(std::move(price));
  }
}

size_t countWords(const std::string& text) {
  return static_cast<size_t>(
             std::count_if(text.begin(), text.end(), [](char c) { return c == ' ' || c == ','; })) +
         !text.empty();
}

// Whether every device here loads the code that the artifact's maker planned with, which is the one of its
// kind that asks for the most features. Ranges of units of a divided task hold for that code alone.
bool loadsPlannedCode(const abi::Manifest& manifest, const OpenDevices& devices) {
  for (const auto& device : devices) {
    const auto chosen = run::chooseCode(manifest, device->info());
    if (!chosen) return false;
    const abi::CodeEntry& mine = manifest.code[*chosen];
    for (const abi::CodeEntry& other : manifest.code) {
      if (other.generator == mine.generator && countWords(other.features) > countWords(mine.features))
        return false;
    }
  }
  return true;
}

bool divides(const abi::PlanEntry& plan) {
  return std::any_of(plan.placement.begin(), plan.placement.end(),
                     [](const auto& shares) { return shares.size() > 1; });
}

std::string describePlan(const abi::PlanEntry& plan) {
  const abi::SinglePrice* best = nullptr;
  for (const abi::SinglePrice& single : plan.singles) {
    if (!best || single.seconds < best->seconds) best = &single;
  }
  auto ms = [](double seconds) { return fmt::format("{:.3f} ms", seconds * 1e3); };
  std::string text = fmt::format("predicted {} ({})", ms(plan.seconds), abi::sourceName(plan.source));
  if (best)
    text += fmt::format(", {} on {} alone", ms(best->seconds), deviceSpec(plan.devices[best->device]));
  return text + fmt::format("; no placement below {}", ms(plan.lower_bound_seconds));
}

}  // namespace

namespace {

// What a plan gives one device to do, whatever its number there.
std::vector<std::vector<std::pair<uint64_t, uint64_t>>> workOf(const abi::PlanEntry& plan, int device) {
  std::vector<std::vector<std::pair<uint64_t, uint64_t>>> work(plan.placement.size());
  for (size_t t = 0; t < plan.placement.size(); ++t) {
    for (const abi::Share& share : plan.placement[t]) {
      if (share.device == device) work[t].emplace_back(share.begin, share.end);
    }
  }
  return work;
}

// Code that the artifact has for another plan serves this one too where it gives the device the same work.
void adoptCode(const abi::Manifest& manifest, const OpenDevices& devices, abi::PlanEntry& plan) {
  for (size_t d = 0; d < devices.size(); ++d) {
    const auto code = run::chooseCode(manifest, devices[d]->info());
    if (!code) continue;
    const int device = static_cast<int>(d);
    for (const abi::PlanEntry& other : manifest.plans) {
      const auto own = std::ranges::find_if(other.code, [&](const abi::PlanCode& c) {
        return c.code == *code && workOf(other, c.device) == workOf(plan, device);
      });
      if (own == other.code.end()) continue;
      plan.code.push_back(*own);
      plan.code.back().device = device;
      break;
    }
  }
}

}  // namespace

Result<abi::PlanEntry> choosePlan(const abi::Manifest& manifest, const OpenDevices& devices,
                                  const std::string& place, bool divide) {
  const auto ids = idsOf(devices);
  if (place.empty()) {
    for (const abi::PlanEntry& plan : manifest.plans) {
      if (plan.devices == ids && (!divides(plan) || loadsPlannedCode(manifest, devices))) return plan;
    }
  }
  const std::vector<DeviceFacts> facts = factsOf(devices, manifest);
  TET_ASSIGN_OR_RETURN(const Place forced, parsePlace(place, ids));
  TET_ASSIGN_OR_RETURN(const plan::Problem problem, makeProblem(manifest, facts));
  plan::Options options{.devices = forced.use_each,
                        .use_each = !forced.use_each.empty(),
                        .fixed = forced.tasks,
                        .divide = divide};
  TET_ASSIGN_OR_RETURN(const plan::Placement placement, plan::plan(problem, options));
  abi::PlanEntry plan = makePlan(manifest, facts, problem, placement, place.empty() ? "fastest" : "forced");
  adoptCode(manifest, devices, plan);
  return plan;
}

Result<std::unique_ptr<Variant>> Variant::make(std::shared_ptr<const abi::Artifact> artifact,
                                               abi::PlanEntry plan, OpenDevices devices,
                                               const std::vector<std::string>& callers_inputs,
                                               std::vector<std::pair<std::string, Tensor>> values) {
  std::unique_ptr<Variant> variant(new Variant);
  variant->artifact_ = artifact;
  auto number = [&](const std::string& name) {
    return static_cast<int>(std::find(callers_inputs.begin(), callers_inputs.end(), name) -
                            callers_inputs.begin());
  };
  for (const abi::Port& port : artifact->manifest().inputs) variant->passed_.push_back(number(port.name));
  std::vector<int> all(callers_inputs.size());
  std::iota(all.begin(), all.end(), 0);
  if (variant->passed_ == all) variant->passed_.clear();
  for (auto& [name, value] : values) variant->values_.emplace_back(number(name), std::move(value));
  variant->scratch_.resize(variant->passed_.size());
  TET_ASSIGN_OR_RETURN(variant->program_,
                       run::Program::bind(std::move(artifact), std::move(plan), std::move(devices)));
  return variant;
}

bool Variant::matches(std::span<const Tensor> inputs) const {
  const auto& ports = artifact_->manifest().inputs;
  for (size_t i = 0; i < ports.size(); ++i) {
    const Tensor& input = inputs[passed_.empty() ? i : passed_[i]];
    if (input.type() != ports[i].type || input.shape() != ports[i].shape) return false;
  }
  return std::all_of(values_.begin(), values_.end(),
                     [&](const auto& value) { return sameValue(inputs[value.first], value.second); });
}

std::vector<Figure> Variant::readMeters() const {
  std::vector<Figure> meters;
  for (const auto& device : program_->devices()) {
    abi::Source source = abi::Source::Modelled;
    const Result<double> joules = device->readJoules(&source);
    meters.push_back(figure(joules ? *joules : std::nan(""), "J", source));
  }
  return meters;
}

Status Variant::run(std::span<const Tensor> inputs, std::span<Tensor> outputs) {
  has_run_ = true;
  for (size_t i = 0; i < passed_.size(); ++i) scratch_[i] = inputs[passed_[i]];
  const bool as_passed = passed_.empty() && values_.empty();
  const std::vector<Figure> before = readMeters();
  TET_RETURN_IF_ERROR(program_->run(as_passed ? inputs : std::span<const Tensor>(scratch_), outputs));
  energies_ = readMeters();
  for (size_t d = 0; d < energies_.size(); ++d) energies_[d].value -= before[d].value;
  return {};
}

Result<std::vector<Tensor>> Variant::allocateOutputs() const {
  std::vector<Tensor> outputs;
  for (const abi::Port& port : artifact_->manifest().outputs) {
    TET_ASSIGN_OR_RETURN(Tensor tensor, Tensor::uninitialized(port.type, port.shape));
    outputs.push_back(std::move(tensor));
  }
  return outputs;
}

Report Variant::report() const {
  const abi::Manifest& manifest = artifact_->manifest();
  const abi::PlanEntry& plan = program_->plan();
  const run::RunReport run = program_->report();
  const bool measured = has_run_ && run.end_ns > 0;
  Report out;
  out.model = manifest.model;
  for (size_t d = 0; d < program_->devices().size(); ++d) {
    out.devices.push_back(describeDevice(program_->devices()[d]->info()));
    out.devices.back().name = deviceSpec(plan.devices[d]);
  }
  for (int task = 0; task < static_cast<int>(manifest.tasks.size()); ++task) {
    TaskReport row{manifest.tasks[task].name,
                   manifest.tasks[task].root,
                   {},
                   {},
                   {},
                   "",
                   figure(manifest.tasks[task].error.value_or(std::nan("")), "1", abi::Source::Measured),
                   plan.reasons.empty() ? "" : plan.reasons[task]};
    if (measured) addMeasuredParts(plan, run, task, row);
    if (row.parts.empty()) addPlannedParts(manifest, plan, task, row);
    addCode(manifest, plan, program_->devices(), run, task, row);
    out.tasks.push_back(std::move(row));
  }
  out.time = figure(measured ? run.seconds() : std::nan(""), "s", abi::Source::Measured);
  const auto copied = static_cast<double>(run.bytes_copied + run.bytes_in + run.bytes_out);
  out.copied = figure(measured ? copied : std::nan(""), "B", abi::Source::Measured);
  out.predicted = figure(plan.seconds, "s", plan.source);
  out.lower_bound = figure(plan.lower_bound_seconds, "s", abi::Source::Modelled);
  addSingles(manifest, plan, program_->devices(), out);
  for (size_t d = 0; d < energies_.size(); ++d) {
    if (std::isfinite(energies_[d].value)) out.energies.push_back({out.devices[d].name, energies_[d]});
  }
  out.plan = plan.name;
  out.reason = describePlan(plan);
  out.memory_bytes = program_->memory().temporaries;
  return out;
}

Status Variant::save(const std::filesystem::path& path) const { return abi::rewrite(*artifact_, path); }

Status Variant::writeTrace(const std::filesystem::path& path) const {
  Trace trace;
  run::addToTrace(program_->report(), artifact_->manifest(), program_->plan(), trace);
  return trace.write(path);
}

}  // namespace tetrarch::api
