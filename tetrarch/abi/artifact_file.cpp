#include "tetrarch/abi/artifact_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <utility>

#include "tetrarch/base/whole_file.h"

namespace tetrarch::abi {
namespace {

using Bytes = std::span<const std::byte>;

bool operator==(const tet_hash128& a, const tet_hash128& b) { return a.low == b.low && a.high == b.high; }

// [offset, offset + bytes) lies inside `size` bytes, without overflow.
bool inside(uint64_t offset, uint64_t bytes, uint64_t size) {
  return offset <= size && bytes <= size - offset;
}

uint64_t alignUp(uint64_t value, uint64_t alignment) {
  return (value + alignment - 1) / alignment * alignment;
}

std::string toHex(const tet_hash128& hash) { return fmt::format("{:016x}{:016x}", hash.high, hash.low); }

// The hash of bytes that come in pieces.
class Hasher {
 public:
  Hasher() : state_(XXH3_createState(), &XXH3_freeState) { XXH3_128bits_reset(state_.get()); }
  void add(Bytes bytes) { XXH3_128bits_update(state_.get(), bytes.data(), bytes.size()); }
  tet_hash128 result() const {
    const XXH128_hash_t hash = XXH3_128bits_digest(state_.get());
    return {hash.low64, hash.high64};
  }

 private:
  std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> state_;
};

// The header's hash: over the header with its hash field zero, what a newer writer put behind it, then the
// table.
tet_hash128 headerHash(tet_artifact_header header, Bytes rest, Bytes table) {
  header.hash = {};
  Hasher hasher;
  hasher.add(std::as_bytes(std::span(&header, 1)));
  hasher.add(rest);
  hasher.add(table);
  return hasher.result();
}

// Checks the container from the outside in; nothing is read before its range has been checked.
class ContainerReader {
 public:
  explicit ContainerReader(Bytes image) : image_(image) {}

  Result<std::vector<tet_artifact_section>> read() {
    TET_RETURN_IF_ERROR(readHeader());
    TET_RETURN_IF_ERROR(readTable());
    for (size_t i = 0; i < sections_.size(); ++i) {
      if (Status s = checkSection(sections_[i]); !s.ok())
        return propagate(s.withContext(fmt::format("section {}", i)));
    }
    TET_RETURN_IF_ERROR(checkGaps());
    return std::move(sections_);
  }

 private:
  Status readHeader() {
    if (image_.size() < sizeof header_) {
      return fail(StatusCode::kDataLoss,
                  "{} bytes are too few for an artifact; the file is cut short or none", image_.size());
    }
    std::memcpy(&header_, image_.data(), sizeof header_);
    if (std::memcmp(header_.magic, TET_ARTIFACT_MAGIC, sizeof header_.magic) != 0) {
      return invalidArgument(
          "this is not an artifact (its first bytes are wrong); make one with `tetrarch compile`");
    }
    if (header_.major != TET_ARTIFACT_MAJOR) {
      return invalidArgument("the artifact has format {}.{} and this version reads {}.x; compile it again",
                             header_.major, header_.minor, TET_ARTIFACT_MAJOR);
    }
    if (header_.file_bytes != image_.size()) {
      return fail(StatusCode::kDataLoss,
                  "the file has {} bytes and should have {}; it was cut short or appended to", image_.size(),
                  header_.file_bytes);
    }
    if (header_.header_bytes < sizeof header_ || header_.section_bytes < sizeof(tet_artifact_section) ||
        header_.section_count > TET_ARTIFACT_MAX_SECTIONS || header_.table_offset < header_.header_bytes) {
      return damaged("the header makes no sense");
    }
    return {};
  }

  Status readTable() {
    // Both factors are small (32 and 12 bits), so the product does not overflow.
    uint64_t table_bytes = uint64_t{header_.section_bytes} * header_.section_count;
    if (!inside(header_.table_offset, table_bytes, image_.size()))
      return damaged("the section table lies outside");
    Bytes table = image_.subspan(header_.table_offset, table_bytes);
    Bytes rest = image_.subspan(sizeof header_, header_.header_bytes - sizeof header_);
    if (!(headerHash(header_, rest, table) == header_.hash))
      return damaged("the hash of header and section table is wrong");
    sections_.resize(header_.section_count);
    for (size_t i = 0; i < sections_.size(); ++i) {
      std::memcpy(&sections_[i], table.data() + i * header_.section_bytes, sizeof sections_[i]);
    }
    return {};
  }

