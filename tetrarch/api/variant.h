// One binding of a model, compiled and bound to devices: what a call runs.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tetrarch/abi/artifact_file.h"
#include "tetrarch/api/devices.h"
#include "tetrarch/api/report.h"
#include "tetrarch/base/tensor.h"
#include "tetrarch/run/program.h"

namespace tetrarch::api {

// The plan to run: a stored plan over exactly these devices when nothing is forced, else a new one from the
// artifact's costs. `place` as parsePlace() takes it.
Result<abi::PlanEntry> choosePlan(const abi::Manifest& manifest, const OpenDevices& devices,
                                  const std::string& place, bool divide = true);

class Variant {
 public:
  // `callers_inputs` are the names of the tensors that each call passes, in order. Those that the artifact
  // does not have were compiled in as constants: `values` holds them, and matches() compares them.
  static Result<std::unique_ptr<Variant>> make(std::shared_ptr<const abi::Artifact> artifact,
                                               abi::PlanEntry plan, OpenDevices devices,
                                               const std::vector<std::string>& callers_inputs,
                                               std::vector<std::pair<std::string, Tensor>> values);

  bool matches(std::span<const Tensor> inputs) const;
  Status run(std::span<const Tensor> inputs, std::span<Tensor> outputs);
  Result<std::vector<Tensor>> allocateOutputs() const;

  const abi::Artifact& artifact() const { return *artifact_; }
  Report report() const;
  bool hasRun() const { return has_run_; }
  Status save(const std::filesystem::path& path) const;
  Status writeTrace(const std::filesystem::path& path) const;

 private:
  // Joules of each device so far, NaN where it has no meter.
  std::vector<Figure> readMeters() const;

  Variant() = default;
  std::shared_ptr<const abi::Artifact> artifact_;
  std::unique_ptr<run::Program> program_;
  std::vector<int> passed_;  // numbers of the caller's inputs that the program takes; empty: all, in order
  std::vector<std::pair<int, Tensor>> values_;  // numbers of the caller's other inputs, and what they must be
  std::vector<Tensor> scratch_;
  std::vector<Figure> energies_;  // of the last call, one a device
  bool has_run_ = false;
};

}  // namespace tetrarch::api
