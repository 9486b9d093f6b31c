#include "tetrarch/devices/hosted/options.h"

#include <fmt/ranges.h>

#include <algorithm>

namespace tetrarch::hosted {

Options::Options(const char* json) {
  if (!json || !*json) return;
  object_ = nlohmann::json::parse(json, nullptr, /*allow_exceptions=*/false);
  if (!object_.is_object()) {
    object_ = nlohmann::json::object();
    status_ = invalidArgument("the options '{}' are not a JSON object such as {{\"threads\":1}}", json);
  }
}

const nlohmann::json* Options::find(const std::string& key) {
  known_.push_back(key);
  auto found = object_.find(key);
  return found == object_.end() || !status_.ok() ? nullptr : &*found;
}

int64_t Options::integer(const std::string& key, int64_t absent, int64_t min, int64_t max) {
  const nlohmann::json* value = find(key);
  if (!value) return absent;
  bool fits = value->is_number_integer() && !(value->is_number_unsigned() && *value > INT64_MAX) &&
              *value >= min && *value <= max;
  if (fits) return value->get<int64_t>();
  status_ = invalidArgument("option '{}' is {}; it takes a whole number from {} to {}", key, value->dump(),
                            min, max);
  return absent;
}

std::string Options::text(const std::string& key, const std::string& absent) {
  const nlohmann::json* value = find(key);
  if (!value) return absent;
  if (value->is_string()) return value->get<std::string>();
  if (value->is_number_unsigned()) return value->dump();  // "cpus":0 for "cpus":"0"
  status_ = invalidArgument("option '{}' is {}; it takes a string", key, value->dump());
  return absent;
}

Status Options::finish() const {
  if (!status_.ok()) return status_;
  for (const auto& [key, value] : object_.items()) {
    if (std::find(known_.begin(), known_.end(), key) == known_.end()) {
      return invalidArgument("option '{}' is unknown; there are {}", key, fmt::join(known_, ", "));
    }
  }
  return {};
}

}  // namespace tetrarch::hosted
