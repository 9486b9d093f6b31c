// Attention and rotary embeddings.
#include <algorithm>
#include <cmath>
#include <limits>

#include "tetrarch/import/compositions.h"
#include "tetrarch/import/onnx/importer.h"
#include "tetrarch/import/onnx/op_context.h"

namespace tetrarch::onnx {
namespace {

using enum tet::ComparisonDirection;
using tet::ReductionKind;

constexpr double kMinusInfinity = -std::numeric_limits<double>::infinity();

// [batch, length, heads * size] to [batch, heads, length, size].
Value splitHeads(OpContext& n, Value x, int64_t heads) {
  if (rankOf(x) == 4) return x;
  if (rankOf(x) != 3 || heads < 1 || dimOf(x, 2) % heads != 0) {
    n.refuse("{} heads do not fit {}", heads, toString(typeOf(x), shapeOf(x)));
    return {};
  }
  return n.b.transpose(n.b.reshape(x, {dimOf(x, 0), dimOf(x, 1), heads, dimOf(x, 2) / heads}), {0, 2, 1, 3});
}

Value mergeHeads(GraphBuilder& b, Value x) {
  return b.reshape(b.transpose(x, {0, 2, 1, 3}), {dimOf(x, 0), dimOf(x, 2), dimOf(x, 1) * dimOf(x, 3)});
}

// Each head `times` times in a row, for queries that share keys and values.
Value repeatHeads(GraphBuilder& b, Value x, int64_t times) {
  if (times == 1) return x;
  const Shape wide = {dimOf(x, 0), dimOf(x, 1), times, dimOf(x, 2), dimOf(x, 3)};
  return b.reshape(b.broadcastInDim(x, wide, {0, 1, 3, 4}), {wide[0], wide[1] * times, wide[3], wide[4]});
}

// Which keys a query may see, from the rules of position: at row i and column j.
struct Positions {
  Value row, column;
};
// The number of keys before the block of queries: [] or [batch, 1, 1, 1].
Value queryOffset(OpContext& n, int64_t queries) {
  if (n.has(4)) return n.b.scalarInt(ElementType::I64, dimOf(n.in(4), 2));
  if (!n.has(6)) return n.b.scalarInt(ElementType::I64, 0);
  const Value length = n.b.reshape(n.b.convert(n.in(6), ElementType::I64), {countOf(n.in(6)), 1, 1, 1});
  return n.b.sub(length, static_cast<double>(queries));
}

Value both(GraphBuilder& b, Value allowed, Value also) {
  return allowed ? b.binary("and", allowed, also) : also;
}

// The additive mask in f32, 0 where a query may look and -inf where not; null when it may look everywhere.
Value maskBias(OpContext& n, int64_t queries, int64_t keys) {
  GraphBuilder& b = n.b;
  const Shape square = {queries, keys};
  const Value row = b.iota(ElementType::I64, square, 0), column = b.iota(ElementType::I64, square, 1);
  const int64_t left = n.getInt("left_window_size", -1), right = n.getInt("right_window_size", -1);
  Value allowed, bias;
  if (n.getInt("is_causal") || left >= 0 || right >= 0) {
    const Value position = b.add(row, queryOffset(n, queries));
    if (n.getInt("is_causal")) allowed = b.compare(LE, column, position);
    if (left >= 0)
      allowed = both(b, allowed, b.compare(GE, column, b.sub(position, static_cast<double>(left))));
    if (right >= 0)
      allowed = both(b, allowed, b.compare(LE, column, b.add(position, static_cast<double>(right))));
  }
  if (n.has(6)) {
    const Value length = b.reshape(b.convert(n.in(6), ElementType::I64), {countOf(n.in(6)), 1, 1, 1});
    allowed = both(b, allowed, b.compare(LT, column, length));
  }
  if (n.has(3)) {
    Value mask = n.in(3);
    const int64_t missing = keys - dimOf(mask, rankOf(mask) - 1);
    if (missing > 0) {
      Shape zeros(rankOf(mask), 0), high = zeros;
      high.back() = missing;
      const double hidden = typeOf(mask) == ElementType::I1 ? 0 : kMinusInfinity;
      mask = b.pad(mask, b.scalar(typeOf(mask), hidden), zeros, high);
    }
    if (typeOf(mask) == ElementType::I1) {
      allowed = both(b, allowed, mask);
    } else {
      bias = b.convert(mask, ElementType::F32);
    }
  }
  if (!allowed) return bias;
  return b.select(allowed, bias ? bias : b.scalar(ElementType::F32, 0), kMinusInfinity);
}

struct AttentionSpec {
  double scale, softcap;
  int64_t exposed;  // which scores are the second result
};

// softmax(q kᵀ scale + bias) v in f32. A query that may look nowhere yields 0.
Values attend(GraphBuilder& b, const Values& inputs, const AttentionSpec& spec, ElementType type) {
  auto body = [&](llvm::ArrayRef<Value> in) -> Values {
    const double root = std::sqrt(spec.scale);
    const Value q = b.mul(b.convert(in[0], ElementType::F32), root),
                k = b.mul(b.convert(in[1], ElementType::F32), root);
    Value scores = b.dotGeneral(q, k, {0, 1}, {0, 1}, {3}, {3});
    Value exposed = scores;
    if (spec.softcap > 0) scores = b.mul(b.unary("tanh", b.div(scores, spec.softcap)), spec.softcap);
    if (spec.exposed == 1) exposed = scores;
    if (in.size() > 3) scores = b.add(scores, in[3]);
    if (spec.exposed == 2) exposed = scores;
    const Value largest = b.reduce(ReductionKind::Maximum, scores, {3}, true);
    const Value hidden = b.compare(EQ, largest, kMinusInfinity);
    const Value e = b.exp(b.sub(scores, b.select(hidden, b.like(largest, 0), largest)));
    const Value sum = b.sum(e, {3}, true);
    const Value weights = b.div(e, b.select(hidden, b.like(sum, 1), sum));
    if (spec.exposed == 3) exposed = weights;
    const Value y = b.dotGeneral(weights, b.convert(in[2], ElementType::F32), {0, 1}, {0, 1}, {3}, {2});
    return {b.convert(y, type), b.convert(exposed, type)};
  };
  Values results = b.composite("attention", inputs, body,
                               {b.attrFloat("scale", spec.scale), b.attrFloat("softcap", spec.softcap)});
  results.resize(2);
  return results;
}

}  // namespace

// Inputs: queries, keys, values, mask, past keys, past values, number of keys that are not padding.
Status importAttention(OpContext& n) {
  if (typeOf(n.in(0)) == ElementType::F64) return n.decline("element type f64 is not supported");
  const bool merged = rankOf(n.in(0)) == 3;
  const Value q = splitHeads(n, n.in(0), n.getInt("q_num_heads"));
  Value k = splitHeads(n, n.in(1), n.getInt("kv_num_heads")),
        v = splitHeads(n, n.in(2), n.getInt("kv_num_heads"));
  if (n.has(4)) k = n.b.concat({n.in(4), k}, 2);
  if (n.has(5)) v = n.b.concat({n.in(5), v}, 2);
  TET_RETURN_IF_ERROR(n.b.status());
  const int64_t heads = dimOf(q, 1), shared = dimOf(k, 1);
  if (rankOf(q) != 4 || rankOf(k) != 4 || rankOf(v) != 4 || shared < 1 || heads % shared != 0 ||
      dimOf(v, 1) != shared) {
    return invalidArgument("its queries, keys and values do not fit each other");
  }
  Values inputs = {q, repeatHeads(n.b, k, heads / shared), repeatHeads(n.b, v, heads / shared)};
  if (const Value bias = maskBias(n, dimOf(q, 2), dimOf(k, 2))) {
    inputs.push_back(n.b.broadcastTo(bias, {dimOf(q, 0), heads, dimOf(q, 2), dimOf(k, 2)}));
  }
  TET_RETURN_IF_ERROR(n.b.status());
  const AttentionSpec spec{n.getFloat("scale", 1 / std::sqrt(static_cast<double>(dimOf(q, 3)))),
                           n.getFloat("softcap", 0), n.getInt("qk_matmul_output_mode", 0)};
  if (!(spec.scale >= 0) || dimOf(k, 2) == 0) return n.decline("a negative scale or no keys at all");
  const Values results = attend(n.b, inputs, spec, typeOf(q));
  return n.results({merged ? mergeHeads(n.b, results[0]) : results[0], k, v, results[1]});
}

// Inputs: x, cosines, sines, positions. Rotates pairs of elements of each head.
Status importRotaryEmbedding(OpContext& n) {
  GraphBuilder& b = n.b;
  const bool merged = rankOf(n.in(0)) == 3;
  const Value x = splitHeads(n, n.in(0), n.getInt("num_heads"));
  TET_RETURN_IF_ERROR(b.status());
  const int64_t size = dimOf(x, 3), wanted = n.getInt("rotary_embedding_dim"),
                turned = wanted ? wanted : size;
  if (rankOf(x) != 4 || turned < 2 || turned > size || turned % 2 != 0)
    return invalidArgument("it cannot rotate {} of {}", turned, size);
  auto angles = [&](int i) {
    const Value cache = n.has(3) ? b.take(n.in(i), n.in(3), 0) : n.in(i);
    return b.expandDims(cache, {1});  // [batch, 1, length, turned / 2]
  };
  const Value cosine = angles(1), sine = angles(2), rotated = b.sliceAxis(x, 3, 0, turned);
  const bool interleaved = n.getInt("interleaved") != 0;
  const Value even =
      interleaved ? b.sliceAxis(rotated, 3, 0, turned, 2) : b.sliceAxis(rotated, 3, 0, turned / 2);
  const Value odd =
      interleaved ? b.sliceAxis(rotated, 3, 1, turned, 2) : b.sliceAxis(rotated, 3, turned / 2, turned);
  const Value real = b.sub(b.mul(cosine, even), b.mul(sine, odd));
  const Value imaginary = b.add(b.mul(sine, even), b.mul(cosine, odd));
  Value y = interleaved ? b.reshape(b.concat({b.expandDims(real, {4}), b.expandDims(imaginary, {4})}, 4),
                                    shapeOf(rotated))
                        : b.concat({real, imaginary}, 3);
  if (turned < size) y = b.concat({y, b.sliceAxis(x, 3, turned, size)}, 3);
  return n.result(merged ? mergeHeads(b, y) : y);
}

}  // namespace tetrarch::onnx
