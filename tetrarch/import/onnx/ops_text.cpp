// Counting of n-grams: every one is compared with every place where it may begin.
#include <algorithm>
#include <map>

#include "tetrarch/import/onnx/op_context.h"

namespace tetrarch::onnx {
namespace {

using enum tet::ComparisonDirection;
using tet::ReductionKind;

constexpr int64_t kLongestGram = 16, kMostSkipped = 256;  // which unroll
constexpr int64_t kLargestVocabulary = 1 << 24;

struct Gram {
  Shape items;
  int64_t column;  // of the result
};

// The n-grams of sizes from min_gram_length to max_gram_length; of equal ones the last counts.
Result<std::vector<Gram>> readGrams(OpContext& n) {
  const Shape pool = n.getInts("pool_int64s"), starts = n.getInts("ngram_counts"),
              columns = n.getInts("ngram_indexes");
  const int64_t shortest = n.getInt("min_gram_length"), longest = n.getInt("max_gram_length");
  std::map<Shape, int64_t> seen;
  size_t number = 0;
  for (size_t i = 0; i < starts.size(); ++i) {
    const int64_t size = static_cast<int64_t>(i) + 1, items = static_cast<int64_t>(pool.size());
    const int64_t end = i + 1 < starts.size() ? starts[i + 1] : items;
    if (starts[i] < 0 || end > items || (end - starts[i]) % size != 0)
      return invalidArgument("its ngram_counts do not fit its pool");
    for (int64_t at = starts[i]; at < end; at += size, ++number) {
      if (number >= columns.size() || columns[number] < 0 || columns[number] >= kLargestVocabulary)
        return invalidArgument("its ngram_indexes do not fit its pool");
      if (size >= shortest && size <= longest)
        seen[Shape(pool.begin() + at, pool.begin() + at + size)] = columns[number];
    }
  }
  std::vector<Gram> grams;
  for (const auto& [items, column] : seen) grams.push_back({items, column});
  return grams;
}

// How often each gram, of `size` items `distance` apart, begins in each row of x [rows, items]: [rows,
// grams].
Value countAt(GraphBuilder& b, Value x, llvm::ArrayRef<Shape> grams, int64_t distance) {
  const int64_t size = static_cast<int64_t>(grams.front().size()), reach = distance * (size - 1);
  const int64_t places = dimOf(x, 1) - reach, count = static_cast<int64_t>(grams.size());
  const Shape shape = {dimOf(x, 0), places, count};
  Value all;
  for (int64_t j = 0; j < size; ++j) {
    Shape wanted;
    for (const Shape& gram : grams) wanted.push_back(gram[j]);
    const Value here = b.sliceAxis(x, 1, j * distance, j * distance + places);
    const Value equal =
        b.compare(EQ, b.broadcastInDim(here, shape, {0, 1}), b.broadcastInDim(b.ints(wanted), shape, {2}));
    all = all ? b.binary("and", all, equal) : equal;
  }
  return b.sum(b.convert(all, ElementType::F32), {1});
}

// Counts of the grams of one size over all distances; single items have no distance.
Value countGrams(GraphBuilder& b, Value x, llvm::ArrayRef<Shape> grams, int64_t most_skipped) {
  const int64_t size = static_cast<int64_t>(grams.front().size()),
                distances = size == 1 ? 1 : most_skipped + 1;
  Value sum = b.full(ElementType::F32, {dimOf(x, 0), static_cast<int64_t>(grams.size())}, 0);
  for (int64_t distance = 1; distance <= distances && distance * (size - 1) < dimOf(x, 1); ++distance)
    sum = b.add(sum, countAt(b, x, grams, distance));
  return sum;
}

}  // namespace

Status importTfIdfVectorizer(OpContext& n) {
  GraphBuilder& b = n.b;
  const std::string mode = n.getString("mode");
  const int64_t skipped = n.getInt("max_skip_count");
  if (n.hasAttribute("pool_strings")) return n.decline("strings are not supported");
  if (mode != "TF" && mode != "IDF" && mode != "TFIDF") return n.decline("mode '{}' is not known", mode);
  TET_ASSIGN_OR_RETURN(const std::vector<Gram> grams, readGrams(n));
  const Shape columns = n.getInts("ngram_indexes");
  const std::vector<double> weights = n.getFloats("weights");
  Value x = n.in(0);
  TET_RETURN_IF_ERROR(b.status());
  const int64_t rank = rankOf(x), width = columns.empty() ? 0 : *std::ranges::max_element(columns) + 1;
  if (isFloat(x) || rank < 1 || rank > 2 || width < 1 || width > kLargestVocabulary ||
      (!weights.empty() && static_cast<int64_t>(weights.size()) != width) || skipped < 0) {
    return invalidArgument("its input, indexes or weights do not fit");
  }
  if (skipped > kMostSkipped || (!grams.empty() && grams.back().items.size() > kLongestGram))
    return n.decline("n-grams of more than {} items or {} skipped", kLongestGram, kMostSkipped);
  if (rank == 1) x = b.expandDims(x, {0});
  x = b.convert(x, ElementType::I64);
  std::map<size_t, std::pair<std::vector<Shape>, Shape>> by_size;  // items and columns of each size
  for (const Gram& gram : grams) {
    by_size[gram.items.size()].first.push_back(gram.items);
    by_size[gram.items.size()].second.push_back(gram.column);
  }
  Value result = b.full(ElementType::F32, {dimOf(x, 0), width}, 0);
  for (const auto& [size, part] : by_size) {
    const Value counts = countGrams(b, x, part.first, skipped);
    const Value targets = b.broadcastInDim(b.ints(part.second), shapeOf(counts), {1});
    result = b.scatterAlong(ReductionKind::Add, result, targets, counts, 1);
  }
  if (mode == "IDF") result = b.min(result, 1);
  if (mode != "TF" && !weights.empty())
    result = b.mul(result, b.constant(Tensor::of<double>(ElementType::F32, {width}, weights)));
  return n.result(rank == 1 ? b.squeeze(result, {0}) : result);
}

}  // namespace tetrarch::onnx
