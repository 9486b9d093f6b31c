#include "tetrarch/import/onnx/op_context.h"

#include <algorithm>

#include "tetrarch/import/onnx/importer.h"

namespace tetrarch::onnx {

std::optional<Value> Scope::lookUp(std::string_view name) const {
  for (const Scope* scope = this; scope; scope = scope->outer) {
    if (const auto found = scope->values.find(name); found != scope->values.end()) return found->second;
  }
  return std::nullopt;
}

//-- Inputs

bool OpContext::has(int i) const {
  return i < node.input_size() && !node.input(i).empty() && scope.lookUp(node.input(i)).value_or(Value());
}

Value OpContext::in(int i) {
  if (!has(i)) {
    refuse("input {} is missing", i);
    return {};
  }
  return *scope.lookUp(node.input(i));
}

Values OpContext::allInputs() {
  Values values;
  for (int i = 0; i < inputCount(); ++i) values.push_back(in(i));
  return values;
}

Result<Tensor> OpContext::constant(int i, std::string_view what) {
  const Value value = in(i);
  TET_RETURN_IF_ERROR(b.status());
  return importer.require(value, fmt::format("input {} ('{}'), which decides {}", i, node.input(i), what));
}

Result<Shape> OpContext::constantInts(int i, std::string_view what) {
  TET_ASSIGN_OR_RETURN(const Tensor tensor, constant(i, what));
  if (isFloat(tensor.type()) || tensor.rank() > 1) {
    return invalidArgument("input {} is {}, not a list of integers", i,
                           toString(tensor.type(), tensor.shape()));
  }
  Shape ints(tensor.count());
  for (int64_t k = 0; k < tensor.count(); ++k) ints[k] = tensor.getInt(k);
  return ints;
}

Result<Shape> OpContext::intsFrom(std::string_view name, int i) {
  if (hasAttribute(name)) return getInts(name);
  if (has(i)) return constantInts(i, fmt::format("the {}", name));
  return Shape();
}

//-- Attributes

const Attribute* OpContext::attribute(std::string_view name) const {
  for (const Attribute& attribute : node.attribute()) {
    if (attribute.name() != name) continue;
    if (attribute.ref_attr_name().empty()) return &attribute;
    const auto bound = frame.attributes.find(attribute.ref_attr_name());
    return bound == frame.attributes.end() ? nullptr : bound->second;
  }
  return nullptr;
}

// The attribute when it is there and of `kind`; the sticky error when it is of another.
static const Attribute* typed(OpContext& context, std::string_view name, Attribute::Kind kind) {
  const Attribute* attribute = context.attribute(name);
  // Files of the oldest format version leave the kind out.
  if (!attribute || attribute->type() == kind || attribute->type() == Attribute::UNDEFINED) return attribute;
  context.refuse("attribute '{}' has the wrong type", name);
  return nullptr;
}

int64_t OpContext::getInt(std::string_view name, int64_t otherwise) {
  const Attribute* attribute = typed(*this, name, Attribute::INT);
  return attribute ? attribute->i() : otherwise;
}

double OpContext::getFloat(std::string_view name, double otherwise) {
  const Attribute* attribute = typed(*this, name, Attribute::FLOAT);
  return attribute ? attribute->f() : otherwise;
}

std::string OpContext::getString(std::string_view name, std::string_view otherwise) {
  const Attribute* attribute = typed(*this, name, Attribute::STRING);
  return attribute ? attribute->s() : std::string(otherwise);
}

Shape OpContext::getInts(std::string_view name, Shape otherwise) {
  const Attribute* attribute = typed(*this, name, Attribute::INTS);
  return attribute ? Shape(attribute->ints().begin(), attribute->ints().end()) : otherwise;
}

std::vector<double> OpContext::getFloats(std::string_view name) {
  const Attribute* attribute = typed(*this, name, Attribute::FLOATS);
  return attribute ? std::vector<double>(attribute->floats().begin(), attribute->floats().end())
                   : std::vector<double>();
}

std::vector<std::string> OpContext::getStrings(std::string_view name) {
  const Attribute* attribute = typed(*this, name, Attribute::STRINGS);
  return attribute ? std::vector<std::string>(attribute->strings().begin(), attribute->strings().end())
                   : std::vector<std::string>();
}

const Graph* OpContext::getGraph(std::string_view name) {
  const Attribute* attribute = typed(*this, name, Attribute::GRAPH);
  if (!attribute) refuse("graph attribute '{}' is missing", name);
  return attribute ? &attribute->g() : nullptr;
}

int64_t OpContext::wrapAxis(int64_t axis, int64_t rank) {
  if (axis >= -rank && axis < rank) return axis < 0 ? axis + rank : axis;
  refuse("axis {} does not exist in {} dimensions", axis, rank);
  return 0;
}

int64_t OpContext::getAxis(std::string_view name, int64_t otherwise, int64_t rank) {
  return wrapAxis(getInt(name, otherwise), rank);
}

Shape OpContext::wrapAxes(Shape axes, int64_t rank) {
  for (int64_t& axis : axes) axis = wrapAxis(axis, rank);
  Shape sorted = axes;
  std::ranges::sort(sorted);
  if (std::ranges::adjacent_find(sorted) != sorted.end()) {
    refuse("an axis is named twice");
    return {};
  }
  return axes;
}

//-- Outputs

Status OpContext::results(llvm::ArrayRef<Value> values) {
  TET_RETURN_IF_ERROR(b.status());
  for (int i = 0; i < node.output_size(); ++i) {
    if (!wants(i)) continue;
    if (i >= static_cast<int>(values.size()) || !values[i]) {
      return decline("its output {} ('{}') is not supported", i, node.output(i));
    }
    if (!scope.values.emplace(node.output(i), values[i]).second) {
      return invalidArgument("its output '{}' is the name of another value", node.output(i));
    }
  }
  return {};
}

}  // namespace tetrarch::onnx
