// libFuzzer target: whatever the bytes, importing ends in a graph that verifies or in an error.
#include <cstddef>
#include <cstdint>
#include <span>

#include "mlir/IR/MLIRContext.h"
#include "tetrarch/import/onnx/import.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  tetrarch::OnnxImportOptions options;
  options.limits = {.nodes = 2000, .unrolled_iterations = 50, .expanded_bytes = 1 << 20};
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  const auto bytes = std::as_bytes(std::span(data, size));
  auto module = tetrarch::importOnnx(context, bytes, "fuzz.onnx", "/nonexistent", options);
  // Our own mistake, whatever the file says.
  if (!module.has_value() && module.error().code() == tetrarch::StatusCode::kInternal) __builtin_trap();
  return 0;
}
