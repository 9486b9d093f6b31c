// One row of a task by a group of work-items: they take the elements of each nest in turns, and what is
// reduced over the row is combined as a tree in memory that the group shares.
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "tetrarch/compile/tile/emit.h"
#include "tetrarch/compile/tile/tile.h"

namespace tetrarch::compile {
namespace {

using llvm::SmallVector;
using mlir::Value;

constexpr int64_t kPartialBytes = 8;  // of the widest element

int64_t product(llvm::ArrayRef<int64_t> values) {
  int64_t all = 1;
  for (int64_t value : values) all *= value;
  return all;
}

// Leading dims that number the rows: a chain's, or every parallel one of a lone reduction.
unsigned rowDims(const TileNestPlan& plan, const TileNest& nest) {
  return plan.isChain() ? static_cast<unsigned>(plan.row_shape.size()) : nest.parallel;
}

// The row's result is one element, over whose reduction the group shares the work.
bool sharesReduction(const TileNestPlan& plan, const TileNest& nest) {
  return nest.reduces() && rowDims(plan, nest) == nest.parallel;
}

class GroupEmitter {
 public:
  GroupEmitter(IndexMath math, const TilePlan& plan, mlir::ValueRange buffers, const TileGroup& group)
      : math_(math), plan_(*plan.nests), group_(group), scratch_bytes_(plan.scratch_bytes) {
    for (const TileBuffer& buffer : plan_.buffers) bind(buffer, buffers);
  }

  void emitRow(Value row) {
    for (const TileNest& nest : plan_.nests) {
      nest_ = &nest;
      index_.assign(nest.extents.size(), {});
      setIndex(row, 0, rowDims(plan_, nest));
      if (sharesReduction(plan_, nest)) {
        emitSharedReduction();
      } else {
        emitTurns();
      }
      group_.barrier(math_.builder);
    }
  }

 private:
  void bind(const TileBuffer& buffer, mlir::ValueRange buffers);
  Value shared(int64_t offset, int64_t count, mlir::Type element);
  void setIndex(Value flat, unsigned first, unsigned end);
  int64_t extent(unsigned first, unsigned end) const {
    return product(llvm::ArrayRef(nest_->extents).slice(first, end - first));
  }
  SmallVector<Value> turns(int64_t count, mlir::ValueRange state,
                           llvm::function_ref<SmallVector<Value>(Value, mlir::ValueRange)> body);
  void emitTurns();
  void emitSharedReduction();
  Value combine(unsigned result, Value a, Value b);
  SmallVector<Value> identities() const;
  Value tree(unsigned result, Value mine);
  SmallVector<Value> reduceAlone();
  Value position(const TileAccess& access);
  Value load(const TileInput& input);
  SmallVector<Value> evaluate(const TileBody& body, mlir::ValueRange accumulators);
  void finish(mlir::ValueRange values);
  Value below(int64_t count) {
    return mlir::arith::CmpIOp::create(math_.builder, math_.loc, mlir::arith::CmpIPredicate::slt, group_.item,
                                       math_.constant(count));
  }
  void when(Value condition, llvm::function_ref<void()> body);

