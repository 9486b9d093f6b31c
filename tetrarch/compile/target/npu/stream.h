// Writes one instruction stream. The caller adds instructions in an order in which they could run one after
// the other; the builder finds which of them must not overlap and orders those by tokens, so that the four
// queues run ahead of each other as far as their rows and bytes allow. Reusing a buffer needs nothing but its
// address.
#pragma once

#include <array>
#include <span>
#include <vector>

#include "tetrarch/devices/npu/legality.h"

namespace tetrarch::npu {

// One thread at a time. Rows are local addresses (accAddress() for accumulator rows), strides and sizes as in
// rtl/npu/README.md. Tokens in what the caller adds are ignored.
class StreamBuilder {
 public:
  explicit StreamBuilder(const Config& config);

  // One row, or as many as `loops` make, in no particular order: at most four loops remain as such after
  // merging, the others are unrolled. DIMs are added where the queue's loops are not already so.
  void load(int64_t row, int64_t bytes, int64_t dram, std::span<const Loop> loops);
  void fill(int64_t row, int64_t bytes, int64_t value, std::span<const Loop> loops);
  void store(int64_t row, int64_t bytes, int64_t dram, std::span<const Loop> loops);
  void add(const Matmul& matmul);
  void add(const Vparam& vparam);
  void add(const Table& table);
  void add(const Vop& vop);

  size_t size() const { return steps_.size(); }

  // The stream with its tokens and HALT. The builder is of no use afterwards. Internal when an instruction is
  // not one that the processor takes.
  Result<std::vector<Instruction>> finish();

 private:
  using Ordinals = std::array<int32_t, kQueues>;  // by queue, from 1; 0: none
  struct Step {
    Instruction instruction;
    Ordinals needs = {};  // the last instruction of each queue that must be complete before
  };
  struct Shadow {
    int32_t written = 0;
    int8_t writer = 0;
    Ordinals read = {};
  };
  struct DramAccess {
    ByteRange range;
    int32_t ordinal;
  };
  struct Strides {  // of counters: tokens are sent by every so many instructions
    std::array<std::array<int32_t, kQueues>, kQueues> by;
  };

  template <typename Transfer>
  void transfer(Transfer instruction, std::span<const Loop> loops);
  template <typename Transfer>
  void emit(Transfer instruction, std::span<const Loop> loops);
  // The mask of the queue's loops that are these, set by DIMs where they are not.
  int64_t setLoops(bool of_store, std::span<const Loop> loops);

  void add(const Load& load);
  void add(const Fill& fill);
  void add(const Store& store);
  bool valid(const Instruction& instruction);
  void begin(Queue queue);
  void end(const Instruction& instruction);
  void touch(Shadow& shadow, bool write);
  void touch(const RowRange& rows, bool write);
  void touchGrid(int64_t local, int64_t n1, int64_t n0, int64_t s1, int64_t s0, bool write);
  void touchRows(int64_t local, const Loops& loops, bool write);
  void touchDram(const ByteRange& range, bool write);
  Shadow& shadow(bool in_acc, int64_t row);

  void order(const Strides& strides);
  bool tooManyTokens(Strides& strides) const;

  const Config config_;
  std::vector<Step> steps_;
  LoopState loops_;
  std::array<std::array<int64_t, kLoops>, 2> used_ = {};  // when each loop of load, store was used last
  int64_t uses_ = 0;
  Ordinals issued_ = {};
  Status error_;

  // Of the instruction that is being added.
  int queue_ = 0;
  Ordinals needs_ = {};

  std::array<std::vector<Shadow>, 2> shadows_;   // of scratchpad rows, of accumulator rows
  std::array<std::vector<DramAccess>, 2> dram_;  // by LOADs, by STOREs
  std::array<ByteRange, 2> hulls_ = {ByteRange{0, 0}, ByteRange{0, 0}};
};

}  // namespace tetrarch::npu
