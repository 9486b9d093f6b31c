#include "tetrarch/devices/cpu/module.h"

#include <dlfcn.h>
#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace tetrarch::cpu {
namespace {

constexpr int64_t kMaxScratchBytes = int64_t{1} << 30;
constexpr uint32_t kMaxKernels = 1u << 20;

// The mapped segments of a loaded library, to check pointers against.
class Image {
 public:
  explicit Image(void* library) {
    link_map* map = nullptr;
    if (::dlinfo(library, RTLD_DI_LINKMAP, &map) != 0) return;
    dynamic_ = map->l_ld;
    ::dl_iterate_phdr([](dl_phdr_info* info, size_t,
                         void* self) { return static_cast<Image*>(self)->visit(*info) ? 1 : 0; },
                      this);
  }
  bool holds(const void* pointer, uint64_t bytes, uint32_t flags = PF_R) const {
    auto begin = reinterpret_cast<uintptr_t>(pointer);
    for (const Range& r : ranges_) {
      if (begin >= r.begin && begin <= r.end && bytes <= r.end - begin && (r.flags & flags) == flags)
        return true;
    }
    return false;
  }
  bool holdsString(const char* text) const {
    for (uint64_t n = 0; n < 1024 && holds(text, n + 1); ++n) {
      if (text[n] == 0) return true;
    }
    return false;
  }

 private:
  struct Range {
    uintptr_t begin, end;
    uint32_t flags;
  };
  bool visit(const dl_phdr_info& info) {
    bool found = false;
    for (int i = 0; i < info.dlpi_phnum; ++i) {
      found |= info.dlpi_phdr[i].p_type == PT_DYNAMIC &&
               info.dlpi_addr + info.dlpi_phdr[i].p_vaddr == reinterpret_cast<ElfW(Addr)>(dynamic_);
    }
    for (int i = 0; found && i < info.dlpi_phnum; ++i) {
      const ElfW(Phdr) & p = info.dlpi_phdr[i];
      if (p.p_type != PT_LOAD) continue;
      uintptr_t begin = info.dlpi_addr + p.p_vaddr;
      ranges_.push_back({begin, begin + p.p_memsz, p.p_flags});
    }
    return found;
  }

  void* dynamic_ = nullptr;
  std::vector<Range> ranges_;
};

Status checkKernel(const tet_cpu_kernel& k, const Image& image, uint32_t index) {
  if (!image.holdsString(k.name)) return invalidArgument("kernel {} has no name", index);
  if (!image.holds(reinterpret_cast<const void*>(k.run), 1, PF_X)) {
    return invalidArgument("kernel '{}' points to no code", k.name);
  }
  if (k.units < 0 || k.granularity < 1 || k.scratch_bytes < 0 || k.scratch_bytes > kMaxScratchBytes ||
      k.buffer_count < 0 || k.buffer_count >= UINT32_MAX) {
    return invalidArgument("kernel '{}' has a row in the table that makes no sense", k.name);
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<tet_module>> CpuModule::load(const std::string& name,
                                                    std::span<const std::byte> bytes) {
  std::unique_ptr<CpuModule> module(new CpuModule);
  Status status = verifyElf(bytes);
  if (status.ok()) status = module->open(bytes);
  if (status.ok()) status = module->readTable();
  if (!status.ok()) return propagate(status.withContext(name));
  return module;
}

CpuModule::~CpuModule() {
  if (library_) ::dlclose(library_);
  if (file_ >= 0) ::close(file_);
}

Status CpuModule::open(std::span<const std::byte> bytes) {
  file_ = ::memfd_create("tetrarch-code", MFD_CLOEXEC);
  if (file_ < 0)
    return fail(StatusCode::kResourceExhausted, "no memory file for the code: {}", std::strerror(errno));
  for (std::span<const std::byte> rest = bytes; !rest.empty();) {
    ssize_t n = ::write(file_, rest.data(), rest.size());
    if (n < 0)
      return fail(StatusCode::kResourceExhausted, "no memory for the code: {}", std::strerror(errno));
    rest = rest.subspan(static_cast<size_t>(n));
  }
  std::string path = fmt::format("/proc/self/fd/{}", file_);
  library_ = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library_) return invalidArgument("the system's loader refuses the code: {}", ::dlerror());
  return {};
}

Status CpuModule::readTable() {
  Image image(library_);
  auto* table = static_cast<const tet_cpu_module*>(::dlsym(library_, TET_CPU_MODULE_SYMBOL));
  if (!table || !image.holds(table, sizeof *table))
    return invalidArgument("the code exports no " TET_CPU_MODULE_SYMBOL);
  if (table->magic != TET_CPU_MODULE_MAGIC || table->version != TET_CPU_MODULE_VERSION ||
      table->kernel_bytes < sizeof(tet_cpu_kernel) || table->kernel_count > kMaxKernels) {
    return invalidArgument("the code's table is of version {} or damaged; compile it again", table->version);
  }
  uint64_t table_bytes = uint64_t{table->kernel_bytes} * table->kernel_count;
  if (table_bytes > 0 && !image.holds(table->kernels, table_bytes)) {
    return invalidArgument("the code's table of kernels lies outside of it");
  }
  for (uint32_t i = 0; i < table->kernel_count; ++i) {
    auto* row = reinterpret_cast<const std::byte*>(table->kernels) + uint64_t{i} * table->kernel_bytes;
    tet_cpu_kernel k;
    std::memcpy(&k, row, sizeof k);
    TET_RETURN_IF_ERROR(checkKernel(k, image, i));
    CpuKernel& kernel = kernels_[k.name];
    kernel.info = {sizeof(tet_kernel_info),
                   static_cast<uint64_t>(k.units),
                   static_cast<uint64_t>(k.granularity),
                   static_cast<uint64_t>(k.scratch_bytes),
                   static_cast<uint32_t>(k.buffer_count),
                   0};
    kernel.run = k.run;
    kernel.scratch_bytes = k.scratch_bytes;
  }
  return {};
}

tet_kernel* CpuModule::find(std::string_view symbol) {
  auto found = kernels_.find(symbol);
  return found == kernels_.end() ? nullptr : &found->second;
}

}  // namespace tetrarch::cpu