  IndexMath math_;
  const TileNestPlan& plan_;
  const TileGroup& group_;
  int64_t scratch_bytes_;
  const TileNest* nest_ = nullptr;
  SmallVector<Value> memrefs_;  // by buffer
  SmallVector<Value> index_;    // of the element at hand, by dim
};

Value GroupEmitter::shared(int64_t offset, int64_t count, mlir::Type element) {
  auto bytes = mlir::cast<mlir::MemRefType>(group_.shared.getType());
  auto type =
      mlir::MemRefType::get({count}, element, mlir::MemRefLayoutAttrInterface(), bytes.getMemorySpace());
  return mlir::memref::ViewOp::create(math_.builder, math_.loc, type, group_.shared, math_.constant(offset),
                                      mlir::ValueRange());
}

void GroupEmitter::bind(const TileBuffer& buffer, mlir::ValueRange buffers) {
  Value memref;
  if (buffer.kind == TileBuffer::Kind::kOperand) memref = buffers[buffer.index];
  if (buffer.kind == TileBuffer::Kind::kResult) memref = buffers[plan_.operands + buffer.index];
  if (buffer.kind == TileBuffer::Kind::kTemporary && buffer.scratch_offset >= 0) {
    memref = shared(buffer.scratch_offset, buffer.count, buffer.element);
  }
  memrefs_.push_back(memref);
}

void GroupEmitter::setIndex(Value flat, unsigned first, unsigned end) {
  for (unsigned d = end; d-- > first;) {
    index_[d] = d == first ? flat : math_.rem(flat, nest_->extents[d]);
    flat = math_.div(flat, nest_->extents[d]);
  }
}

// body(i) for this item's share of [0, count): item, item + items, …
SmallVector<Value> GroupEmitter::turns(int64_t count, mlir::ValueRange state,
                                       llvm::function_ref<SmallVector<Value>(Value, mlir::ValueRange)> body) {
  auto& b = math_.builder;
  auto loop = mlir::scf::ForOp::create(b, math_.loc, group_.item, math_.constant(count),
                                       math_.constant(group_.items), state);
  mlir::OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  SmallVector<Value> next = body(loop.getInductionVar(), loop.getRegionIterArgs());
  // A loop that carries nothing has its yield already.
  if (!state.empty()) mlir::scf::YieldOp::create(b, math_.loc, next);
  return SmallVector<Value>(loop.getResults());
}

void GroupEmitter::when(Value condition, llvm::function_ref<void()> body) {
  auto branch = mlir::scf::IfOp::create(math_.builder, math_.loc, condition);
  mlir::OpBuilder::InsertionGuard guard(math_.builder);
  math_.builder.setInsertionPointToStart(branch.thenBlock());
  body();
}

// --- one element
// ----------------------------------------------------------------------------------------------------

Value GroupEmitter::position(const TileAccess& access) {
  Value at = math_.constant(access.offset);
  for (auto [d, stride] : llvm::enumerate(access.strides)) {
    if (stride != 0 && index_[d]) at = math_.add(at, math_.mul(index_[d], stride));
  }
  return at;
}

Value GroupEmitter::load(const TileInput& input) {
  if (auto* attribute = std::get_if<mlir::TypedAttr>(&input)) {
    return mlir::arith::ConstantOp::create(math_.builder, math_.loc, *attribute);
  }
  if (auto* access = std::get_if<TileAccess>(&input)) {
    return mlir::memref::LoadOp::create(math_.builder, math_.loc, memrefs_[access->buffer],
                                        position(*access));
  }
  return {};
}

SmallVector<Value> GroupEmitter::evaluate(const TileBody& body, mlir::ValueRange accumulators) {
  SmallVector<Value> arguments;
  for (auto [i, input] : llvm::enumerate(body.inputs)) {
    arguments.push_back(static_cast<int>(i) == body.acc ? accumulators[0] : load(input));
  }
  if (body.acc < 0) llvm::append_range(arguments, accumulators);
  auto index = [&](unsigned dim) { return LaneEvaluator::Index{index_[dim]}; };
  auto memrefOf = [&](Value tensor) {
    while (!mlir::isa<mlir::BlockArgument>(tensor)) tensor = tensor.getDefiningOp()->getOperand(0);
    return memrefs_[mlir::cast<mlir::BlockArgument>(tensor).getArgNumber()];
  };
  return LaneEvaluator(math_, body, 1).evaluate(arguments, index, memrefOf);
}

// Epilogue and store of the element at hand.
void GroupEmitter::finish(mlir::ValueRange values) {
  SmallVector<Value> outputs(values);
  if (nest_->epilogue) outputs = evaluate(*nest_->epilogue, values);
  for (auto [access, value] : llvm::zip(nest_->outputs, outputs)) {
    mlir::memref::StoreOp::create(math_.builder, math_.loc, value, memrefs_[access.buffer], position(access));
  }
}

// --- nests
// ----------------------------------------------------------------------------------------------------------

// All of one element's reduction.
SmallVector<Value> GroupEmitter::reduceAlone() {
  SmallVector<Value> state;
  for (const TileInput& init : nest_->inits) state.push_back(load(init));
  if (!nest_->reduces()) return evaluate(nest_->body, state);
  const unsigned end = nest_->extents.size();
  state = emitLoop(math_, math_.constant(0), math_.constant(extent(nest_->parallel, end)), state,
                   [&](Value i, mlir::ValueRange carried) {
                     setIndex(i, nest_->parallel, end);
                     return evaluate(nest_->body, carried);
                   });
  for (unsigned d = nest_->parallel; d < end; ++d) index_[d] = {};
  return state;
}

// The row's elements in turns, each by one item.
void GroupEmitter::emitTurns() {
  const unsigned first = rowDims(plan_, *nest_);
  if (first == nest_->parallel) {
    return when(below(1), [&] { finish(reduceAlone()); });
  }
  turns(extent(first, nest_->parallel), {}, [&](Value i, mlir::ValueRange) {
    setIndex(i, first, nest_->parallel);
    finish(reduceAlone());
    return SmallVector<Value>();
  });
}

Value GroupEmitter::combine(unsigned result, Value a, Value b) {
  mlir::Operation* op = findCombiner(*nest_->body.block, result, nest_->inits.size())->op;
  mlir::IRMapping map;
  map.map(op->getOperand(0), a);
  map.map(op->getOperand(1), b);
  return math_.builder.clone(*op, map)->getResult(0);
}

SmallVector<Value> GroupEmitter::identities() const {
  SmallVector<Value> values;
  for (unsigned r = 0; r < nest_->inits.size(); ++r) {
    auto identity =
        mlir::arith::getNeutralElement(findCombiner(*nest_->body.block, r, nest_->inits.size())->op);
    values.push_back(mlir::arith::ConstantOp::create(math_.builder, math_.loc, *identity));
  }
  return values;
}

// The combination of every item's value, for item 0; the others get something else.
Value GroupEmitter::tree(unsigned result, Value mine) {
  auto& b = math_.builder;
  const int64_t offset = scratch_bytes_ + result * group_.items * kPartialBytes;
  Value partials = shared(offset, group_.items, mine.getType());
  mlir::memref::StoreOp::create(b, math_.loc, mine, partials, group_.item);
  for (int64_t half = group_.items / 2; half > 0; half /= 2) {
    group_.barrier(b);
    when(below(half), [&] {
      Value left = mlir::memref::LoadOp::create(b, math_.loc, partials, group_.item);
      Value right = mlir::memref::LoadOp::create(b, math_.loc, partials, math_.add(group_.item, half));
      mlir::memref::StoreOp::create(b, math_.loc, combine(result, left, right), partials, group_.item);
    });
  }
  return mlir::memref::LoadOp::create(b, math_.loc, partials, mlir::ValueRange(math_.constant(0)));
}

void GroupEmitter::emitSharedReduction() {
  const unsigned first = nest_->parallel, end = nest_->extents.size();
  SmallVector<Value> partial =
      turns(extent(first, end), identities(), [&](Value i, mlir::ValueRange carried) {
        setIndex(i, first, end);
        return evaluate(nest_->body, carried);
      });
  for (unsigned d = first; d < end; ++d) index_[d] = {};
  SmallVector<Value> totals;
  for (auto [r, mine] : llvm::enumerate(partial)) totals.push_back(tree(r, mine));
  when(below(1), [&] {
    for (auto [r, init] : llvm::enumerate(nest_->inits)) totals[r] = combine(r, load(init), totals[r]);
    finish(totals);
  });
}

bool nestCooperates(const TileNestPlan& plan, const TileNest& nest) {
  bool panels = false;
  nest.forEachAccess([&](const TileAccess& access) { panels |= access.panel_dim >= 0; });
  if (panels) return false;
  if (!sharesReduction(plan, nest)) return true;
  for (unsigned r = 0; r < nest.inits.size(); ++r) {
    auto combiner = findCombiner(*nest.body.block, r, nest.inits.size());
    if (!combiner || nest.inits[r].index() == 0 || !mlir::arith::getNeutralElement(combiner->op))
      return false;
  }
  return true;
}

}  // namespace

bool canCooperate(const TilePlan& plan) {
  if (!plan.nests || plan.contraction || !plan.nests->pads.empty()) return false;
  const auto& nests = plan.nests->nests;
  return llvm::any_of(nests, [&](const TileNest& nest) { return sharesReduction(*plan.nests, nest); }) &&
         llvm::all_of(nests, [&](const TileNest& nest) { return nestCooperates(*plan.nests, nest); });
}

int64_t groupRows(const TilePlan& plan) {
  if (plan.nests->isChain()) return product(plan.nests->row_shape);
  const TileNest& nest = plan.nests->nests[0];
  return product(llvm::ArrayRef(nest.extents).take_front(nest.parallel));
}

int64_t groupSharedBytes(const TilePlan& plan, int64_t items) {
  size_t results = 0;
  for (const TileNest& nest : plan.nests->nests) results = std::max(results, nest.inits.size());
  return plan.scratch_bytes + static_cast<int64_t>(results) * items * kPartialBytes;
}

void emitRowByGroup(mlir::OpBuilder& builder, mlir::Location loc, const TilePlan& plan, Value row,
                    mlir::ValueRange buffers, const TileGroup& group) {
  GroupEmitter({builder, loc}, plan, buffers, group).emitRow(row);
}

}  // namespace tetrarch::compile
