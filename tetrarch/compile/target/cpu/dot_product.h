// The processor's instructions for sums of products of bytes, as tile/dot.h asks for them.
#pragma once

#include "tetrarch/compile/tile/dot.h"

namespace tetrarch::compile::cpu {

enum class DotInstruction {
  kMultiplyPairs,  // vpmaddwd: pairs of 16-bit integers (AVX2, AVX-512BW)
  kFourBytes,      // vpdpbusd: four unsigned bytes by four signed ones (AVX-VNNI, AVX-512 VNNI)
};

// For registers of 32 or 64 bytes. The object is never destroyed.
const TileDot& dotProduct(DotInstruction instruction, int64_t vector_bytes);

}  // namespace tetrarch::compile::cpu
