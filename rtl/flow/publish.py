"""The plug-in's figures and the page of the hardware, from what the flow found: rtl/flow/figures.json.

    python -m rtl.flow.publish

Area and clock of a configuration are those of its own core where the flow has synthesised it. Energies are of the cores of
side 8, by the classes of work that programs in their gates tell apart; for the other sides they are scaled: what an array
row takes by the square of the side, what a vector or a DMA row takes by the side, an instruction not at all; idle cycles and
leakage as the area. Memories are looked up for each side.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from rtl.flow import programs
from rtl.flow.designs import DESIGNS
from rtl.flow.memories import Macro, macros_of
from rtl.flow.page import CONSTANT, LINEAR, SQUARE, page, scaled_area

HERE = Path(__file__).resolve()
FIGURES = HERE.with_name("figures.json")
PLUGIN = HERE.parents[2] / "tetrarch" / "devices" / "npu" / "figures.json"
PAGE = HERE.parents[2] / "docs" / "npu-hardware.md"
NODE = "IHP SG13G2 130 nm"  # the one that is real and has memory macros
KINDS = {"int8": "core", "bf16": "bf16-core"}
# Joules of a byte, read or written. M. Horowitz, Computing's energy problem, ISSCC 2014: 1.3 to 2.6 nJ for 64 bits.
DRAM_BYTE = 1.95e-9 / 8
POWERS = {"matmul_row": SQUARE, "matmul_tile": SQUARE, "instruction": CONSTANT}


def core_of(kind: str, side: int) -> str:
    return f"{KINDS[kind]}-{side}"


def base_of(figures: dict, kind: str) -> str:
    """The core of side 8 that others are scaled from: of the kind, if the flow has it."""
    own = core_of(kind, 8)
    return own if own in figures[NODE]["designs"] else core_of("int8", 8)


def joules(figures: dict, kind: str, side: int) -> dict:
    """Tables by activity, and leakage, as the plug-in reads them. Classes of work that the kind has none of take nothing."""
    node = figures[NODE]
    core = node["designs"][base_of(figures, kind)]
    scale = side / 8
    memory = memories(node, kind, side)
    weight = cells(figures, kind, side) / core["area"]["value"]
    table = {
        level: {
            **dict.fromkeys(programs.INT8.classes, 0.0),
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


def cells(figures: dict, kind: str, side: int) -> float:
    """Square micrometres of the core's cells: its own, or scaled."""
    designs = figures[NODE]["designs"]
    own = designs.get(core_of(kind, side))
    return own["area"]["value"] if own else scaled_area(designs[base_of(figures, kind)], side / 8)


def areas(figures: dict, kind: str, side: int) -> dict:
    """Square metres of the cells and of the memories' macros."""
    node = figures[NODE]
    rows = DESIGNS[core_of(kind, side)].memories
    chosen = macros_of(rows, [Macro(**macro) for macro in node["macros"]])
    macros = sum(chosen[memory.cell].area * memory.count for memory in rows)
    return {
        "cells": cells(figures, kind, side) * 1e-12,
        "memories": macros * 1e-12,
        "from": _from(figures, kind, side),
    }


def _from(figures: dict, kind: str, side: int) -> str:
    """Where area and clock are from."""
    own = core_of(kind, side)
    return f"{own}, synthesised" if own in figures[NODE]["designs"] else f"{base_of(figures, kind)}, scaled"


def memories(node: dict, kind: str, side: int) -> dict:
    """Energy of a row of both memories, and leakage of all."""
    available = [Macro(**macro) for macro in node["macros"]]
    rows = DESIGNS[core_of(kind, side)].memories
    chosen = macros_of(rows, available)
    sp, acc = (chosen[memory.cell] for memory in rows[:2])
    return {
        "joules": {"sp_read": sp.read, "sp_write": sp.write, "acc_read": acc.read, "acc_write": acc.write},
        "leakage": sum(chosen[memory.cell].leakage * memory.count for memory in rows),
    }


def rounded(value: float) -> float:
    return float(f"{value:.4g}")


def plugin_row(figures: dict, kind: str, side: int) -> dict:
    """One configuration, and where each of its figures is from."""
    node = figures[NODE]
    core, base = core_of(kind, side), base_of(figures, kind)
    own = core if core in node["designs"] else base
    known = base == core_of(kind, 8) and "energy" in node["designs"][base]
    energy = {"energy": joules(figures, kind, side)} if known else {}
    return {
        "side": side,
        "kind": kind,
        "clock_hz": node["designs"][own]["clock"]["value"],
        "source": "modelled",
        "node": NODE,
        "corner": node["corner"],
        "clock_from": f"{own}, synthesised",
        "energy_from": f"{base}, gates" + ("" if side == 8 else ", scaled") if known else "none",
        **energy,
    }


def plugin_figures(figures: dict) -> dict:
    node = figures[NODE]
    return {
        "comment": "Written by `python -m rtl.flow.publish` from rtl/flow/figures.json; docs/npu-hardware.md says what "
        "the figures are.",
        "tools": node["tools"],
        "command": node["command"],
        "dram": "M. Horowitz, Computing's energy problem, ISSCC 2014: 1.3 to 2.6 nJ for 64 bits; the middle",
        "figures": [plugin_row(figures, kind, side) for kind in KINDS for side in (8, 16, 32)],
    }


def main() -> int:
    figures = json.loads(FIGURES.read_text(encoding="utf-8"))
    if "energy" not in figures.get(NODE, {}).get("designs", {}).get(core_of("int8", 8), {}):
        print(f"publish: {FIGURES} has no energies of {core_of('int8', 8)} in {NODE}", file=sys.stderr)
        return 2
    PLUGIN.write_text(json.dumps(plugin_figures(figures), indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(page(figures, DRAM_BYTE), encoding="utf-8")
    print(f"wrote {PLUGIN} and {PAGE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
