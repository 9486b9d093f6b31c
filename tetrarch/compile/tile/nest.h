// What planTile() reads a task as: a chain of strided loop nests over flat buffers. Private to tile/.
//
// Tensors are dense and row-major and the maps of the normal forms are linear, so each operand of a linalg op
// is read at `offset + Σ index_d * stride_d`. In these terms convolution, matrix product, pooling, reduction,
// transposition and elementwise work are one thing, and loops can be merged whenever all strides agree.
#pragma once

#include <optional>
#include <variant>
#include <vector>

#include "llvm/ADT/SmallVector.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "tetrarch/base/status.h"
#include "tetrarch/compile/tile/dot.h"

namespace tetrarch::compile {

// Width of the one packed layout of weights: [ceil(N/16), k…, 16].
inline constexpr int64_t kPanel = 16;

struct TileBuffer {
  enum class Kind { kOperand, kResult, kTemporary, kPadded };
  Kind kind;
  unsigned index;  // operand or result number; for kPadded, into TileNestPlan::pads
  mlir::Type element;
  int64_t count;  // elements of the whole tensor; of one row for kTemporary
  int64_t scratch_offset = -1;
};

// Where an operand of a nest lies.
struct TileAccess {
  unsigned buffer = 0;
  int64_t offset = 0;
  llvm::SmallVector<int64_t, 8> strides;  // one per dim of the nest, in elements
  int panel_dim = -1;                     // the dim that is cut into panels: its index i is read at
  int64_t panel_stride = 0;               // (i / kPanel) * panel_stride + i % kPanel
};

// An operand of a scalar body: nothing (unused), a constant, or an element of a buffer.
using TileInput = std::variant<std::monostate, mlir::TypedAttr, TileAccess>;

// The scalar code of one linalg op and its operands; `acc` marks where a reduction's result comes in as an
// operand.
struct TileBody {
  mlir::Block* block = nullptr;
  llvm::SmallVector<TileInput, 4> inputs;
  int acc = -1;
  llvm::SmallVector<unsigned, 8> dim_of_index;  // linalg.index i of the op is this dim of the nest
};

struct TileNest {
  llvm::SmallVector<int64_t, 8> extents;
  unsigned parallel =
      0;  // the first so many dims are parallel, in the order of the output; the rest are reduced
  TileBody body;
  llvm::SmallVector<TileInput, 2> inits;  // one per result of the body; monostate when it is not read
  std::optional<TileBody> epilogue;  // an elementwise op on the reduction's result, computed in registers
  llvm::SmallVector<TileAccess, 2> outputs;
  unsigned rows = 0;       // leading dims that are the chain's rows
  bool reduction = false;  // a result is accumulated, though perhaps over one step only

  bool reduces() const { return reduction; }
  // Calls f on each access, of body, inits, epilogue and outputs.
  void forEachAccess(llvm::function_ref<void(TileAccess&)> f);
  void forEachAccess(llvm::function_ref<void(const TileAccess&)> f) const;
};

// A tensor.pad of an operand with one constant. The padded tensor is seen as `lines`: the dims from the last
// padded one on form a line, the dims before it number the lines.
struct TilePadding {
  unsigned source;  // operand
  unsigned buffer;  // of kind kPadded
  mlir::TypedAttr value;
  llvm::SmallVector<int64_t, 4> source_shape, shape, low;
  unsigned line_dim = 0;
  int64_t line = 0, lines = 0;  // elements of one line; number of lines
};

class TileNestPlan {
 public:
  llvm::SmallVector<TileBuffer, 8> buffers;
  llvm::SmallVector<TilePadding, 1> pads;
  std::vector<TileNest> nests;
  llvm::SmallVector<int64_t, 4> row_shape;  // extents of the chain's rows; empty for a single nest
  unsigned operands = 0, results = 0;
  // The nests read operands only and write boxes of the results that do not overlap: their units come one
  // nest after the other. Otherwise several nests are a chain.
  bool mosaic = false;

  bool isChain() const { return nests.size() > 1 && !mosaic; }

  // How one nest is cut; filled by planTile().
  struct Tiling {
    int vector_dim = -1;                  // vectorised dim; -1: scalar
    int row_dim = -1;                     // dim of which a register tile holds several
    int64_t lanes = 1;                    // of one vector
    int64_t vectors = 1;                  // vectors side by side
    int64_t rows = 1;                     // of a register tile
    const TileDot* dot = nullptr;         // sums products of bytes four at a time
    bool columns_outer = false;           // the loop over column tiles is outside of the rows'
    llvm::SmallVector<int64_t, 8> block;  // how much of each parallel dim belongs to one unit
  };
  std::vector<Tiling> tilings;  // one per nest
  int64_t rows_per_unit = 1;    // of a chain
  int64_t window_lines = 0;     // of a padded operand that one unit copies

  // The smallest sensible part of a parallel dim: one register tile of it, or 1.
  int64_t grain(size_t nest, unsigned dim) const;
  // Into how many units a parallel dim, or all dims, are cut.
  int64_t blocks(size_t nest, unsigned dim) const;
  int64_t units(size_t nest) const;
};

// Reads the block. Unimplemented with the reason where it is no such chain.
Result<TileNestPlan> readNests(mlir::Block& body);

// Merges neighbouring dims wherever every access allows it.
void collapseDims(TileNest& nest, const TileNestPlan& plan);

// How a reduction's new value meets its old one: `combine` is the op in the body, of whose operands one is
// the accumulator (used nowhere else). Empty when the body has another form.
struct TileCombiner {
  mlir::Operation* op;
  mlir::vector::CombiningKind kind;
};
std::optional<TileCombiner> findCombiner(mlir::Block& body, unsigned result, unsigned results);

}  // namespace tetrarch::compile
