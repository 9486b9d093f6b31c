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

// The access of a tensor of `shape` through `map`, before dims are put in order.
std::optional<TileAccess> readAccess(mlir::AffineMap map, llvm::ArrayRef<int64_t> shape, unsigned buffer) {
  TileAccess access;
  access.buffer = buffer;
  access.strides.assign(map.getNumDims(), 0);
  SmallVector<int64_t> strides = rowMajorStrides(shape);
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
  Status nameResults(mlir::Operation& terminator);
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
  llvm::DenseMap<Value, unsigned> buffer_of_;
  llvm::DenseMap<Value, Value> alias_of_;    // of a reshape or of an init that is written in place
  std::vector<mlir::linalg::LinalgOp> ops_;  // that wrote each nest's outputs
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
    buffer_of_[argument] = addBuffer(TileBuffer::Kind::kOperand, i, type);
  }
  plan_.operands = block_.getNumArguments();
  TET_RETURN_IF_ERROR(nameResults(*block_.getTerminator()));
  for (mlir::Operation& op : block_.without_terminator()) TET_RETURN_IF_ERROR(readOp(op));
  if (plan_.nests.empty()) return propagate(notANest("it computes nothing"));
  TET_RETURN_IF_ERROR(findRows());
  return std::move(plan_);
}

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
      if (!buffer_of_.try_emplace(value, buffer).second) return notANest("one value is returned twice");
      value = value.getDefiningOp()->getOperand(0);
    }
    if (!mlir::isa_and_nonnull<mlir::linalg::LinalgOp>(value.getDefiningOp())) {
      return notANest("a result is not computed by a linalg op");
    }
    if (!buffer_of_.try_emplace(value, buffer).second) return notANest("one value is returned twice");
  }
  return {};
}

Status Reader::readOp(mlir::Operation& op) {
  if (mlir::isa<mlir::arith::ConstantOp, mlir::tensor::EmptyOp>(op)) return {};
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
  if (mlir::isa<mlir::tensor::ExpandShapeOp, mlir::tensor::CollapseShapeOp>(op)) {
    auto source = buffer_of_.find(op.getOperand(0));
    if (source == buffer_of_.end()) return notANest("a reshape of something that is not in memory");
    buffer_of_[op.getResult(0)] = source->second;
    return {};
  }
  return notANest(op.getName().getStringRef().str());
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
  auto found = buffer_of_.find(tensor);
  if (found == buffer_of_.end()) return propagate(notANest("an operand that is not in memory"));
  auto access = readAccess(map, tensorType(tensor).getShape(), found->second);
  if (!access) return propagate(notANest("an operand is not read at a linear function of the loops"));
  return *access;
}

