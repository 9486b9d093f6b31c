// The fuse pass: groups (group.h) become composites named "task", in an order in which each reads what was
// made before.
#include "llvm/ADT/StringMap.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Transforms/RegionUtils.h"
#include "tetrarch/compile/composite_tag.h"
#include "tetrarch/compile/fuse/group.h"
#include "tetrarch/compile/lower/lowering.h"
#include "tetrarch/compile/passes.h"

namespace tetrarch::compile {

#define GEN_PASS_DEF_FUSEPASS
#include "tetrarch/compile/passes.h.inc"

namespace {

using mlir::Operation;
using mlir::Value;

// "conv1" of an op that a frontend named, otherwise the composition that the task is, or the op's own name.
std::string baseName(Operation* root, mlir::StringAttr composite) {
  llvm::StringRef name = frontendName(root->getLoc());
  if (!name.empty()) return name.str();
  return composite ? composite.str() : root->getName().stripDialect().str();
}

// Which compositions became one task each. A task is a composition when all of that lies in it, and the task
// has no other reduction, contraction or op with loops of its own; elementwise ops before and after may be
// fused to it, and an elementwise task must end in the composition.
class Compositions {
 public:
  explicit Compositions(const Grouping& grouping) {
    for (const auto& group : grouping.groups) {
      for (Operation* op : group->ops) {
        for (const CompositeTag& tag : tagsOf(op->getLoc())) {
          Group*& home = home_.try_emplace({tag.name, tag.number}, group.get()).first->second;
          if (home != group.get()) home = nullptr;
        }
      }
    }
  }

  // The outermost one; null when the group is none.
  mlir::StringAttr nameOf(const Group& group) const {
    mlir::StringAttr name;
    for (const CompositeTag& tag : tagsOf(group.root->getLoc())) {
      const bool is_whole = home_.lookup({tag.name, tag.number}) == &group;
      if (is_whole && llvm::all_of(group.ops, [&](Operation* op) { return mayBelong(op, tag); }))
        name = tag.name;
    }
    return name;
  }

 private:
  static bool mayBelong(Operation* op, const CompositeTag& tag) {
    return hasPayload(op) || readsByIndex(op) || llvm::isa<tet::TransposeOp>(op) ||
           llvm::is_contained(tagsOf(op->getLoc()), tag);
  }

  llvm::DenseMap<std::pair<mlir::Attribute, mlir::Attribute>, Group*> home_;  // null: several groups
};

class TaskNames {
 public:
  // The base name if it is new, else with the first free number behind it.
  std::string unique(const std::string& base) {
    for (unsigned& next = used_[base];; ++next) {
      std::string name = next == 0 ? base : base + "_" + std::to_string(next);
      if (next == 0 || !used_.contains(name)) {
        ++next;
        used_.try_emplace(name, 1);
        return name;
      }
    }
  }

 private:
  llvm::StringMap<unsigned> used_;
};

// Copies one group into the region of a composite.
class GroupBuilder {
 public:
  GroupBuilder(mlir::OpBuilder& builder, const Group& group, const Grouping& grouping)
      : builder_(builder), group_(group), grouping_(grouping) {}

  // `composition` is null when the task is none.
  void build(const std::string& name, mlir::StringAttr composition) {
    std::vector<Value> results = groupResults(group_, grouping_);
    if (results.empty()) return;
    auto composite =
        tet::CompositeOp::create(builder_, group_.root->getLoc(), mlir::ValueRange(results).getTypes(),
                                 kTaskGroup, mlir::ValueRange(), attributes(name, composition));
    block_ = &composite.getBody().emplaceBlock();
    mlir::OpBuilder::InsertionGuard guard(builder_);
    builder_.setInsertionPointToStart(block_);
    for (Operation* op : group_.ops) copy(op);
    llvm::SmallVector<Value> returned;
    for (Value value : results) returned.push_back(mapping_.lookup(value));
    tet::ReturnOp::create(builder_, group_.root->getLoc(), returned);
    composite.getInputsMutable().assign(inputs_);
    for (auto [value, result] : llvm::zip(results, composite.getResults())) value.replaceAllUsesWith(result);
  }

 private:
  mlir::DictionaryAttr attributes(const std::string& name, mlir::StringAttr composite) {
    mlir::NamedAttrList attributes;
    attributes.set(kTaskName, builder_.getStringAttr(name));
    attributes.set(kTaskRoot, builder_.getStringAttr(group_.root->getName().stripDialect()));
    if (composite) attributes.set(kTaskComposite, composite);
    return attributes.getDictionary(builder_.getContext());
  }

