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

// Every class of work, and leakage; a table that lacks one would count too little.
Result<Energies> readEnergies(const nlohmann::json& row, std::string_view name, const std::string& activity) {
  const auto all = row.find("energy");
  if (all == row.end()) return Energies{};
  const auto table = all->find(activity);
  if (table == all->end() || !table->is_object()) {
    return invalidArgument("{}: a row has energies and none for the activity '{}'", name, activity);
  }
  Energies energies{.known = true, .leakage_watts = numberOf(*all, "leakage_watts")};
  for (int i = 0; i < kEnergyClasses; ++i) {
    const std::string key(energyClassName(static_cast<EnergyClass>(i)));
    const double joules = numberOf(*table, key.c_str());
    if (!(joules >= 0) || !table->contains(key)) {
      return invalidArgument("{}: the energies for '{}' lack joules of '{}'", name, activity, key);
    }
    energies.joules[static_cast<size_t>(i)] = joules;
  }
  return energies;
}

Result<Figures> readRow(const nlohmann::json& row, std::string_view name, const std::string& activity) {
  Figures figures{
      .clock_hz = numberOf(row, "clock_hz"), .node = textOf(row, "node"), .corner = textOf(row, "corner")};
  if (!(figures.clock_hz > 0)) return invalidArgument("{}: a row has no positive clock_hz", name);
  TET_ASSIGN_OR_RETURN(figures.energies, readEnergies(row, name, activity));
  const std::string source = textOf(row, "source");
  for (const SourceRow& known : kSources) {
    if (known.name != source) continue;
    figures.source = known.source;
    return figures;
  }
  return invalidArgument("{}: a row has source '{}'; it is measured, simulated or modelled", name, source);
}

}  // namespace

Result<Figures> parseFigures(std::string_view json, std::string_view name, const Config& config,
                             const std::string& activity) {
  const auto parsed = nlohmann::json::parse(json, nullptr, /*allow_exceptions=*/false);
  if (!parsed.is_object() || !parsed.contains("figures") || !parsed["figures"].is_array()) {
    return invalidArgument("{}: this is no file of figures: it needs a list \"figures\"", name);
  }
  for (const nlohmann::json& row : parsed["figures"]) {
    if (!row.is_object()) return invalidArgument("{}: a row is not an object", name);
    const bool fits = numberOf(row, "side") == static_cast<double>(config.side) &&
                      textOf(row, "kind") == kindName(config.kind);
    if (fits) return readRow(row, name, activity);
  }
  return fail(StatusCode::kNotFound, "{} has no figures for side {} and kind {}", name, config.side,
              kindName(config.kind));
}

Result<Figures> loadFigures(const std::string& path, const Config& config, const std::string& activity) {
  if (path.empty()) return parseFigures(kFiguresJson, "figures.json", config, activity);
  std::ifstream in(path, std::ios::binary);
  if (!in) return fail(StatusCode::kNotFound, "the file of figures {} cannot be read", path);
  const std::string json{std::istreambuf_iterator<char>(in), {}};
  return parseFigures(json, path, config, activity);
}

}  // namespace tetrarch::npu
