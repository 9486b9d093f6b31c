// From linalg on tensors to strided nests.
#include <numeric>

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/STLExtras.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/AffineExpr.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/OpDefinition.h"
#include "tetrarch/compile/tile/emit.h"

namespace tetrarch::compile {
namespace {

using llvm::SmallVector;
using mlir::AffineExpr;
using mlir::AffineExprKind;
using mlir::RankedTensorType;
using mlir::Value;

SmallVector<int64_t> rowMajorStrides(llvm::ArrayRef<int64_t> shape) {
  SmallVector<int64_t> strides(shape.size(), 1);
  for (int64_t i = static_cast<int64_t>(shape.size()) - 2; i >= 0; --i)
    strides[i] = strides[i + 1] * shape[i + 1];
  return strides;
}

// Adds `expr * scale` to the access, if it is linear in the dims.
bool addLinear(AffineExpr expr, int64_t scale, TileAccess& access) {
  switch (expr.getKind()) {
    case AffineExprKind::Constant:
      access.offset += scale * mlir::cast<mlir::AffineConstantExpr>(expr).getValue();
      return true;
    case AffineExprKind::DimId:
      access.strides[mlir::cast<mlir::AffineDimExpr>(expr).getPosition()] += scale;
      return true;
    case AffineExprKind::Add: {
      auto sum = mlir::cast<mlir::AffineBinaryOpExpr>(expr);
      return addLinear(sum.getLHS(), scale, access) && addLinear(sum.getRHS(), scale, access);
    }
    case AffineExprKind::Mul: {
      auto product = mlir::cast<mlir::AffineBinaryOpExpr>(expr);
      auto factor = mlir::dyn_cast<mlir::AffineConstantExpr>(product.getRHS());
      return factor && addLinear(product.getLHS(), scale * factor.getValue(), access);
    }
    default:
      return false;
  }
}

// d when `expr` is `d <kind> kPanel`.
int panelDim(AffineExpr expr, AffineExprKind kind) {
  if (expr.getKind() != kind) return -1;
  auto binary = mlir::cast<mlir::AffineBinaryOpExpr>(expr);
  auto dim = mlir::dyn_cast<mlir::AffineDimExpr>(binary.getLHS());
  auto size = mlir::dyn_cast<mlir::AffineConstantExpr>(binary.getRHS());
  return dim && size && size.getValue() == kPanel ? static_cast<int>(dim.getPosition()) : -1;
}

// Where a tensor lies in a buffer.
struct Placement {
  unsigned buffer;
  SmallVector<int64_t> strides;
  int64_t offset = 0;

  static Placement whole(unsigned buffer, RankedTensorType type) {
    return {buffer, rowMajorStrides(type.getShape())};
  }
  // Whether the tensor is all of the buffer, in order.
  bool isWhole(RankedTensorType type) const {
    return offset == 0 && strides == rowMajorStrides(type.getShape());
  }
};

// The access of a tensor through `map`, before dims are put in order.
std::optional<TileAccess> readAccess(mlir::AffineMap map, const Placement& placement) {
  TileAccess access;
  access.buffer = placement.buffer;
  access.offset = placement.offset;
  access.strides.assign(map.getNumDims(), 0);
  const SmallVector<int64_t>& strides = placement.strides;
  for (auto [position, expr] : llvm::enumerate(map.getResults())) {
    if (addLinear(expr, strides[position], access)) continue;
    const int low = panelDim(expr, AffineExprKind::Mod);
    if (low >= 0 && position + 1 == map.getNumResults() && access.panel_dim == low) continue;
    const int high = panelDim(expr, AffineExprKind::FloorDiv);
    if (high < 0 || access.panel_dim >= 0) return std::nullopt;
    access.panel_dim = high;
    access.panel_stride = strides[position];
  }
  if (access.panel_dim >= 0) access.strides[access.panel_dim] = 1;
  return access;
}

Status notANest(std::string_view why) {
  return unimplemented("the task is not a chain of strided loop nests: {}", why);
}

class Reader {
 public:
  explicit Reader(mlir::Block& block) : block_(block) {}