  Operation* copy(Operation* op) {
    for (mlir::OpOperand& use : op->getOpOperands()) provide(use.get(), isCopied(use));
    if (op->getNumRegions()) {
      llvm::SetVector<Value> captures;
      mlir::getUsedValuesDefinedAbove(op->getRegions(), captures);
      for (Value value : captures) provide(value, splatOf(value) != nullptr);
    }
    return builder_.clone(*op, mapping_);
  }
  bool isCopied(mlir::OpOperand& use) const {
    Operation* producer = use.get().getDefiningOp();
    return producer && isCopiedInto(producer, use);
  }

  // Makes `value` known inside: a copy of the op that defines it, or an argument.
  void provide(Value value, bool as_copy) {
    if (mapping_.contains(value)) return;
    if (as_copy) {
      copy(value.getDefiningOp());
      return;
    }
    inputs_.push_back(value);
    mapping_.map(value, block_->addArgument(value.getType(), value.getLoc()));
  }
  mlir::OpBuilder& builder_;
  const Group& group_;
  const Grouping& grouping_;
  mlir::Block* block_ = nullptr;
  mlir::IRMapping mapping_;
  llvm::SmallVector<Value> inputs_;
};

// Orders groups and the ops outside of them by what they read.
class Schedule {
 public:
  Schedule(mlir::Block& block, const Grouping& grouping) : grouping_(grouping) {
    for (Operation& op : block.without_terminator()) visit(&op);
  }
  // One op per entry, which stands for its group if it has one.
  llvm::ArrayRef<Operation*> entries() const { return entries_; }

 private:
  void visit(Operation* op) {
    Group* group = grouping_.group_of.lookup(op);
    if (!seen_.insert(group ? static_cast<void*>(group) : op).second) return;
    for (Operation* member : group ? llvm::ArrayRef(group->ops) : llvm::ArrayRef(op)) visitOperands(member);
    entries_.push_back(op);
  }
  void visitOperands(Operation* op) {
    op->walk([&](Operation* inner) {
      for (Value value : inner->getOperands()) {
        Operation* producer = value.getDefiningOp();
        if (producer && producer->getBlock() == op->getBlock()) visit(producer);
      }
    });
  }

  const Grouping& grouping_;
  llvm::DenseSet<void*> seen_;
  llvm::SmallVector<Operation*> entries_;
};

// Erases ops that nothing uses, in whatever order they stand, and what only they used.
void eraseUnused(mlir::Block& block) {
  llvm::SetVector<Operation*> unused;
  auto consider = [&](Operation* op) {
    if (op && op->getBlock() == &block && op->use_empty() && op != block.getTerminator()) unused.insert(op);
  };
  for (Operation& op : block) consider(&op);
  while (!unused.empty()) {
    Operation* op = unused.pop_back_val();
    llvm::SmallVector<Operation*> producers;
    op->walk([&](Operation* inner) {
      for (Value value : inner->getOperands()) producers.push_back(value.getDefiningOp());
    });
    llvm::erase_if(producers, [&](Operation* producer) { return !producer || op->isAncestor(producer); });
    op->erase();
    for (Operation* producer : producers) consider(producer);
  }
}

struct FusePass : impl::FusePassBase<FusePass> {
  void runOnOperation() override {
    for (auto function : getOperation().getOps<mlir::func::FuncOp>()) fuse(function.front());
  }

  static void fuse(mlir::Block& block) {
    eraseUnused(block);
    Grouping grouping = groupOps(block);
    Schedule schedule(block, grouping);
    const Compositions compositions(grouping);
    mlir::OpBuilder builder(block.getTerminator());
    TaskNames names;
    for (Operation* op : schedule.entries()) {
      if (Group* group = grouping.group_of.lookup(op)) {
        builder.setInsertionPoint(block.getTerminator());
        mlir::StringAttr composite = compositions.nameOf(*group);
        GroupBuilder(builder, *group, grouping)
            .build(names.unique(baseName(group->root, composite)), composite);
      } else {
        op->moveBefore(block.getTerminator());
      }
    }
    eraseUnused(block);
  }
};

}  // namespace
}  // namespace tetrarch::compile
