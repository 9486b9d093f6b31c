// MLIR types, attributes and ops as text, for messages.
#pragma once

#include <string>

#include "llvm/Support/raw_ostream.h"

namespace tetrarch::opencl {

template <typename T>
std::string textOf(const T& value) {
  std::string text;
  llvm::raw_string_ostream(text) << value;
  return text;
}

}  // namespace tetrarch::opencl
