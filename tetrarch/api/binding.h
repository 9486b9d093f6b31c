// Making a model's shapes static from the tensors of a call.
#pragma once

#include <functional>

#include "tetrarch/api/driver.h"

namespace tetrarch::api {

std::vector<std::string> namesOf(const std::vector<ModelPort>& ports);

// Calls `attempt` with `base`, the given tensors' shapes, and the values of those inputs that `decisive`
// names. When the attempt says FailedPrecondition and that further inputs' values decide shapes, it is tried
// again with them.
Status bindTo(const std::vector<ModelPort>& inputs, std::span<const Tensor> given, const Binding& base,
              const std::vector<std::string>& decisive,
              const std::function<Status(const Binding& bound, Needs* missing)>& attempt);

}  // namespace tetrarch::api
