// Runs the iterations of one nest, a block of them node by node: what does not go from iteration to iteration
// is evaluated for the whole block at once.
#pragma once

#include <map>

#include "tetrarch/abi/fpga_program.h"
#include "tetrarch/devices/fpga/chip.h"
#include "tetrarch/devices/fpga/evaluate.h"
#include "tetrarch/devices/fpga/walk.h"

namespace tetrarch::fpga {

class NestRunner {
 public:
  // REQUIRES: verify() accepts the kernel, which outlives this.
  NestRunner(const Kernel& kernel, const Nest& nest);

  void reset();
  bool isDone() const { return odometer_.left() == 0; }
  // Runs iterations as long as there are beats for them and each stream that it gives to holds fewer than
  // `limit` beats. Whether any ran.
  bool advance(Chip& chip, size_t limit);

 private:
  using Values = std::vector<uint64_t>;

  // Iterations inside of a box, as ones in a block; which[] null: all of them.
  struct Mask {
    struct Side {
      size_t loop;
      uint64_t low, size;
    };
    std::vector<Side> sides;  // of the loops that it restricts
    Values ones;
  };
  struct Taken {  // from a stream
    uint32_t stream;
    std::vector<size_t> masks;   // disjoint
    std::vector<uint32_t> beat;  // of each iteration its place in the queue
    size_t beats = 0;            // of the block
  };
  struct Given {  // to a stream
    uint32_t stream;
    std::vector<size_t> outputs, masks;
  };
  // What a Delay remembers, the oldest at `at`.
  struct History {
    Values values;
    size_t at = 0;
  };

  size_t maskOf(const Box& full);
  void planSteps();
  void planFolds();
  const uint64_t* onesOf(size_t mask) const {
    return masks_[mask].sides.empty() ? nullptr : masks_[mask].ones.data();
  }
  uint64_t* valuesOf(size_t node) { return values_.data() + node * block_; }

  size_t prepare(const Chip& chip, size_t count);
  void fillMasks(size_t count);
  size_t countBeats(const Chip& chip, Taken& taken, size_t count) const;
  void evaluate(Chip& chip, size_t node, size_t begin, size_t count);
  void pop(const Chip& chip, size_t node, size_t count);
  void load(const Chip& chip, size_t node, size_t begin, size_t count);
  void delay(size_t node, size_t begin, size_t count);
  void readCells(size_t node, size_t begin, size_t count);
  void writeCells(size_t begin, size_t count);
  void runSerial(Chip& chip, size_t count);
  void store(Chip& chip, size_t output, size_t begin, size_t count);
  void give(Chip& chip, const Given& given, size_t count);

  const Kernel& kernel_;
  const Nest& nest_;
  const std::vector<int64_t> extents_;
  size_t block_;
  Odometer odometer_;
  std::vector<uint8_t> levels_;
  Values values_;  // block_ for each node
  std::vector<Applied> operators_;
  std::map<size_t, Walker> affine_;         // nodes
  std::map<size_t, Walker> index_walkers_;  // loops that a box restricts
  std::map<size_t, Values> indices_;
  std::vector<Mask> masks_;
  std::map<size_t, size_t> node_masks_;  // Pop, Inside
  std::vector<size_t> output_masks_;
  std::vector<Taken> taken_;
  std::map<size_t, size_t> taken_of_;  // Pop
  std::vector<Given> given_;
  std::vector<History> histories_;
  std::map<size_t, size_t> history_of_;  // Delay

  std::vector<size_t> before_, serial_, behind_;  // nodes by when they are evaluated
  std::vector<size_t> serial_stores_, stores_;    // outputs
  size_t chunk_ = 1;                              // iterations at once of the serial nodes
  struct FoldPlan {
    size_t acc, update, other;  // nodes
    bool cell_is_x;
  };
  std::vector<FoldPlan> folds_;  // instead of the serial nodes, when they are no more than that
  size_t first_mask_ = 0;
  size_t cell_count_ = 1;
  Walker cell_walker_;
  Values cell_index_;
  std::vector<Values> cells_;  // of each accumulator
};

}  // namespace tetrarch::fpga