  Result<TileNestPlan> read();

 private:
  Status readOp(mlir::Operation& op);
  Status readLinalg(mlir::linalg::LinalgOp op);
  Status readPad(mlir::tensor::PadOp op);
  Status readReshape(mlir::Operation& op);
  Status readSlice(mlir::tensor::ExtractSliceOp op);
  Status nameResults(mlir::Operation& terminator);
  Status nameBoxes(mlir::tensor::InsertSliceOp last, unsigned buffer);
  Status checkMosaic() const;
  Status checkBody(mlir::Block& body);
  Result<TileInput> readOperand(mlir::OpOperand& operand, mlir::linalg::LinalgOp op);
  Result<TileBody> readBody(mlir::linalg::LinalgOp op, Value accumulator);
  Result<TileAccess> accessOf(Value tensor, mlir::AffineMap map);
  unsigned addBuffer(TileBuffer::Kind kind, unsigned index, RankedTensorType type);
  bool fuseAsEpilogue(mlir::linalg::LinalgOp op);
  Status addOutputs(TileNest& nest, mlir::linalg::LinalgOp op);
  Status orderDims(TileNest& nest, mlir::linalg::LinalgOp op);
  Status findRows();

  mlir::Block& block_;
  TileNestPlan plan_;
  llvm::DenseMap<Value, Placement> place_of_;  // of what is in memory, or will be
  std::vector<mlir::linalg::LinalgOp> ops_;    // that wrote each nest's outputs
};

RankedTensorType tensorType(Value value) { return mlir::dyn_cast<RankedTensorType>(value.getType()); }

unsigned Reader::addBuffer(TileBuffer::Kind kind, unsigned index, RankedTensorType type) {
  plan_.buffers.push_back({kind, index, type.getElementType(), type.getNumElements()});
  return plan_.buffers.size() - 1;
}

Result<TileNestPlan> Reader::read() {
  for (auto [i, argument] : llvm::enumerate(block_.getArguments())) {
    auto type = tensorType(argument);
    if (!type || !type.hasStaticShape()) return propagate(notANest("an operand has no static shape"));
    if (type.getNumElements() == 0) return propagate(notANest("a tensor has no elements"));
    place_of_[argument] = Placement::whole(addBuffer(TileBuffer::Kind::kOperand, i, type), type);
  }
  plan_.operands = block_.getNumArguments();
  TET_RETURN_IF_ERROR(nameResults(*block_.getTerminator()));
  for (mlir::Operation& op : block_.without_terminator()) TET_RETURN_IF_ERROR(readOp(op));
  if (plan_.nests.empty()) return propagate(notANest("it computes nothing"));
  TET_RETURN_IF_ERROR(plan_.mosaic ? checkMosaic() : findRows());
  return std::move(plan_);
}

// --- boxes
// ----------------------------------------------------------------------------------------------------------

// A part of a result: offset and size along each dim.
struct Box {
  llvm::ArrayRef<int64_t> offsets, sizes;

