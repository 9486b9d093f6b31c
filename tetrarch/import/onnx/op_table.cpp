#include "tetrarch/import/onnx/op_table.h"

#include <limits>
#include <unordered_map>

#include "tetrarch/import/onnx/model_file.h"
#include "tetrarch/import/onnx/op_context.h"

namespace tetrarch::onnx {

// Declarations of the handlers.
#define ONNX_OP(domain, name, first, last, min, max, handler) Status handler(OpContext& n);
#define ONNX_UNARY(name, first, op)
#define ONNX_BINARY(name, first, op)
#define ONNX_DECLINED(domain, name, reason)
#include "tetrarch/import/onnx/op_table.def"

namespace {

constexpr int64_t kOldest = kOldestOpset, kNewest = kNewestOpset;
constexpr int kAny = std::numeric_limits<int>::max();

constexpr OpRow kRows[] = {
#define ONNX_OP(domain, name, first, last, min, max, handler) {domain, name, first, last, min, max, handler},
#define ONNX_UNARY(name, first, op) \
  {"", name, first, kNewest, 1, 1, [](OpContext& n) { return n.result(n.b.unary(op, n.in(0))); }},
#define ONNX_BINARY(name, first, op) \
  {"", name, first, kNewest, 2, 2, [](OpContext& n) { return n.result(n.b.binary(op, n.in(0), n.in(1))); }},
#define ONNX_DECLINED(domain, name, reason)
#include "tetrarch/import/onnx/op_table.def"
};

struct Declined {
  std::string_view domain, name, reason;
};
constexpr Declined kDeclined[] = {
#define ONNX_OP(domain, name, first, last, min, max, handler)
#define ONNX_UNARY(name, first, op)
#define ONNX_BINARY(name, first, op)
#define ONNX_DECLINED(domain, name, reason) {domain, name, reason},
#include "tetrarch/import/onnx/op_table.def"
};

using Index = std::unordered_multimap<std::string_view, const OpRow*>;

const Index& rowsByName() {
  static const Index index = [] {
    Index rows;
    for (const OpRow& row : kRows) rows.emplace(row.name, &row);
    return rows;
  }();
  return index;
}

}  // namespace

Result<const OpRow*> findOp(std::string_view domain, std::string_view name, int64_t opset) {
  bool other_versions = false;
  const auto [begin, end] = rowsByName().equal_range(name);
  for (auto it = begin; it != end; ++it) {
    const OpRow& row = *it->second;
    if (row.domain != domain) continue;
    if (opset >= row.first_opset && opset <= row.last_opset) return &row;
    other_versions = true;
  }
  if (other_versions) return unimplemented("the operator does not exist in opset {}", opset);
  for (const Declined& row : kDeclined) {
    if (row.domain == domain && row.name == name)
      return unimplemented("the operator is not supported: {}", row.reason);
  }
  return unimplemented("the operator is not known in domain '{}'", domain.empty() ? "ai.onnx" : domain);
}

}  // namespace tetrarch::onnx
