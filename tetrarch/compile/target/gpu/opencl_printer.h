// From kernels in the gpu dialect to OpenCL C: the last step for every device that an OpenCL driver serves.
//
// Printed are gpu.func kernels over gpu, scf, arith, math, memref and vector, each op by one row of
// opencl_ops.cpp or one function of opencl_memory.cpp / opencl_vector.cpp / opencl_printer.cpp. The text is
// meant to be read: loops stay loops, single-use arithmetic is folded into expressions, values carry the
// names that the IR gives them (NameLoc).
//
// How values map:
//   - f32, f64, i8 … i64 as OpenCL names them (signless integers as signed ones; unsigned ops cast). index is
//   int, or
//     long where a buffer or a value needs more. i1 is bool, in vectors an int mask of 0 and -1.
//   - f16 and bf16 are held in a float that has been rounded to them and stored in two bytes, so no device
//   extension
//     is needed: vload_half and vstore_half are in the core. They are used on private memory only, since not
//     every driver takes a pointer to them that is aligned to one element.
//   - A vector of any shape is a list of OpenCL vectors: rows of its last dimension, each cut into 16, 8, 4,
//   2, 1.
//   - A memref is a pointer and a linear index. Kernel arguments must not alias (they are `restrict`).
#pragma once

#include <string>

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "tetrarch/base/status.h"

namespace tetrarch::opencl {

// A string attribute of a gpu.func without a known block size: the macro that says the size of its
// one-dimensional work- groups, defined when the source is built. Drivers that know the size ahead compile
// once and for all.
inline constexpr const char* kLocalSizeMacroAttr = "opencl.local_size_macro";

// The kernels of `module` as one OpenCL C 1.2 program. Unimplemented names the op or type that has no
// spelling.
Result<std::string> printOpenCl(mlir::gpu::GPUModuleOp module);

}  // namespace tetrarch::opencl
