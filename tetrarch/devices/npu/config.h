// One configuration of the processor: the parameters of the RTL.
#pragma once

#include <cstdint>

#include "tetrarch/abi/npu_isa.h"

namespace tetrarch::npu {

struct Config {
  int64_t side = 16;
  Kind kind = Kind::Int8;
  int64_t sp_rows = kSpBytes / 16;
  int64_t acc_rows = kAccBytes / 64;
  int64_t latency = kDramLatency;

  // The memories at their standard sizes.
  static Config standard(int64_t side, Kind kind);

  int64_t elementBytes() const { return kind == Kind::Int8 ? 1 : 2; }
  int64_t spRowBytes() const { return side * elementBytes(); }
  int64_t accRowBytes() const { return side * 4; }
  int64_t tableRows() const { return 2 * kTableEntries / spRowBytes(); }
  int64_t vectorTail() const { return kind == Kind::Int8 ? kVectorTailInt8 : kVectorTailBf16; }
  int64_t matrixStep() const { return kind == Kind::Int8 ? kMatrixStepInt8 : kMatrixStepBf16; }
  int64_t matrixTail() const { return kind == Kind::Int8 ? kMatrixTailInt8 : kMatrixTailBf16; }
  int64_t matrixGap() const { return kind == Kind::Int8 ? kMatrixGapInt8 : kMatrixGapBf16; }
  bool operator==(const Config&) const = default;
};

// InvalidArgument for parameters that the processor does not come with.
Status check(const Config& config);

// Rows of one of the two memories, from first to last.
struct RowRange {
  bool in_acc = false;
  int64_t first = 0, last = 0;

  bool overlaps(const RowRange& other) const {
    return in_acc == other.in_acc && first <= other.last && other.first <= last;
  }
};

// A local address taken apart.
inline bool isAcc(int64_t local) { return (local & kAccBit) != 0; }
inline int64_t rowOf(int64_t local) { return local & (kAccBit - 1); }
inline int64_t accAddress(int64_t row) { return row | kAccBit; }

}  // namespace tetrarch::npu
