"""ResNet-50 in 8-bit integers on the NPU, for the proofs: compiled once, run with the engine that is asked for."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import tetrarch
from examples.models import resnet50
from examples.models.cache import cache_folder
from examples.models.photographs import NAMES, as_input, centre_crop, photograph

SIDE = 16
CALIBRATION = 2  # photographs
# The CPU takes what the NPU declines.
NPU, CPU = f"npu:side={SIDE}", "cpu"


@dataclass
class Run:
    """What a call of the network left."""

    logits: np.ndarray
    tasks: int  # in which the NPU had a part
    counters: dict[str, int]  # of the NPU, all tasks together
    seconds: float  # of the NPU by its own clock

    def __init__(self, program: tetrarch.Program, image: np.ndarray):
        self.logits = np.array(program(image))
        self.tasks, self.counters, self.seconds = 0, {}, 0.0
        for task in program.report()["tasks"]:
            for part in task["parts"]:
                if not part["device"].startswith("npu"):
                    continue
                self.tasks += 1
                self.seconds += part["time"]["value"]
                for name, count in part.get("counters", {}).items():
                    self.counters[name] = self.counters.get(name, 0) + count


def image(name: str = NAMES[0]) -> np.ndarray:
    return as_input(centre_crop(photograph(name)))


@functools.cache
def artifact() -> Path:
    """The compiled network: once a process, since an older one would prove what another compiler wrote."""
    path = cache_folder() / f"resnet50-int8-npu{SIDE}.tet"
    samples = [{resnet50.INPUT: image(name)} for name in NAMES[:CALIBRATION]]
    options = {"quantize": "int8", "calibration": samples, "place": f"{NPU},{CPU}", "measure": False}
    tetrarch.compile(resnet50.onnx_file(), devices=[NPU, CPU], **options).save(path)
    return path


def load(options: str = "") -> tetrarch.Program:
    """The network on an NPU with further options, as "engine=rtl"."""
    npu = f"{NPU}:{options}" if options else NPU
    return tetrarch.load(artifact(), devices=[npu, CPU], place=f"{npu},{CPU}")
