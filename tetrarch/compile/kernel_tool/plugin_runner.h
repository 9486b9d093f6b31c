// Runs kernels of a code blob on a device plug-in: for tests and for timing by hand, where the runtime would
// be too much.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tetrarch/abi/device.h"
#include "tetrarch/base/tensor.h"
#include "tetrarch/compile/code_generator.h"

namespace tetrarch::compile {

// The first device of one plug-in, open, with one queue. One thread at a time.
class PluginRunner {
 public:
  // `options` as device_open takes them, or "". NotFound when the plug-in has no device here.
  static Result<PluginRunner> open(const std::string& library, const std::string& options);

  // One launch of units [begin, end) in `pieces` pieces, then all results copied back.
  Status run(const CodeBlob& blob, size_t entry, std::vector<Tensor>& operands, std::vector<Tensor>& results,
             int64_t pieces = 1);
  // The shortest of several launches in seconds, waits included. Runs for about `budget_seconds`.
  Result<double> time(const CodeBlob& blob, size_t entry, const Task& task, double budget_seconds);
  // What the device counted in all launches of run(), by its names.
  const std::map<std::string, uint64_t>& counters() const { return counters_; }

 private:
  struct Loaded;
  Result<tet_module*> module(const CodeBlob& blob);
  Result<std::shared_ptr<Loaded>> load(const CodeBlob& blob, size_t entry, std::vector<Tensor>& operands,
                                       std::vector<Tensor>& results);
  Status launch(Loaded& loaded, uint64_t begin, uint64_t end, tet_receipt* receipt = nullptr);
  void count(const tet_receipt& receipt);

  const tet_plugin* api_ = nullptr;
  std::shared_ptr<tet_device> device_;
  std::shared_ptr<tet_queue> queue_;
  // The last blob and its module: loading may mean compiling.
  std::vector<std::byte> blob_;
  std::shared_ptr<tet_module> module_;
  std::map<std::string, uint64_t> counters_;
};

}  // namespace tetrarch::compile
