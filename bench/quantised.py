"""ResNet-50 in 8-bit integers beside its floats and beside ONNX Runtime, in turns: `python -m bench.quantised`.

The integer model is the float one quantised by ONNX Runtime's own tool on photographs (QDQ, one weight scale an output
channel, unsigned activations, which its kernels like best); both run the same file.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

import tetrarch
from bench import contenders
from examples.models import resnet50
from examples.models.cache import cached
from examples.models.photographs import as_input, centre_crop, photograph

CALIBRATION = ("china", "flower", "astronaut", "chelsea")


def image(name: str) -> np.ndarray:
    return as_input(centre_crop(photograph(name)))


class Samples(CalibrationDataReader):
    """The photographs, one a call."""

    def __init__(self):
        self.left = iter({resnet50.INPUT: image(name)} for name in CALIBRATION)

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self.left, None)


def qdq_file() -> Path:
    """The model with QuantizeLinear and DequantizeLinear around its operators."""

    def write(path: Path) -> None:
        with tempfile.TemporaryDirectory() as folder:
            prepared = Path(folder) / "prepared.onnx"
            quant_pre_process(str(resnet50.onnx_file()), str(prepared))
            quantize_static(
                prepared,
                path,
                Samples(),
                quant_format=QuantFormat.QDQ,
                per_channel=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
            )

    return cached("resnet50-qdq.onnx", write)


def ours(path: Path, given: np.ndarray) -> Callable[[], np.ndarray]:
    program = tetrarch.compile(path, devices=[f"cpu:threads={contenders.THREADS}"], measure=False)
    return lambda: program(given)


def theirs(path: Path, given: np.ndarray) -> Callable[[], np.ndarray]:
    session = contenders.onnxruntime_session(path)
    return lambda: session.run(None, {resnet50.INPUT: given})[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=6, help="turns of each contender (6)")
    parser.add_argument("--threads", type=int, default=1, help="of each (1)")
    options = parser.parse_args()
    contenders.THREADS = options.threads
    given = image("chelsea")
    calls = {
        "Tetrarch, fp32": ours(resnet50.onnx_file(), given),
        "Tetrarch, int8": ours(qdq_file(), given),
        "ONNX Runtime, fp32": theirs(resnet50.onnx_file(), given),
        "ONNX Runtime, int8": theirs(qdq_file(), given),
    }
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(options.rounds):
        for name, call in calls.items():
            call()
            for _ in range(3):
                start = time.process_time()
                call()
                seconds[name].append(time.process_time() - start)
    print("| ResNet-50, one image | processor time, median |\n| --- | ---: |")
    for name, taken in seconds.items():
        print(f"| {name} | {statistics.median(taken) * 1e3:.1f} ms |")


if __name__ == "__main__":
    main()
