// The options of device_open: a JSON object whose keys must all be known.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tetrarch/base/status.h"

namespace tetrarch::hosted {

// Ask for every option that there is, then call finish(). The first error wins; values after an error are
// defaults.
class Options {
 public:
  explicit Options(const char* json);  // null is the empty object

  int64_t integer(const std::string& key, int64_t absent, int64_t min, int64_t max);
  std::string text(const std::string& key, const std::string& absent);
  // InvalidArgument names the option that is unknown or has a bad value.
  Status finish() const;

 private:
  const nlohmann::json* find(const std::string& key);
  nlohmann::json object_ = nlohmann::json::object();
  std::vector<std::string> known_;
  Status status_;
};

}  // namespace tetrarch::hosted
