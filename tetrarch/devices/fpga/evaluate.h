// What the operators of fpga_ops.def compute, bit for bit: all but those of domain Source, whose values come
// from the nest or the machine around them.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tetrarch/abi/fpga_program.h"

namespace tetrarch::fpga {

// Operands and result are bits of their types. `operand` is the type of the operands where it may be another
// than the result's (compare, convert), and of no interest elsewhere. REQUIRES: types that verify() accepts.
uint64_t evaluate(Operator op, Type result, Type operand, uint64_t x, uint64_t y = 0, uint64_t z = 0);

// An operator with its types, applied to iterations in a row. Unused operands may be null.
struct Applied {
  Operator op;
  Type result, operand;

  void toBlock(size_t count, const uint64_t* x, const uint64_t* y, const uint64_t* z, uint64_t* out) const;

  // An accumulator of one cell whose update is this operator of two operands: out[i] is what it holds after
  // iteration i, before[i] what it gave to it, which is init[i] where is_first[i] is set.
  struct Fold {
    bool cell_is_x = true;  // which operand the cell is
    const uint64_t *other, *init, *is_first;
    uint64_t *before, *out;
  };
  void toFold(size_t count, const Fold& fold, uint64_t& cell) const;
};

inline uint64_t onesOf(int width) { return ~uint64_t{0} >> (64 - width); }
inline int64_t signedValue(uint64_t bits, int width) {
  return static_cast<int64_t>(bits << (64 - width)) >> (64 - width);
}

}  // namespace tetrarch::fpga
