// Between Python arrays and tensors, without copies where the array is dense and of a type that both know.
#pragma once

#include <nanobind/nanobind.h>

#include <memory>

#include "tetrarch/base/tensor.h"

namespace tetrarch::python {

namespace nb = nanobind;

// A view of `value`, which it keeps alive, for an input of type `type`: through the buffer protocol, else
// DLPack, else by way of NumPy (lists, strided arrays, ml_dtypes). Throws a Python TypeError or ValueError
// for what is no array.
Tensor tensorFrom(nb::handle value, ElementType type);

// A NumPy array that owns the tensor's memory. Types that NumPy lacks are ml_dtypes' where that is there,
// else bits.
nb::object arrayFrom(Tensor tensor);

}  // namespace tetrarch::python
