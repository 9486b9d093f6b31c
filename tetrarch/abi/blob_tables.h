// The tables of a code blob, read one after the other: what the readers of opencl_blob.h and npu_blob.h
// share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#include "tetrarch/base/status.h"

namespace tetrarch::abi {

// `bytes` must outlive it. Any bytes are safe to read; an error names what is missing.
class BlobTables {
 public:
  explicit BlobTables(std::span<const std::byte> bytes) : bytes_(bytes) {}

  std::span<const std::byte> bytes() const { return bytes_; }

  // The next table, of `count` rows that are plain structs.
  template <typename Row>
  Result<std::vector<Row>> table(uint64_t count, std::string_view what) {
    if (count > (bytes_.size() - at_) / sizeof(Row)) {
      return invalidArgument("the blob is too short for its {} {}", count, what);
    }
    std::vector<Row> rows(count);
    if (count > 0) std::memcpy(rows.data(), bytes_.data() + at_, count * sizeof(Row));
    at_ += count * sizeof(Row);
    return rows;
  }

  // Bytes [offset, offset + size) of the whole blob.
  Result<std::span<const std::byte>> part(uint64_t offset, uint64_t size, std::string_view what) const {
    if (offset > bytes_.size() || size > bytes_.size() - offset) {
      return invalidArgument("the blob ends before its {}", what);
    }
    return bytes_.subspan(offset, size);
  }

 private:
  std::span<const std::byte> bytes_;
  uint64_t at_ = 0;
};

}  // namespace tetrarch::abi
