// ONNX models to graphs of the `tet` dialect.
//
// The graph is static: every named dimension gets its size at import, and everything that only computes
// shapes is evaluated on the way, so the same file may be imported several times, once for each binding.
//
// Errors name the file, and the node where one is to blame, in one sentence. By code:
//   NotFound, InvalidArgument, PermissionDenied  the file is missing, malformed, or reaches outside its
//   folder Unimplemented       a node (named with operator and reason) that Tetrarch does not take
//   FailedPrecondition  a dimension or the value of an input must be given first; OnnxNeeds lists which
//   OutOfRange          the model expands to more than OnnxLimits allow
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "tetrarch/base/tensor.h"

namespace tetrarch {

struct OnnxLimits {
  int64_t nodes = 4'000'000;             // imported nodes, after loops are unrolled and functions are inlined
  int64_t unrolled_iterations = 20'000;  // of one Loop, Scan or recurrent layer
  int64_t expanded_bytes = 1LL << 31;    // memory of tensors made from less: sparse initializers, fills
};

struct OnnxImportOptions {
  std::map<std::string, int64_t> dims;   // sizes of named dimensions
  std::map<std::string, Tensor> values;  // graph inputs that become constants, since they decide shapes
  std::map<std::string, Shape> shapes;   // whole shapes of graph inputs, as from the arrays of a call
  OnnxLimits limits;
};

// What a failed import was missing; the caller may add it to the options and try again.
struct OnnxNeeds {
  std::vector<std::string> values;  // graph inputs whose value decides a shape
  std::vector<std::string> dims;    // named dimensions, "input[axis]" for one without a name
};

// Imports `path`. `needs` may be null. The module owns its constants and does not refer to the file
// afterwards. The context must have the tet, func and builtin dialects loaded or loadable; one thread at a
// time per context.
Result<mlir::OwningOpRef<mlir::ModuleOp>> importOnnx(mlir::MLIRContext& context,
                                                     const std::filesystem::path& path,
                                                     const OnnxImportOptions& options = {},
                                                     OnnxNeeds* needs = nullptr);
// The same from memory. `name` stands for the file in messages; external data is looked for below `folder`.
Result<mlir::OwningOpRef<mlir::ModuleOp>> importOnnx(
    mlir::MLIRContext& context, std::span<const std::byte> bytes, const std::string& name,
    const std::filesystem::path& folder, const OnnxImportOptions& options = {}, OnnxNeeds* needs = nullptr);

struct OnnxDim {
  int64_t size = -1;  // -1: given at import, under `name`
  std::string name;   // empty when the model gives none
};
struct OnnxValue {
  std::string name;
  std::string type;  // "f32"; for what Tetrarch does not take, ONNX's word: "string", "sequence"
  std::optional<ElementType> element;        // empty in that case
  std::optional<std::vector<OnnxDim>> dims;  // empty when not even the rank is stated
};
struct OnnxInterface {
  int64_t opset = 0;
  std::vector<OnnxValue> inputs, outputs;  // inputs without those that have an initializer
};
// Inputs and outputs as the file states them, without importing its nodes.
Result<OnnxInterface> describeOnnx(const std::filesystem::path& path);
Result<OnnxInterface> describeOnnx(std::span<const std::byte> bytes, const std::string& name);

}  // namespace tetrarch
