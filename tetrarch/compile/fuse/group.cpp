#include "tetrarch/compile/fuse/group.h"

#include "llvm/ADT/SetVector.h"
#include "mlir/Transforms/RegionUtils.h"
#include "tetrarch/compile/lower/lowering.h"
#include "tetrarch/compile/lower/packed.h"

namespace tetrarch::compile {
namespace {

using mlir::Operation;
using mlir::OpOperand;
using mlir::Value;

// Longer chains gain nothing and make long functions.
constexpr size_t kMostOps = 128;
// Rows are computed by one worker each: a reduction to fewer is not worth keeping together with what follows.
constexpr int64_t kFewestRows = 8, kSmallTensor = 1 << 14;

bool isContraction(Operation* op) { return llvm::isa<tet::DotGeneralOp, tet::ConvolutionOp>(op); }
bool isMoved(Operation* op) { return llvm::isa<tet::BroadcastInDimOp, tet::IotaOp>(op); }
// Padding that only convolutions read: part of their task, as padding of their own is.
bool padsConvolutions(Operation* op) {
  return llvm::isa<tet::PadOp>(op) && llvm::all_of(op->getUses(), [](OpOperand& use) {
           return llvm::isa<tet::ConvolutionOp>(use.getOwner()) && use.getOperandNumber() == 0;
         });
}
// Part of no group of its own where each reader gets a copy.
bool isFree(Operation* op) { return isMoved(op) || llvm::isa<tet::SliceOp>(op) || padsConvolutions(op); }
// The same numbers in every run, copied into each task that reads them.
bool isFixed(Operation* op) {
  auto broadcast = llvm::dyn_cast<tet::BroadcastInDimOp>(op);
  return llvm::isa<tet::ConstantOp, tet::IotaOp>(op) ||
         (broadcast && broadcast.getOperand().getDefiningOp<tet::ConstantOp>());
}
bool isMosaic(Operation* op) { return llvm::isa<tet::ConcatenateOp, tet::PadOp>(op); }
// Computes with single elements of what it reads by this operand.
bool readsElements(OpOperand& use) {
  Operation* op = use.getOwner();
  if (readsByIndex(op)) return use.getOperandNumber() > 0;
  return hasPayload(op) || llvm::isa<tet::ReduceOp, tet::BroadcastInDimOp, tet::TransposeOp>(op);
}
bool isElementwise(Operation* op) {
  return hasPayload(op) || isMoved(op) || llvm::isa<tet::TransposeOp>(op) || readsByIndex(op);
}

// A contraction ends where its result is bytes: it is small there, and integer hardware rounds once behind a
// sum.
bool widensBytes(Operation* op) {
  auto convert = llvm::dyn_cast<tet::ConvertOp>(op);
  if (!convert) return false;
  auto from = elementOf(convert.getOperand()), to = elementOf(convert.getResult());
  return from.isInteger(8) && to.isInteger() && to.getIntOrFloatBitWidth() > 8;
}
bool readsConstant(Operation* op) {
  return readsByIndex(op) && llvm::isa_and_nonnull<tet::ConstantOp>(op->getOperand(0).getDefiningOp());
}

bool unpacksWeights(Value value) {
  auto are_weights = [](const std::optional<Panels>& panels) {
    return panels && panels->packed.getDefiningOp<tet::ConstantOp>();
  };
  return are_weights(matchPanels(value)) || are_weights(matchGroupedPanels(value));
}
// One of the ops that turn panels of weights back into a matrix.
bool isInPanelChain(Operation* op) {
  if (llvm::isa<tet::SliceOp, tet::ReshapeOp>(op)) return unpacksWeights(op->getResult(0));
  return llvm::isa<tet::TransposeOp>(op) && llvm::any_of(op->getUsers(), [](Operation* user) {
           return llvm::isa<tet::ReshapeOp>(user) && unpacksWeights(user->getResult(0));
         });
}

bool reducesTrailing(tet::ReduceOp op) {
  const int64_t kept = shapeOf(op.getResult()).size();
  return llvm::all_of(op.getDimensions(), [&](int64_t dim) { return dim >= kept; });
}
bool hasEnoughRows(tet::ReduceOp op) {
  return op.getType().getNumElements() >= kFewestRows ||
         op.getOperand().getType().getNumElements() <= kSmallTensor;
}

llvm::SetVector<Value> operandsWithCaptures(Operation* op) {
  llvm::SetVector<Value> values(op->operand_begin(), op->operand_end());
  if (op->getNumRegions()) mlir::getUsedValuesDefinedAbove(op->getRegions(), values);
  return values;
}

class Grouper {
 public:
  explicit Grouper(mlir::Block& block) : block_(block) {
    unsigned position = 0;
    for (Operation& op : block) order_[&op] = position++;
  }

