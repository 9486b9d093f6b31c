// Reports as JSON values; docs/report.schema.json says what they look like.
#pragma once

#include <nlohmann/json.hpp>

#include "tetrarch/api/report.h"

namespace tetrarch::api {

TETRARCH_EXPORT nlohmann::ordered_json toJson(const Figure& figure);
TETRARCH_EXPORT nlohmann::ordered_json toJson(const DeviceInfo& device);
TETRARCH_EXPORT nlohmann::ordered_json toJson(const TaskReport& task);
TETRARCH_EXPORT nlohmann::ordered_json toJson(const Report& report);

}  // namespace tetrarch::api
