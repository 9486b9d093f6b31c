#include "tetrarch/compile/kernel_tool/plugin_runner.h"

#include <dlfcn.h>

#include <algorithm>

#include "tetrarch/base/trace.h"
#include "tetrarch/compile/kernel_tool/kernel_runner.h"

namespace tetrarch::compile {
namespace {

struct Error : tet_error {
  Error() : tet_error{sizeof(tet_error), TET_OK, {}} {}
};

Status toStatus(tet_status code, const Error& error) {
  return code == TET_OK ? Status() : Status(static_cast<StatusCode>(code), error.message);
}

}  // namespace

struct PluginRunner::Loaded {
  tet_kernel* kernel = nullptr;
  tet_kernel_info info = {.struct_size = sizeof(tet_kernel_info)};
  std::vector<std::shared_ptr<tet_buffer>> owned;
  std::vector<tet_buffer*> buffers;
};

Result<PluginRunner> PluginRunner::open(const std::string& library, const std::string& options) {
  void* handle =
      dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);  // stays loaded: drivers do not like to leave
  if (!handle) return invalidArgument("{} cannot be loaded: {}", library, dlerror());
  auto entry = reinterpret_cast<tetrarch_plugin_fn>(dlsym(handle, TET_PLUGIN_SYMBOL));
  PluginRunner runner;
  runner.api_ = entry ? entry() : nullptr;
  uint32_t count = 0;
  Error error;
  if (!runner.api_ || runner.api_->device_count(&count, &error) != TET_OK || count == 0) {
    return fail(StatusCode::kNotFound, "{} has no device here", library);
  }
  const tet_open_args args = {.struct_size = sizeof args,
                              .options = options.empty() ? nullptr : options.c_str()};
  tet_device* device = nullptr;
  TET_RETURN_IF_ERROR(toStatus(runner.api_->device_open(&args, &device, &error), error));
  runner.device_ = {device, runner.api_->device_close};
  tet_queue* queue = nullptr;
  TET_RETURN_IF_ERROR(toStatus(runner.api_->queue_create(device, &queue, &error), error));
  // The queue keeps the device open.
  runner.queue_ = {queue,
                   [api = runner.api_, keep = runner.device_](tet_queue* q) { api->queue_destroy(q); }};
  return runner;
}

Result<tet_module*> PluginRunner::module(const CodeBlob& blob) {
  if (module_ && blob_ == blob.bytes) return module_.get();
  Error error;
  tet_module* module = nullptr;
  TET_RETURN_IF_ERROR(toStatus(api_->module_load(device_.get(), "task", blob.format.c_str(),
                                                 blob.bytes.data(), blob.bytes.size(), &module, &error),
                               error));
  // It keeps the device open.
  module_ = {module, [api = api_, keep = device_](tet_module* m) { api->module_unload(m); }};
  blob_ = blob.bytes;
  return module;
}

Result<std::shared_ptr<PluginRunner::Loaded>> PluginRunner::load(const CodeBlob& blob, size_t entry,
                                                                 std::vector<Tensor>& operands,
                                                                 std::vector<Tensor>& results) {
  auto loaded = std::make_shared<Loaded>();
  Error error;
  TET_ASSIGN_OR_RETURN(tet_module * module, this->module(blob));
  TET_RETURN_IF_ERROR(toStatus(
      api_->kernel_find(module, blob.entries[entry].symbol.c_str(), &loaded->kernel, &error), error));
  TET_RETURN_IF_ERROR(toStatus(api_->kernel_info(loaded->kernel, &loaded->info, &error), error));
  for (std::vector<Tensor>* tensors : {&operands, &results}) {
    for (Tensor& tensor : *tensors) {
      tet_buffer* buffer = nullptr;
      TET_RETURN_IF_ERROR(
          toStatus(api_->buffer_alloc(device_.get(), tensor.bytes(), &buffer, &error), error));
      loaded->owned.emplace_back(buffer, api_->buffer_free);
      loaded->buffers.push_back(buffer);
      TET_RETURN_IF_ERROR(
          toStatus(api_->copy_in(queue_.get(), buffer, 0, tensor.data(), tensor.bytes(), &error), error));
    }
  }
  TET_RETURN_IF_ERROR(toStatus(api_->queue_finish(queue_.get(), &error), error));
  return loaded;
}

Status PluginRunner::launch(Loaded& loaded, uint64_t begin, uint64_t end, tet_receipt* receipt) {
  Error error;
  const tet_launch launch = {.struct_size = sizeof launch,
                             .kernel = loaded.kernel,
                             .buffers = loaded.buffers.data(),
                             .buffer_count = static_cast<uint32_t>(loaded.buffers.size()),
                             .begin = begin,
                             .end = end,
                             .receipt = receipt};
  return toStatus(api_->launch(queue_.get(), &launch, 1, &error), error);
}

void PluginRunner::count(const tet_receipt& receipt) {
  tet_device_info info = {.struct_size = sizeof info};
  Error error;
  if (api_->device_describe(0, nullptr, &info, &error) != TET_OK) return;
  for (uint32_t i = 0; i < info.counter_count; ++i) counters_[info.counter_names[i]] += receipt.counters[i];
}

Status PluginRunner::run(const CodeBlob& blob, size_t entry, std::vector<Tensor>& operands,
                         std::vector<Tensor>& results, int64_t pieces) {
  TET_ASSIGN_OR_RETURN(auto loaded, load(blob, entry, operands, results));
  const auto units = static_cast<int64_t>(loaded->info.units),
             step = static_cast<int64_t>(loaded->info.granularity);
  auto cut = [&](int64_t piece) { return piece == pieces ? units : units * piece / pieces / step * step; };
  std::vector<tet_receipt> receipts(static_cast<size_t>(pieces), {.struct_size = sizeof(tet_receipt)});
  for (int64_t piece = pieces - 1; piece >= 0; --piece)
    TET_RETURN_IF_ERROR(launch(*loaded, cut(piece), cut(piece + 1), &receipts[static_cast<size_t>(piece)]));
  Error error;
  for (size_t i = 0; i < results.size(); ++i) {
    tet_buffer* from = loaded->buffers[operands.size() + i];
    TET_RETURN_IF_ERROR(toStatus(
        api_->copy_out(queue_.get(), results[i].data(), from, 0, results[i].bytes(), &error), error));
  }
  TET_RETURN_IF_ERROR(toStatus(api_->queue_finish(queue_.get(), &error), error));
  for (const tet_receipt& receipt : receipts) count(receipt);
  return {};
}

Result<double> PluginRunner::time(const CodeBlob& blob, size_t entry, const Task& task,
                                  double budget_seconds) {
  TET_ASSIGN_OR_RETURN(std::vector<Tensor> operands, makeOperands(task, 1));
  TET_ASSIGN_OR_RETURN(std::vector<Tensor> results, makeResults(task));
  TET_ASSIGN_OR_RETURN(auto loaded, load(blob, entry, operands, results));
  double best = 1e30;
  Error error;
  int64_t start = nowNs();
  for (int run = 0; run < 2 || static_cast<double>(nowNs() - start) * 1e-9 < budget_seconds; ++run) {
    const int64_t begin = nowNs();
    TET_RETURN_IF_ERROR(launch(*loaded, 0, loaded->info.units));
    TET_RETURN_IF_ERROR(toStatus(api_->queue_finish(queue_.get(), &error), error));
    best = std::min(best, static_cast<double>(nowNs() - begin) * 1e-9);
    if (run == 0) start = nowNs();  // the first launch may compile
  }
  return best;
}

}  // namespace tetrarch::compile
