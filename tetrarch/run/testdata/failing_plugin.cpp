// The CPU plug-in under the name "failing": its device stops half-way through every chain of launches,
// without being lost.
#include <dlfcn.h>

#include <cstdio>

#include "tetrarch/abi/device.h"

namespace {

const tet_plugin* cpu = nullptr;
tet_plugin table = {};

tet_status describe(uint32_t index, const char* options, tet_device_info* info, tet_error* error) {
  const tet_status status = cpu->device_describe(index, options, info, error);
  if (status == TET_OK) info->name = "failing";
  return status;
}

tet_status describeOpen(tet_device* device, tet_device_info* info, tet_error* error) {
  const tet_status status = cpu->device_info(device, info, error);
  if (status == TET_OK) info->name = "failing";
  return status;
}

tet_status launch(tet_queue* queue, const tet_launch* launches, uint64_t count, tet_error* error) {
  if (count > 1) (void)cpu->launch(queue, launches, count / 2, error);
  if (error) {
    std::snprintf(error->message, sizeof error->message,
                  "the command processor stopped in the middle of a launch");
  }
  return TET_INTERNAL;
}

}  // namespace

const tet_plugin* tetrarch_plugin() {
  void* library = ::dlopen(TETRARCH_CPU_PLUGIN, RTLD_NOW | RTLD_LOCAL);
  if (!library) return nullptr;
  cpu = reinterpret_cast<tetrarch_plugin_fn>(::dlsym(library, TET_PLUGIN_SYMBOL))();
  table = *cpu;
  table.name = "failing";
  table.device_describe = describe;
  table.device_info = describeOpen;
  table.launch = launch;
  return &table;
}