  // Places all ops; where a group that may have one result got more, its tail is barred from it and all is
  // placed anew.
  Grouping run() {
    do {
      grouping_ = Grouping();
      for (Operation& op : block_.without_terminator()) {
        if (belongsInTask(&op)) place(&op);
      }
    } while (trim() || cutWhereNarrow());
    llvm::erase_if(grouping_.groups, [](auto& group) { return group->ops.empty(); });
    return std::move(grouping_);
  }

 private:
  Group* groupOf(Operation* op) const { return grouping_.group_of.lookup(op); }

  static bool belongsInTask(Operation* op) {
    if (llvm::isa<tet::ConstantOp, tet::ReshapeOp>(op) || isInPanelChain(op)) return false;
    if (!isFree(op)) return true;
    return op->use_empty() ||
           !llvm::all_of(op->getUses(), [&](OpOperand& use) { return isCopiedInto(op, use); });
  }

  void place(Operation* op) {
    if (auto reduce = llvm::dyn_cast<tet::ReduceOp>(op)) return placeReduce(reduce);
    if (!isElementwise(op)) return placeRoot(op);
    Group* joined = nullptr;
    llvm::SmallVector<Group*> candidates = producers(op);
    // A group that exists for this op alone can follow it into any other.
    std::ranges::sort(candidates, {}, [&](Group* group) {
      return std::pair(isMadeFor(*group, op), -static_cast<int64_t>(order_[group->ops.back()]));
    });
    for (Group* group : candidates) {
      if (!canJoin(*group, op) || reaches(*group, op)) continue;
      add(*group, op);
      joined = group;
      break;
    }
    if (!joined) joined = start(op, GroupKind::Elementwise, shapeOf(op->getResult(0)));
    for (Group* group : producers(op)) absorb(*group, *joined);
  }

  void placeRoot(Operation* op) {
    const bool has_epilogue = isContraction(op) || llvm::isa<tet::ReduceWindowOp>(op);
    auto shape = has_epilogue ? shapeOf(op->getResult(0)) : llvm::ArrayRef<int64_t>();
    const GroupKind otherwise = isMosaic(op) ? GroupKind::Mosaic : GroupKind::Opaque;
    Group* group = start(op, has_epilogue ? GroupKind::Epilogue : otherwise, shape);
    if (!isMosaic(op)) return;
    for (Group* part : producers(op)) absorb(*part, *group);
  }

  void placeReduce(tet::ReduceOp op) {
    const bool rows = reducesTrailing(op) && hasEnoughRows(op);
    const int64_t row_rank = shapeOf(op.getResult()).size();
    for (Group* group : producers(op)) {
      if (group->shape != shapeOf(op.getOperand()) || group->ops.size() >= kMostOps) continue;
      const bool same_rows = group->kind == GroupKind::Rows && group->row_rank == row_rank;
      const bool feeds_only_this = op.getOperand().hasOneUse() && results(*group).size() == 1;
      const bool joins = rows ? same_rows || group->kind == GroupKind::Elementwise
                              : group->kind == GroupKind::Elementwise && feeds_only_this;
      Operation* reader = op;
      if (!joins || reaches(*group, reader)) continue;
      add(*group, op);
      if (group->kind == GroupKind::Elementwise) become(*group, op, rows);
      return;
    }
    become(*start(op, GroupKind::Reduction, {}), op, rows);
  }

