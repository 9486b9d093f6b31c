"""The processor's cycles beside those of scalesim, layer by layer over ResNet-50: writes docs/npu-scalesim.md.

    python -m rtl.flow.compare_scalesim

Both compute int8 convolutions weight-stationary on a 16 x 16 array with all operands on chip; scalesim gets each layer as
the product that it is (im2col), and its compute model makes the demand of every cycle, whose number is counted. Ours are the
MATMULs of a layer by rule 8 of rtl/npu/README.md: a MATMUL for each kernel tap and tile of channels.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

PAGE = Path(__file__).resolve().parents[2] / "docs" / "npu-scalesim.md"
SIDE = 16
ACC_ROWS = 1024
MIN_ROWS, TAIL, STEP = 8, 4, 1  # MatrixMinRows, MatrixTail, MatrixStepInt8 of npu_isa.def


HEAD = """\
# The processor's cycles beside scalesim's

Written by `python -m rtl.flow.compare_scalesim` with {tool}; not by hand. ResNet-50 at batch 1, a
{side} x {side} array, weight-stationary, operands on chip. What is compared is the array alone: scalesim's compute
model, and rule 8 of [the processor's cycles](../rtl/npu/README.md). Loads, vector unit and stores are in neither.
*difference* is how many more cycles scalesim needs; *array* is how busy ours is. Over 10 %, the last column says why.

| layer | of it | ours | scalesim | difference | array | why |
| --- | --- | --- | --- | --- | --- | --- |
"""


@dataclass(frozen=True)
class Layer:
    name: str
    count: int  # of layers of this shape
    kernel: int
    channels: int
    filters: int
    out: int  # side of the output

    @property
    def multiplications(self) -> int:
        return self.kernel**2 * self.channels * self.filters * self.out**2


def resnet50() -> list[Layer]:
    """Its convolutions by shape (He et al. 2015, table 1, stride in the 3 x 3 as all use it today), and the classifier."""
    layers = [Layer("conv1", 1, 7, 3, 64, 112)]
    channels = 64
    for stage, (width, blocks, out) in enumerate(
        [(64, 3, 56), (128, 4, 28), (256, 6, 14), (512, 3, 7)], start=2
    ):
        before = out if stage == 2 else 2 * out
        name = f"conv{stage}"
        layers += [
            Layer(f"{name}.1 reduce", 1, 1, channels, width, before),
            Layer(f"{name}.1 shortcut", 1, 1, channels, 4 * width, out),
            Layer(f"{name} reduce", blocks - 1, 1, 4 * width, width, out),
            Layer(f"{name} 3x3", blocks, 3, width, width, out),
            Layer(f"{name} expand", blocks, 1, width, 4 * width, out),
        ]
        channels = 4 * width
    return [*layers, Layer("classifier", 1, 1, 2048, 1000, 1)]


def our_cycles(layer: Layer) -> int:
    """MATMULs back to back, each with new weights: one is prepared while the one before streams."""
    tiles = layer.kernel**2 * math.ceil(layer.channels / SIDE)
    rows = layer.out**2
    # The accumulator holds one part of the output while all taps and channels are added to it.
    parts = [ACC_ROWS] * (rows // ACC_ROWS) + ([rows % ACC_ROWS] if rows % ACC_ROWS else [])
    prepared = end = start = 0
    for _ in range(math.ceil(layer.filters / SIDE)):
        for part in parts:
            for _ in range(tiles):
                prepared = start + SIDE  # prepare begins when the one before goes to stream
                start = max(prepared, end)
                end = start + max(part, MIN_ROWS)
    return end + SIDE * STEP + SIDE + TAIL


def scalesim_cycles(layer: Layer) -> int:
    from scalesim.compute.systolic_compute_ws import systolic_compute_ws
    from scalesim.scale_config import scale_config

    config = scale_config()
    config.array_rows = config.array_cols = SIDE
    config.valid_conf_flag = True
    rows, depth = layer.out**2, layer.kernel**2 * layer.channels
    compute = systolic_compute_ws()
    compute.set_params(
        config_obj=config,
        ifmap_op_mat=np.zeros((rows, depth), dtype=np.int8),
        filter_op_mat=np.zeros((depth, layer.filters), dtype=np.int8),
        ofmap_op_mat=np.zeros((rows, layer.filters), dtype=np.int8),
    )
    compute.create_ofmap_demand_mat()
    return len(compute.ofmap_demand_matrix)


def reason(layer: Layer) -> str:
    """Of a difference over 10 %: what the shape says."""
    taps = layer.kernel**2
    folds, ours = math.ceil(taps * layer.channels / SIDE), taps * math.ceil(layer.channels / SIDE)
    if ours > 1.1 * folds:
        return f"a tap has {layer.channels} of {SIDE} channels: {ours} tiles, {folds} by im2col, which joins taps"
    if layer.out**2 < 10 * (3 * SIDE - 2):
        return f"{layer.out**2} rows a tile: between tiles scalesim loads and drains ({3 * SIDE - 2} cycles), which we hide"
    return "weights and drain hidden"


def row(layer: Layer) -> tuple[str, int, int]:
    ours, theirs = our_cycles(layer), scalesim_cycles(layer)
    difference = theirs / ours - 1
    why = reason(layer) if abs(difference) > 0.1 else ""
    share = layer.multiplications / (ours * SIDE * SIDE)
    text = (
        f"| {layer.name} | {layer.count} | {ours:,} | {theirs:,} | {difference:+.0%} | {share:.0%} | {why} |"
    )
    return text, layer.count * ours, layer.count * theirs


def main() -> int:
    try:
        from importlib.metadata import version

        tool = f"scalesim {version('scalesim')}"
        rows = []
        for layer in resnet50():
            rows.append(row(layer))
            print(rows[-1][0], flush=True)
    except ImportError as error:
        print(f"compare_scalesim: {error}; `make setup-hw` installs it", file=sys.stderr)
        return 2
    ours, theirs = (sum(r[i] for r in rows) for i in (1, 2))
    multiplications = sum(layer.count * layer.multiplications for layer in resnet50())
    PAGE.write_text(
        HEAD.format(tool=tool, side=SIDE)
        + "\n".join(r[0] for r in rows)
        + f"\n| **all** | | **{ours:,}** | **{theirs:,}** | **{theirs / ours - 1:+.0%}** "
        f"| **{multiplications / (ours * SIDE * SIDE):.0%}** | |\n",
        encoding="utf-8",
    )
    print(f"wrote {PAGE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
