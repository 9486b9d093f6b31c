// What is asked of nests, and how their dims merge.
#include "tetrarch/compile/tile/nest.h"

#include "mlir/IR/BuiltinOps.h"
#include "tetrarch/compile/tile/emit.h"

namespace tetrarch::compile {
namespace {

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
