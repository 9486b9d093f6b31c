#include "tetrarch/abi/fpga_design.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tetrarch/abi/artifact_file.h"

namespace tetrarch::fpga {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

std::string hashOf(std::string_view verilog) { return abi::hexHash(std::as_bytes(std::span(verilog))); }

Failure unusable(const fs::path& report, std::string_view why) {
  return fail(StatusCode::kDataLoss, "{}: {}; build the design again with `tetrarch fpga build`",
              report.string(), why);
}

// The members that we use. Throws what the JSON library throws when one is missing or of another kind.
Design parse(const Json& json) {
  Design design;
  design.part = json.at("part").get<std::string>();
  for (const auto& [seed, hz] : json.at("clocks").items()) design.clocks[std::stoi(seed)] = hz.get<double>();
  const Json& used = json.at("used");
  design.uses = {used.at("luts"), used.at("flip_flops"), used.at("multipliers"), used.at("block_rams")};
  design.bitstream_bytes = json.at("bitstream_bytes").get<int64_t>();
  return design;
}

}  // namespace

fs::path designCache() {
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache && *cache)
    return fs::path(cache) / "tetrarch/fpga";
  const char* home = std::getenv("HOME");
  return fs::path(home && *home ? home : "/tmp") / ".cache/tetrarch/fpga";
}

fs::path designFolder(std::string_view verilog) { return designCache() / hashOf(verilog); }

Result<std::optional<Design>> readDesign(const Kernel& kernel, std::string_view part,
                                         const fs::path& designs) {
  const fs::path path = designs / hashOf(kernel.verilog) / "report.json";
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::optional<Design>();
  const Json json = Json::parse(file, nullptr, false);
  if (!json.is_object()) return unusable(path, "is no JSON object");
  Design design;
  try {
    if (json.at("hash") != hashOf(kernel.verilog) || json.at("top") != kernel.top)
      return unusable(path, "is the report of another kernel");
    design = parse(json);
  } catch (const std::exception& error) {
    return unusable(path, error.what());
  }
  if (design.part != part) return unusable(path, fmt::format("is of the part {}, not {}", design.part, part));
  if (design.clocks.empty()) return unusable(path, "has no clock");
  design.hz = design.clocks.begin()->second;
  for (const auto& [seed, hz] : design.clocks) design.hz = std::min(design.hz, hz);
  if (!(design.hz > 0)) return unusable(path, "has a clock that stands still");
  return design;
}

}  // namespace tetrarch::fpga
