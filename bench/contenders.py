"""Who runs in the benchmarks: one row each. A contender makes a model ready and gives a call that runs it once.

Every contender computes in fp32 with THREADS threads; each has the settings that its own documentation gives for
the lowest latency.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

THREADS = 2

Inputs = dict[str, np.ndarray]
Call = Callable[[], np.ndarray]


@dataclass(frozen=True)
class Model:
    """A network as each contender needs it."""

    title: str
    onnx_file: Callable[[], Path]
    inputs: Callable[[], Inputs]
    module: Callable[[], object]  # the PyTorch module that the ONNX file was made from


def tetrarch_on(*devices: str) -> Callable[[Model], Call]:
    def make(model: Model) -> Call:
        import tetrarch

        program = tetrarch.compile(model.onnx_file(), devices=list(devices))
        inputs = list(model.inputs().values())
        return lambda: program(*inputs)

    return make


def onnxruntime_session(path: Path):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def onnxruntime_plain(model: Model) -> Call:
    session, inputs = onnxruntime_session(model.onnx_file()), model.inputs()
    return lambda: session.run(None, inputs)[0]


def onnxruntime_bound(model: Model) -> Call:
    """Inputs and outputs stay where they are between calls."""
    import onnxruntime

    session, inputs = onnxruntime_session(model.onnx_file()), model.inputs()
    binding = session.io_binding()
    kept = {name: onnxruntime.OrtValue.ortvalue_from_numpy(array) for name, array in inputs.items()}
    for name, value in kept.items():
        binding.bind_ortvalue_input(name, value)
    first = session.run(None, inputs)[0]
    output = onnxruntime.OrtValue.ortvalue_from_numpy(first)
    binding.bind_ortvalue_output(session.get_outputs()[0].name, output)

    def call() -> np.ndarray:
        session.run_with_iobinding(binding)
        return output

    return call


def openvino_latency(model: Model) -> Call:
    import openvino

    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": THREADS,
        "INFERENCE_PRECISION_HINT": "f32",
    }
    request = openvino.Core().compile_model(str(model.onnx_file()), "CPU", settings).create_infer_request()
    inputs = list(model.inputs().values())

    def call() -> np.ndarray:
        request.infer(inputs, share_inputs=True)
        return request.get_output_tensor(0).data

    return call


def torch_module(model: Model):
    import torch

    torch.set_num_threads(THREADS)
    torch.set_grad_enabled(False)
    return model.module(), [torch.from_numpy(array) for array in model.inputs().values()]


def torch_eager(model: Model) -> Call:
    module, inputs = torch_module(model)
    return lambda: module(*inputs).numpy()


def torch_inductor(model: Model) -> Call:
    import torch
    import torch._inductor.config

    torch._inductor.config.freezing = True
    module, inputs = torch_module(model)
    compiled = torch.compile(module)
    return lambda: compiled(*inputs).numpy()


@dataclass(frozen=True)
class Contender:
    title: str
    package: str
    make: Callable[[Model], Call]

    def version(self) -> str:
        """The package's version; Tetrarch from the build tree has no package data, but says it itself."""
        try:
            return version(self.package)
        except PackageNotFoundError:
            return getattr(import_module(self.package), "__version__", "")


SPLIT = ("cpu:threads=1", "opencl:threads=1")

# The first two rows are what the other rows are compared with.
CONTENDERS = {
    "tetrarch-cpu": Contender("Tetrarch, CPU", "tetrarch", tetrarch_on(f"cpu:threads={THREADS}")),
    "onnxruntime": Contender("ONNX Runtime", "onnxruntime", onnxruntime_plain),
    "tetrarch-opencl": Contender("Tetrarch, OpenCL", "tetrarch", tetrarch_on(f"opencl:threads={THREADS}")),
    "tetrarch-split": Contender("Tetrarch, CPU and OpenCL", "tetrarch", tetrarch_on(*SPLIT)),
    "openvino": Contender("OpenVINO", "openvino", openvino_latency),
    "torch-inductor": Contender("PyTorch Inductor, freezing", "torch", torch_inductor),
    "torch-eager": Contender("PyTorch eager", "torch", torch_eager),
}
# For the cost of a call itself: a network that does nothing.
CALL_CONTENDERS = {
    "tetrarch-cpu": CONTENDERS["tetrarch-cpu"],
    "onnxruntime": CONTENDERS["onnxruntime"],
    "onnxruntime-bound": Contender("ONNX Runtime, I/O binding", "onnxruntime", onnxruntime_bound),
    "openvino": CONTENDERS["openvino"],
    "torch-inductor": CONTENDERS["torch-inductor"],
}