  static void become(Group& group, tet::ReduceOp op, bool rows) {
    group.root = op;
    group.kind = rows ? GroupKind::Rows : GroupKind::Reduction;
    group.shape = rows ? shapeOf(op.getOperand()) : shapeOf(op.getResult());
    group.row_rank = rows ? shapeOf(op.getResult()).size() : -1;
  }

  // The groups that an op reads, directly or through copied ops, the one that was extended last first.
  llvm::SmallVector<Group*> producers(Operation* op) {
    llvm::SetVector<Group*> found;
    collectProducers(op, found);
    llvm::SmallVector<Group*> groups(found.begin(), found.end());
    llvm::sort(groups, [&](Group* a, Group* b) { return order_[a->ops.back()] > order_[b->ops.back()]; });
    return groups;
  }
  void collectProducers(Operation* op, llvm::SetVector<Group*>& found) {
    for (OpOperand& use : op->getOpOperands()) {
      Operation* producer = use.get().getDefiningOp();
      if (!producer) continue;
      if (Group* group = groupOf(producer)) {
        if (group != groupOf(op)) found.insert(group);
      } else if (isCopiedInto(producer, use)) {
        collectProducers(producer, found);
      }
    }
  }

  bool canJoin(const Group& group, Operation* op) {
    if (group.ops.size() >= kMostOps || barred_.contains({op, group.root})) return false;
    if (auto cut = cut_after_.find(op); cut != cut_after_.end() && groupOf(cut->second) == &group)
      return false;
    auto shape = shapeOf(op->getResult(0));
    if (llvm::isa<tet::TransposeOp>(op))
      return group.kind == GroupKind::Elementwise && op->getOperand(0).hasOneUse();
    // A gather starts anew, so that what it reads from is an operand; a row of which a table's entries are a
    // part stays whole.
    if (!hasPayload(op) && !(group.kind == GroupKind::Rows && readsConstant(op))) return false;
    if (group.kind == GroupKind::Epilogue && widensBytes(op)) return false;
    switch (group.kind) {
      case GroupKind::Rows:
        return shape == group.shape || shape == group.shape.take_front(group.row_rank);
      case GroupKind::Opaque:
      case GroupKind::Mosaic:
        return false;
      default:
        return shape == group.shape;
    }
  }

  // An elementwise group whose one result only this op reads.
  bool isMadeFor(Group& group, Operation* op) {
    if (group.kind != GroupKind::Elementwise) return false;
    const auto made = results(group);
    return made.size() == 1 &&
           llvm::all_of(made.front().getUsers(), [&](Operation* user) { return user == op; });
  }

  // An elementwise group whose results only `into` reads moves there.
  void absorb(Group& group, Group& into) {
    const bool fits = group.shape == into.shape || into.kind == GroupKind::Mosaic;
    if (&group == &into || group.kind != GroupKind::Elementwise || !fits) return;
    if (group.ops.size() + into.ops.size() > kMostOps) return;
    for (Operation* op : group.ops) {
      if (barred_.contains({op, into.root})) return;
    }
    for (Value result : results(group)) {
      for (Operation* user : result.getUsers()) {
        if (groupOf(user) != &into && groupOf(user) != &group) return;
      }
    }
    if (reaches(into, group.ops) || readsPlacesOf(into, group) || readsPlacesOf(group, into)) return;
    for (Operation* op : std::vector<Operation*>(std::move(group.ops))) add(into, op);
    group.ops.clear();
    llvm::sort(into.ops, [&](Operation* a, Operation* b) { return order_[a] < order_[b]; });
    if (into.kind == GroupKind::Elementwise) into.root = into.ops.back();
  }

  // Whether an op of `reader` reads by index from what `made` computes: that takes a tensor in memory.
  bool readsPlacesOf(const Group& reader, const Group& made) const {
    return llvm::any_of(reader.ops, [&](Operation* op) {
      if (!readsByIndex(op)) return false;
      Operation* from = op->getOperand(0).getDefiningOp();
      while (from && isFree(from) && !groupOf(from) && from->getNumOperands() > 0)
        from = from->getOperand(0).getDefiningOp();
      return from && groupOf(from) == &made;
    });
  }

