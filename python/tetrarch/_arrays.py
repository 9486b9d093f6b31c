"""Element types that NumPy lacks: they travel as unsigned integers of their width, as ml_dtypes where it is there."""

from __future__ import annotations

import numpy as np

try:
    import ml_dtypes
except ImportError:  # then bf16 and f8 arrays are uint16 and uint8 bits
    ml_dtypes = None

# Tetrarch's name -> ml_dtypes' name
_NARROW = {"bf16": "bfloat16", "f8E4M3FN": "float8_e4m3fn", "f8E5M2": "float8_e5m2", "i4": "int4"}
_NAMES = {theirs: ours for ours, theirs in _NARROW.items()}


def present(bits: np.ndarray, element: str) -> np.ndarray:
    """An array of bits as the narrow type that it holds, where that can be said."""
    theirs = _NARROW.get(element)
    if ml_dtypes is None or theirs is None:
        return bits
    return bits.view(getattr(ml_dtypes, theirs))


def prepare(value: object, element: str, numpy_type: str) -> np.ndarray:
    """A C-contiguous array that the library can read, from what a caller passed for an input of type `element`.

    Lists and Python numbers take the input's type; arrays keep theirs, so that a wrong one is noticed.
    """
    dtype = None if hasattr(value, "dtype") else np.dtype(numpy_type)
    array = np.asarray(value, dtype=dtype)
    if _NAMES.get(array.dtype.name) == element:
        array = array.view(np.dtype(numpy_type))
    if element == "i4" and array.dtype == np.int8:
        array = ((array & 15) ^ 8) - 8  # ml_dtypes leaves the upper half of the byte to chance
    return np.ascontiguousarray(array).reshape(array.shape)
