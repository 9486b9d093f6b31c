// The table of ONNX operators: which handler takes which versions of an operator. Its rows are op_table.def.
#pragma once

#include <cstdint>
#include <string_view>

#include "tetrarch/base/status.h"

namespace tetrarch::onnx {

class OpContext;

struct OpRow {
  std::string_view domain;  // "" is ONNX's own
  std::string_view name;
  int64_t first_opset, last_opset;
  int min_inputs, max_inputs;
  Status (*handler)(OpContext&);
};

// Unimplemented, with the reason, for an operator or version that is not taken. Rows live as long as the
// program.
Result<const OpRow*> findOp(std::string_view domain, std::string_view name, int64_t opset);

}  // namespace tetrarch::onnx
