// An artifact made elsewhere, brought to this machine: code for its processors, costs measured on them.
#pragma once

#include <memory>

#include "tetrarch/abi/artifact_file.h"
#include "tetrarch/api/driver.h"

namespace tetrarch::api {

// `artifact` itself when its code and costs are of a machine like this one, or when it cannot be made anew
// (no compiler in this build, no tasks in the file). Otherwise what the compiler makes of its tasks for the
// devices of `options`, kept in the folder "artifacts" beside the profile, where the next load finds it.
Result<std::shared_ptr<const abi::Artifact>> tuneForThisMachine(std::shared_ptr<const abi::Artifact> artifact,
                                                                const DriverOptions& options);

}  // namespace tetrarch::api