  Status checkSection(const tet_artifact_section& s) const {
    bool known = s.type >= TET_SECTION_MANIFEST && s.type <= TET_SECTION_TASKS;
    if (!known && (s.flags & TET_SECTION_REQUIRED)) {
      return invalidArgument("type {} is needed and not known here; use a newer version", s.type);
    }
    if (!inside(s.offset, s.bytes, image_.size())) return damaged("it lies outside the file");
    if (!std::has_single_bit(s.alignment) || s.alignment > TET_ARTIFACT_PAGE || s.offset % s.alignment != 0) {
      return damaged("its alignment is wrong");
    }
    if (!(hash128(image_.subspan(s.offset, s.bytes)) == s.hash)) return damaged("its hash is wrong");
    return {};
  }

  // Header, table and sections must not overlap, and what is between them must be zero.
  Status checkGaps() const {
    std::vector<std::pair<uint64_t, uint64_t>> used = {
        {0, header_.header_bytes},
        {header_.table_offset,
         header_.table_offset + uint64_t{header_.section_bytes} * header_.section_count}};
    for (const tet_artifact_section& s : sections_) {
      if (s.bytes > 0) used.emplace_back(s.offset, s.offset + s.bytes);
    }
    used.emplace_back(image_.size(), image_.size());
    std::sort(used.begin(), used.end());
    uint64_t end = 0;
    for (auto [begin, next_end] : used) {
      if (begin < end) return damaged("two sections overlap");
      Bytes gap = image_.subspan(end, begin - end);
      if (std::any_of(gap.begin(), gap.end(), [](std::byte b) { return b != std::byte{0}; })) {
        return damaged(fmt::format("the padding after byte {} is not zero", end));
      }
      end = next_end;
    }
    return {};
  }

  static Status damaged(std::string_view how) {
    return fail(StatusCode::kDataLoss, "{}; the artifact is damaged, compile it again", how);
  }

