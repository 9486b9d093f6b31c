"""The plug-in's figures and the page of the hardware, from what the flow found: rtl/flow/figures.json.

    python -m rtl.flow.publish

The flow has the core of side 8. For the other sides its energies are scaled: what an array row takes by the square of the
side, what a vector or a DMA row takes by the side, an instruction not at all; idle cycles and leakage by the areas of array,
vector unit and rest in the same way. Memories are looked up for each side.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from rtl.flow import programs
from rtl.flow.designs import DESIGNS
from rtl.flow.memories import Macro, macros_of
from rtl.flow.page import page

HERE = Path(__file__).resolve()
FIGURES = HERE.with_name("figures.json")
PLUGIN = HERE.parents[2] / "tetrarch" / "devices" / "npu" / "figures.json"
PAGE = HERE.parents[2] / "docs" / "npu-hardware.md"
NODE = "IHP SG13G2 130 nm"  # the one that is real and has memory macros
CORE = "core-8"
# Joules of a byte, read or written. M. Horowitz, Computing's energy problem, ISSCC 2014: 1.3 to 2.6 nJ for 64 bits.
DRAM_BYTE = 1.95e-9 / 8
SQUARE, LINEAR, CONSTANT = 2, 1, 0
POWERS = {"matmul_row": SQUARE, "matmul_tile": SQUARE, "instruction": CONSTANT}


def joules(figures: dict, side: int) -> dict:
    """Tables by activity, and leakage, as the plug-in reads them."""
    node = figures[NODE]
    core = node["designs"][CORE]
    scale = side / 8
    memory = memories(node, side)
    weight = by_area(core, scale)
    table = {
        level: {
            **{name: value["value"] * scale ** POWERS.get(name, LINEAR) for name, value in classes.items()},
            "cycle": classes["cycle"]["value"] * weight,
            **memory["joules"],
            "dram_byte": DRAM_BYTE,
        }
        for level, classes in core["energy"]["levels"].items()
    }
    leakage = core["energy"]["leakage"]["value"] * weight + memory["leakage"]
    return {
        "leakage_watts": rounded(leakage),
        **{k: {n: rounded(j) for n, j in t.items()} for k, t in table.items()},
    }


def areas(figures: dict, side: int) -> dict:
    """Square metres of the cells and of the memories' macros; those of other sides than 8 are scaled as above."""
    node = figures[NODE]
    core = node["designs"][CORE]
    rows = DESIGNS[f"core-{side}"].memories
    chosen = macros_of(rows, [Macro(**macro) for macro in node["macros"]])
    macros = sum(chosen[memory.cell].area * memory.count for memory in rows)
    return {"cells": core["area"]["value"] * by_area(core, side / 8) * 1e-12, "memories": macros * 1e-12}


def by_area(core: dict, scale: float) -> float:
    """How much more than the core of side 8."""
    areas = {unit: found["area"]["value"] for unit, found in core["units"].items()}
    array, vector = areas["u_matrix"], areas["u_vector"]
    rest = sum(areas.values()) - array - vector
    return (array * scale**SQUARE + vector * scale**LINEAR + rest) / (array + vector + rest)


def memories(node: dict, side: int) -> dict:
    """Energy of a row of both memories, and leakage of all."""
    available = [Macro(**macro) for macro in node["macros"]]
    rows = DESIGNS[f"core-{side}"].memories
    chosen = macros_of(rows, available)
    sp, acc = (chosen[memory.cell] for memory in rows[:2])
    return {
        "joules": {"sp_read": sp.read, "sp_write": sp.write, "acc_read": acc.read, "acc_write": acc.write},
        "leakage": sum(chosen[memory.cell].leakage * memory.count for memory in rows),
    }


def rounded(value: float) -> float:
    return float(f"{value:.4g}")


def plugin_figures(figures: dict) -> dict:
    node = figures[NODE]
    clock = node["designs"][CORE]["clock"]["value"]
    common = {"clock_hz": clock, "source": "modelled", "node": NODE, "corner": node["corner"]}
    rows = [{"side": side, "kind": "int8", **common, "energy": joules(figures, side)} for side in (8, 16, 32)]
    rows += [{"side": side, "kind": "bf16", **common} for side in (8, 16, 32)]
    return {
        "comment": "Written by `python -m rtl.flow.publish` from rtl/flow/figures.json; docs/npu-hardware.md says what "
        "the figures are. Clocks are those of the int8 core of side 8, energies of other sides are scaled from it, "
        "and of the bf16 kind there are none.",
        "tools": node["tools"],
        "command": node["command"],
        "dram": "M. Horowitz, Computing's energy problem, ISSCC 2014: 1.3 to 2.6 nJ for 64 bits; the middle",
        "figures": rows,
    }


def main() -> int:
    figures = json.loads(FIGURES.read_text(encoding="utf-8"))
    if "energy" not in figures.get(NODE, {}).get("designs", {}).get(CORE, {}):
        print(f"publish: {FIGURES} has no energies of {CORE} in {NODE}", file=sys.stderr)
        return 2
    missing = set(programs.CLASSES) - set(figures[NODE]["designs"][CORE]["energy"]["levels"]["random"])
    if missing:
        print(f"publish: {FIGURES} lacks the classes {', '.join(sorted(missing))}", file=sys.stderr)
        return 2
    PLUGIN.write_text(json.dumps(plugin_figures(figures), indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(page(figures, DRAM_BYTE), encoding="utf-8")
    print(f"wrote {PLUGIN} and {PAGE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
