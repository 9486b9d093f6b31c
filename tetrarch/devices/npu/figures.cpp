#include "tetrarch/devices/npu/figures.h"

#include <array>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "tetrarch/abi/device.h"
#include "tetrarch/devices/npu/figures_data.h"

namespace tetrarch::npu {
namespace {

struct SourceRow {
  std::string_view name;
  int32_t source;
};
constexpr std::array kSources = {SourceRow{"measured", TET_MEASURED}, SourceRow{"simulated", TET_SIMULATED},
                                 SourceRow{"modelled", TET_MODELLED}};

std::string textOf(const nlohmann::json& row, const char* key) {
  const auto found = row.find(key);
  return found != row.end() && found->is_string() ? found->get<std::string>() : "";
}
double numberOf(const nlohmann::json& row, const char* key) {
  const auto found = row.find(key);
  return found != row.end() && found->is_number() ? found->get<double>() : 0;
}

Result<Figures> readRow(const nlohmann::json& row, std::string_view name) {
  Figures figures{
      .clock_hz = numberOf(row, "clock_hz"), .node = textOf(row, "node"), .corner = textOf(row, "corner")};
  if (!(figures.clock_hz > 0)) return invalidArgument("{}: a row has no positive clock_hz", name);
  const std::string source = textOf(row, "source");
  for (const SourceRow& known : kSources) {
    if (known.name != source) continue;
    figures.source = known.source;
    return figures;
  }
  return invalidArgument("{}: a row has source '{}'; it is measured, simulated or modelled", name, source);
}

}  // namespace

Result<Figures> parseFigures(std::string_view json, std::string_view name, const Config& config) {
  const auto parsed = nlohmann::json::parse(json, nullptr, /*allow_exceptions=*/false);
  if (!parsed.is_object() || !parsed.contains("figures") || !parsed["figures"].is_array()) {
    return invalidArgument("{}: this is no file of figures: it needs a list \"figures\"", name);
  }
  for (const nlohmann::json& row : parsed["figures"]) {
    if (!row.is_object()) return invalidArgument("{}: a row is not an object", name);
    const bool fits = numberOf(row, "side") == static_cast<double>(config.side) &&
                      textOf(row, "kind") == kindName(config.kind);
    if (fits) return readRow(row, name);
  }
  return fail(StatusCode::kNotFound, "{} has no figures for side {} and kind {}", name, config.side,
              kindName(config.kind));
}

Result<Figures> loadFigures(const std::string& path, const Config& config) {
  if (path.empty()) return parseFigures(kFiguresJson, "figures.json", config);
  std::ifstream in(path, std::ios::binary);
  if (!in) return fail(StatusCode::kNotFound, "the file of figures {} cannot be read", path);
  const std::string json{std::istreambuf_iterator<char>(in), {}};
  return parseFigures(json, path, config);
}

}  // namespace tetrarch::npu
