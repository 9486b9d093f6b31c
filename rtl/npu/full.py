"""A whole image of ResNet-50 through the RTL: `make npu-full`.

python -m rtl.npu.full

Every instruction of the network's tasks on the NPU runs in the Verilated processor; cycles must be those of the timing
model (the plug-in sees to that, stream by stream) and the logits those of the functional model, to the last bit.
"""

from __future__ import annotations

import json
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

from rtl.npu import network

FIGURES = Path(__file__).resolve().parents[2] / "tetrarch" / "devices" / "npu" / "figures.json"
BAR = 40  # characters
POLL = 0.5  # seconds between two looks


def clock() -> float:
    """Of the modelled processor, in cycles a second."""
    rows = json.loads(FIGURES.read_text(encoding="utf-8"))["figures"]
    return next(r["clock_hz"] for r in rows if r["side"] == network.SIDE and r["kind"] == "int8")


def done_cycles(progress: Path) -> int:
    return sum(map(int, progress.read_text(encoding="utf-8").split())) if progress.exists() else 0


def show_bar(progress: Path, total: int, over: threading.Event) -> None:
    """A bar that grows with the RTL's cycles; where nobody watches, a line for each tenth."""
    begin, shown, before = time.monotonic(), -1, done_cycles(progress)
    while not over.wait(POLL):
        cycles = done_cycles(progress) - before
        share = min(1.0, cycles / total)
        rate = cycles / (time.monotonic() - begin) / 1e3
        text = f"{share:4.0%}  {cycles / 1e6:.1f} of {total / 1e6:.1f} Mcycles, {rate:.0f} kcycles/s"
        if sys.stdout.isatty():
            print(f"\r[{'#' * round(BAR * share):<{BAR}}] {text}", end="", flush=True)
        elif int(10 * share) != shown:
            shown = int(10 * share)
            print(f"  {text}", flush=True)
    if sys.stdout.isatty():
        print()


def main() -> int:
    print("compile ResNet-50, int8, for the NPU and, for what it declines, the CPU", flush=True)
    image = network.image()
    model = network.Run(network.load(), image)
    total = round(model.seconds * clock())
    print(f"run {model.tasks} tasks, {model.counters['instructions']:,} instructions in the RTL", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        progress, over = Path(folder) / "progress", threading.Event()
        program = network.load(f"engine=rtl:progress={progress}")
        bar = threading.Thread(target=show_bar, args=(progress, total, over))
        begin = time.monotonic()
        bar.start()
        try:
            rtl = network.Run(program, image)
        finally:
            over.set()
            bar.join()
    bits = int(np.count_nonzero(rtl.logits.view(np.uint32) != model.logits.view(np.uint32)))
    cycles = rtl.counters["rtl_cycles"]
    print(
        f"ResNet-50 through the RTL: {rtl.tasks} tasks, {rtl.counters['rtl_windows']:,} streams, {cycles:,} cycles, "
        f"{bits} of {rtl.logits.size} logits differ, {abs(cycles - total)} cycles differ, "
        f"{time.monotonic() - begin:.0f} s"
    )
    return 0 if bits == 0 and cycles == total and rtl.tasks == model.tasks else 1


if __name__ == "__main__":
    sys.exit(main())