  Group* start(Operation* op, GroupKind kind, llvm::ArrayRef<int64_t> shape) {
    grouping_.groups.push_back(std::make_unique<Group>());
    Group* group = grouping_.groups.back().get();
    group->kind = kind;
    group->root = op;
    group->shape = shape;
    add(*group, op);
    return group;
  }
  void add(Group& group, Operation* op) {
    group.ops.push_back(op);
    grouping_.group_of[op] = &group;
    // An elementwise group is as its last op: it names the group, and a transpose changes the shape.
    if (group.kind == GroupKind::Elementwise) group.root = op, group.shape = shapeOf(op->getResult(0));
  }

  // Whether `ops` depend on the target group other than by reading it themselves: then they must not join it.
  // A grouped op depends on all that its group reads; copied ops count as part of their reader.
  bool reaches(const Group& target, llvm::ArrayRef<Operation*> ops) {
    using Visit =
        llvm::PointerIntPair<Operation*, 1, bool>;  // and whether it is one of `ops` or a copy for them
    llvm::SmallVector<Visit> stack;
    llvm::DenseSet<void*> seen;
    auto visit = [&](Operation* op, bool own) {
      if (seen.insert(Visit(op, own).getOpaqueValue()).second) stack.push_back(Visit(op, own));
    };
    for (Operation* op : ops) visit(op, true);
    const unsigned first = order_[target.ops.front()];
    while (!stack.empty()) {
      const Visit reader = stack.pop_back_val();
      for (Value value : operandsWithCaptures(reader.getPointer())) {
        Operation* producer = value.getDefiningOp();
        if (!producer || (reader.getInt() && llvm::is_contained(ops, producer))) continue;
        Group* from = groupOf(producer);
        if (from == &target) {
          if (!reader.getInt()) return true;
          continue;
        }
        if (!from) {
          visit(producer, reader.getInt() && isFree(producer));
          continue;
        }
        if (order_[from->ops.back()] < first) continue;
        for (Operation* member : from->ops) visit(member, false);
      }
    }
    return false;
  }

  std::vector<Value> results(const Group& group) const { return groupResults(group, grouping_); }

  // Returns whether anything was barred.
  bool trim() {
    bool barred = false;
    for (auto& group : grouping_.groups) {
      const bool one_result = group->kind == GroupKind::Epilogue || group->kind == GroupKind::Reduction;
      if (!one_result || group->ops.empty() || results(*group).size() <= 1) continue;
      const size_t root = llvm::find(group->ops, group->root) - group->ops.begin();
      size_t keep = group->ops.size() - 1;
      while (keep > root + 1 && resultsOfPrefix(*group, keep) > 1) --keep;
      for (size_t i = keep; i < group->ops.size(); ++i) barred_.insert({group->ops[i], group->root});
      barred = true;
    }
    return barred;
  }