  Bytes image_;
  tet_artifact_header header_ = {};
  std::vector<tet_artifact_section> sections_;
};

Result<int> onlySection(const std::vector<tet_artifact_section>& sections, uint32_t type,
                        std::string_view what) {
  int found = -1;
  for (size_t i = 0; i < sections.size(); ++i) {
    if (sections[i].type != type) continue;
    if (found >= 0) return invalidArgument("it has two {} sections; one is allowed", what);
    found = static_cast<int>(i);
  }
  return found;
}

std::vector<SectionSummary> summarise(const std::vector<tet_artifact_section>& sections) {
  std::vector<SectionSummary> out;
  for (const tet_artifact_section& s : sections) out.push_back({s.type, s.bytes});
  return out;
}

// Maps a regular file for reading. Private, so that the pages stay ours to protect; a file must not be
// written in place while it is mapped, which is why ArtifactWriter writes a WholeFile.
Result<ArtifactWriter::Image> mapFile(const std::filesystem::path& path) {
  int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return propagate(fileError(path, "cannot be opened"));
  struct stat info = {};
  bool regular = ::fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
  size_t size = regular ? static_cast<size_t>(info.st_size) : 0;
  void* data = size > 0 ? ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
  ::close(fd);
  if (!regular) return invalidArgument("{}: this is no regular file", path.string());
  if (size == 0) return fail(StatusCode::kDataLoss, "{}: the file is empty", path.string());
  if (data == MAP_FAILED) return propagate(fileError(path, "cannot be mapped"));
  std::shared_ptr<void> owner(data, [size](void* p) { ::munmap(p, size); });
  return ArtifactWriter::Image{owner, {static_cast<const std::byte*>(data), size}};
}

}  // namespace

tet_hash128 hash128(Bytes bytes) {
  XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  return {hash.low64, hash.high64};
}

std::string hexHash(Bytes bytes) { return toHex(hash128(bytes)); }

Result<std::string> hexHashOfFile(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::vector<char> piece(1 << 20);
  Hasher hasher;
  while (file) {
    file.read(piece.data(), static_cast<std::streamsize>(piece.size()));
    hasher.add(std::as_bytes(std::span(piece).first(static_cast<size_t>(file.gcount()))));
  }
  if (!file.eof()) return fail(StatusCode::kNotFound, "{}: cannot be read", path.string());
  return toHex(hasher.result());
}

Result<std::shared_ptr<const Artifact>> Artifact::open(const std::filesystem::path& path) {
  TET_ASSIGN_OR_RETURN(ArtifactWriter::Image image, mapFile(path));
  return fromBytes(image.bytes, path.string(), image.owner);
}

Result<std::shared_ptr<const Artifact>> Artifact::fromBytes(Bytes bytes, std::string name,
                                                            std::shared_ptr<void> owner) {
  auto in_file = [&](const Status& status) { return propagate(status.withContext(name)); };
  std::shared_ptr<Artifact> artifact(new Artifact);
  auto sections = ContainerReader(bytes).read();
  if (!sections) return in_file(sections.error());
  auto manifest_section = onlySection(*sections, TET_SECTION_MANIFEST, "manifest");
  if (!manifest_section) return in_file(manifest_section.error());
  if (*manifest_section < 0) return in_file(invalidArgument("it has no manifest section"));
  auto weights = onlySection(*sections, TET_SECTION_WEIGHTS, "weights");
  if (!weights) return in_file(weights.error());
  auto tasks = onlySection(*sections, TET_SECTION_TASKS, "tasks");
  if (!tasks) return in_file(tasks.error());

  artifact->name_ = std::move(name);
  artifact->image_ = bytes;
  artifact->owner_ = std::move(owner);
  artifact->sections_ = std::move(*sections);
  artifact->weights_ = *weights;
  artifact->tasks_ = *tasks;
  Bytes json = artifact->bytes(*manifest_section);
  auto manifest = parseManifest({reinterpret_cast<const char*>(json.data()), json.size()},
                                summarise(artifact->sections_));
  if (!manifest) return propagate(manifest.error().withContext(artifact->name_));
  artifact->manifest_ = std::move(*manifest);
  return artifact;
}

Bytes Artifact::bytes(int section) const {
  const tet_artifact_section& s = sections_[section];
  return image_.subspan(s.offset, s.bytes);
}

Bytes Artifact::weights() const { return weights_ < 0 ? Bytes() : bytes(weights_); }

std::string_view Artifact::tasks() const {
  const Bytes text = tasks_ < 0 ? Bytes() : bytes(tasks_);
  return {reinterpret_cast<const char*>(text.data()), text.size()};
}

std::string Artifact::hash() const {
  tet_artifact_header header;
  std::memcpy(&header, image_.data(), sizeof header);
  return toHex(header.hash);
}

// Header, table and manifest as one block of bytes, and where each section goes.
struct ArtifactWriter::Layout {
  std::vector<std::byte> front;  // header and table
  std::string manifest;
  std::vector<tet_artifact_section> sections;  // parts_, then the manifest
  uint64_t file_bytes = 0;

