// Tasks for the vector unit: linalg.generic ops over rows and elements, read as the nodes of a vector
// program.
#include <algorithm>
#include <cstring>

#include "llvm/ADT/DenseMap.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "tetrarch/compile/target/npu/movement.h"
#include "tetrarch/compile/target/npu/npu_task.h"
#include "tetrarch/compile/target/npu/read_float.h"
#include "tetrarch/compile/target/npu/read_scalar.h"
#include "tetrarch/compile/target/npu/vector_emit.h"

namespace tetrarch::npu {
namespace {

using mlir::Value;
using Shape = llvm::ArrayRef<int64_t>;

// A stream is worth so many blocks, so that its beginning does not count.
constexpr int64_t kStreamBlocks = 64;

mlir::RankedTensorType typeOf(Value tensor) { return mlir::cast<mlir::RankedTensorType>(tensor.getType()); }
Shape shapeOf(Value tensor) { return typeOf(tensor).getShape(); }

// Where the tensors and constants of a program lie; some operands are put in order first, in the workspace.
struct VectorMemory {
  std::vector<int64_t> operands, results;
  int64_t constants = 0;
  std::vector<MovementPlan> movements;
};

class VectorEmitter : public TaskEmitter {
 public:
  VectorEmitter(const Config& config, VectorPlan plan, VectorMemory memory)
      : config_(config), plan_(std::move(plan)), memory_(std::move(memory)) {}

  bool needsReset() const override { return true; }
  // What is moved is moved once, by the stream that reads it.
  TaskUnits units() const override {
    if (!memory_.movements.empty()) return {};
    return {.units = plan_.blocks(), .granularity = std::min(plan_.blocks(), kStreamBlocks)};
  }
  Status emit(int64_t begin, int64_t end, StreamBuilder& builder) const override {
    if (!memory_.movements.empty()) begin = 0, end = plan_.blocks();
    for (const MovementPlan& movement : memory_.movements) {
      for (int64_t piece = 0; piece < movement.pieces(); ++piece)
        movement.emit(piece, piece % kMovementSlots, builder);
    }
    emitVector(config_, plan_, {memory_.operands, memory_.results, memory_.constants}, begin, end, builder);
    return {};
  }

 private:
  const Config config_;
  const VectorPlan plan_;
  const VectorMemory memory_;
};

class Reader : public ScalarContext {
 public:
  Reader(const compile::Task& task, const Config& config, TaskMemory& memory)
      : task_(task), config_(config), memory_(memory) {
    program_.floats = config.kind == Kind::Bf16;
  }

  Result<std::unique_ptr<TaskEmitter>> run();

 private:
  // What a map of an operand makes of it in a loop nest of these extents; nothing for other maps.
  std::optional<Extent> extentOf(mlir::AffineMap map, Shape loops) const;
  Status readGeneric(mlir::linalg::GenericOp op);
  Status readReduction(mlir::linalg::GenericOp op, BodyReader& reader);
  std::unique_ptr<BodyReader> readerOfBody();
  int nodeOfWidth(int index, int64_t bytes);
  Result<int> nodeOf(Value tensor, Extent extent);
  // An operand that is read in another order, or again and again.
  Result<int> movedInputOf(Value tensor, mlir::AffineMap map);
  Result<int> inputOf(mlir::BlockArgument argument, Extent extent);
  bool isNumber(Value tensor) const {
    auto argument = mlir::dyn_cast<mlir::BlockArgument>(tensor);
    return program_.floats && argument && typeOf(tensor).getNumElements() == 1 &&
           !constantOf(argument.getArgNumber()).empty();
  }
  Result<int> floatInputOf(mlir::BlockArgument argument, Extent extent);
  static Result<std::vector<int32_t>> numbersOf(std::span<const std::byte> bytes, unsigned bits);
  Result<int> tableOf(Value tensor) override;
  VectorProgram& program() override { return program_; }

