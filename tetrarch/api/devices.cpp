#include "tetrarch/api/devices.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <mutex>
#include <thread>

#include "tetrarch/api/device_spec.h"
#include "tetrarch/api/model.h"
#include "tetrarch/base/trace.h"
#include "tetrarch/run/program.h"

namespace tetrarch {
namespace api {
namespace {

constexpr int kHandovers = 15;
constexpr double kUnknownHandover = 20e-6;  // when the device cannot be timed
constexpr double kUnknownBandwidth = 4e9;   // of a device that does not say

// The median time from enqueueing nothing on an idle queue to the host knowing that it is done: what it takes
// to hand a tensor over to another device that shares the memory.
double measureHandover(run::Device& device) {
  auto queue = device.createQueue();
  auto signal = device.createSignal();
  if (!queue || !signal) return kUnknownHandover;
  std::vector<double> seconds;
  for (uint64_t i = 1; i <= kHandovers; ++i) {
    const int64_t begin = nowNs();
    if (!queue->signal(*signal, i).ok() || !queue->flush().ok() || !signal->wait(i).ok())
      return kUnknownHandover;
    seconds.push_back(static_cast<double>(nowNs() - begin) * 1e-9);
  }
  std::nth_element(seconds.begin(), seconds.begin() + kHandovers / 2, seconds.end());
  return seconds[kHandovers / 2];
}

// Measured once for each device and its options in this process.
double handoverOf(run::Device& device) {
  static std::mutex mutex;
  static std::map<std::string, double> known;
  std::lock_guard lock(mutex);
  const auto [it, fresh] = known.try_emplace(deviceSpec(device.id()));
  if (fresh) it->second = measureHandover(device);
  return it->second;
}

plan::Link linkOf(const run::Link& link, bool shared, double handover) {
  const double latency =
      std::isnan(link.latency_seconds) ? handover : std::max(link.latency_seconds, handover);
  const bool known = std::isfinite(link.bytes_per_second) && link.bytes_per_second > 0;
  return {latency, shared ? 0 : known ? link.bytes_per_second : kUnknownBandwidth, shared};
}

DeviceFacts factsOfOne(run::Device& device, const abi::Manifest& manifest) {
  const run::DeviceInfo& info = device.info();
  DeviceFacts facts;
  facts.id = device.id();
  const auto code = run::chooseCode(manifest, info);
  facts.code = code ? *code : -1;
  if (!code) facts.no_code_reason = code.error().message();
  facts.memory_bytes = static_cast<int64_t>(std::min<uint64_t>(info.memory_bytes, INT64_MAX));
  facts.shares = info.shares;
  facts.host_memory = info.sharesHostMemory();
  const double handover = handoverOf(device);
  facts.from_host = linkOf(info.from_host, facts.host_memory, handover);
  facts.to_host = linkOf(info.to_host, facts.host_memory, handover);
  return facts;
}

}  // namespace

Figure figure(double value, const char* unit, abi::Source source) {
  return {value, unit, std::string(abi::sourceName(source))};
}

Result<OpenDevices> openDevices(const std::vector<std::string>& specs) {
  std::string list;
  for (const std::string& spec : specs) list += (list.empty() ? "" : ",") + spec;
  TET_ASSIGN_OR_RETURN(const auto ids, parseDevices(list.empty() ? "cpu" : list));
  OpenDevices devices;
  for (const abi::PlanDevice& id : ids) {
    TET_ASSIGN_OR_RETURN(auto device, run::DeviceRegistry::instance().open(id));
    devices.push_back(std::move(device));
  }
  return devices;
}

std::vector<abi::PlanDevice> idsOf(const OpenDevices& devices) {
  std::vector<abi::PlanDevice> ids;
  for (const auto& device : devices) ids.push_back(device->id());
  return ids;
}

DeviceInfo describeDevice(const run::DeviceInfo& info) {
  DeviceInfo out;
  out.name = info.name;
  out.device_class = abi::deviceClassName(info.device_class);
  out.kind = info.simulated ? "simulated" : "real";
  out.description = info.description;
  out.driver = info.driver;
  out.features = info.features;
  out.shares = info.shares;
  out.formats = info.formats;
  out.compute_units = info.compute_units;
  out.memory = figure(static_cast<double>(info.memory_bytes), "B", abi::Source::Measured);
  out.bandwidth_in = figure(info.from_host.bytes_per_second, "B/s", info.from_host.source);
  out.bandwidth_out = figure(info.to_host.bytes_per_second, "B/s", info.to_host.source);
  out.idle_power = figure(info.idle_watts.value, "W", info.idle_watts.source);
  out.busy_power = figure(info.busy_watts.value, "W", info.busy_watts.source);
  return out;
}

std::vector<DeviceFacts> factsOf(const OpenDevices& devices, const abi::Manifest& manifest) {
  std::vector<DeviceFacts> facts;
  uint32_t host_threads = 0;
  for (const auto& device : devices) {
    facts.push_back(factsOfOne(*device, manifest));
    if (device->info().shares == run::kHostCpu) host_threads += device->info().compute_units;
  }
  if (host_threads <= std::thread::hardware_concurrency()) {
    for (DeviceFacts& device : facts) {
      if (device.shares == run::kHostCpu) device.shares.clear();
    }
  }
  return facts;
}

}  // namespace api

Result<std::vector<DeviceInfo>> devices(std::vector<std::string>* problems) {
  run::DeviceRegistry& registry = run::DeviceRegistry::instance();
  std::vector<DeviceInfo> out;
  for (const run::DeviceInfo& info : registry.list()) out.push_back(api::describeDevice(info));
  if (problems) *problems = registry.problems();
  return out;
}

}  // namespace tetrarch
