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

// A bound on the time that grouping takes, which grows with the square of it. A cut costs all values that are
// alive there, and a hash of a block is a chain of 3,000 ops.
constexpr size_t kMostOps = 1 << 13;
// Rows are computed by one worker each: a reduction to fewer is not worth keeping together with what follows.
constexpr int64_t kFewestRows = 8, kSmallTensor = 1 << 14;

bool isContraction(Operation* op) { return llvm::isa<tet::DotGeneralOp, tet::ConvolutionOp>(op); }
// What each reader computes from its own loops: counting up, and data at another place.
bool isMoved(Operation* op) { return llvm::isa<tet::BroadcastInDimOp>(op) || isCounting(op); }
// Padding that only convolutions read: part of their task, as padding of their own is.
bool padsConvolutions(Operation* op) {
  return llvm::isa<tet::PadOp>(op) && llvm::all_of(op->getUses(), [](OpOperand& use) {
           return llvm::isa<tet::ConvolutionOp>(use.getOwner()) && use.getOperandNumber() == 0;
         });
}
// A dimension of size 1 for a concatenation along it, as stacking has it.
bool stacksParts(Operation* op) {
  auto reshape = llvm::dyn_cast<tet::ReshapeOp>(op);
  return reshape && movesNothing(reshape) &&
         llvm::all_of(op->getUsers(), [](Operation* user) { return llvm::isa<tet::ConcatenateOp>(user); });
}
bool isPartOfConcatenation(Value value) {
  return value.hasOneUse() && llvm::isa<tet::ConcatenateOp>(*value.user_begin());
}
// A slice that is read with other dimensions of size 1.
bool isViewOfSlice(Operation* op) {
  auto reshape = llvm::dyn_cast<tet::ReshapeOp>(op);
  return reshape && reshape.getOperand().getDefiningOp<tet::SliceOp>() && movesNothing(reshape);
}
// Part of no group of its own where each reader gets a copy.
bool isFree(Operation* op) {
  return isMoved(op) || llvm::isa<tet::SliceOp>(op) || padsConvolutions(op) || stacksParts(op) ||
         isViewOfSlice(op);
}
// The same numbers in every run, copied into each task that reads them.
bool isFixed(Operation* op) {
  auto broadcast = llvm::dyn_cast<tet::BroadcastInDimOp>(op);
  return llvm::isa<tet::ConstantOp>(op) || isCounting(op) ||
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
      absorbTheRest();
    } while (trim() || cutWhereNarrow());
    llvm::erase_if(grouping_.groups, [](auto& group) { return group->ops.empty(); });
    return std::move(grouping_);
  }

 private:
  Group* groupOf(Operation* op) const { return grouping_.group_of.lookup(op); }

  // What had further readers that were not placed yet when one of them took the others in.
  void absorbTheRest() {
    for (bool changes = true; changes;) {
      changes = false;
      for (auto& group : grouping_.groups) {
        llvm::SetVector<Group*> readers;
        if (group->ops.empty() || group->kind != GroupKind::Elementwise) continue;
        for (Value result : results(*group)) collectReaders(result, readers);
        if (readers.size() == 1 && !feedsRoot(*group, *readers.front())) absorb(*group, *readers.front());
        for (Group* reader : readers) joinReader(*group, *reader);
        changes |= group->ops.empty();
      }
    }
  }
  // A loop's results that one of the same shape reads, among others: one loop writes them and goes on.
  void joinReader(Group& group, Group& reader) {
    const bool are_loops = group.kind == GroupKind::Elementwise && reader.kind == GroupKind::Elementwise;
    if (group.ops.empty() || !are_loops || group.shape != reader.shape) return;
    if (group.ops.size() + reader.ops.size() > kMostOps || reaches(group, reader.ops)) return;
    if (!readsPlacesOf(reader, group) && !readsSlicesOf(reader, group)) move(group, reader);
  }

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
    if (isMosaic(op)) collectParts(*group);
  }

  // What only this mosaic reads moves there, and so do mosaics that read the same parts.
  void collectParts(Group& mosaic) {
    for (size_t before = 0; before != mosaic.ops.size();) {
      before = mosaic.ops.size();
      for (Operation* op : std::vector<Operation*>(mosaic.ops)) {
        for (Group* part : producers(op)) {
          mergeOtherReaders(*part, mosaic);
          absorb(*part, mosaic);
        }
      }
    }
  }

  // When all that reads an elementwise part is mosaics of one shape, they become one task with several
  // results.
  void mergeOtherReaders(const Group& part, Group& mosaic) {
    llvm::SetVector<Group*> readers;
    for (Value result : results(part)) {
      if (!collectReaders(result, readers)) return;
    }
    readers.remove(&mosaic);
    const bool only_mosaics = llvm::all_of(readers, [&](Group* other) { return canMerge(*other, mosaic); });
    if (part.kind != GroupKind::Elementwise || readers.size() != 1 || !only_mosaics) return;
    move(*readers.front(), mosaic);
  }
  // Groups that read the value, at once or stacked; false when something outside of groups does.
  bool collectReaders(Value value, llvm::SetVector<Group*>& readers) const {
    return llvm::all_of(value.getUsers(), [&](Operation* user) {
      if (stacksParts(user)) return collectReaders(user->getResult(0), readers);
      Group* group = groupOf(user);
      if (group && group != groupOf(value.getDefiningOp())) readers.insert(group);
      return group != nullptr;
    });
  }
  bool canMerge(const Group& a, const Group& b) {
    auto shapeOfRoot = [](const Group& group) { return shapeOf(group.root->getResult(0)); };
    return a.kind == b.kind && shapeOfRoot(a) == shapeOfRoot(b) && a.ops.size() + b.ops.size() <= kMostOps &&
           !dependsOn(a, b) && !dependsOn(b, a);
  }
  // Whether a group reads another, itself or by way of others.
  bool dependsOn(const Group& reader, const Group& target) {
    auto reads = [&](Operation* op) { return llvm::is_contained(producers(op), &target); };
    return llvm::any_of(reader.ops, reads) || reaches(target, reader.ops);
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

  // An elementwise group whose results only `into` reads moves there, and a concatenation into another.
  void absorb(Group& group, Group& into) {
    if (&group == &into || !mayMove(group, into) || group.ops.size() + into.ops.size() > kMostOps) return;
    for (Operation* op : group.ops) {
      if (barred_.contains({op, into.root})) return;
    }
    llvm::SetVector<Group*> readers;
    for (Value result : results(group)) {
      if (!collectReaders(result, readers)) return;
    }
    if (llvm::any_of(readers, [&](Group* reader) { return reader != &into; })) return;
    if (reaches(into, group.ops) || readsPlacesOf(into, group) || readsPlacesOf(group, into)) return;
    move(group, into);
  }
  bool mayMove(const Group& group, const Group& into) const {
    if (group.kind == GroupKind::Elementwise)
      return group.shape == into.shape || into.kind == GroupKind::Mosaic;
    return llvm::isa<tet::ConcatenateOp>(group.root) &&
           llvm::all_of(results(group), [](Value result) { return isPartOfConcatenation(result); });
  }
  void move(Group& group, Group& into) {
    for (Operation* op : std::vector<Operation*>(std::move(group.ops))) add(into, op);
    group.ops.clear();
    llvm::sort(into.ops, [&](Operation* a, Operation* b) { return order_[a] < order_[b]; });
    if (into.kind == GroupKind::Elementwise) into.root = into.ops.back();
  }

  // Whether an op of `reader` reads by index from what `made` computes: that takes a tensor in memory.
  bool readsPlacesOf(const Group& reader, const Group& made) const {
    return llvm::any_of(reader.ops,
                        [&](Operation* op) { return readsByIndex(op) && computes(made, op->getOperand(0)); });
  }
  // Whether a contraction reads what `made` computes: each number often, so a task of its own makes them
  // once.
  bool feedsRoot(const Group& made, const Group& reader) const {
    return reader.kind == GroupKind::Epilogue &&
           llvm::any_of(reader.root->getOperands(), [&](Value operand) { return computes(made, operand); });
  }
  // Whether the value is of the group, or moved from there by what each reader computes for itself.
  bool computes(const Group& made, Value value) const {
    Operation* from = value.getDefiningOp();
    while (from && isFree(from) && !groupOf(from) && from->getNumOperands() > 0)
      from = from->getOperand(0).getDefiningOp();
    return from && groupOf(from) == &made;
  }

  // Whether an op of `reader` reads at other places what `made` computes.
  bool readsSlicesOf(const Group& reader, const Group& made) const {
    return llvm::any_of(reader.ops, [&](Operation* op) {
      return llvm::any_of(op->getOperands(), [&](Value operand) {
        Operation* from = operand.getDefiningOp();
        return from && isFree(from) && computes(made, operand);
      });
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
  if (isMoved(producer) && (readsElements(use) || isMosaic(user))) return true;
  if (stacksParts(producer)) return true;
  if (padsConvolutions(producer)) return true;
  if (isInPanelChain(producer))
    return isContraction(user) ? use.getOperandNumber() == 1 : isInPanelChain(user);
  // The same left-hand side for each of a batch: read where it is.
  if (llvm::isa<tet::BroadcastInDimOp>(producer) && llvm::isa<tet::DotGeneralOp>(user))
    return use.getOperandNumber() == 0;
  if (isViewOfSlice(producer)) return readsElements(use) || llvm::isa<tet::ConcatenateOp>(user);
  const bool is_view = isViewOfSlice(user) && llvm::all_of(user->getUses(), [&](OpOperand& through) {
                         return isCopiedInto(user, through);
                       });
  return llvm::isa<tet::SliceOp>(producer) &&
         (readsElements(use) || llvm::isa<tet::ConcatenateOp>(user) || is_view);
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