Result<TileInput> Reader::readOperand(mlir::OpOperand& operand, mlir::linalg::LinalgOp op) {
  if (!op.payloadUsesValueFromOperand(&operand)) return TileInput{};
  if (mlir::TypedAttr constant = constantOf(operand.get())) return TileInput{constant};
  if (auto fill = operand.get().getDefiningOp<mlir::linalg::FillOp>();
      fill && !buffer_of_.contains(operand.get())) {
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
      auto source = buffer_of_.find(extract.getTensor());
      if (source == buffer_of_.end() || plan_.buffers[source->second].kind != TileBuffer::Kind::kOperand) {
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
    if (!buffer_of_.contains(result)) {
      buffer_of_[result] = addBuffer(TileBuffer::Kind::kTemporary, 0, tensorType(result));
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
  buffer_of_[op.getResult()] = pad.buffer;
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

template <typename Nest, typename F>
void visitAccesses(Nest& nest, F f) {
  auto visit = [&](auto& inputs) {
    for (auto& input : inputs) {
      if (auto* access = std::get_if<TileAccess>(&input)) f(*access);
    }
  };
  visit(nest.body.inputs);
  visit(nest.inits);
  if (nest.epilogue) visit(nest.epilogue->inputs);
  for (auto& output : nest.outputs) f(output);
}

bool usesIndex(const TileBody& body) { return !body.block->getOps<mlir::linalg::IndexOp>().empty(); }

}  // namespace

void TileNest::forEachAccess(llvm::function_ref<void(TileAccess&)> f) { visitAccesses(*this, f); }
void TileNest::forEachAccess(llvm::function_ref<void(const TileAccess&)> f) const { visitAccesses(*this, f); }

bool hasPanels(const TileNest& nest, unsigned dim) {
  bool found = false;
  nest.forEachAccess([&](const TileAccess& access) { found |= access.panel_dim == static_cast<int>(dim); });
  return found;
}

Result<TileNestPlan> readNests(mlir::Block& body) { return Reader(body).read(); }

void collapseDims(TileNest& nest, const TileNestPlan& plan) {
  if (usesIndex(nest.body) || (nest.epilogue && usesIndex(*nest.epilogue))) return;
  auto crossesLines = [&](const TileAccess& access, unsigned d) {
    const TileBuffer& buffer = plan.buffers[access.buffer];
    if (buffer.kind != TileBuffer::Kind::kPadded) return false;
    const int64_t line = plan.pads[buffer.index].line;
    return (access.strides[d] % line == 0) != (access.strides[d + 1] % line == 0);
  };
  auto mergeable = [&](unsigned d) {
    if (d + 1 == nest.parallel || d + 1 == nest.rows) return false;
    bool good = true;
    std::as_const(nest).forEachAccess([&](const TileAccess& access) {
      good &= access.panel_dim != static_cast<int>(d) && access.panel_dim != static_cast<int>(d) + 1;
      good &= access.strides[d] == access.strides[d + 1] * nest.extents[d + 1];
      good &= !crossesLines(access, d);
    });
    return good;
  };
  auto drop = [&](unsigned d) {  // folds dim d into d + 1, or drops it when its extent is 1
    if (d < nest.parallel) --nest.parallel;
    if (d + 1 < nest.extents.size() && nest.extents[d] > 1) nest.extents[d + 1] *= nest.extents[d];
    nest.extents.erase(nest.extents.begin() + d);
    nest.forEachAccess([&](TileAccess& access) {
      access.strides.erase(access.strides.begin() + d);
      if (access.panel_dim > static_cast<int>(d)) --access.panel_dim;
    });
  };
  for (int d = static_cast<int>(nest.extents.size()) - 1; d >= static_cast<int>(nest.rows); --d) {
    if (nest.extents[d] == 1 && !hasPanels(nest, d) && nest.extents.size() > 1) {
      drop(d);
    }
  }
  for (int d = static_cast<int>(nest.extents.size()) - 2; d >= static_cast<int>(nest.rows); --d) {
    if (mergeable(d)) drop(d);
  }
}

std::optional<TileCombiner> findCombiner(mlir::Block& body, unsigned result, unsigned results) {
  using Kind = mlir::vector::CombiningKind;
  mlir::Operation* op = body.getTerminator()->getOperand(result).getDefiningOp();
  mlir::Value acc = body.getArgument(body.getNumArguments() - results + result);
  if (!op || op->getBlock() != &body || op->getNumOperands() != 2 || !acc.hasOneUse()) return std::nullopt;
  if (op->getOperand(0) != acc && op->getOperand(1) != acc) return std::nullopt;
  static const std::pair<llvm::StringLiteral, Kind> kinds[] = {
      {"arith.addf", Kind::ADD},          {"arith.addi", Kind::ADD},
      {"arith.mulf", Kind::MUL},          {"arith.muli", Kind::MUL},
      {"arith.maximumf", Kind::MAXIMUMF}, {"arith.maxnumf", Kind::MAXNUMF},
      {"arith.minimumf", Kind::MINIMUMF}, {"arith.minnumf", Kind::MINNUMF},
      {"arith.maxsi", Kind::MAXSI},       {"arith.maxui", Kind::MAXUI},
      {"arith.minsi", Kind::MINSI},       {"arith.minui", Kind::MINUI},
      {"arith.andi", Kind::AND},          {"arith.ori", Kind::OR},
      {"arith.xori", Kind::XOR},
  };
  for (const auto& [name, kind] : kinds) {
    if (op->getName().getStringRef() == name) return TileCombiner{op, kind};
  }
  return std::nullopt;
}

}  // namespace tetrarch::compile
