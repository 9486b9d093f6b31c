// The border of the imported graph: its inputs with their shapes, its outputs.
#include <algorithm>

#include "llvm/ADT/STLExtras.h"
#include "tetrarch/graph/tet.h"
#include "tetrarch/graph/types.h"
#include "tetrarch/import/onnx/importer.h"

namespace tetrarch::onnx {

// Each dimension from the file, from the caller's shape, or from the sizes of named dimensions; all must
// agree.
Result<Shape> Importer::shapeOfInput(const ValueInfo& info) {
  const Type::Tensor& tensor = info.type().tensor_type();
  const auto given = options_.shapes.find(info.name());
  const auto value = options_.values.find(info.name());
  const Shape* whole = given != options_.shapes.end()   ? &given->second
                       : value != options_.values.end() ? &value->second.shape()
                                                        : nullptr;
  if (!tensor.has_shape()) {
    if (whole) return *whole;
    needs_.dims.push_back(info.name());
    return fail(StatusCode::kFailedPrecondition, "input '{}' has no shape in the file, it must be given",
                info.name());
  }
  if (whole && static_cast<int>(whole->size()) != tensor.shape().dim_size()) {
    return fail(StatusCode::kFailedPrecondition, "input '{}' has {} dimensions, it was given {}", info.name(),
                tensor.shape().dim_size(), whole->size());
  }
  Shape shape;
  for (int d = 0; d < tensor.shape().dim_size(); ++d) {
    const auto& dim = tensor.shape().dim(d);
    const std::string name =
        dim.dim_param().empty() ? fmt::format("{}[{}]", info.name(), d) : dim.dim_param();
    const auto bound = dims_.find(name);
    int64_t size = -1;
    if (dim.has_dim_value() && dim.dim_value() >= 0) {
      size = dim.dim_value();
    } else if (bound != dims_.end()) {
      size = bound->second;
    } else if (whole) {
      size = (*whole)[d];
      dims_[name] = size;
    } else {
      needs_.dims.push_back(name);
    }
    if (whole && size != (*whole)[d]) {
      return fail(StatusCode::kFailedPrecondition, "dimension {} of input '{}' is {}, it was given {}", d,
                  info.name(), size, (*whole)[d]);
    }
    shape.push_back(size);
  }
  return shape;
}

// For messages: " of node 'n' (Op)", the first node that reads the input.
std::string Importer::readerOf(const std::string& input) const {
  for (const Node& node : model_->graph().node()) {
    if (std::ranges::find(node.input(), input) != node.input().end())
      return fmt::format(" of {}", describeNode(node));
  }
  return ", which no node reads";
}

Status Importer::importInput(const ValueInfo& info, mlir::func::FuncOp main, Scope& scope) {
  if (info.name().empty()) return invalidArgument("an input has no name");
  if (info.type().value_case() != Type::kTensorType) {
    return unimplemented(
        "input '{}'{} is not a tensor (sequences, maps and optional values are not supported)", info.name(),
        readerOf(info.name()));
  }
  auto type = elementTypeOf(info.type().tensor_type().elem_type());
  if (!type.has_value()) {
    return propagate(
        type.error().withContext(fmt::format("input '{}'{}", info.name(), readerOf(info.name()))));
  }
  const size_t missing = needs_.dims.size();
  TET_ASSIGN_OR_RETURN(const Shape shape, shapeOfInput(info));
  if (needs_.dims.size() > missing) return {};  // reported together by importInputs
  if (auto count = elementCount(shape); !count.has_value() || *count > (1LL << 40) || shape.size() > 64) {
    return invalidArgument("input '{}' is too large: {}", info.name(), toString(*type, shape));
  }
  Value value;
  if (const auto bound = options_.values.find(info.name()); bound != options_.values.end()) {
    if (bound->second.type() != *type || bound->second.shape() != shape) {
      return invalidArgument("input '{}' is {}, it was given {}", info.name(), toString(*type, shape),
                             toString(bound->second.type(), bound->second.shape()));
    }
    value = builder_.constant(bound->second);
  } else {
    const unsigned index = main.getNumArguments();
    const auto name = ops_.getDictionaryAttr(ops_.getNamedAttr("tet.name", ops_.getStringAttr(info.name())));
    if (mlir::failed(
            main.insertArgument(index, builder_.tensorType(*type, shape), name, ops_.getUnknownLoc()))) {
      return internalError("cannot add input '{}'", info.name());
    }
    value = main.getArgument(index);
  }
  if (!scope.values.emplace(info.name(), value).second) {
    return invalidArgument("two inputs are named '{}'", info.name());
  }
  return {};
}

Result<Scope> Importer::importInputs(mlir::func::FuncOp main) {
  Scope scope;
  std::set<std::string_view> initialized;
  for (const auto& data : model_->graph().initializer()) initialized.insert(data.name());
  for (const auto& data : model_->graph().sparse_initializer()) initialized.insert(data.values().name());
  for (const ValueInfo& info : model_->graph().input()) {
    // An initializer is the default of an input of its name; such an input is a constant unless a value is
    // given.
    if (initialized.contains(info.name()) && !options_.values.contains(info.name())) continue;
    TET_RETURN_IF_ERROR(importInput(info, main, scope));
  }
  if (needs_.dims.empty()) return scope;
  const std::string& first = needs_.dims.front();
  std::string names;
  for (const std::string& name : needs_.dims) names += fmt::format("{}'{}'", names.empty() ? "" : ", ", name);
  return fail(StatusCode::kFailedPrecondition, "the size of dimension {} must be given, as in --dim {}=1",
              names, first);
}

Status Importer::returnOutputs(mlir::func::FuncOp main, const Scope& scope) {
  Values results;
  llvm::SmallVector<mlir::Attribute> attributes;
  for (const ValueInfo& info : model_->graph().output()) {
    const Value value = scope.lookUp(info.name()).value_or(Value());
    if (!value) return invalidArgument("nothing makes output '{}'", info.name());
    const Type& type = info.type();
    if (type.value_case() == Type::kTensorType && type.tensor_type().elem_type() != 0) {
      TET_ASSIGN_OR_RETURN(const ElementType declared, elementTypeOf(type.tensor_type().elem_type()));
      if (declared != typeOf(value)) {
        return invalidArgument("output '{}' is declared {} but its nodes make {}", info.name(),
                               tetrarch::info(declared).name, tetrarch::info(typeOf(value)).name);
      }
    }
    results.push_back(value);
    attributes.push_back(
        ops_.getDictionaryAttr(ops_.getNamedAttr("tet.name", ops_.getStringAttr(info.name()))));
  }
  mlir::func::ReturnOp::create(ops_, ops_.getUnknownLoc(), results);
  main.setFunctionType(ops_.getFunctionType(main.getArgumentTypes(), mlir::ValueRange(results).getTypes()));
  main.setAllResultAttrs(attributes);
  return {};
}

}  // namespace tetrarch::onnx
