// Which code of an artifact a device loads, and plans that need no planner.
#include <algorithm>
#include <set>

#include "tetrarch/run/program.h"

namespace tetrarch::run {
namespace {

std::set<std::string, std::less<>> splitFeatures(std::string_view text) {
  std::set<std::string, std::less<>> out;
  while (!text.empty()) {
    size_t length = std::min(text.find_first_of(" ,"), text.size());
    std::string_view word = text.substr(0, length);
    if (word.starts_with('+')) word.remove_prefix(1);  // LLVM's way to write "with this feature"
    if (!word.empty() && !word.starts_with('-')) out.emplace(word);
    text.remove_prefix(std::min(length + 1, text.size()));
  }
  return out;
}

// Why `device` cannot load this code, or "".
std::string whyNot(const abi::CodeEntry& code, const DeviceInfo& device) {
  if (code.device_class != device.device_class) {
    return fmt::format("is for class {}", abi::deviceClassName(code.device_class));
  }
  if (std::find(device.formats.begin(), device.formats.end(), code.format) == device.formats.end()) {
    return fmt::format("has format {}", code.format);
  }
  if (!hasFeatures(device.features, code.features)) return fmt::format("needs {}", code.features);
  return {};
}

}  // namespace

bool hasFeatures(std::string_view has, std::string_view needed) {
  auto there = splitFeatures(has);
  auto wanted = splitFeatures(needed);
  return std::all_of(wanted.begin(), wanted.end(), [&](const std::string& f) { return there.contains(f); });
}

Result<int> chooseCode(const abi::Manifest& manifest, const DeviceInfo& device) {
  int best = -1;
  size_t best_features = 0;
  std::string reasons;
  for (size_t i = 0; i < manifest.code.size(); ++i) {
    const abi::CodeEntry& code = manifest.code[i];
    std::string reason = whyNot(code, device);
    if (!reason.empty()) {
      reasons += fmt::format("{}{} {}", reasons.empty() ? "" : "; ", code.generator, reason);
      continue;
    }
    size_t features = splitFeatures(code.features).size();
    // Of two that need as much the later one is better: the maker's own comes after the common one.
    if (best < 0 || features >= best_features) best = static_cast<int>(i), best_features = features;
  }
  if (best >= 0) return best;
  return fail(StatusCode::kNotFound, "the artifact has no code for {} ({}); compile it for this device",
              device.name, reasons.empty() ? "it has no code at all" : reasons);
}

Result<std::vector<std::shared_ptr<Device>>> openDevices(const DeviceRegistry& registry,
                                                         const abi::PlanEntry& plan) {
  std::vector<std::shared_ptr<Device>> devices;
  for (const abi::PlanDevice& id : plan.devices) {
    TET_ASSIGN_OR_RETURN(std::shared_ptr<Device> device, registry.open(id));
    devices.push_back(std::move(device));
  }
  return devices;
}

abi::PlanEntry singleDevicePlan(const abi::Manifest& manifest, const abi::PlanDevice& device) {
  abi::PlanEntry plan;
  plan.name = device.name;
  plan.devices = {device};
  plan.placement.assign(manifest.tasks.size(), {abi::Share{}});
  return plan;
}

}  // namespace tetrarch::run
