// One step of an optimiser, for each of several weights. Inputs: rate, number of the step, then the weights,
// their gradients, and one or two running values of each; the results are weights and running values.
#include <cmath>

#include "tetrarch/import/onnx/op_context.h"

namespace tetrarch::onnx {
namespace {

using enum tet::ComparisonDirection;

// The first of `kept` results a weight is the weight. Parts are weight, gradient, running values.
using Step = llvm::function_ref<Values(llvm::ArrayRef<Value> parts)>;

Status importStep(OpContext& n, int64_t kept, Step step) {
  const int64_t inputs = n.inputCount() - 2, parts = kept + 1, weights = inputs / parts;
  if (inputs != weights * parts || countOf(n.in(0)) != 1 || countOf(n.in(1)) != 1)
    return invalidArgument("it has {} inputs", n.inputCount());
  Values results(kept * weights);
  for (int64_t w = 0; w < weights; ++w) {
    Values operands;
    for (int64_t p = 0; p < parts; ++p) operands.push_back(n.in(static_cast<int>(2 + p * weights + w)));
    const Values next = step(operands);
    TET_RETURN_IF_ERROR(n.b.status());
    for (int64_t k = 0; k < kept; ++k) results[k * weights + w] = next[k];
  }
  return n.results(results);
}

// Rate and step number as scalars of the weight's type.
Value scalarInput(OpContext& n, int i, Value weight) {
  return n.b.convert(n.b.reshape(n.in(i), {}), typeOf(weight));
}

Value regularized(OpContext& n, Value weight, Value gradient) {
  return n.b.add(n.b.mul(weight, n.getFloat("norm_coefficient")), gradient);
}

}  // namespace

Status importAdagrad(OpContext& n) {
  GraphBuilder& b = n.b;
  return importStep(n, 2, [&](llvm::ArrayRef<Value> v) -> Values {
    const Value slowed = b.add(b.mul(scalarInput(n, 1, v[0]), n.getFloat("decay_factor")), 1);
    const Value rate = b.div(scalarInput(n, 0, v[0]), slowed), gradient = regularized(n, v[0], v[1]);
    const Value squares = b.add(v[2], b.mul(gradient, gradient));
    const Value scale = b.add(b.sqrt(squares), n.getFloat("epsilon", 1e-6));
    return {b.sub(v[0], b.div(b.mul(gradient, rate), scale)), squares};
  });
}

Status importAdam(OpContext& n) {
  GraphBuilder& b = n.b;
  const double alpha = n.getFloat("alpha", 0.9), beta = n.getFloat("beta", 0.999);
  return importStep(n, 3, [&](llvm::ArrayRef<Value> v) -> Values {
    const Value gradient = regularized(n, v[0], v[1]), t = scalarInput(n, 1, v[0]);
    const Value mean = b.add(b.mul(v[2], alpha), b.mul(gradient, 1 - alpha));
    const Value squares = b.add(b.mul(v[3], beta), b.mul(b.mul(gradient, gradient), 1 - beta));
    // Both running values begin at 0, which the first steps make up for.
    auto missing = [&](double decay) { return b.sub(b.like(t, 1), b.binary("power", b.like(t, decay), t)); };
    const Value first = b.compare(LE, t, 0);
    const Value correction = b.div(b.sqrt(missing(beta)), b.select(first, b.like(t, 1), missing(alpha)));
    const Value rate = b.mul(scalarInput(n, 0, v[0]), b.select(first, b.like(t, 1), correction));
    const Value scale = b.add(b.sqrt(squares), n.getFloat("epsilon", 1e-6));
    const Value moved = b.sub(v[0], b.mul(b.div(mean, scale), rate));
    return {b.mul(moved, 1 - n.getFloat("norm_coefficient_post")), mean, squares};
  });
}

Status importMomentum(OpContext& n) {
  GraphBuilder& b = n.b;
  const std::string mode = n.getString("mode");
  if (mode != "standard" && mode != "nesterov") return n.decline("mode '{}' is not known", mode);
  const double alpha = n.getFloat("alpha"), beta = n.getFloat("beta");
  return importStep(n, 2, [&](llvm::ArrayRef<Value> v) -> Values {
    const Value gradient = regularized(n, v[0], v[1]), t = scalarInput(n, 1, v[0]);
    const Value share =
        b.select(b.compare(GT, t, 0), b.like(t, beta), b.like(t, 1));  // all at the first step
    const Value momentum = b.add(b.mul(v[2], alpha), b.mul(gradient, share));
    const Value direction = mode == "nesterov" ? b.add(gradient, b.mul(momentum, alpha)) : momentum;
    return {b.sub(v[0], b.mul(direction, scalarInput(n, 0, v[0]))), momentum};
  });
}

}  // namespace tetrarch::onnx
