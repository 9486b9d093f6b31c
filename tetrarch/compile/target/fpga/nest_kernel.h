// The strided nests of one task becoming the stages of one kernel. Private to nest_*.cpp.
#pragma once

#include <map>

#include "mlir/IR/Builders.h"
#include "tetrarch/compile/target/fpga/edge_window.h"
#include "tetrarch/compile/target/fpga/flow.h"
#include "tetrarch/compile/target/fpga/read_task.h"
#include "tetrarch/compile/target/fpga/sliding_window.h"
#include "tetrarch/compile/target/fpga/stage_loops.h"

namespace tetrarch::fpga {

// When an iteration takes an operand.
enum class When { Each, First, Last };

// A tensor, or the part of it that a run needs, on the chip.
struct OnChip {
  mlir::Value memory;
  llvm::SmallVector<mlir::Value> written;  // ends of the stages that fill it
};

// An operand as words on the chip: one for each iteration that reads others, a lane for each copy.
struct Words {
  llvm::SmallVector<int64_t> extents, strides;  // of the loops that choose the word, then of the copies
  llvm::SmallVector<size_t> lane_dims;
  int64_t words = 1, lanes = 1;
  compile::TileAccess access;  // the word's number

  int64_t elements() const { return words * lanes; }
  int64_t laneOf(const StageLoops& loops, llvm::ArrayRef<int64_t> copy) const;
  // Of element i, word by word: where it is from the operand's offset on.
  int64_t placeOf(int64_t i) const;
};

// A window whose stream is there, and then the values at its taps.
struct OpenWindow {
  SlidingWindow window;
  mlir::Value beats;
  llvm::SmallVector<int64_t> box;  // in which a beat comes
  mlir::TypedAttr padding;         // outside of it; null where it does not matter
  std::map<int64_t, mlir::Value> taps;
};

class NestKernel {
 public:
  NestKernel(const compile::Task& task, const Part& part, compile::TileNestPlan plan)
      : task_(task),
        part_(part),
        plan_(std::move(plan)),
        b_(task.block->getParentOp()->getContext()),
        loc_(b_.getUnknownLoc()) {}

  Result<mlir::OwningOpRef<mlir::ModuleOp>> build(const Fold& fold);

 private:
  // What a stage asks for the operand of one copy; null for an operand that is not used.
  using Source = std::function<mlir::Value(llvm::ArrayRef<int64_t> copy)>;

  Status choose(const Fold& fold);
  Result<bool> slideWindows(StageLoops& loops) const;
  void chooseRows(int64_t rows);
  void chooseUnits(StageLoops& loops);
  bool canBeUnit(const StageLoops& loops, size_t dim) const;

  mlir::Type elementOf(unsigned buffer) const;
  mlir::Value stream(int64_t lanes, mlir::Type element);
  mlir::Value port(bool is_output, unsigned buffer, int64_t lanes, int64_t offset,
                   llvm::ArrayRef<int64_t> unit_strides, llvm::ArrayRef<int64_t> extents,
                   llvm::ArrayRef<int64_t> strides);
  OnChip fill(mlir::Value stream, llvm::ArrayRef<int64_t> extents,
              llvm::function_ref<mlir::Value(mlir::Value popped)> value, llvm::ArrayRef<int64_t> box,
              std::string_view name, int64_t parts = 1);
  OnChip& whole(unsigned buffer);
  int64_t wordOf(const compile::TilePadding& pad) const;
  OnChip& padded(unsigned buffer, const StageLoops& loops, const compile::TileAccess& access);

  void emit(StageLoops& loops, size_t number);
  Source source(const compile::TileInput& input, const StageLoops& loops, When when);
  Source popped(const compile::TileAccess& access, const StageLoops& loops, When when);
  Source kept(const compile::TileAccess& access, const StageLoops& loops);
  Source loaded(const OnChip& place, const compile::TileAccess& access, const StageLoops& loops);
  Words wordsOf(const compile::TileAccess& access, const StageLoops& loops) const;
  std::span<const std::byte> constantOf(unsigned buffer) const;
  bool isResident(const compile::TileAccess& access, const StageLoops& loops) const;
  Source resident(const compile::TileAccess& access, const StageLoops& loops);
  mlir::Value rom(int64_t words, int64_t lanes, mlir::Type type, llvm::ArrayRef<llvm::APInt> values);
  bool keeps(const compile::TileAccess& access, const StageLoops& loops) const;
  mlir::Value affine(const compile::TileAccess& access, const StageLoops& loops, llvm::ArrayRef<int64_t> copy,
                     mlir::Type type);
  std::optional<llvm::SmallVector<int64_t>> box(const StageLoops& loops, When when) const;
  llvm::SmallVector<mlir::Value> body(const compile::TileBody& body, const StageLoops& loops, size_t which,
                                      llvm::ArrayRef<Source> inputs, llvm::ArrayRef<mlir::Value> accumulators,
                                      llvm::ArrayRef<int64_t> copy);
  bool sumsIntegers(const compile::TileNest& nest) const;
  mlir::Value gated(mlir::Value x, flow::LoadOp counts, flow::LoadOp negates, mlir::Type sum);
  mlir::Value countOf(llvm::SmallVector<flow::LoadOp> loads, mlir::Type sum);
  mlir::Value tree(llvm::SmallVector<mlir::Value> values);
  mlir::Value sum(const StageLoops& loops, llvm::ArrayRef<Source> inputs, mlir::Value start,
                  llvm::ArrayRef<int64_t> copy);
  llvm::SmallVector<mlir::Value> reduce(const StageLoops& loops, llvm::ArrayRef<Source> inputs,
                                        llvm::SmallVector<mlir::Value> values, llvm::ArrayRef<int64_t> copy);
  llvm::SmallVector<int64_t> unitStrides(const compile::TileAccess& access, const StageLoops& loops) const;
  void openWindows(const StageLoops& loops);
  void fillTaps(const StageLoops& loops);
  mlir::Value beyondEdges(const EdgeWindow& edge, const StageLoops& loops, Shifts shifts, size_t dim = 0);
  void await(const OnChip& place) { after_.append(place.written.begin(), place.written.end()); }

  const compile::Task& task_;
  const Part& part_;
  compile::TileNestPlan plan_;
  mlir::OpBuilder b_;
  mlir::Location loc_;
  std::vector<StageLoops> stages_;
  std::vector<EdgeWindow> edges_;
  bool resident_ = false;
  llvm::SmallVector<int64_t> units_;
  flow::KernelOp kernel_;
  mlir::OpBuilder::InsertPoint network_;
  llvm::DenseMap<unsigned, OnChip> on_chip_;  // by buffer
  llvm::DenseSet<unsigned> read_;             // results and temporaries that a nest reads
  llvm::SmallVector<mlir::Value> after_;      // of the stage in the making
  std::vector<OpenWindow> windows_;           // of the stage in the making
  int fills_ = 0;                             // stages that fill memories
};

}  // namespace tetrarch::fpga
