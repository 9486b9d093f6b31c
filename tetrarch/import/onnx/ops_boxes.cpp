// Suppression of boxes that cover the same thing. How many remain decides a shape, so that the data must be
// known at import.
#include <algorithm>
#include <cmath>
#include <optional>

#include "tetrarch/import/onnx/op_context.h"

namespace tetrarch::onnx {
namespace {

constexpr int64_t kMostPairs = 1LL << 32;  // of boxes that may have to be compared

struct Box {
  double low[2], high[2];
  double area() const { return (high[0] - low[0]) * (high[1] - low[1]); }
};

// Two corners in any order, or with `centred` the middle (x, y) and the sizes.
Box boxAt(const Tensor& boxes, int64_t i, bool centred) {
  Box box{};
  for (int d = 0; d < 2; ++d) {
    const double a = boxes.getDouble(4 * i + d), b = boxes.getDouble(4 * i + 2 + d);
    box.low[d] = centred ? a - b / 2 : std::min(a, b);
    box.high[d] = centred ? a + b / 2 : std::max(a, b);
  }
  return box;
}

bool overlaps(const Box& a, const Box& b, double threshold) {
  double common = 1;
  for (int d = 0; d < 2; ++d) {
    const double size = std::min(a.high[d], b.high[d]) - std::max(a.low[d], b.low[d]);
    if (!(size > 0)) return false;
    common *= size;
  }
  const double together = a.area() + b.area() - common;
  return a.area() > 0 && b.area() > 0 && together > 0 && common / together > threshold;
}

struct Suppression {
  const Tensor& boxes;   // [batches, boxes, 4]
  const Tensor& scores;  // [batches, classes, boxes]
  bool centred;
  double threshold;
  std::optional<double> least_score;
  int64_t most;
};

// The boxes of one class that remain, the best first; of equal ones the first is better.
Shape remaining(const Suppression& s, int64_t batch, int64_t first_score) {
  const int64_t count = s.boxes.shape()[1];
  Shape order;
  for (int64_t i = 0; i < count; ++i) {
    const double score = s.scores.getDouble(first_score + i);
    if (!std::isnan(score) && (!s.least_score || score > *s.least_score)) order.push_back(i);
  }
  std::ranges::sort(order, [&](int64_t a, int64_t b) {
    const double left = s.scores.getDouble(first_score + a), right = s.scores.getDouble(first_score + b);
    return left != right ? left > right : a < b;
  });
  Shape kept;
  std::vector<Box> kept_boxes;
  for (const int64_t i : order) {
    if (static_cast<int64_t>(kept.size()) >= s.most) break;
    const Box box = boxAt(s.boxes, batch * count + i, s.centred);
    if (std::ranges::any_of(kept_boxes, [&](const Box& other) { return overlaps(box, other, s.threshold); }))
      continue;
    kept.push_back(i);
    kept_boxes.push_back(box);
  }
  return kept;
}

Result<std::optional<double>> optionalScalar(OpContext& n, int i) {
  if (!n.has(i)) return std::nullopt;
  TET_ASSIGN_OR_RETURN(const Tensor tensor, n.constant(i, "how many boxes remain"));
  return tensor.count() == 0 ? std::nullopt : std::optional(tensor.getDouble(0));
}

}  // namespace

// Inputs: boxes, scores, the most to keep of a class, the largest overlap, the lowest score. Results are
// triples of batch, class and box.
Status importNonMaxSuppression(OpContext& n) {
  TET_ASSIGN_OR_RETURN(const Tensor boxes, n.constant(0, "how many boxes remain"));
  TET_ASSIGN_OR_RETURN(const Tensor scores, n.constant(1, "how many boxes remain"));
  TET_ASSIGN_OR_RETURN(const auto most, optionalScalar(n, 2));
  TET_ASSIGN_OR_RETURN(const auto threshold, optionalScalar(n, 3));
  TET_ASSIGN_OR_RETURN(const auto least_score, optionalScalar(n, 4));
  if (boxes.rank() != 3 || boxes.shape()[2] != 4 || scores.rank() != 3 ||
      scores.shape()[0] != boxes.shape()[0] || scores.shape()[2] != boxes.shape()[1]) {
    return invalidArgument("its boxes {} and scores {} do not fit", toString(boxes.type(), boxes.shape()),
                           toString(scores.type(), scores.shape()));
  }
  const Suppression s{boxes,
                      scores,
                      n.getInt("center_point_box") != 0,
                      threshold.value_or(0),
                      least_score,
                      static_cast<int64_t>(std::clamp<double>(most.value_or(0), 0, INT32_MAX))};
  const int64_t classes = scores.shape()[1], count = scores.shape()[2];
  if (std::min(s.most, count) * scores.count() > kMostPairs) return n.decline("{} scores", scores.count());
  Shape triples;
  for (int64_t i = 0; i < scores.shape()[0] * classes; ++i) {
    for (const int64_t box : remaining(s, i / classes, i * count))
      triples.insert(triples.end(), {i / classes, i % classes, box});
  }
  const int64_t rows = static_cast<int64_t>(triples.size()) / 3;
  return n.result(n.b.constant(Tensor::of<int64_t>(ElementType::I64, {rows, 3}, triples)));
}

}  // namespace tetrarch::onnx
