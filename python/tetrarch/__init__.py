"""Tetrarch runs one model over all the processors of a machine.

    import numpy as np, tetrarch

    program = tetrarch.compile("resnet50.onnx", devices=["cpu"])
    scores = program(image=np.zeros((1, 3, 224, 224), np.float32))
    print(program.report()["total"]["time"])  # {'value': 0.05, 'unit': 's', 'source': 'measured'}

Arrays go in and out as NumPy arrays; what speaks DLPack (a PyTorch tensor, say) is taken without a copy. Every
figure of a report says whether it is measured, simulated or modelled.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from tetrarch import _tetrarch
from tetrarch._errors import DeviceError, Error, InputError, InternalError
from tetrarch._tetrarch import Device, Port, Program, Reference

if TYPE_CHECKING:
    import numpy as np

    class _SerialisesToBytes(Protocol):
        def SerializeToString(self) -> bytes: ...  # noqa: N802

    Model = str | os.PathLike[str] | bytes | _SerialisesToBytes

__all__ = [
    "Device",
    "DeviceError",
    "Error",
    "InputError",
    "InternalError",
    "Port",
    "Program",
    "Reference",
    "compile",
    "devices",
    "load",
    "reference",
]
__version__ = _tetrarch.version()


def devices() -> list[Device]:
    """The processors that the installed plug-ins find on this machine."""
    return _tetrarch.devices()


def compile(
    model: Model,
    devices: Sequence[str] = ("cpu",),
    *,
    place: str | os.PathLike[str] | None = None,
    dims: Mapping[str, int] | None = None,
    shapes: Mapping[str, Sequence[int]] | None = None,
    values: Mapping[str, np.ndarray] | None = None,
    quantize: str = "",
    calibration: Sequence[Mapping[str, np.ndarray]] = (),
    measure: bool = True,
    divide: bool = True,
    profile: str | os.PathLike[str] = "",
    folder: str | os.PathLike[str] = "",
    progress: Callable[[str, str, int, int], None] | None = None,
) -> Program:
    """Compile an ONNX model for some devices.

    A model whose shapes are not all known is compiled at the first call with new shapes; each variant is kept.

    Args:
        model: the path of an ONNX file, its bytes, or an `onnx.ModelProto`; or the path of an artifact, whose tasks
            are then compiled anew for `devices`.
        devices: what to use, as `"cpu"`, `"opencl:0"`, or with options `"cpu:threads=1"`; see `devices()`.
        place: force placement: `"cpu,opencl"` makes each of these run something, the path of a JSON file
            `{"<task>": "<device>"}` fixes tasks by name.
        dims: sizes of named dimensions, as `{"batch": 8}`.
        shapes: whole shapes of inputs by name.
        values: inputs that become constants.
        quantize: `"int8"` computes in 8-bit integers where it can; needs `calibration`. `"bf16"` lets contractions
            read bf16 and sum in f32; with `calibration` the error of each task is measured.
        calibration: samples of the inputs, each a dict of arrays by name; an array may hold several samples along its
            first dimension.
        measure: time the tasks on the devices; `False` plans from estimates.
        divide: let devices that share memory divide a task.
        profile: file of measured costs; by default `$TETRARCH_PROFILE` or `~/.cache/tetrarch/profile.db`.
        folder: where the external data of a model in memory lies; nothing outside it is read.
        progress: called with (stage, item, done, total) while compiling; total is 0 where a stage does not count.

    Raises:
        InputError: the file, the model or an option is at fault; the message names what.
        DeviceError: a device failed.
    """
    options = {
        "devices": list(devices),
        "place": os.fspath(place or ""),
        "dims": dict(dims or {}),
        "shapes": {name: list(shape) for name, shape in (shapes or {}).items()},
        "values": dict(values or {}),
        "quantize": quantize,
        "calibration": [dict(sample) for sample in calibration],
        "measure": measure,
        "divide": divide,
        "profile": os.fspath(profile),
        "progress": progress,
    }
    if isinstance(model, str | os.PathLike):
        return _tetrarch.compile_file(os.fspath(model), **options)
    if not isinstance(model, bytes):
        model = model.SerializeToString()
    return _tetrarch.compile_bytes(model, "model", os.fspath(folder) or os.getcwd(), **options)


def load(
    path: str | os.PathLike[str],
    devices: Sequence[str] = (),
    *,
    place: str | os.PathLike[str] | None = None,
    retune: bool = True,
) -> Program:
    """Load an artifact that `Program.save` or `tetrarch compile` wrote.

    Args:
        path: the artifact.
        devices: what to use; by default the devices of the artifact's own plan.
        place: force placement, as in `compile`.
        retune: make code and costs anew for an artifact of another machine, or for devices that it has no code for;
            the result is kept beside the profile of measured costs for the next load. Also give a forced placement
            code of its own, where the artifact was made for another.

    Raises:
        InputError: there is no such file, or it is no artifact, or a damaged one.
        DeviceError: a device that it needs is not here.
    """
    return _tetrarch.load(os.fspath(path), list(devices), os.fspath(place or ""), retune)


def reference(
    model: str | os.PathLike[str],
    *,
    dims: Mapping[str, int] | None = None,
    quantize: str = "",
    calibration: Sequence[Mapping[str, np.ndarray]] = (),
) -> Reference:
    """The model as the reference interpreter computes it: a callable like a `Program`, slow, to check others against.

    Args:
        model: the path of an ONNX file.
        dims: sizes of named dimensions; others are bound by each call's arrays.
        quantize, calibration: as of `compile`; the reference is then what the quantised graph means.

    Raises:
        InputError: the file or the model is at fault.
    """
    samples = [dict(sample) for sample in calibration]
    return _tetrarch.reference(os.fspath(model), dict(dims or {}), quantize, samples)