  // Calls `emit(bytes)` for the whole file in order.
  template <typename Emit>
  Status forEachPiece(const std::vector<Part>& parts, Emit emit) const {
    static const std::vector<std::byte> zeros(TET_ARTIFACT_PAGE);
    uint64_t at = front.size();
    TET_RETURN_IF_ERROR(emit(Bytes(front)));
    for (size_t i = 0; i < sections.size(); ++i) {
      Bytes body = i < parts.size() ? parts[i].bytes : std::as_bytes(std::span(manifest));
      TET_RETURN_IF_ERROR(emit(Bytes(zeros).first(sections[i].offset - at)));
      TET_RETURN_IF_ERROR(emit(body));
      at = sections[i].offset + body.size();
    }
    return {};
  }
};

int ArtifactWriter::add(uint32_t type, Bytes bytes) {
  parts_.push_back({type, bytes});
  return static_cast<int>(parts_.size()) - 1;
}
int ArtifactWriter::addWeights(Bytes bytes) { return add(TET_SECTION_WEIGHTS, bytes); }
int ArtifactWriter::addCode(Bytes bytes) { return add(TET_SECTION_CODE, bytes); }
int ArtifactWriter::addBinary(Bytes bytes) { return add(TET_SECTION_BINARY, bytes); }
int ArtifactWriter::addTasks(Bytes bytes) { return add(TET_SECTION_TASKS, bytes); }

Result<ArtifactWriter::Layout> ArtifactWriter::layOut(const Manifest& manifest) const {
  if (parts_.size() + 1 > TET_ARTIFACT_MAX_SECTIONS) {
    return invalidArgument("{} sections are too many; at most {} fit", parts_.size() + 1,
                           TET_ARTIFACT_MAX_SECTIONS);
  }
  Layout layout;
  layout.manifest = toJson(manifest);
  uint64_t table_bytes = sizeof(tet_artifact_section) * (parts_.size() + 1);
  uint64_t at = sizeof(tet_artifact_header) + table_bytes;
  auto place = [&](uint32_t type, Bytes bytes, uint64_t alignment) {
    uint64_t offset = alignUp(at, alignment);
    const uint32_t flags = type == TET_SECTION_TASKS ? 0 : TET_SECTION_REQUIRED;
    layout.sections.push_back({type, flags, offset, bytes.size(), alignment, hash128(bytes)});
    at = offset + bytes.size();
  };
  for (const Part& part : parts_) place(part.type, part.bytes, TET_ARTIFACT_PAGE);
  place(TET_SECTION_MANIFEST, std::as_bytes(std::span(layout.manifest)), 8);
  layout.file_bytes = at;
  // What is written must be readable: the same checks as on the way in.
  TET_RETURN_IF_ERROR(parseManifest(layout.manifest, summarise(layout.sections)));

  tet_artifact_header header = {};
  std::memcpy(header.magic, TET_ARTIFACT_MAGIC, sizeof header.magic);
  header.major = TET_ARTIFACT_MAJOR;
  header.minor = TET_ARTIFACT_MINOR;
  header.header_bytes = sizeof header;
  header.section_bytes = sizeof(tet_artifact_section);
  header.file_bytes = layout.file_bytes;
  header.table_offset = sizeof header;
  header.section_count = layout.sections.size();
  Bytes table = std::as_bytes(std::span(layout.sections));
  header.hash = headerHash(header, {}, table);
  layout.front.resize(sizeof header + table.size());
  std::memcpy(layout.front.data(), &header, sizeof header);
  std::memcpy(layout.front.data() + sizeof header, table.data(), table.size());
  return layout;
}

Status ArtifactWriter::write(const std::filesystem::path& path, const Manifest& manifest) const {
  auto layout = layOut(manifest);
  if (!layout) return layout.error().withContext(path.string());
  TET_ASSIGN_OR_RETURN(WholeFile file, WholeFile::create(path));
  TET_RETURN_IF_ERROR(layout->forEachPiece(parts_, [&](Bytes piece) { return file.write(piece); }));
  TET_RETURN_IF_ERROR(file.sync());
  return file.commit();
}

Result<ArtifactWriter::Image> ArtifactWriter::toImage(const Manifest& manifest) const {
  TET_ASSIGN_OR_RETURN(Layout layout, layOut(manifest));
  auto* data = static_cast<std::byte*>(
      std::aligned_alloc(TET_ARTIFACT_PAGE, alignUp(layout.file_bytes, TET_ARTIFACT_PAGE)));
  if (!data)
    return fail(StatusCode::kResourceExhausted, "no memory for an artifact of {} bytes", layout.file_bytes);
  std::shared_ptr<void> owner(data, std::free);
  uint64_t at = 0;
  TET_RETURN_IF_ERROR(layout.forEachPiece(parts_, [&](Bytes piece) -> Status {
    if (!piece.empty()) std::memcpy(data + at, piece.data(), piece.size());
    at += piece.size();
    return {};
  }));
  return Image{owner, {data, layout.file_bytes}};
}

Status rewrite(const Artifact& artifact, const std::filesystem::path& path) {
  ArtifactWriter writer;  // gives the manifest, the last section, as it writes
  for (int i = 0; i < static_cast<int>(artifact.sectionCount()); ++i) {
    if (artifact.section(i).type != TET_SECTION_MANIFEST)
      writer.add(artifact.section(i).type, artifact.bytes(i));
  }
  return writer.write(path, artifact.manifest());
}

}  // namespace tetrarch::abi
