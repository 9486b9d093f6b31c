// The printer's insides, shared by its .cpp files: one instance prints one kernel.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringMap.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Operation.h"
#include "tetrarch/base/status.h"
#include "tetrarch/compile/target/gpu/opencl_ops.h"
#include "tetrarch/compile/target/gpu/opencl_types.h"

namespace tetrarch::opencl {

// C text, how tightly it binds, and which loop-carried variables it reads (their numbers, ascending).
struct Expr {
  std::string text;
  Prec prec = Prec::Atom;
  llvm::SmallVector<int, 2> reads;
};
using Parts = llvm::SmallVector<Expr>;

// A sum of index values times constants, plus a constant.
struct Linear {
  int64_t constant = 0;
  llvm::SmallVector<std::pair<mlir::Value, int64_t>, 4> terms;
};

// A memref: element `offset + index · strides` of `pointer`.
struct View {
  std::string pointer;
  std::string space;  // "__global", "__constant", "__local" or "" (private)
  bool read_only = false;
  Linear offset;
  llvm::SmallVector<int64_t> strides;
};

// A value that a loop or a branch assigns: one variable per part, each with its number in Expr::reads.
struct Variables {
  llvm::SmallVector<std::string> names;
  int first_number = 0;
};

// Helper functions by their text, in the order of first use, for the whole program.
class Helpers {
 public:
  void add(std::string_view helper, const ScalarType& type, int width);
  void addText(std::string text);
  std::string text() const;

 private:
  std::vector<std::string> texts_;
};

class KernelPrinter {
 public:
  explicit KernelPrinter(Helpers& helpers) : helpers_(helpers) {}
  Result<std::string> print(mlir::gpu::GPUFuncOp kernel);
  bool usesDouble() const { return uses_double_; }

 private:
  // opencl_printer.cpp: structure.
  Result<std::string> signature(mlir::gpu::GPUFuncOp kernel);
  Status attributions(mlir::gpu::GPUFuncOp kernel);
  Status block(mlir::Block& block);
  Status op(mlir::Operation* op);
  Status forLoop(mlir::scf::ForOp loop);
  Status whileLoop(mlir::scf::WhileOp loop);
  Status branch(mlir::scf::IfOp branch);
  Result<Variables> declare(mlir::Value value, std::string_view fallback, const Parts* init);
  Parts read(const Variables& variables) const;
  // Assigns all at once: a value that reads a variable assigned before it goes through a temporary.
  Status assign(llvm::ArrayRef<Variables> targets, mlir::ValueRange values);
  Status barrier(mlir::gpu::BarrierOp barrier);
  Status id(mlir::Operation* op);

  // opencl_expressions.cpp: ops that are expressions.
  Status row(mlir::Operation* op, const OpRow& row);
  Status compare(mlir::Operation* op, std::string_view text);
  Status select(mlir::Operation* op);
  Status cast(mlir::Operation* op);
  Status bitcast(mlir::Operation* op);
  Status constant(mlir::Operation* op);
  Result<Expr> fill(std::string_view text, Prec prec, mlir::ValueRange operands, size_t part,
                    bool index_unsigned);
  // Expands a row's text over plain expressions.
  Expr fillText(std::string_view text, Prec prec, llvm::ArrayRef<Expr> operands, const ScalarType& type,
                int width, bool as_unsigned);
  Expr finish(Expr expr, const ScalarType& type, int width, Finish finish, int operand_bits);
  // Narrow floats between memory, where they are bits in a ushort, and a float.
  std::string fromBits(const std::string& bits, const ScalarType& type, int width);
  std::string toBits(const std::string& value, const ScalarType& type, int width);
  Expr convert(const Expr& expr, const ScalarType& from, const ScalarType& to, int width);

  // opencl_memory.cpp: memref ops and vector loads and stores.
  Status memory(mlir::Operation* op, bool& known);
  Status view(mlir::Operation* op, mlir::Value source, Linear offset);
  Status constantTable(mlir::memref::GetGlobalOp get);
  Status bytesView(mlir::Operation* op);
  Result<View*> viewOf(mlir::Value memref);
  Result<Linear> address(mlir::Value memref, mlir::ValueRange indices);
  Expr load(const View& view, const ScalarType& type, const Linear& at, int width);
  void store(const View& view, const ScalarType& type, const Linear& at, int width, const Expr& value);
  Status loadVector(mlir::Operation* op, mlir::Value memref, mlir::ValueRange indices);
  Status storeVector(mlir::Value vector, mlir::Value memref, mlir::ValueRange indices);
  Status declareMemory(mlir::Value memref, std::string_view space, std::string_view fallback);
  void addTerm(Linear& sum, mlir::Value value, int64_t factor);
  Expr print(const Linear& sum);

  // opencl_vector.cpp: ops that move lanes.
  Status vectors(mlir::Operation* op, bool& known);
  Status broadcast(mlir::Operation* op);
  Status outerProduct(mlir::Operation* op);
  Status extract(mlir::Operation* op);
  Status insert(mlir::Operation* op);
  Status reduction(mlir::Operation* op);
  Result<std::vector<Expr>> lanes(mlir::Value vector);
  Status fromLanes(mlir::Operation* op, const std::vector<Expr>& lanes);

  // Values.
  Result<Parts> parts(mlir::Value value);
  Result<Expr> scalar(mlir::Value value);
  Result<ScalarType> type(mlir::Value value);
  // Gives the op's single result its expressions: folded into the one use, or in const variables. Loads are
  // never folded (`movable` false), since a store may come in between.
  Status bind(mlir::Operation* op, Parts parts, bool movable = true);
  std::string name(mlir::Value value, std::string_view fallback);
  std::string unique(std::string_view wanted);
  // Blocks in C, whose names are free again behind them.
  llvm::StringMap<int> enterScope();
  void leaveScope(const llvm::StringMap<int>& outer);
  void line(std::string_view text);
  Status declined(mlir::Operation* op, std::string_view why) const;

  Helpers& helpers_;
  llvm::DenseMap<mlir::Value, Parts> parts_;
  llvm::DenseMap<mlir::Value, View> views_;
  llvm::DenseSet<mlir::Value> folded_;   // values that live inside another expression
  llvm::DenseSet<mlir::Value> written_;  // roots of memrefs that the kernel stores to
  llvm::StringMap<int> names_;
  std::string body_;
  int indent_ = 1;
  int variables_ = 0;  // numbers given out so far
  bool wide_index_ = false;
  bool uses_double_ = false;
};

// `expr` as an operand where only what binds tighter than or as tightly as `weakest` may stand bare.
std::string operand(const Expr& expr, Prec weakest);
void mergeReads(Expr& into, const Expr& from);

}  // namespace tetrarch::opencl
