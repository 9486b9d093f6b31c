// A model bound to devices: made once, then replayed.
//
// bind() does everything that takes time or can fail for want of something: code loaded, kernels found,
// buffers planned and allocated, weights in place, every launch and copy written down. run() walks that list:
// it allocates nothing and looks nothing up. Devices that share the host's memory share one arena, so nothing
// is copied between them; a device with memory of its own gets copies of what it needs. Large inputs and
// outputs stay in the caller's memory (see ports.h). Work of different devices overlaps where data allow.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "tetrarch/abi/artifact_file.h"
#include "tetrarch/base/tensor.h"
#include "tetrarch/run/plugin.h"
#include "tetrarch/run/report.h"

namespace tetrarch::run {

// The code of the artifact that `device` should load: right class, a format that it takes, all features
// there; of several the one with the most features. NotFound says why none fits.
Result<int> chooseCode(const abi::Manifest& manifest, const DeviceInfo& device);

// "avx2" is in "avx2 fma" and in "avx2,fma".
bool hasFeatures(std::string_view has, std::string_view needed);

// Opens the plan's devices in its order.
Result<std::vector<std::shared_ptr<Device>>> openDevices(const DeviceRegistry& registry,
                                                         const abi::PlanEntry& plan);

// A plan that runs all tasks on one device.
abi::PlanEntry singleDevicePlan(const abi::Manifest& manifest, const abi::PlanDevice& device);

class Program {
 public:
  // `devices` are the open ones of `plan`, in its order. FailedPrecondition when a device declines a task
  // that the plan puts there (with its reason), ResourceExhausted when memory is short, otherwise what
  // loading the code says.
  static Result<std::unique_ptr<Program>> bind(std::shared_ptr<const abi::Artifact> artifact,
                                               abi::PlanEntry plan,
                                               std::vector<std::shared_ptr<Device>> devices);
  ~Program();

  // Runs once; pointers in the model's order, dense row-major. Blocks. Inputs are not written to, and must
  // not change meanwhile. Not from two threads at a time (FailedPrecondition). Unavailable names the device
  // that was lost; the program stays usable only for its report then.
  Status run(std::span<const void* const> inputs, std::span<void* const> outputs);
  // Checks types and shapes first: InvalidArgument names the input.
  Status run(std::span<const Tensor> inputs, std::span<Tensor> outputs);
  // The same into fresh tensors.
  Result<std::vector<Tensor>> run(std::span<const Tensor> inputs);

  const abi::Manifest& manifest() const;
  const abi::PlanEntry& plan() const;
  const std::vector<std::shared_ptr<Device>>& devices() const;
  // Of the last run that was OK; all zero before.
  RunReport report() const;
  // Receipts cost two clock readings a task; on unless switched off.
  void setReceipts(bool on);
  // Receipts with hashes of what each launch read and wrote, for a verifier to recompute. Costs a wait for
  // the device and a pass over the tensors after every launch; off unless switched on.
  void setHashes(bool on);

  // The caller's memory is used in place for tensors of at least so many bytes (64 KiB unless told).
  void setInPlaceBytes(uint64_t bytes);

  struct Memory {
    uint64_t temporaries = 0;        // arenas, all spaces
    uint64_t temporaries_apart = 0;  // what they would need without reuse
    uint64_t weights_copied = 0;     // weights that had to be copied to devices
  };
  const Memory& memory() const;

 private:
  friend class Binder;
  struct Impl;
  explicit Program(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace tetrarch::run