  // A result that elementwise ops of the group widened, and that one other group goes on to compute with: the
  // ops move there, and the narrow value is handed over. Cuts the first group that has one: what reads it may
  // then join another group. Returns whether there was one.
  bool cutWhereNarrow() {
    for (auto& group : grouping_.groups) {
      if (group->ops.empty() || group->kind == GroupKind::Opaque) continue;
      bool cut = false;
      for (Value result : results(*group)) {
        if (isReadByOneGroup(result, *group)) cut |= cutBefore(result, *group);
      }
      if (cut) return true;
    }
    return false;
  }
  bool isReadByOneGroup(Value value, const Group& from) const {
    Group* reader = nullptr;
    return llvm::all_of(value.getUsers(), [&](Operation* user) {
      Group* group = groupOf(user);
      const bool is_first = !reader;
      if (is_first) reader = group;
      return group && group != &from && group == reader &&
             (hasPayload(user) || llvm::isa<tet::ReduceOp>(user));
    });
  }
  // Walks back from `wide` until all of it comes from one narrower value of the group, if it does.
  bool cutBefore(Value wide, const Group& group) {
    constexpr size_t kMostMoved = 32;
    llvm::SetVector<Operation*> moved;
    llvm::SetVector<Value> sources;
    sources.insert(wide);
    while (moved.size() < kMostMoved) {
      // The source that is made last: what reads it has moved already.
      Value last = *llvm::max_element(sources, [&](Value a, Value b) { return orderOf(a) < orderOf(b); });
      Operation* op = last.getDefiningOp();
      if (!op || groupOf(op) != &group || !hasPayload(op)) return false;
      sources.remove(last);
      moved.insert(op);
      for (Value operand : op->getOperands()) {
        Operation* producer = operand.getDefiningOp();
        if (!producer || !isFixed(producer)) sources.insert(operand);
      }
      if (sources.size() != 1 || widthOf(sources.front()) >= widthOf(wide)) continue;
      return cutAfter(sources.front(), moved, group);
    }
    return false;
  }
  bool cutAfter(Value narrow, const llvm::SetVector<Operation*>& moved, const Group& group) {
    Operation* last_kept = narrow.getDefiningOp();
    if (!last_kept || groupOf(last_kept) != &group || shapeOf(narrow) != shapeOf(moved.front()->getResult(0)))
      return false;
    for (Operation* op : moved) {
      for (Operation* user : op->getUsers()) {
        if (groupOf(user) == &group && !moved.contains(user)) return false;
      }
    }
    bool is_new = false;
    for (Operation* user : narrow.getUsers()) {
      if (moved.contains(user)) is_new |= cut_after_.try_emplace(user, last_kept).second;
    }
    return is_new;
  }
  unsigned orderOf(Value value) const {
    return value.getDefiningOp() ? order_.lookup(value.getDefiningOp()) : 0;
  }
  static unsigned widthOf(Value value) {
    return llvm::cast<mlir::RankedTensorType>(value.getType()).getElementTypeBitWidth();
  }

  size_t resultsOfPrefix(Group& group, size_t length) {
    Group prefix = group;
    prefix.ops.resize(length);
    for (size_t i = length; i < group.ops.size(); ++i) grouping_.group_of[group.ops[i]] = nullptr;
    for (Operation* op : prefix.ops) grouping_.group_of[op] = &prefix;
    const size_t count = results(prefix).size();
    for (Operation* op : group.ops) grouping_.group_of[op] = &group;
    return count;
  }

  mlir::Block& block_;
  Grouping grouping_;
  llvm::DenseMap<Operation*, unsigned> order_;
  llvm::DenseSet<std::pair<Operation*, Operation*>> barred_;  // (op, root of a group that it must not join)
  llvm::DenseMap<Operation*, Operation*> cut_after_;          // op -> an op whose group it must not join
};

// Whether anything but the group's ops, and the copies that they read through, uses the value.
bool isUsedOutside(Value value, const Group& group, const Grouping& grouping) {
  for (OpOperand& use : value.getUses()) {
    Operation* user = group.ops.front()->getBlock()->findAncestorOpInBlock(*use.getOwner());
    Group* reader = grouping.group_of.lookup(user);
    if (reader == &group) continue;
    const bool is_copied = !reader && isFree(user);
    if (!is_copied || isUsedOutside(user->getResult(0), group, grouping)) return true;
  }
  return false;
}

}  // namespace

Grouping groupOps(mlir::Block& block) { return Grouper(block).run(); }

bool isCopiedInto(Operation* producer, OpOperand& use) {
  Operation* user = use.getOwner();
  if (llvm::isa<tet::ConstantOp>(producer)) {
    return splatOf(producer->getResult(0)) && !user->hasTrait<mlir::OpTrait::IsTerminator>() &&
           !llvm::isa<tet::ReshapeOp>(user);
  }
  if (isMoved(producer)) return readsElements(use) || isMosaic(user);
  if (padsConvolutions(producer)) return true;
  if (isInPanelChain(producer))
    return isContraction(user) ? use.getOperandNumber() == 1 : isInPanelChain(user);
  return llvm::isa<tet::SliceOp>(producer) && (readsElements(use) || llvm::isa<tet::ConcatenateOp>(user));
}

std::vector<Value> groupResults(const Group& group, const Grouping& grouping) {
  std::vector<Value> values;
  for (Operation* op : group.ops) {
    for (Value value : op->getResults()) {
      if (isUsedOutside(value, group, grouping)) values.push_back(value);
    }
  }
  return values;
}

}  // namespace tetrarch::compile
