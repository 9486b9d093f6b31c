#include "tetrarch/api/retune.h"

#include <algorithm>
#include <filesystem>

#include "tetrarch/api/device_spec.h"
#include "tetrarch/run/program.h"

namespace tetrarch::api {
namespace {

namespace fs = std::filesystem;

// A larger artifact is tuned again by each process, rather than kept twice on the disk.
constexpr uint64_t kLargestKept = uint64_t{1} << 30;

bool isOf(const abi::Maker& maker, const abi::Maker& here) {
  return maker.host == here.host && maker.host_features == here.host_features;
}

bool hasCodeForAll(const abi::Manifest& manifest, const OpenDevices& devices) {
  return std::all_of(devices.begin(), devices.end(), [&](const auto& device) {
    return run::chooseCode(manifest, device->info()).has_value();
  });
}

// Where the result is kept: a name for what it was made of, on what, for what.
fs::path keptAt(const abi::Artifact& artifact, const abi::Maker& here, const DriverOptions& options) {
  std::string key = artifact.hash() + here.tetrarch + here.llvm + here.host + here.host_features;
  key += options.measure ? "measured" : "estimated";
  for (const auto& device : options.devices) {
    key += deviceSpec(device->id()) + device->info().description + device->info().driver;
  }
  const std::string name = abi::hexHash(std::as_bytes(std::span(key))) + ".tet";
  return plan::Profile::defaultPath().parent_path() / "artifacts" / name;
}

// What cannot be kept is made again next time.
void keep(const abi::Artifact& artifact, const fs::path& path) {
  if (artifact.fileBytes() > kLargestKept) return;
  std::error_code ignored;
  fs::create_directories(path.parent_path(), ignored);
  (void)abi::rewrite(artifact, path);
}

}  // namespace

Result<std::shared_ptr<const abi::Artifact>> tuneForThisMachine(std::shared_ptr<const abi::Artifact> artifact,
                                                                const DriverOptions& options) {
  const abi::Manifest& manifest = artifact->manifest();
  const auto here = thisMachine();
  if (!here || artifact->tasks().empty()) return artifact;
  if (isOf(manifest.maker, *here) && hasCodeForAll(manifest, options.devices)) return artifact;
  const fs::path path = keptAt(*artifact, *here, options);
  if (auto kept = abi::Artifact::open(path)) return *kept;
  TET_ASSIGN_OR_RETURN(auto tuned, recompileArtifact(*artifact, options));
  keep(*tuned, path);
  return tuned;
}

}  // namespace tetrarch::api
