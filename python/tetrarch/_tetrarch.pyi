import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from numpy.typing import ArrayLike, NDArray

class Device:
    """A processor of this machine."""

    @property
    def name(self) -> str: ...
    @property
    def device_class(self) -> str:
        """ "cpu", "gpu", "fpga", "asic" or "other"."""
    @property
    def kind(self) -> str:
        """ "real" or "simulated"."""
    @property
    def description(self) -> str: ...
    @property
    def shares(self) -> str:
        """Devices with the same non-empty key use the same silicon."""
    @property
    def compute_units(self) -> int: ...
    @property
    def memory_bytes(self) -> int: ...

class Port:
    """An input or output of a model."""

    @property
    def name(self) -> str: ...
    @property
    def type(self) -> str:
        """The element type as MLIR writes it: "f32", "ui8"."""
    @property
    def shape(self) -> tuple[int, ...] | None:
        """-1: bound by each call. None: the model states no shape."""
    @property
    def dim_names(self) -> tuple[str, ...]: ...

class Program:
    """A compiled model. Calls on one program are serialised; several programs run side by side."""

    def __call__(self, *args: ArrayLike, **kwargs: ArrayLike) -> NDArray[Any] | tuple[NDArray[Any], ...]: ...
    @property
    def inputs(self) -> list[Port]: ...
    @property
    def outputs(self) -> list[Port]: ...
    def report(self) -> dict[str, Any]: ...
    def save(self, path: str | os.PathLike[str]) -> None: ...
    def write_trace(self, path: str | os.PathLike[str]) -> None: ...

class Reference:
    """A model as the reference interpreter computes it: slow, and the oracle."""

    def __call__(self, *args: ArrayLike, **kwargs: ArrayLike) -> NDArray[Any] | tuple[NDArray[Any], ...]: ...
    @property
    def inputs(self) -> list[Port]: ...

def version() -> str: ...
def devices() -> list[Device]: ...
def load(path: str, devices: Sequence[str], place: str, retune: bool) -> Program: ...
def reference(
    path: str, dims: Mapping[str, int], quantize: str, calibration: list[dict[str, NDArray[Any]]]
) -> Reference: ...
def compile_file(
    path: str,
    *,
    devices: Sequence[str],
    place: str,
    dims: Mapping[str, int],
    shapes: Mapping[str, Sequence[int]],
    values: Mapping[str, NDArray[Any]],
    quantize: str,
    calibration: list[dict[str, NDArray[Any]]],
    measure: bool,
    divide: bool,
    profile: str,
    progress: Callable[[str, str, int, int], None] | None,
) -> Program: ...
def compile_bytes(
    onnx: bytes,
    name: str,
    folder: str,
    *,
    devices: Sequence[str],
    place: str,
    dims: Mapping[str, int],
    shapes: Mapping[str, Sequence[int]],
    values: Mapping[str, NDArray[Any]],
    quantize: str,
    calibration: list[dict[str, NDArray[Any]]],
    measure: bool,
    divide: bool,
    profile: str,
    progress: Callable[[str, str, int, int], None] | None,
) -> Program: ...
