"""How the demos print: a line for each stage of the compiler, tables, times."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

import tetrarch


class StageLines:
    """One line for each stage of the compiler, with its time."""

    def __init__(self):
        self.stage, self.begin = "", 0.0

    def __call__(self, stage: str, what: str, done: int, total: int) -> None:
        if stage != self.stage:
            self.finish()
            self.stage, self.begin = stage, time.perf_counter()
            print(f"  {stage:<32}", end="", flush=True)

    def finish(self) -> None:
        if self.stage:
            print(f"{time.perf_counter() - self.begin:8.2f} s", flush=True)
        self.stage = ""


def compile_for(
    model: Path, devices: str, quantize: str = "", calibration: Sequence[Mapping[str, np.ndarray]] = ()
) -> tetrarch.Program:
    """The model compiled for the devices, with a line for each stage."""
    print(f"compile for {devices}{f', in {quantize}' if quantize else ''}")
    stages = StageLines()
    program = tetrarch.compile(
        model, devices=devices.split(","), quantize=quantize, calibration=calibration, progress=stages
    )
    stages.finish()
    return program


def used_devices(report: dict) -> list[str]:
    return sorted({part["device"] for task in report["tasks"] for part in task["parts"]})


def print_text(text: str) -> None:
    """As lines of a terminal of 80 columns; those behind the first are indented."""
    print(textwrap.fill(text, 79, subsequent_indent="  ", break_on_hyphens=False))


def print_table(rows: list[tuple[str, ...]]) -> None:
    """Columns as wide as their widest cell; the first is aligned left, the others right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = [row[0].ljust(widths[0])] + [c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True)]
        print("  " + "  ".join(cells).rstrip())


def milliseconds(time_figure: dict) -> str:
    value = time_figure["value"]
    return "unknown" if value is None else f"{value * 1e3:.3f} ms"


def megabytes(size: float) -> str:
    return f"{size / 1e6:.2f} MB"
