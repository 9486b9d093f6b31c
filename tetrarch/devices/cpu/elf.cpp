// verifyElf(): what the system's loader would trust, checked before it sees the file.
#include <elf.h>

#include <array>
#include <cstring>
#include <vector>

#include "tetrarch/devices/cpu/module.h"

namespace tetrarch::cpu {
namespace {

#if defined(__x86_64__)
constexpr uint16_t kMachine = EM_X86_64;
#elif defined(__aarch64__)
constexpr uint16_t kMachine = EM_AARCH64;
#elif defined(__riscv)
constexpr uint16_t kMachine = EM_RISCV;
#endif

constexpr std::array<std::string_view, 4> kAllowedLibraries = {"libc.so.6", "libm.so.6", "libmvec.so.1",
                                                               "libc.musl-x86_64.so.1"};
// Anything that would run code of the blob while it is loaded.
constexpr std::array<int64_t, 5> kConstructors = {DT_INIT, DT_FINI, DT_INIT_ARRAY, DT_FINI_ARRAY,
                                                  DT_PREINIT_ARRAY};

class ElfVerifier {
 public:
  explicit ElfVerifier(std::span<const std::byte> bytes) : bytes_(bytes) {}

  Status run() {
    TET_RETURN_IF_ERROR(header());
    TET_RETURN_IF_ERROR(segments());
    return dynamic();
  }

 private:
  bool inside(uint64_t offset, uint64_t size) const {
    return offset <= bytes_.size() && size <= bytes_.size() - offset;
  }
  template <typename T>
  T at(uint64_t offset) const {  // the caller has checked the range
    T value;
    std::memcpy(&value, bytes_.data() + offset, sizeof value);
    return value;
  }

  Status header() {
    if (bytes_.size() < sizeof(Elf64_Ehdr))
      return invalidArgument("{} bytes are too few for code", bytes_.size());
    header_ = at<Elf64_Ehdr>(0);
    if (std::memcmp(header_.e_ident, ELFMAG, SELFMAG) != 0) return invalidArgument("the bytes are not ELF");
    if (header_.e_ident[EI_CLASS] != ELFCLASS64 || header_.e_ident[EI_DATA] != ELFDATA2LSB ||
        header_.e_machine != kMachine || header_.e_type != ET_DYN) {
      return invalidArgument("the code is no shared object for this kind of processor");
    }
    if (header_.e_phentsize != sizeof(Elf64_Phdr) ||
        !inside(header_.e_phoff, uint64_t{header_.e_phnum} * sizeof(Elf64_Phdr))) {
      return invalidArgument("the code is cut short in its program headers");
    }
    return {};
  }

  Status segments() {
    for (int i = 0; i < header_.e_phnum; ++i) {
      auto segment = at<Elf64_Phdr>(header_.e_phoff + static_cast<uint64_t>(i) * sizeof(Elf64_Phdr));
      if (segment.p_type != PT_LOAD && segment.p_type != PT_DYNAMIC) continue;
      if (!inside(segment.p_offset, segment.p_filesz))
        return invalidArgument("the code is cut short in a segment");
      if (segment.p_memsz < segment.p_filesz || segment.p_vaddr > kMaxImage || segment.p_memsz > kMaxImage) {
        return invalidArgument("a segment of the code has a size that makes no sense");
      }
      (segment.p_type == PT_LOAD ? loads_ : dynamics_).push_back(segment);
    }
    if (loads_.empty() || dynamics_.size() != 1) return invalidArgument("the code has no segments to load");
    return {};
  }

  // The file offset of an address of the image, if `size` bytes from there come from the file.
  bool fileOffset(uint64_t address, uint64_t size, uint64_t& offset) const {
    for (const Elf64_Phdr& l : loads_) {
      if (address >= l.p_vaddr && address - l.p_vaddr <= l.p_filesz &&
          size <= l.p_filesz - (address - l.p_vaddr)) {
        offset = l.p_offset + (address - l.p_vaddr);
        return true;
      }
    }
    return false;
  }

  Status dynamic() {
    std::vector<uint64_t> needed;
    uint64_t strings = 0, string_bytes = 0;
    uint64_t count = dynamics_[0].p_filesz / sizeof(Elf64_Dyn);
    bool ended = false;
    for (uint64_t i = 0; i < count && !ended; ++i) {
      auto entry = at<Elf64_Dyn>(dynamics_[0].p_offset + i * sizeof(Elf64_Dyn));
      for (int64_t tag : kConstructors) {
        if (entry.d_tag == tag) return invalidArgument("the code has constructors, which are not allowed");
      }
      if (entry.d_tag == DT_STRTAB) strings = entry.d_un.d_ptr;
      if (entry.d_tag == DT_STRSZ) string_bytes = entry.d_un.d_val;
      if (entry.d_tag == DT_NEEDED) needed.push_back(entry.d_un.d_val);
      ended = entry.d_tag == DT_NULL;
    }
    uint64_t offset = 0;
    if (!ended || string_bytes == 0 || !fileOffset(strings, string_bytes, offset)) {
      return invalidArgument("the code's dynamic section is damaged");
    }
    if (bytes_[offset + string_bytes - 1] != std::byte{0})
      return invalidArgument("the code's strings have no end");
    for (uint64_t name : needed) {
      if (name >= string_bytes) return invalidArgument("the code's dynamic section is damaged");
      TET_RETURN_IF_ERROR(library(reinterpret_cast<const char*>(bytes_.data() + offset + name)));
    }
    return {};
  }

  static Status library(std::string_view name) {
    for (std::string_view allowed : kAllowedLibraries) {
      if (name == allowed) return {};
    }
    return invalidArgument("the code needs the library '{}', which is not allowed", name);
  }

  static constexpr uint64_t kMaxImage = uint64_t{1} << 40;
  std::span<const std::byte> bytes_;
  Elf64_Ehdr header_ = {};
  std::vector<Elf64_Phdr> loads_, dynamics_;
};

}  // namespace

Status verifyElf(std::span<const std::byte> bytes) { return ElfVerifier(bytes).run(); }

}  // namespace tetrarch::cpu
