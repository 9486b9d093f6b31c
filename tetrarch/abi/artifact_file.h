// Reads and writes the container of artifact.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tetrarch/abi/artifact.h"
#include "tetrarch/abi/manifest.h"

namespace tetrarch::abi {

// XXH3 with 128 bits, as hexadecimal digits (high half first): file and task hashes.
tet_hash128 hash128(std::span<const std::byte> bytes);
std::string hexHash(std::span<const std::byte> bytes);
// The same of what a file holds, which is read piece by piece. NotFound when it cannot be read.
Result<std::string> hexHashOfFile(const std::filesystem::path& path);

// A verified artifact: sizes, ranges, hashes and manifest have been checked before the object exists.
// Immutable, any thread may read it; section bytes live as long as the object (or the memory passed to
// fromBytes).
class Artifact {
 public:
  // Maps the file. NotFound when it cannot be opened, DataLoss when it is cut short or damaged,
  // InvalidArgument when it is no artifact or its manifest makes no sense; the message names the file.
  static Result<std::shared_ptr<const Artifact>> open(const std::filesystem::path& path);
  // An image in memory, aligned to 8 bytes (to TET_ARTIFACT_PAGE for zero-copy weights); `name` stands in
  // messages. `owner` keeps the memory alive and may be null if the caller does.
  static Result<std::shared_ptr<const Artifact>> fromBytes(std::span<const std::byte> bytes, std::string name,
                                                           std::shared_ptr<void> owner = nullptr);

  const std::string& name() const { return name_; }
  const Manifest& manifest() const { return manifest_; }
  size_t sectionCount() const { return sections_.size(); }
  const tet_artifact_section& section(int index) const { return sections_[index]; }
  std::span<const std::byte> bytes(int section) const;
  // The weights section, empty if there is none. Constants lie at weights().data() + TensorEntry::offset.
  std::span<const std::byte> weights() const;
  // The tasks as MLIR text, empty if the file has none.
  std::string_view tasks() const;
  // Of everything in the file, as hexadecimal digits.
  std::string hash() const;
  uint64_t fileBytes() const { return image_.size(); }

 private:
  Artifact() = default;
  std::string name_;
  std::span<const std::byte> image_;
  std::shared_ptr<void> owner_;
  std::vector<tet_artifact_section> sections_;
  Manifest manifest_;
  int weights_ = -1, tasks_ = -1;
};

// Writes the artifact to a file, as ArtifactWriter::write does.
Status rewrite(const Artifact& artifact, const std::filesystem::path& path);

// Collects sections, then writes them. Section numbers, which the manifest refers to, are given in the order
// of the addSection calls. Not thread safe.
class ArtifactWriter {
 public:
  // Returns the section's number. The bytes are not copied and must live until the file is written.
  int addWeights(std::span<const std::byte> bytes);
  int addCode(std::span<const std::byte> bytes);
  int addBinary(std::span<const std::byte> bytes);
  int addTasks(std::span<const std::byte> bytes);
  // A section of any of these types, as when a file is written again.
  int add(uint32_t type, std::span<const std::byte> bytes);

  // Validates the manifest, then writes to a temporary file beside `path`, syncs and renames it, so that
  // `path` holds the old file or the whole new one. On an error nothing is left behind.
  Status write(const std::filesystem::path& path, const Manifest& manifest) const;
  // The same as bytes in page-aligned memory, for Artifact::fromBytes.
  struct Image {
    std::shared_ptr<void> owner;
    std::span<const std::byte> bytes;
  };
  Result<Image> toImage(const Manifest& manifest) const;

 private:
  struct Part {
    uint32_t type;
    std::span<const std::byte> bytes;
  };
  struct Layout;
  Result<Layout> layOut(const Manifest& manifest) const;

  std::vector<Part> parts_;
};

}  // namespace tetrarch::abi
