// Losses of classifiers.
#include "tetrarch/import/compositions.h"
#include "tetrarch/import/onnx/importer.h"
#include "tetrarch/import/onnx/op_context.h"

namespace tetrarch::onnx {
namespace {

using enum tet::ComparisonDirection;

// Minus the log probability of each target class, weighted, and reduced as the node says.
Result<Value> negativeLogLikelihood(OpContext& n, Value log_probability) {
  GraphBuilder& b = n.b;
  const Value x = log_probability, target = n.in(1);
  TET_RETURN_IF_ERROR(b.status());
  if (rankOf(x) < 2 || rankOf(target) != rankOf(x) - 1 || dimOf(x, 1) == 0) {
    return invalidArgument("its target does not fit its scores");
  }
  const Value classes = b.clamp(target, 0, static_cast<double>(dimOf(x, 1) - 1));
  const Value picked = b.squeeze(b.takeAlong(x, b.expandDims(classes, {1}), 1), {1});
  Value weight = n.has(2) ? b.take(n.in(2), classes, 0) : b.like(picked, 1);
  if (n.hasAttribute("ignore_index")) {
    const Value ignored = b.compare(EQ, target, static_cast<double>(n.getInt("ignore_index")));
    weight = b.select(ignored, b.like(weight, 0), weight);
  }
  const Value loss = b.neg(b.mul(picked, weight));
  const std::string reduction = n.getString("reduction", "mean");
  const Shape all = range(rankOf(loss));
  if (reduction == "none") return loss;
  if (reduction == "sum") return b.sum(loss, all);
  if (reduction == "mean") return b.div(b.sum(loss, all), b.sum(weight, all));
  return n.decline("reduction '{}' is not known", reduction);
}

}  // namespace

Status importNegativeLogLikelihoodLoss(OpContext& n) {
  TET_ASSIGN_OR_RETURN(const Value loss, negativeLogLikelihood(n, n.in(0)));
  return n.result(loss);
}

Status importSoftmaxCrossEntropyLoss(OpContext& n) {
  if (rankOf(n.in(0)) < 2) return invalidArgument("its scores have {} dimensions", rankOf(n.in(0)));
  const Value log_probability = logSoftmax(n.b, n.in(0), 1);
  TET_ASSIGN_OR_RETURN(const Value loss, negativeLogLikelihood(n, log_probability));
  return n.results({loss, log_probability});
}

}  // namespace tetrarch::onnx
