"""The processor's cycles beside those of scalesim, layer by layer over ResNet-50: writes docs/npu-scalesim.md.

    python -m rtl.flow.compare_scalesim

Ours are those of docs/npu-utilisation.md: the streams of the code generator, with all loads and stores. scalesim gets each
layer as the product that it is (im2col), weight-stationary on an array of the same side; its compute model makes the demand
of every cycle, and their number is counted: operands are on chip.
"""

from __future__ import annotations

import math
import re
import sys
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE, OURS = DOCS / "npu-scalesim.md", DOCS / "npu-utilisation.md"
SIDE = 16
# Between two tiles scalesim loads weights, fills and drains the array.
BETWEEN = 3 * SIDE - 2
EXPLAINED = 0.1  # differences beyond it get a reason

HEAD = """\
# The processor's cycles beside scalesim's

Written by `python -m rtl.flow.compare_scalesim` with {tool}; not by hand. ResNet-50 at batch 1, a
{side} x {side} array, weight-stationary. Ours are the cycles of [docs/npu-utilisation.md](npu-utilisation.md), loads and
stores in them; scalesim's are those of its compute model, operands on chip. *difference* is how many more cycles
scalesim needs; beyond 10 % the last column says why.

| layer | times | ours | scalesim | difference | why |
| --- | --- | --- | --- | --- | --- |
"""


@dataclass(frozen=True)
class Layer:
    name: str
    kernel: int
    channels: int
    filters: int
    out: int  # side of the output
    times: int
    cycles: int  # ours

    @property
    def folds(self) -> int:
        """Tiles of weights for each column of the array, by im2col."""
        return math.ceil(self.kernel**2 * self.channels / SIDE)


_ROW = re.compile(r"^\| ([^|*]*?(\d+)x\d+[^|*]*?) \|" + r" (\d+) \|" * 5, re.MULTILINE)


def layers(page: str) -> list[Layer]:
    """The rows of docs/npu-utilisation.md."""
    found = []
    for name, kernel, *numbers in _ROW.findall(page):
        side, channels, filters, times, cycles = map(int, numbers)
        stage = re.match(r"stage (\d)", name)
        # ResNet-50 halves in its stem, and in the 3 x 3 and the shortcut that begin stages 2 to 4.
        halves = not stage or "halving" in name or ("shortcut" in name and int(stage[1]) > 1)
        found.append(Layer(name, int(kernel), channels, filters, side // (1 + halves), times, cycles))
    return found


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


def reason(layer: Layer, difference: float) -> str:
    """What the layer's shape says of a difference."""
    rows = layer.out**2
    columns = math.ceil(layer.filters / SIDE)
    if difference < 0:
        tiles = round(layer.cycles / (rows * columns))
        return f"{layer.channels} channels: about {tiles} tiles of weights a column of the array, {layer.folds} by im2col"
    share = BETWEEN / rows
    return f"a tile has {rows} rows: {BETWEEN} cycles between tiles ({share:.0%}), which our second weight registers hide"


def main() -> int:
    found = layers(OURS.read_text(encoding="utf-8"))
    if not found:
        print(f"compare_scalesim: {OURS} has no layers; npu-utilisation writes it", file=sys.stderr)
        return 2
    lines, totals = [], [0, 0]
    for layer in found:
        try:
            theirs = scalesim_cycles(layer)
        except ImportError as error:
            print(f"compare_scalesim: {error}; `make setup-hw` installs it", file=sys.stderr)
            return 2
        difference = theirs / layer.cycles - 1
        why = reason(layer, difference) if abs(difference) > EXPLAINED else ""
        lines.append(
            f"| {layer.name} | {layer.times} | {layer.cycles:,} | {theirs:,} | {difference:+.0%} | {why} |"
        )
        print(lines[-1], flush=True)
        totals[0] += layer.times * layer.cycles
        totals[1] += layer.times * theirs
    ours, theirs = totals
    lines.append(f"| **all** | | **{ours:,}** | **{theirs:,}** | **{theirs / ours - 1:+.0%}** | |")
    head = HEAD.format(tool=f"scalesim {version('scalesim')}", side=SIDE)
    PAGE.write_text(head + "\n".join(lines) + "\n", encoding="utf-8")
    print(f"wrote {PAGE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
