// memref ops and vector loads and stores: every memref is a pointer and a linear index.
#include <fmt/format.h>

#include "llvm/ADT/TypeSwitch.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Matchers.h"
#include "tetrarch/compile/target/gpu/mlir_text.h"
#include "tetrarch/compile/target/gpu/opencl_printer_impl.h"

namespace tetrarch::opencl {
namespace {

Result<llvm::SmallVector<int64_t>> staticStrides(mlir::MemRefType type) {
  llvm::SmallVector<int64_t> strides;
  int64_t offset = 0;
  if (failed(type.getStridesAndOffset(strides, offset)) ||
      llvm::any_of(strides, mlir::ShapedType::isDynamic)) {
    return unimplemented("{} has no static strides, so it has no index expression", textOf(type));
  }
  return strides;
}

std::string pointerType(const View& view, std::string_view element) {
  const std::string constant = view.read_only ? "const " : "";
  return view.space.empty() ? fmt::format("{}{}*", constant, element)
                            : fmt::format("{} {}{}*", view.space, constant, element);
}

}  // namespace

void KernelPrinter::addTerm(Linear& sum, mlir::Value value, int64_t factor) {
  llvm::APInt constant;
  if (matchPattern(value, mlir::m_ConstantInt(&constant))) {
    sum.constant += constant.getSExtValue() * factor;
    return;
  }
  if (folded_.contains(value)) {  // not a variable of its own: look inside
    mlir::Operation* op = value.getDefiningOp();
    if (mlir::isa<mlir::arith::AddIOp>(op)) {
      addTerm(sum, op->getOperand(0), factor);
      return addTerm(sum, op->getOperand(1), factor);
    }
    if (mlir::isa<mlir::arith::SubIOp>(op)) {
      addTerm(sum, op->getOperand(0), factor);
      return addTerm(sum, op->getOperand(1), -factor);
    }
    if (mlir::isa<mlir::arith::MulIOp>(op) &&
        matchPattern(op->getOperand(1), mlir::m_ConstantInt(&constant))) {
      return addTerm(sum, op->getOperand(0), factor * constant.getSExtValue());
    }
  }
  for (auto& [term, coefficient] : sum.terms) {
    if (term == value) {
      coefficient += factor;
      return;
    }
  }
  sum.terms.push_back({value, factor});
}

Expr KernelPrinter::print(const Linear& sum) {
  Expr result;
  int count = 0;
  auto append = [&](const std::string& text, bool negative) {
    if (negative) {
      result.text += count == 0 ? "-" : " - ";
    } else if (count > 0) {
      result.text += " + ";
    }
    result.text += text;
    ++count;
  };
  const std::string suffix = wide_index_ ? "L" : "";
  for (const auto& [value, factor] : sum.terms) {
    if (factor == 0) continue;
    const Expr& term = parts_[value][0];
    mergeReads(result, term);
    const int64_t size = std::abs(factor);
    append(size == 1 ? operand(term, factor < 0 ? Prec::Mul : Prec::Add)
                     : fmt::format("{} * {}{}", operand(term, Prec::Mul), size, suffix),
           factor < 0);
    result.prec = size == 1 && count == 1 && factor > 0 ? term.prec : Prec::Mul;
  }
  if (sum.constant != 0 || count == 0)
    append(fmt::format("{}{}", std::abs(sum.constant), suffix), sum.constant < 0);
  if (count > 1) result.prec = Prec::Add;
  return result;
}

Result<View*> KernelPrinter::viewOf(mlir::Value memref) {
  auto it = views_.find(memref);
  if (it == views_.end())
    return unimplemented("no buffer is known behind a value of type {}", textOf(memref.getType()));
  return &it->second;
}

Result<Linear> KernelPrinter::address(mlir::Value memref, mlir::ValueRange indices) {
  TET_ASSIGN_OR_RETURN(const View* view, viewOf(memref));
  Linear at = view->offset;
  for (auto [index, stride] : llvm::zip_equal(indices, view->strides)) {
    TET_RETURN_IF_ERROR(scalar(index));
    addTerm(at, index, stride);
  }
  return at;
}

Expr KernelPrinter::load(const View& view, const ScalarType& type, const Linear& at, int width) {
  const Expr index = print(at);
  const std::string pointer =
      at.constant == 0 && at.terms.empty() ? view.pointer : view.pointer + " + " + index.text;
  const std::string plain = width == 1 ? fmt::format("{}[{}]", view.pointer, index.text)
                                       : fmt::format("vload{}(0, {})", width, pointer);
  return {type.narrow == Narrow::None ? plain : fromBits(plain, type, width)};
}

void KernelPrinter::store(const View& view, const ScalarType& type, const Linear& at, int width,
                          const Expr& value) {
  const Expr index = print(at);
  const std::string text = type.narrow == Narrow::None ? value.text : toBits(value.text, type, width);
  if (width == 1) {
    line(fmt::format("{}[{}] = {};", view.pointer, index.text, text));
  } else {
    line(fmt::format("vstore{}({}, 0, {} + {});", width, text, view.pointer, index.text));
  }
}

Status KernelPrinter::loadVector(mlir::Operation* op, mlir::Value memref, mlir::ValueRange indices) {
  TET_ASSIGN_OR_RETURN(const ScalarType element, type(memref));
  TET_ASSIGN_OR_RETURN(Linear at, address(memref, indices));
  TET_ASSIGN_OR_RETURN(const View* view, viewOf(memref));
  Parts results;
  for (int width : partWidths(op->getResult(0).getType())) {
    results.push_back(load(*view, element, at, width));
    at.constant += width;
  }
  return bind(op, std::move(results), false);
}

Status KernelPrinter::storeVector(mlir::Value vector, mlir::Value memref, mlir::ValueRange indices) {
  TET_ASSIGN_OR_RETURN(const ScalarType element, type(memref));
  TET_ASSIGN_OR_RETURN(Linear at, address(memref, indices));
  TET_ASSIGN_OR_RETURN(const View* view, viewOf(memref));
  TET_ASSIGN_OR_RETURN(const Parts values, parts(vector));
  for (auto [width, value] : llvm::zip_equal(partWidths(vector.getType()), values)) {
    store(*view, element, at, width, value);
    at.constant += width;
  }
  return {};
}

Status KernelPrinter::view(mlir::Operation* op, mlir::Value source, Linear offset) {
  TET_ASSIGN_OR_RETURN(const View* from, viewOf(source));
  auto type = mlir::cast<mlir::MemRefType>(op->getResult(0).getType());
  TET_ASSIGN_OR_RETURN(auto strides, staticStrides(type));
  View made = *from;
  made.offset = std::move(offset);
  made.strides = std::move(strides);
  views_[op->getResult(0)] = std::move(made);
  return {};
}

Status KernelPrinter::declareMemory(mlir::Value memref, std::string_view space, std::string_view fallback) {
  auto memref_type = mlir::cast<mlir::MemRefType>(memref.getType());
  if (!memref_type.hasStaticShape())
    return unimplemented("memory of the dynamic type {} cannot be declared", textOf(memref_type));
  TET_ASSIGN_OR_RETURN(const ScalarType element, type(memref));
  TET_ASSIGN_OR_RETURN(auto strides, staticStrides(memref_type));
  const std::string named = name(memref, fallback);
  line(fmt::format("{}{}{} {}[{}] __attribute__((aligned(64)));", space, space.empty() ? "" : " ",
                   element.storage, named, std::max<int64_t>(1, memref_type.getNumElements())));
  views_[memref] = {.pointer = named, .space = std::string(space), .strides = std::move(strides)};
  return {};
}

// A table of constants, outside of all kernels. Narrow floats are spelled as their bits.
Status KernelPrinter::constantTable(mlir::memref::GetGlobalOp get) {
  auto global = mlir::SymbolTable::lookupNearestSymbolFrom<mlir::memref::GlobalOp>(get, get.getNameAttr());
  auto values = global ? mlir::dyn_cast_or_null<mlir::ElementsAttr>(global.getConstantInitValue())
                       : mlir::ElementsAttr();
  if (!values) return declined(get, "it is no table of constants");
  TET_ASSIGN_OR_RETURN(const ScalarType element, type(get.getResult()));
  TET_ASSIGN_OR_RETURN(auto strides, staticStrides(get.getType()));
  std::string text;
  auto append = [&](const std::string& value) { text += (text.empty() ? "" : ", ") + value; };
  if (element.is_float) {
    for (const llvm::APFloat& value : values.getValues<llvm::APFloat>())
      append(element.narrow == Narrow::None
                 ? literal(mlir::FloatAttr::get(elementOf(get.getType()), value), element, false)
                 : std::to_string(value.bitcastToAPInt().getZExtValue()));
  } else {
    for (const llvm::APInt& value : values.getValues<llvm::APInt>())
      append(element.is_bool
                 ? (value.isZero() ? "0" : "1")
                 : literal(mlir::IntegerAttr::get(elementOf(get.getType()), value), element, false));
  }
  const std::string name = get.getName().str();
  helpers_.addText(
      fmt::format("__constant {} {}[{}] = {{{}}};", element.storage, name, values.getNumElements(), text));
  views_[get.getResult()] = {
      .pointer = name, .space = "__constant", .read_only = true, .strides = std::move(strides)};
  return {};
}

Status KernelPrinter::bytesView(mlir::Operation* op) {
  auto view_op = mlir::cast<mlir::memref::ViewOp>(op);
  TET_ASSIGN_OR_RETURN(const View* bytes, viewOf(view_op.getSource()));
  TET_ASSIGN_OR_RETURN(const ScalarType element, type(view_op.getResult()));
  TET_ASSIGN_OR_RETURN(auto strides, staticStrides(view_op.getType()));
  Linear at = bytes->offset;
  TET_RETURN_IF_ERROR(scalar(view_op.getByteShift()));
  addTerm(at, view_op.getByteShift(), 1);
  View typed{.space = bytes->space, .read_only = bytes->read_only, .strides = std::move(strides)};
  typed.pointer = name(view_op.getResult(), "view");
  const std::string pointer = pointerType(typed, element.storage);
  line(fmt::format("{0} {1} = ({0})({2} + {3});", pointer, typed.pointer, bytes->pointer, print(at).text));
  views_[view_op.getResult()] = std::move(typed);
  return {};
}

Status KernelPrinter::memory(mlir::Operation* op, bool& known) {
  namespace memref = mlir::memref;
  namespace vector = mlir::vector;
  auto offsetOf = [&](mlir::Value source) -> Result<Linear> {
    TET_ASSIGN_OR_RETURN(const View* view, viewOf(source));
    return view->offset;
  };
  auto sameOffset = [&](mlir::Value source) -> Status {
    TET_ASSIGN_OR_RETURN(Linear offset, offsetOf(source));
    return view(op, source, std::move(offset));
  };
  return llvm::TypeSwitch<mlir::Operation*, Status>(op)
      .Case([&](memref::LoadOp load_op) -> Status {
        TET_RETURN_IF_ERROR(viewOf(load_op.getMemref()));
        return loadVector(op, load_op.getMemref(), load_op.getIndices());
      })
      .Case([&](memref::StoreOp store) {
        return storeVector(store.getValue(), store.getMemref(), store.getIndices());
      })
      .Case([&](vector::LoadOp load_op) -> Status {
        if (load_op.getVectorType().getRank() != 1) return declined(op, "only rank-1 vectors are loaded");
        return loadVector(op, load_op.getBase(), load_op.getIndices());
      })
      .Case([&](vector::StoreOp store) -> Status {
        if (store.getVectorType().getRank() != 1) return declined(op, "only rank-1 vectors are stored");
        return storeVector(store.getValueToStore(), store.getBase(), store.getIndices());
      })
      .Case([&](vector::TransferReadOp read) -> Status {
        if (read.getMask() || read.hasOutOfBoundsDim() || !read.getPermutationMap().isMinorIdentity() ||
            read.getVectorType().getRank() != 1) {
          return declined(op, "only in-bounds, unmasked rank-1 reads of the last dimension have a spelling");
        }
        return loadVector(op, read.getBase(), read.getIndices());
      })
      .Case([&](vector::TransferWriteOp write) -> Status {
        if (write.getMask() || write.hasOutOfBoundsDim() || !write.getPermutationMap().isMinorIdentity() ||
            write.getVectorType().getRank() != 1) {
          return declined(op, "only in-bounds, unmasked rank-1 writes of the last dimension have a spelling");
        }
        return storeVector(write.getValueToStore(), write.getBase(), write.getIndices());
      })
      .Case([&](memref::AllocaOp alloca) { return declareMemory(alloca.getResult(), "", "scratch"); })
      .Case([&](memref::GetGlobalOp get) { return constantTable(get); })
      .Case([&](memref::ViewOp) { return bytesView(op); })
      .Case([&](memref::CastOp cast) { return sameOffset(cast.getSource()); })
      .Case([&](memref::AssumeAlignmentOp assume) { return sameOffset(assume.getMemref()); })
      .Case([&](memref::CollapseShapeOp collapse) { return sameOffset(collapse.getSrc()); })
      .Case([&](memref::ExpandShapeOp expand) { return sameOffset(expand.getSrc()); })
      .Case([&](memref::SubViewOp sub) -> Status {
        TET_ASSIGN_OR_RETURN(const View* source, viewOf(sub.getSource()));
        Linear offset = source->offset;
        for (auto [at, stride] : llvm::zip_equal(sub.getMixedOffsets(), source->strides)) {
          if (auto constant = mlir::getConstantIntValue(at)) {
            offset.constant += *constant * stride;
          } else {
            TET_RETURN_IF_ERROR(scalar(mlir::cast<mlir::Value>(at)));
            addTerm(offset, mlir::cast<mlir::Value>(at), stride);
          }
        }
        return view(op, sub.getSource(), std::move(offset));
      })
      .Case([&](memref::ReinterpretCastOp cast) -> Status {
        Linear offset;
        const mlir::OpFoldResult at = cast.getMixedOffsets().front();
        if (auto constant = mlir::getConstantIntValue(at)) {
          offset.constant = *constant;
        } else {
          TET_RETURN_IF_ERROR(scalar(mlir::cast<mlir::Value>(at)));
          addTerm(offset, mlir::cast<mlir::Value>(at), 1);
        }
        return view(op, cast.getSource(), std::move(offset));
      })
      .Default([&](mlir::Operation*) -> Status {
        known = false;
        return {};
      });
}

}  // namespace tetrarch::opencl
