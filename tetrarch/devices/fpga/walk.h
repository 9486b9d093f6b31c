// Row-major counting over loops, a block of iterations at a time: what is affine in the indices goes from one
// iteration to the next by a step that depends only on which loop goes on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace tetrarch::fpga {

class Odometer {
 public:
  explicit Odometer(std::vector<int64_t> extents);

  int64_t size() const { return size_; }
  int64_t at() const { return at_; }
  int64_t left() const { return size_ - at_; }
  void reset() { moveTo(0); }
  void advance(size_t count) { moveTo(at_ + static_cast<int64_t>(count)); }

  // For each of the next `count` iterations the loop that goes on behind it. REQUIRES: count <= left().
  void levels(size_t count, uint8_t* out) const;

 private:
  void moveTo(int64_t iteration);

  std::vector<int64_t> extents_, digits_;
  int64_t size_ = 1, at_ = 0;
};

// first + sum of index * stride over an Odometer's loops, modulo 2^64.
class Walker {
 public:
  Walker(const std::vector<int64_t>& extents, int64_t first, const std::vector<int64_t>& strides);

  void reset() { value_ = first_; }
  // Values of the iterations that `levels` is about, each cut to the bits in `mask`; goes behind them.
  void walk(size_t count, const uint8_t* levels, uint64_t mask, uint64_t* out) {
    value_ = go(count, levels, mask, out);
  }
  // The same without going on.
  void peek(size_t count, const uint8_t* levels, uint64_t* out) const {
    go(count, levels, ~uint64_t{0}, out);
  }

 private:
  uint64_t go(size_t count, const uint8_t* levels, uint64_t mask, uint64_t* out) const;

  std::vector<uint64_t> steps_;
  uint64_t first_, value_;
};

}  // namespace tetrarch::fpga
