#include "tetrarch/plan/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>

#include "tetrarch/plan/planners.h"
#include "tetrarch/plan/reasons.h"

namespace tetrarch::plan {
namespace {

// Sets of several devices are pairs and the set of all: more would multiply the search for little.
std::vector<DeviceSet> divisibleSets(const Outline& outline, const std::vector<int>& devices) {
  std::vector<DeviceSet> sets;
  DeviceSet all = 0;
  for (size_t a = 0; a < devices.size(); ++a) {
    all |= 1u << devices[a];
    for (size_t b = a + 1; b < devices.size(); ++b) sets.push_back(1u << devices[a] | 1u << devices[b]);
  }
  if (devices.size() > 2) sets.push_back(all);
  std::erase_if(sets, [&](DeviceSet set) { return !outline.divisible(set); });
  return sets;
}

Result<Choices> choicesFor(const Outline& outline, const Options& options, bool divide) {
  const Problem& p = outline.problem;
  Choices choices;
  const auto together = divide ? divisibleSets(outline, options.devices) : std::vector<DeviceSet>{};
  for (const Task& task : p.tasks) {
    std::vector<DeviceSet> sets;
    const auto fixed = options.fixed.find(task.name);
    for (int d : options.devices) {
      if (task.costs[d].cost && (fixed == options.fixed.end() || fixed->second == d)) sets.push_back(1u << d);
    }
    if (sets.empty()) {
      if (fixed != options.fixed.end()) {
        return fail(StatusCode::kFailedPrecondition, "task '{}' cannot be placed on {}: {}", task.name,
                    p.devices[fixed->second].name, task.costs[fixed->second].declined);
      }
      return fail(StatusCode::kFailedPrecondition, "{}", nowhereReason(p, task, options.devices));
    }
    if (fixed == options.fixed.end() && task.units > 1)
      sets.insert(sets.end(), together.begin(), together.end());
    choices.sets.push_back(std::move(sets));
  }
  if (options.use_each) {
    for (int d : options.devices) choices.must_use |= 1u << d;
  }
  return choices;
}

Status checkOptions(const Problem& problem, const Options& options) {
  const int devices = static_cast<int>(problem.devices.size());
  for (int d : options.devices) {
    if (d < 0 || d >= devices) return invalidArgument("there is no device number {}", d);
  }
  for (const auto& [name, device] : options.fixed) {
    const bool known =
        std::any_of(problem.tasks.begin(), problem.tasks.end(), [&](auto& t) { return t.name == name; });
    if (!known) return invalidArgument("the placement names task '{}', which the model does not have", name);
    if (std::find(options.devices.begin(), options.devices.end(), device) == options.devices.end()) {
      return invalidArgument("the placement puts task '{}' on a device that is not in use", name);
    }
  }
  return {};
}

SingleDevice priceSingle(const Outline& outline, int device) {
  for (const Task& task : outline.problem.tasks) {
    if (!task.costs[device].cost) {
      return {device, kNever, fmt::format("declines task '{}': {}", task.name, task.costs[device].declined)};
    }
  }
  const double seconds =
      evaluate(outline, std::vector<DeviceSet>(outline.problem.tasks.size(), 1u << device));
  return {device, seconds, seconds == kNever ? "its memory is too small for the whole model" : ""};
}

// Predicted deviation: tasks' deviations are taken as independent, a divided task's scale with its share.
void addUncertainty(const Problem& problem, Placement& placement) {
  double variance = 0;
  for (const Launch& launch : placement.timeline.launches) {
    const Cost& cost = *problem.tasks[launch.task].costs[launch.device].cost;
    variance += std::pow(cost.stddev * launch.share, 2);
    placement.source = std::max(placement.source, cost.source);
  }
  placement.stddev = std::sqrt(variance);
}

// Shares become consecutive ranges of whole units, in the order of devices.
void addParts(const Problem& problem, Placement& placement) {
  for (const Launch& launch : placement.timeline.launches) {
    auto& parts = placement.tasks[launch.task].parts;
    const int64_t units = problem.tasks[launch.task].units;
    const int64_t begin = parts.empty() ? 0 : parts.back().end;
    parts.push_back({launch.device, begin, begin + std::llround(launch.share * static_cast<double>(units))});
  }
}

Placement describe(const Outline& outline, const Options& options, const Candidate& chosen) {
  Placement out;
  out.tasks.resize(chosen.placement.size());
  out.seconds = evaluate(outline, chosen.placement, &out.timeline);
  addParts(outline.problem, out);
  addUncertainty(outline.problem, out);
  for (size_t i = 0; i < out.tasks.size(); ++i) {
    out.tasks[i].reason = taskReason(outline, options, chosen.placement, static_cast<int>(i));
  }
  return out;
}

struct Best {
  Candidate candidate;
  std::string planner;
};

// The chain's result refined; the divided one replaces it only if it is faster.
Result<Best> bestMix(const Outline& outline, const Options& options) {
  TET_ASSIGN_OR_RETURN(const Choices whole, choicesFor(outline, options, false));
  Best best{refine(outline, whole, planChain(outline, whole)), "chain"};
  if (options.divide) {
    TET_ASSIGN_OR_RETURN(const Choices divided, choicesFor(outline, options, true));
    Candidate other = refine(outline, divided, planChain(outline, divided));
    if (other.seconds < best.candidate.seconds) best = {std::move(other), "divided"};
  }
  return best;
}

const SingleDevice* bestSingle(const std::vector<SingleDevice>& singles, const std::vector<int>& allowed) {
  const SingleDevice* best = nullptr;
  for (int d : allowed) {
    if (singles[d].seconds != kNever && (!best || singles[d].seconds < best->seconds)) best = &singles[d];
  }
  return best;
}

std::string wholeReason(const Problem& problem, const Placement& out, const SingleDevice* single) {
  if (!single)
    return fmt::format("no single device runs the whole model; {} together", formatSeconds(out.seconds));
  return fmt::format("{} predicted, {} on {} alone, no placement below {}", formatSeconds(out.seconds),
                     formatSeconds(single->seconds), problem.devices[single->device].name,
                     formatSeconds(out.lower_bound));
}

}  // namespace

Result<Placement> plan(const Problem& problem, const Options& given) {
  TET_RETURN_IF_ERROR(validate(problem));
  Options options = given;
  if (options.devices.empty()) {
    options.devices.resize(problem.devices.size());
    std::iota(options.devices.begin(), options.devices.end(), 0);
  }
  TET_RETURN_IF_ERROR(checkOptions(problem, options));
  const Outline outline(problem);
  std::vector<SingleDevice> singles;
  for (int d = 0; d < static_cast<int>(problem.devices.size()); ++d)
    singles.push_back(priceSingle(outline, d));
  const SingleDevice* single = bestSingle(singles, options.devices);

  TET_ASSIGN_OR_RETURN(Best best, bestMix(outline, options));
  const bool forced = options.use_each || !options.fixed.empty();
  if (forced) best.planner = "forced";
  if (!forced && single && !(best.candidate.seconds < single->seconds * (1 - options.margin))) {
    best = {{std::vector<DeviceSet>(problem.tasks.size(), 1u << single->device), single->seconds}, "single"};
  }
  if (best.candidate.seconds == kNever) {
    if (options.use_each && problem.tasks.size() < options.devices.size()) {
      return fail(StatusCode::kFailedPrecondition, "{} tasks cannot use each of {} devices",
                  problem.tasks.size(), options.devices.size());
    }
    return fail(StatusCode::kFailedPrecondition,
                "no placement over the allowed devices was found whose tensors fit their memory{}",
                options.use_each ? " and that uses each device" : "");
  }
  Placement out = describe(outline, options, best.candidate);
  TET_ASSIGN_OR_RETURN(const Choices all, choicesFor(outline, options, options.divide));
  out.lower_bound = std::min(out.seconds, lowerBound(outline, all));
  out.singles = std::move(singles);
  out.planner = std::move(best.planner);
  out.reason = wholeReason(problem, out, bestSingle(out.singles, options.devices));
  return out;
}

}  // namespace tetrarch::plan
