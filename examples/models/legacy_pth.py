"""Reads the tensors of a PyTorch checkpoint in the old format (before the zip files) without running its code.

A `.pth` file of that format is, one after the other:

    pickle  magic number 0x1950a86a20f9469cfc6c
    pickle  format version 1001
    pickle  description of the machine that wrote it
    pickle  the object; storages are persistent ids ("storage", type, key, location, element count, view)
    pickle  the keys of the storages, in the order of their bytes
    for each key:  int64 element count, then the elements, little endian

Unpickling may call whatever a file names, so that only the four names of ALLOWED resolve here; any other is an error.
"""

from __future__ import annotations

import io
import pickle
from collections import OrderedDict
from pathlib import Path

import numpy as np

MAGIC = 0x1950A86A20F9469CFC6C
VERSION = 1001


class _Storage:
    """The elements that tensors of one storage key share; filled in once the object has been read."""

    def __init__(self, dtype: np.dtype, count: int):
        self.dtype, self.count = dtype, count
        self.elements: np.ndarray | None = None


class _Tensor:
    """A view of a storage: where it starts, its shape and its strides, in elements."""

    def __init__(self, storage, offset, shape, strides, requires_grad, hooks):
        self.storage, self.offset, self.shape, self.strides = storage, offset, shape, strides

    def array(self) -> np.ndarray:
        last = self.offset + sum((n - 1) * s for n, s in zip(self.shape, self.strides, strict=True))
        if min((self.offset, *self.shape, *self.strides)) < 0 or last >= self.storage.count:
            raise ValueError("a tensor reaches beyond its storage")
        elements = self.storage.elements[self.offset :]
        bytes_ = [s * self.storage.dtype.itemsize for s in self.strides]
        return np.lib.stride_tricks.as_strided(elements, self.shape, bytes_).copy()


ALLOWED = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _Tensor,
    ("torch", "FloatStorage"): np.dtype("<f4"),
    ("torch", "LongStorage"): np.dtype("<i8"),
}


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BufferedIOBase, storages: dict[str, _Storage]):
        super().__init__(file)
        self.storages = storages

    def find_class(self, module: str, name: str):
        if (module, name) not in ALLOWED:
            raise pickle.UnpicklingError(f"the checkpoint names {module}.{name}, which is not allowed in one")
        return ALLOWED[module, name]

    def persistent_load(self, pid):
        kind, dtype, key, _location, count, view = pid
        if kind != "storage" or not isinstance(dtype, np.dtype) or view is not None:
            raise pickle.UnpicklingError(f"the checkpoint has a storage of an unknown kind: {pid!r}")
        return self.storages.setdefault(key, _Storage(dtype, count))


def read(path: str | Path) -> dict[str, np.ndarray]:
    """The checkpoint's tensors by name. Raises ValueError or UnpicklingError, with the reason, on any other file."""
    storages: dict[str, _Storage] = {}
    with open(path, "rb") as file:
        magic, version, _machine, tensors, keys = (_Unpickler(file, storages).load() for _ in range(5))
        if magic != MAGIC or version != VERSION:
            raise ValueError(f"{path} is not a checkpoint of the old PyTorch format")
        for key in keys:
            storage = storages[key]
            count = int.from_bytes(file.read(8), "little")
            data = file.read(count * storage.dtype.itemsize)
            if count != storage.count or len(data) != count * storage.dtype.itemsize:
                raise ValueError(f"{path} ends in the middle of storage {key}")
            storage.elements = np.frombuffer(data, storage.dtype)
    return {name: tensor.array() for name, tensor in tensors.items()}
