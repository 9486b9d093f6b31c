// Panels: the one layout of constant right-hand sides, shared by all code generators.
//
// A right-hand side [batch…, k…, n] is stored as [batch…, ceil(n / 16), k…, 16], zero padded. In the graph it
// stays an ordinary value: slice(reshape(transpose(packed))) gives back [batch…, k…, n], so that every pass
// and the interpreter understand it, and the lowering of a contraction reads the panels directly.
//
// The kernel [k…, groups * n] of a grouped convolution is stored as one right-hand side [k…, n] for each
// group: [groups, ceil(n / 16), k…, 16]. reshape(transpose(matrices)) gives back the kernel from those.
#pragma once

#include <optional>

#include "mlir/IR/AffineMap.h"
#include "mlir/IR/Value.h"

namespace tetrarch::compile {

inline constexpr int64_t kPanelWidth = 16;

struct Panels {
  mlir::Value packed;
  int64_t batch_dims = 0;
};

// The panels that `value` unpacks, or nullopt.
std::optional<Panels> matchPanels(mlir::Value value);
// The same of the kernel of a grouped convolution; the groups are a batch dimension of the panels.
std::optional<Panels> matchGroupedPanels(mlir::Value value);
// From the map that reads [batch…, k…, n] to the one that reads its panels.
mlir::AffineMap panelMap(mlir::AffineMap map, int64_t batch_dims);

}  // namespace tetrarch::compile