  std::span<const std::byte> constantOf(unsigned argument) const {
    return argument < task_.constants.size() ? task_.constants[argument] : std::span<const std::byte>();
  }
  int addOperand(std::span<const std::byte> bytes) { return addOperand(memory_.addConstant(bytes)); }
  int addOperand(int64_t address) {
    lie_.operands.push_back(address);
    return static_cast<int>(lie_.operands.size()) - 1;
  }

  const compile::Task& task_;
  const Config& config_;
  TaskMemory& memory_;
  VectorProgram program_;
  llvm::SmallVector<int64_t> shape_;
  VectorMemory lie_;
  llvm::DenseMap<Value, int> nodes_;                            // of tensors computed here
  llvm::DenseMap<std::pair<Value, int>, int> inputs_, tables_;  // and of operands, by extent
};

// The number that a reduction begins with.
std::optional<int64_t> startOf(Value value) {
  mlir::Attribute number;
  if (!mlir::matchPattern(value, mlir::m_Constant(&number))) return std::nullopt;
  return mlir::isa<mlir::FloatAttr>(number) ? floatConstant(number) : constantNumber(value);
}

// Ops without a meaning of their own here.
bool isPassive(mlir::Operation& op) {
  return mlir::isa<mlir::tensor::EmptyOp, mlir::linalg::FillOp>(op) ||
         op.hasTrait<mlir::OpTrait::ConstantLike>() || op.hasTrait<mlir::OpTrait::IsTerminator>();
}

bool isVectorTask(const compile::Task& task) {
  bool computes = false;
  for (mlir::Operation& op : *task.block) {
    if (auto generic = mlir::dyn_cast<mlir::linalg::GenericOp>(op)) {
      computes = true;
      // Reductions of the last dimension alone; windows and products are others' work.
      if (generic.getNumReductionLoops() > 1) return false;
    } else if (!isPassive(op)) {
      return false;
    }
  }
  return computes;
}

Result<std::unique_ptr<TaskEmitter>> Reader::run() {
  for (size_t i = 0; i < task_.block->getNumArguments(); ++i) addOperand(memory_.operand(i));
  mlir::Operation* yield = task_.block->getTerminator();
  shape_.assign(shapeOf(yield->getOperand(0)));
  if (shape_.empty()) return propagate(unimplemented("a result without dimensions"));
  program_.columns = shape_.back();
  program_.rows = 1;
  for (int64_t extent : Shape(shape_).drop_back()) program_.rows *= extent;
  if (program_.rows * program_.columns == 0) return propagate(unimplemented("a result without elements"));
  for (mlir::Operation& op : *task_.block) {
    if (auto generic = mlir::dyn_cast<mlir::linalg::GenericOp>(op)) TET_RETURN_IF_ERROR(readGeneric(generic));
  }
  for (size_t i = 0; i < yield->getNumOperands(); ++i) {
    Value result = yield->getOperand(i);
    auto node = nodes_.find(result);
    if (node == nodes_.end() || shapeOf(result) != Shape(shape_))
      return propagate(unimplemented("result {} is of another shape, or an operand", i));
    const unsigned bits = typeOf(result).getElementTypeBitWidth();
    if (bits != (program_.floats ? 16 : 8) && bits != 32)
      return propagate(unimplemented("result {} has {} bits", i, bits));
    program_.results.push_back({nodeOfWidth(node->second, bits / 8), bits / 8});
    lie_.results.push_back(memory_.result(i));
  }
  program_.foldMoves();
  const std::vector<std::byte> constants = constantsOf(program_, config_.side);
  if (!constants.empty()) lie_.constants = memory_.addConstant(constants);
  TET_ASSIGN_OR_RETURN(VectorPlan plan, planVector(config_, std::move(program_)));
  return std::unique_ptr<TaskEmitter>(
      std::make_unique<VectorEmitter>(config_, std::move(plan), std::move(lie_)));
}

std::unique_ptr<BodyReader> Reader::readerOfBody() {
  if (program_.floats) return std::make_unique<FloatReader>(program_);
  return std::make_unique<ScalarReader>(*this);
}

std::optional<Extent> Reader::extentOf(mlir::AffineMap map, Shape loops) const {
  // The operand's dimensions as loops; a dimension of one element may be read at 0.
  auto isLoop = [&](unsigned result, unsigned loop) {
    auto dim = mlir::dyn_cast<mlir::AffineDimExpr>(map.getResult(result));
    return dim ? dim.getPosition() == loop : loops[loop] == 1;
  };
  auto isPrefix = [&](unsigned count) {
    if (map.getNumResults() != count) return false;
    for (unsigned i = 0; i < count; ++i) {
      if (!isLoop(i, i)) return false;
    }
    return true;
  };
  const unsigned rank = shape_.size();
  if (loops == Shape(shape_) && isPrefix(rank)) return Extent::Element;
  if (map.getNumResults() == 0) return rank == 1 ? Extent::Row : Extent::One;
  if (loops == Shape(shape_) && map.getNumResults() == 1 && rank > 1 && isLoop(0, rank - 1))
    return Extent::Column;
  const bool of_rows = loops == Shape(shape_) || loops == Shape(shape_).drop_back();
  return of_rows && isPrefix(rank - 1) ? std::optional(Extent::Row) : std::nullopt;
}

Status Reader::readGeneric(mlir::linalg::GenericOp op) {
  llvm::SmallVector<int64_t> loops = op.getStaticLoopRanges();
  const bool of_elements = Shape(loops) == Shape(shape_);
  if (!of_elements && Shape(loops) != Shape(shape_).drop_back())
    return unimplemented("loops of another shape than the result's");
  const std::unique_ptr<BodyReader> reader = readerOfBody();
  for (mlir::OpOperand* input : op.getDpsInputOperands()) {
    const mlir::AffineMap map = op.getMatchingIndexingMap(input);
    const auto extent = isNumber(input->get()) ? Extent::One : extentOf(map, loops);
    Value argument = op.getMatchingBlockArgument(input);
    if (argument.use_empty()) continue;
    const bool is_operand = mlir::isa<mlir::BlockArgument>(input->get());
    const bool moves = !extent || (*extent == Extent::Row && is_operand);
    if (moves && (!is_operand || !of_elements))
      return unimplemented("a tensor is neither read as it lies nor by row or column");
    TET_ASSIGN_OR_RETURN(const int node,
                         moves ? movedInputOf(input->get(), map) : nodeOf(input->get(), *extent));
    reader->bind(argument, node);
  }
  if (op.getNumReductionLoops() != 0) return readReduction(op, *reader);
  mlir::Operation* yield = op.getBody()->getTerminator();
  for (size_t i = 0; i < yield->getNumOperands(); ++i) {
    if (!op.getMatchingIndexingMap(op.getDpsInitOperand(i)).isIdentity())
      return unimplemented("a transposed result");
    TET_ASSIGN_OR_RETURN(const int node, reader->read(yield->getOperand(i)));
    // What repeats a row's or column's number is an element all the same.
    const Extent expected = of_elements ? Extent::Element : Extent::Row;
    if (program_.nodes[node].extent != expected)
      return unimplemented("a result that is the same along a dimension");
    nodes_[op.getResult(i)] = node;
  }
  return {};
}

// out = out + x or max(out, x) along the last dimension, from the neutral element.
Status Reader::readReduction(mlir::linalg::GenericOp op, BodyReader& reader) {
  const auto kinds = op.getIteratorTypesArray();
  if (op.getNumResults() != 1 || kinds.back() != mlir::utils::IteratorType::reduction)
    return unimplemented("a reduction of another dimension than the last");
  Value yielded = op.getBody()->getTerminator()->getOperand(0);
  mlir::Operation* combiner = yielded.getDefiningOp();
  const bool sums = mlir::isa_and_nonnull<mlir::arith::AddIOp, mlir::arith::AddFOp>(combiner);
  const bool finds_most = mlir::isa_and_nonnull<mlir::arith::MaxSIOp, mlir::arith::MaximumFOp>(combiner);
  const bool is_known = program_.floats ? yielded.getType().isF32() : yielded.getType().isInteger(32);
  if ((!sums && !finds_most) || !is_known)
    return unimplemented("a reduction that is no sum or maximum of 32 bits");
  Value out = op.getMatchingBlockArgument(op.getDpsInitOperand(0));
  const unsigned of_out = combiner->getOperand(0) == out ? 0 : 1;
  auto fill = op.getDpsInitOperand(0)->get().getDefiningOp<mlir::linalg::FillOp>();
  auto start = fill ? startOf(fill.value()) : std::nullopt;
  const int64_t least = program_.floats ? int64_t{kLeast.value} : INT32_MIN;
  if (combiner->getOperand(of_out) != out || start != (sums ? 0 : least))
    return unimplemented("a reduction that begins with another number than its neutral one");
  TET_ASSIGN_OR_RETURN(const int node, reader.read(combiner->getOperand(1 - of_out)));
  if (program_.nodes[node].extent != Extent::Element) return unimplemented("a reduction of equal numbers");
  nodes_[op.getResult(0)] = program_.reduceRow(sums ? VectorKind::RowSum : VectorKind::RowMax, node);
  return {};
}

// A node lies on the chip in one width: the same number in another one passes the vector unit.
int Reader::nodeOfWidth(int index, int64_t bytes) {
  const VectorNode& n = program_.nodes[index];
  if (program_.floats && n.narrow == (bytes == 2)) return index;
  if (program_.floats) return program_.move(index, bytes == 2);
  const bool has_other = (n.kind == VectorKind::Input && n.bytes != bytes) ||
                         std::ranges::any_of(program_.results, [&](const VectorProgram::Result& result) {
                           return result.node == index && result.bytes != bytes;
                         });
  return has_other ? program_.shift(index, 0) : index;
}

Result<int> Reader::nodeOf(Value tensor, Extent extent) {
  if (auto argument = mlir::dyn_cast<mlir::BlockArgument>(tensor)) return inputOf(argument, extent);
  auto node = nodes_.find(tensor);
  if (node == nodes_.end() || program_.nodes[node->second].extent != extent)
    return propagate(unimplemented("a value computed in the task is read in another shape"));
  return node->second;
}

Result<int> Reader::movedInputOf(Value tensor, mlir::AffineMap map) {
  const int64_t bytes = typeOf(tensor).getElementTypeBitWidth() / 8;
  if (bytes != 4 && bytes != config_.elementBytes())
    return propagate(unimplemented("an operand of {} bytes in another order", bytes));
  Movement movement{.bytes = bytes,
                    .from = memory_.operand(mlir::cast<mlir::BlockArgument>(tensor).getArgNumber())};
  int64_t stride = bytes;
  for (int64_t extent : llvm::reverse(shape_)) {
    movement.loops.insert(movement.loops.begin(), {.count = extent, .to = stride});
    stride *= extent;
  }
  int64_t from = bytes;
  for (unsigned i = map.getNumResults(); i-- > 0;) {
    if (auto dim = mlir::dyn_cast<mlir::AffineDimExpr>(map.getResult(i))) {
      movement.loops[dim.getPosition()].from += from;
    } else if (auto constant = mlir::dyn_cast<mlir::AffineConstantExpr>(map.getResult(i))) {
      movement.from += constant.getValue() * from;
    } else {
      return propagate(unimplemented("an operand is read at a sum of indices"));
    }
    from *= shapeOf(tensor)[i];
  }
  while (!movement.loops.empty() && movement.loops.back().from == movement.bytes) {
    movement.bytes *= movement.loops.back().count;
    movement.loops.pop_back();
  }
  const int buffer = addOperand(movement.to = memory_.addWorkspace(stride));
  for (Movement& rows : cutRows(config_, movement)) lie_.movements.emplace_back(config_, std::move(rows));
  return program_.input(buffer, bytes, Extent::Element);
}

Result<int> Reader::inputOf(mlir::BlockArgument argument, Extent extent) {
  if (extent == Extent::Row || (extent == Extent::One && !program_.floats))
    return propagate(unimplemented("an operand has one number for each row"));
  auto [known, is_new] = inputs_.try_emplace({argument, static_cast<int>(extent)}, -1);
  if (!is_new) return known->second;
  if (program_.floats) {
    TET_ASSIGN_OR_RETURN(known->second, floatInputOf(argument, extent));
    return known->second;
  }
  const unsigned bits = typeOf(argument).getElementTypeBitWidth();
  if (!typeOf(argument).getElementType().isInteger()) return propagate(unimplemented("an operand of floats"));
  const std::span<const std::byte> bytes = constantOf(argument.getArgNumber());
  const bool is_stored = bits == 8 || bits == 32;
  if (bytes.empty() && !is_stored)
    return propagate(unimplemented("an operand of {} bits that is no constant", bits));
  if (bytes.empty()) {
    return known->second = program_.input(static_cast<int>(argument.getArgNumber()), bits / 8, extent);
  }
  TET_ASSIGN_OR_RETURN(const std::vector<int32_t> words, numbersOf(bytes, bits));
  const int buffer =
      is_stored ? static_cast<int>(argument.getArgNumber()) : addOperand(std::as_bytes(std::span(words)));
  const int node = program_.input(buffer, bits == 8 ? 1 : 4, extent);
  const auto [low, high] = std::ranges::minmax(words);
  program_.nodes[node].low = low;
  program_.nodes[node].high = high;
  return known->second = node;
}

Result<int> Reader::floatInputOf(mlir::BlockArgument argument, Extent extent) {
  const mlir::Type element = typeOf(argument).getElementType();
  if (!element.isF32() && !element.isBF16())
    return propagate(unimplemented("an operand of other numbers than bf16 and f32"));
  const int64_t bytes = element.isF32() ? 4 : 2;
  if (extent != Extent::One) return program_.input(static_cast<int>(argument.getArgNumber()), bytes, extent);
  const std::span<const std::byte> number = constantOf(argument.getArgNumber());
  if (number.size() != static_cast<size_t>(bytes))
    return propagate(unimplemented("an operand of one number that is no constant"));
  uint32_t word = 0;
  std::memcpy(reinterpret_cast<std::byte*>(&word) + 4 - bytes, number.data(), bytes);
  return program_.constant(word);
}

// A constant's numbers, of 8 to 64 bits, none of them more than 32.
Result<std::vector<int32_t>> Reader::numbersOf(std::span<const std::byte> bytes, unsigned bits) {
  std::vector<int32_t> words;
  for (size_t at = 0; at < bytes.size(); at += bits / 8) {
    uint64_t raw = 0;
    std::memcpy(&raw, bytes.data() + at, bits / 8);
    const int64_t number = static_cast<int64_t>(raw << (64 - bits)) >> (64 - bits);
    if (number != static_cast<int32_t>(number))
      return propagate(unimplemented("a constant of more than 32 bits"));
    words.push_back(static_cast<int32_t>(number));
  }
  return words;
}

// A table of 16-bit entries as it is, of bytes widened.
Result<int> Reader::tableOf(Value tensor) {
  auto argument = mlir::dyn_cast<mlir::BlockArgument>(tensor);
  if (!argument || shapeOf(tensor) != Shape({kTableEntries}))
    return propagate(unimplemented("a table that is no operand of {} entries", kTableEntries));
  const unsigned bits = typeOf(tensor).getElementTypeBitWidth();
  if (bits == 16) return static_cast<int>(argument.getArgNumber());
  const std::span<const std::byte> bytes = constantOf(argument.getArgNumber());
  if (bits != 8 || bytes.empty())
    return propagate(unimplemented("a table of {} bits that is no constant", bits));
  auto [known, is_new] = tables_.try_emplace({argument, 0}, -1);
  if (!is_new) return known->second;
  std::vector<int16_t> entries;
  for (std::byte byte : bytes) entries.push_back(static_cast<int8_t>(byte));
  return known->second = addOperand(std::as_bytes(std::span(entries)));
}

}  // namespace

Result<std::unique_ptr<TaskEmitter>> readVector(const compile::Task& task, const Config& config,
                                                TaskMemory& memory) {
  if (!isVectorTask(task)) return std::unique_ptr<TaskEmitter>();
  return Reader(task, config, memory).run();
}

}  // namespace tetrarch::npu
