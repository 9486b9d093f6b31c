// The enumerations of the `tet` dialect alone, for code that names them without needing the ops.
#pragma once

#include <cstdint>
#include <optional>

#include "llvm/ADT/DenseMapInfo.h"
#include "llvm/ADT/StringRef.h"
#include "mlir/IR/OpImplementation.h"
#include "tetrarch/graph/tet_enums.h.inc"