  int64_t count() const {
    return std::accumulate(sizes.begin(), sizes.end(), int64_t{1}, std::multiplies<>());
  }
  bool overlaps(const Box& other) const {
    for (auto [a, m, b, n] : llvm::zip(offsets, sizes, other.offsets, other.sizes)) {
      if (a + m <= b || b + n <= a) return false;
    }
    return true;
  }
};

// A tensor that is put together by insert_slice: each part is written where it belongs. The boxes must cover
// the result and not overlap.
Status Reader::nameBoxes(mlir::tensor::InsertSliceOp last, unsigned buffer) {
  const SmallVector<int64_t> strides = rowMajorStrides(last.getType().getShape());
  SmallVector<Box> boxes;
  int64_t covered = 0;
  for (mlir::tensor::InsertSliceOp insert = last; insert;) {
    const Box box{insert.getStaticOffsets(), insert.getStaticSizes()};
    Value part = insert.getSource();
    const bool is_plain = insert.getOffsets().empty() && insert.getSizes().empty() &&
                          insert.getStrides().empty() &&
                          llvm::all_of(insert.getStaticStrides(), [](int64_t stride) { return stride == 1; });
    if (!is_plain || insert.getSourceType().getShape() != box.sizes || box.count() == 0)
      return notANest("a slice that is no box");
    if (!mlir::isa_and_nonnull<mlir::linalg::LinalgOp>(part.getDefiningOp()) || !part.hasOneUse())
      return notANest("a box that has another reader or is not computed by a linalg op");
    if (llvm::any_of(boxes, [&](const Box& other) { return other.overlaps(box); }))
      return notANest("boxes that overlap");
    boxes.push_back(box);
    covered += box.count();
    const int64_t offset =
        std::inner_product(box.offsets.begin(), box.offsets.end(), strides.begin(), int64_t{0});
    place_of_[part] = {buffer, strides, offset};
    mlir::Operation* rest = insert.getDest().getDefiningOp();
    insert = mlir::dyn_cast_if_present<mlir::tensor::InsertSliceOp>(rest);
    if (!insert && !mlir::isa_and_nonnull<mlir::tensor::EmptyOp>(rest))
      return notANest("a slice written into something that exists");
    if (insert && !insert->hasOneUse()) return notANest("a result in the making that is read");
  }
  if (covered != last.getType().getNumElements()) return notANest("boxes that do not cover the result");
  plan_.mosaic = true;
  return {};
}

Status Reader::checkMosaic() const {
  if (!plan_.pads.empty()) return notANest("padding beside boxes");
  for (const TileNest& nest : plan_.nests) {
    bool reads_operands = true;
    for (const TileInput& input : nest.body.inputs) {
      auto* access = std::get_if<TileAccess>(&input);
      reads_operands &= !access || plan_.buffers[access->buffer].kind == TileBuffer::Kind::kOperand;
    }
    for (const TileAccess& output : nest.outputs) {
      reads_operands &= plan_.buffers[output.buffer].kind == TileBuffer::Kind::kResult;
    }
    if (nest.reduces() || !reads_operands) return notANest("boxes that are more than elementwise");
  }
  return {};
}

// --- ops
// ------------------------------------------------------------------------------------------------------------

// Results, and what they reshape, are written where the caller wants them; all else is temporary.
Status Reader::nameResults(mlir::Operation& terminator) {
  plan_.results = terminator.getNumOperands();
  for (auto [i, value] : llvm::enumerate(terminator.getOperands())) {
    auto type = tensorType(value);
    if (!type || !type.hasStaticShape() || type.getNumElements() == 0)
      return notANest("a result has no elements");
    const unsigned buffer = addBuffer(TileBuffer::Kind::kResult, i, type);
    while (mlir::isa_and_nonnull<mlir::tensor::ExpandShapeOp, mlir::tensor::CollapseShapeOp>(
        value.getDefiningOp())) {
      if (!place_of_.try_emplace(value, Placement::whole(buffer, tensorType(value))).second)
        return notANest("one value is returned twice");
      value = value.getDefiningOp()->getOperand(0);
    }
    if (auto insert = value.getDefiningOp<mlir::tensor::InsertSliceOp>()) {
      TET_RETURN_IF_ERROR(nameBoxes(insert, buffer));
    } else if (!mlir::isa_and_nonnull<mlir::linalg::LinalgOp>(value.getDefiningOp())) {
      return notANest("a result is not computed by a linalg op");
    }
    if (!place_of_.try_emplace(value, Placement::whole(buffer, tensorType(value))).second)
      return notANest("one value is returned twice");
  }
  return {};
}

Status Reader::readOp(mlir::Operation& op) {
  if (mlir::isa<mlir::arith::ConstantOp, mlir::tensor::EmptyOp>(op)) return {};
  if (auto insert = mlir::dyn_cast<mlir::tensor::InsertSliceOp>(op);
      insert && place_of_.contains(insert.getSource()))
    return {};
  if (auto fill = mlir::dyn_cast<mlir::linalg::FillOp>(op)) {
    // A reduction's init needs no code of its own.
    const bool only_init = llvm::all_of(fill->getUses(), [](mlir::OpOperand& use) {
      auto user = mlir::dyn_cast<mlir::linalg::LinalgOp>(use.getOwner());
      return user && user.isDpsInit(&use);
    });
    if (only_init && !fill->use_empty()) return {};
  }
  if (auto linalg = mlir::dyn_cast<mlir::linalg::LinalgOp>(op)) return readLinalg(linalg);
  if (auto pad = mlir::dyn_cast<mlir::tensor::PadOp>(op)) return readPad(pad);
  if (mlir::isa<mlir::tensor::ExpandShapeOp, mlir::tensor::CollapseShapeOp>(op)) return readReshape(op);
  if (auto slice = mlir::dyn_cast<mlir::tensor::ExtractSliceOp>(op)) return readSlice(slice);
  return notANest(op.getName().getStringRef().str());
}

Status Reader::readReshape(mlir::Operation& op) {
  if (place_of_.contains(op.getResult(0))) return {};  // a result, whose place is known
  auto source = place_of_.find(op.getOperand(0));
  if (source == place_of_.end() || !source->second.isWhole(tensorType(op.getOperand(0))))
    return notANest("a reshape of something that is not in memory");
  const unsigned buffer = source->second.buffer;
  place_of_[op.getResult(0)] = Placement::whole(buffer, tensorType(op.getResult(0)));
  return {};
}

// Every so many elements of a tensor in memory, read where they are.
Status Reader::readSlice(mlir::tensor::ExtractSliceOp op) {
  auto source = place_of_.find(op.getSource());
  const bool is_static = op.getOffsets().empty() && op.getSizes().empty() && op.getStrides().empty();
  if (source == place_of_.end() || !is_static || op.getType().getRank() != op.getSourceType().getRank())
    return notANest("a slice of something that is not in memory");
  Placement place = source->second;
  for (auto [stride, offset, step] : llvm::zip(place.strides, op.getStaticOffsets(), op.getStaticStrides())) {
    place.offset += offset * stride;
    stride *= step;
  }
  place_of_[op.getResult()] = std::move(place);
  return {};
}

mlir::TypedAttr constantOf(Value value) {
  mlir::Attribute attribute;
  if (!mlir::matchPattern(value, mlir::m_Constant(&attribute))) return {};
  if (auto splat = mlir::dyn_cast<mlir::SplatElementsAttr>(attribute)) {
    return mlir::dyn_cast<mlir::TypedAttr>(splat.getSplatValue<mlir::Attribute>());
  }
  auto typed = mlir::dyn_cast<mlir::TypedAttr>(attribute);
  return typed && !mlir::isa<mlir::ShapedType>(typed.getType()) ? typed : mlir::TypedAttr();
}

Result<TileAccess> Reader::accessOf(Value tensor, mlir::AffineMap map) {
  auto found = place_of_.find(tensor);
  if (found == place_of_.end()) return propagate(notANest("an operand that is not in memory"));
  auto access = readAccess(map, found->second);
  if (!access) return propagate(notANest("an operand is not read at a linear function of the loops"));
  return *access;
}

Result<TileInput> Reader::readOperand(mlir::OpOperand& operand, mlir::linalg::LinalgOp op) {
  if (!op.payloadUsesValueFromOperand(&operand)) return TileInput{};
  if (mlir::TypedAttr constant = constantOf(operand.get())) return TileInput{constant};
  if (auto fill = operand.get().getDefiningOp<mlir::linalg::FillOp>();
      fill && !place_of_.contains(operand.get())) {
    if (mlir::TypedAttr constant = constantOf(fill.getInputs()[0])) return TileInput{constant};
  }
  if (!tensorType(operand.get())) return propagate(notANest("a scalar operand that is not constant"));
  TET_ASSIGN_OR_RETURN(TileAccess access, accessOf(operand.get(), op.getMatchingIndexingMap(&operand)));
  return TileInput{std::move(access)};
}

// Only what one vector lane can do alone, on values that come from the nest.
Status Reader::checkBody(mlir::Block& body) {
  for (mlir::Operation& op : body.without_terminator()) {
    if (mlir::isa<mlir::linalg::IndexOp, mlir::arith::ConstantOp>(op)) continue;
    if (auto extract = mlir::dyn_cast<mlir::tensor::ExtractOp>(op)) {
      auto source = place_of_.find(extract.getTensor());
      if (source == place_of_.end() || !source->second.isWhole(extract.getTensor().getType()) ||
          plan_.buffers[source->second.buffer].kind != TileBuffer::Kind::kOperand) {
        return notANest("tensor.extract from something computed inside");
      }
      continue;
    }
    if (!mlir::OpTrait::hasElementwiseMappableTraits(&op) || op.getNumResults() != 1) {
      return notANest(op.getName().getStringRef().str() + " inside a loop body");
    }
    for (Value operand : op.getOperands()) {
      if (operand.getParentBlock() != &body && !constantOf(operand)) return notANest("a captured value");
    }
  }
  return {};
}

Result<TileBody> Reader::readBody(mlir::linalg::LinalgOp op, Value accumulator) {
  TET_RETURN_IF_ERROR(checkBody(*op.getBlock()));
  TileBody body;
  body.block = op.getBlock();
  body.dim_of_index.resize(op.getNumLoops());
  std::iota(body.dim_of_index.begin(), body.dim_of_index.end(), 0);
  for (mlir::OpOperand* operand : op.getDpsInputOperands()) {
    if (accumulator && operand->get() == accumulator) {
      body.acc = body.inputs.size();
      body.inputs.push_back({});
      continue;
    }
    TET_ASSIGN_OR_RETURN(TileInput input, readOperand(*operand, op));
    body.inputs.push_back(std::move(input));
  }
  return body;
}

Status Reader::addOutputs(TileNest& nest, mlir::linalg::LinalgOp op) {
  nest.outputs.clear();
  for (mlir::OpOperand& init : op.getDpsInitsMutable()) {
    Value result = op.getTiedOpResult(&init);
    // Vectors of bits are packed in memory and single bits are not.
    if (tensorType(result).getElementType().isInteger(1)) return notANest("a tensor of bits");
    if (!place_of_.contains(result)) {
      const RankedTensorType type = tensorType(result);
      place_of_[result] = Placement::whole(addBuffer(TileBuffer::Kind::kTemporary, 0, type), type);
    }
    TET_ASSIGN_OR_RETURN(TileAccess access, accessOf(result, op.getMatchingIndexingMap(&init)));
    if (access.panel_dim >= 0) return notANest("a packed result");
    nest.outputs.push_back(std::move(access));
  }
  return {};
}

// Permutes the dims: parallel ones in the order of the first output (largest stride first), then the
// reductions.
Status Reader::orderDims(TileNest& nest, mlir::linalg::LinalgOp op) {
  auto iterators = op.getIteratorTypesArray();
  SmallVector<unsigned> order(iterators.size());
  std::iota(order.begin(), order.end(), 0);
  auto isReduction = [&](unsigned d) { return iterators[d] == mlir::utils::IteratorType::reduction; };
  std::ranges::sort(order, {}, [&](unsigned d) {
    return std::tuple(isReduction(d), isReduction(d) ? 0 : -nest.outputs[0].strides[d], d);
  });
  SmallVector<int64_t> ranges = op.getStaticLoopRanges();
  SmallVector<unsigned> place(order.size());
  for (auto [to, from] : llvm::enumerate(order)) {
    nest.extents.push_back(ranges[from]);
    place[from] = to;
    nest.parallel += !isReduction(from);
  }
  nest.reduction = nest.parallel < nest.extents.size();
  nest.forEachAccess([&](TileAccess& access) {
    SmallVector<int64_t, 8> strides;
    for (unsigned from : order) strides.push_back(access.strides[from]);
    access.strides = std::move(strides);
    if (access.panel_dim >= 0) access.panel_dim = place[access.panel_dim];
  });
  for (unsigned& dim : nest.body.dim_of_index) dim = place[dim];
  for (const TileAccess& output : nest.outputs) {
    for (unsigned d = 0; d < nest.extents.size(); ++d) {
      if (d < nest.parallel && output.strides[d] == 0 && nest.extents[d] > 1) {
        return notANest("an output that parallel loops write more than once");
      }
    }
  }
  return {};
}

Status Reader::readLinalg(mlir::linalg::LinalgOp op) {
  if (!op.hasPureTensorSemantics() || op.hasDynamicShape()) return notANest("a dynamic shape");
  if (fuseAsEpilogue(op)) return {};
  TileNest nest;
  TET_ASSIGN_OR_RETURN(nest.body, readBody(op, {}));
  for (mlir::OpOperand& init : op.getDpsInitsMutable()) {
    TET_ASSIGN_OR_RETURN(TileInput input, readOperand(init, op));
    nest.inits.push_back(std::move(input));
  }
  TET_RETURN_IF_ERROR(addOutputs(nest, op));
  TET_RETURN_IF_ERROR(orderDims(nest, op));
  plan_.nests.push_back(std::move(nest));
  ops_.push_back(op);
  return {};
}

// An elementwise op that alone reads the reduction before it, element for element, joins its nest.
bool Reader::fuseAsEpilogue(mlir::linalg::LinalgOp op) {
  if (plan_.nests.empty() || op.getNumParallelLoops() != op.getNumLoops()) return false;
  TileNest& nest = plan_.nests.back();
  mlir::linalg::LinalgOp producer = ops_.back();
  if (!nest.reduces() || nest.epilogue || producer.getNumDpsInits() != 1 || op.getNumDpsInits() != 1)
    return false;
  Value sum = producer->getResult(0);
  if (!sum.hasOneUse() || sum.getUses().begin()->getOwner() != op.getOperation()) return false;
  mlir::OpOperand& use = *sum.getUses().begin();
  auto identity = [](mlir::AffineMap map) { return map.isIdentity(); };
  if (!op.isDpsInput(&use) || !identity(op.getMatchingIndexingMap(&use)) ||
      op.payloadUsesValueFromOperand(op.getDpsInitOperand(0)) ||
      !identity(op.getMatchingIndexingMap(op.getDpsInitOperand(0)))) {
    return false;
  }
  mlir::AffineMap produced = producer.getMatchingIndexingMap(producer.getDpsInitOperand(0));
  if (!produced.isProjectedPermutation() || produced.getNumResults() != nest.parallel) return false;
  for (unsigned i = 1; i < produced.getNumResults(); ++i) {
    if (produced.getDimPosition(i) < produced.getDimPosition(i - 1)) return false;
  }
  auto body = readBody(op, sum);
  if (!body) return false;
  // The producer's parallel dims were ordered by this very output, so dim i of the op is dim i of the nest.
  TileNest fused = nest;
  fused.epilogue = std::move(*body);
  if (!addOutputs(fused, op).ok()) return false;
  auto extend = [&](TileAccess& access) { access.strides.resize(nest.extents.size(), 0); };
  for (TileInput& input : fused.epilogue->inputs) {
    if (auto* access = std::get_if<TileAccess>(&input)) {
      if (access->panel_dim >= 0) return false;
      extend(*access);
    }
  }
  llvm::for_each(fused.outputs, extend);
  nest = std::move(fused);
  ops_.back() = op;
  return true;
}

Status Reader::readPad(mlir::tensor::PadOp op) {
  auto source = mlir::dyn_cast<mlir::BlockArgument>(op.getSource());
  mlir::TypedAttr value;
  if (Value padding = op.getConstantPaddingValue()) value = constantOf(padding);
  if (!source || source.getOwner() != &block_ || !value)
    return notANest("a tensor.pad of something computed");
  if (llvm::any_of(op.getStaticLow(), [](int64_t low) { return low < 0; }) ||
      llvm::any_of(op.getStaticHigh(), [](int64_t high) { return high < 0; }) || !op.getLow().empty() ||
      !op.getHigh().empty()) {
    return notANest("a tensor.pad that crops or is dynamic");
  }
  TilePadding pad;
  pad.source = source.getArgNumber();
  pad.value = value;
  pad.source_shape.assign(op.getSourceType().getShape().begin(), op.getSourceType().getShape().end());
  pad.shape.assign(op.getResultType().getShape().begin(), op.getResultType().getShape().end());
  pad.low.assign(op.getStaticLow().begin(), op.getStaticLow().end());
  for (unsigned d = 0; d < pad.shape.size(); ++d) {
    if (pad.shape[d] != pad.source_shape[d]) pad.line_dim = d;
  }
  pad.line = 1;
  for (unsigned d = pad.line_dim; d < pad.shape.size(); ++d) pad.line *= pad.shape[d];
  pad.lines = op.getResultType().getNumElements() / pad.line;
  pad.buffer = addBuffer(TileBuffer::Kind::kPadded, plan_.pads.size(), op.getResultType());
  place_of_[op.getResult()] = Placement::whole(pad.buffer, op.getResultType());
  plan_.pads.push_back(std::move(pad));
  return {};
}

// The longest common prefix of parallel dims by which all nests can run row by row, with temporaries of one
// row.
Status Reader::findRows() {
  if (!plan_.isChain()) return {};
  if (!plan_.pads.empty()) return notANest("padding inside a chain");
  auto temporary = [&](const TileAccess& access) {
    return plan_.buffers[access.buffer].kind == TileBuffer::Kind::kTemporary;
  };
  // Row-major strides that the first `rows` dims have in a tensor whose row has `inner` elements.
  auto fits = [&](unsigned rows) {
    const TileNest& first = plan_.nests.front();
    for (const TileNest& nest : plan_.nests) {
      if (nest.parallel < rows) return false;
      if (!std::equal(first.extents.begin(), first.extents.begin() + rows, nest.extents.begin()))
        return false;
      bool good = true;
      nest.forEachAccess([&](const TileAccess& access) {
        const TileBuffer& buffer = plan_.buffers[access.buffer];
        if (access.panel_dim >= 0 && access.panel_dim < static_cast<int>(rows)) good = false;
        if (!temporary(access) && buffer.kind != TileBuffer::Kind::kResult) return;
        int64_t stride = buffer.count;
        for (unsigned d = 0; d < rows; ++d) {
          good &= stride % nest.extents[d] == 0;
          stride /= nest.extents[d];
          good &= access.strides[d] == stride || nest.extents[d] == 1;
        }
      });
      if (!good) return false;
    }
    return true;
  };
  unsigned rows = plan_.nests.front().parallel;
  while (rows > 0 && !fits(rows)) --rows;
  plan_.row_shape.assign(plan_.nests.front().extents.begin(), plan_.nests.front().extents.begin() + rows);
  int64_t count = 1;
  for (int64_t extent : plan_.row_shape) count *= extent;
  for (TileNest& nest : plan_.nests) {
    nest.rows = rows;
    nest.forEachAccess([&](TileAccess& access) {
      if (temporary(access)) std::fill(access.strides.begin(), access.strides.begin() + rows, 0);
    });
  }
  for (TileBuffer& buffer : plan_.buffers) {
    if (buffer.kind == TileBuffer::Kind::kTemporary) buffer.count /= count;
  }
  return {};
}

}  // namespace

Result<TileNestPlan> readNests(mlir::Block& body) { return Reader(body).read(); }

}  // namespace tetrarch::compile
