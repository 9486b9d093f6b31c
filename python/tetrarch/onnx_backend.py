"""Tetrarch as a backend of ONNX: `onnx.backend.base.Backend`, which ONNX's own conformance suite runs against.

    import onnx
    import tetrarch.onnx_backend as backend

    outputs = backend.run_model(onnx.load("model.onnx"), [x])

A device is named as ONNX does, "CPU" or "CUDA:0"; see `supports_device`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import onnx.helper
from onnx.backend.base import Backend, BackendRep, Device, DeviceType

import tetrarch

# ONNX's word for a class of devices, and what Tetrarch runs for it.
_DEVICES = {DeviceType.CPU: "cpu", DeviceType.CUDA: "cuda"}


class TetrarchRep(BackendRep):
    """A compiled model. Shapes, and values that decide shapes, may differ from call to call."""

    def __init__(self, program: tetrarch.Program) -> None:
        self.program = program

    def run(self, inputs: Sequence[Any] | Mapping[str, Any] | Any, **kwargs: Any) -> tuple[np.ndarray, ...]:
        """Run once.

        Args:
            inputs: arrays in the model's order, or by name, or the one array of a model with one input.
            kwargs: none are taken.

        Raises:
            tetrarch.InputError: the model has an operator that Tetrarch does not take, or an input does not fit.
        """
        if kwargs:
            raise TypeError(f"unknown options: {', '.join(kwargs)}")
        if isinstance(inputs, Mapping):
            results = self.program(**{name: np.asarray(value) for name, value in inputs.items()})
        else:
            positional = inputs if isinstance(inputs, list | tuple) else [inputs]
            results = self.program(*[np.asarray(value) for value in positional])
        return results if isinstance(results, tuple) else (results,)


class TetrarchBackend(Backend):
    """Compiles ONNX models for the devices of this machine."""

    @classmethod
    def supports_device(cls, device: str) -> bool:
        """Whether a device of that class is here, for example "CPU" or "CUDA:1"."""
        wanted = _DEVICES.get(Device(device).type)
        return any(found.name.split(":")[0] == wanted for found in tetrarch.devices())

    @classmethod
    def is_compatible(cls, model: onnx.ModelProto, device: str = "CPU", **kwargs: Any) -> bool:
        """Whether `prepare` would take the model."""
        try:
            cls.prepare(model, device, **kwargs)
        except tetrarch.Error:
            return False
        return True

    @classmethod
    def prepare(cls, model: onnx.ModelProto, device: str = "CPU", **kwargs: Any) -> TetrarchRep:
        """Compile a model. `kwargs` go to `tetrarch.compile`; costs are estimated unless they say `measure=True`.

        Raises:
            tetrarch.InputError: the model is malformed or has an operator that Tetrarch does not take.
        """
        chosen = Device(device)
        if chosen.type not in _DEVICES:
            raise ValueError(f"no device of type {device}")
        name = _DEVICES[chosen.type] + (f":{chosen.device_id}" if chosen.device_id else "")
        options = {"devices": [name], "measure": False, "divide": False, **kwargs}
        return TetrarchRep(tetrarch.compile(model, **options))

    @classmethod
    def run_model(
        cls, model: onnx.ModelProto, inputs: Any, device: str = "CPU", **kwargs: Any
    ) -> tuple[Any, ...]:
        """Compile and run once."""
        return cls.prepare(model, device, **kwargs).run(inputs)

    @classmethod
    def run_node(
        cls, node: onnx.NodeProto, inputs: Any, device: str = "CPU", outputs_info: Any = None, **kwargs: Any
    ) -> tuple[Any, ...]:
        """Run a model of this one node, with inputs of the types and shapes given."""
        arrays = [np.asarray(value) for value in inputs]
        names = [name for name in node.input if name]

        def describe(name: str, dtype: Any, shape: Any) -> onnx.ValueInfoProto:
            return onnx.helper.make_tensor_value_info(
                name, onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), shape
            )

        graph_inputs = [
            describe(name, value.dtype, value.shape) for name, value in zip(names, arrays, strict=True)
        ]
        if outputs_info is None:
            outputs = [onnx.ValueInfoProto(name=name) for name in node.output if name]
        else:
            outputs = [describe(name, *info) for name, info in zip(node.output, outputs_info, strict=True)]
        graph = onnx.helper.make_graph([node], "node", graph_inputs, outputs)
        opsets = [
            onnx.helper.make_opsetid(node.domain, kwargs.pop("opset_version", onnx.defs.onnx_opset_version()))
        ]
        return cls.run_model(onnx.helper.make_model(graph, opset_imports=opsets), arrays, device, **kwargs)


supports_device = TetrarchBackend.supports_device
is_compatible = TetrarchBackend.is_compatible
prepare = TetrarchBackend.prepare
run_model = TetrarchBackend.run_model
run_node = TetrarchBackend.run_node
