// What stages of a kernel share while a unit runs: beats on their way and memories.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace tetrarch::fpga {

// A stream without a limit, beats of `lanes` elements.
class BeatQueue {
 public:
  explicit BeatQueue(uint32_t lanes = 1) : lanes_(lanes) {}

  size_t lanes() const { return lanes_; }
  size_t size() const { return (elements_.size() - head_) / lanes_; }  // in beats
  const uint64_t* front() const { return elements_.data() + head_; }
  // Room for `beats` more, at the end.
  uint64_t* grow(size_t beats) {
    if (head_ > elements_.size() / 2) {
      elements_.erase(elements_.begin(), elements_.begin() + static_cast<ptrdiff_t>(head_));
      head_ = 0;
    }
    elements_.resize(elements_.size() + beats * lanes_);
    return elements_.data() + elements_.size() - beats * lanes_;
  }
  void shrink(size_t beats) { elements_.resize(elements_.size() - beats * lanes_); }
  void pop(size_t beats) { head_ += beats * lanes_; }
  void clear() {
    elements_.clear();
    head_ = 0;
  }

 private:
  size_t lanes_, head_ = 0;
  std::vector<uint64_t> elements_;
};

struct Chip {
  std::vector<BeatQueue> streams;
  std::vector<std::vector<uint64_t>> memories;
};

}  // namespace tetrarch::fpga
