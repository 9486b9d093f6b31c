"""Area, clock and energy of the processor's parts in a cell library.

    python -m rtl.flow --node "OSU018 180 nm" --corner "typical, 1.8 V, 25 C" \\
        /usr/share/qflow/tech/osu018/osu018_stdcells.lib
    python -m rtl.flow --node "..." --corner "..." --energy core-8 --macro ram_1024x64.lib.gz cells.lib.gz more_cells.lib.gz

What comes out replaces that node's entry in rtl/flow/figures.json, or in the file that --out names;
`python -m rtl.flow.publish` makes the plug-in's figures and docs/npu-hardware.md from it.
"""

from __future__ import annotations

import argparse
import dataclasses
import gzip
import json
import shlex
import sys
import tempfile
from pathlib import Path

from rtl.flow import activity, energy, programs, saif, synthesis
from rtl.flow.core import GateCore, RtlCore
from rtl.flow.designs import DESIGNS, Design
from rtl.flow.liberty import Library, LibraryError
from rtl.flow.memories import Macro, macros_of, read_macro
from rtl.flow.netlist import Gates
from rtl.flow.power import Meter
from rtl.flow.timing import Path as TimingPath
from rtl.flow.timing import Timing

FIGURES = Path(__file__).with_name("figures.json")
# Nothing is placed: how much longer a cycle is than the cells alone would need.
WIRE_MARGIN = 0.3
CYCLES, SEED = 1000, 1
DEFAULT = ("element", "lane-8", "core-8")


def figure(value: float, unit: str) -> dict:
    """Out of synthesis and tables, nothing that was timed or metered."""
    return {"value": float(f"{value:.4g}"), "unit": unit, "source": "modelled"}


def describe(netlist: synthesis.Netlist, library: Library, available: list[Macro]) -> dict:
    macros = macros_of(netlist.design.memories, available)
    gates = Gates.read(netlist.json)
    timing = Timing(gates, library, macros)
    units = timing.paths()
    longest = max(units.values(), key=lambda path: path.delay)
    described = {
        "rtl": netlist.design.fingerprint(),
        "parameters": dict(netlist.design.parameters),
        "cells": sum(count for cell, count in netlist.cells.items() if cell in library.cells),
        "flip_flops": _count(netlist, library, lambda cell: cell.is_flip_flop),
        "clock_gates": _count(netlist, library, lambda cell: cell.gates_clock),
        "area": figure(netlist.area(library), "um2"),
        "depth": longest.depth,
        "period": figure(longest.delay, "s"),
        "clock": figure(clock(longest.delay), "Hz"),
        "critical": critical(longest),
    }
    if netlist.design.parts:
        described["units"] = of_units(gates, library, units)
    else:
        theirs = Timing(gates, library, ideal=True).longest().delay
        described["abc"] = {
            "delay": figure(netlist.delay, "s"),
            "difference": round(theirs / netlist.delay - 1, 4),
        }
    if netlist.design.memories:
        described["memories"] = [
            {"cell": memory.cell, "count": memory.count, **of_macro(macros.get(memory.cell), memory.count)}
            for memory in netlist.design.memories
        ]
    return described


def clock(period: float) -> float:
    return 1 / (period * (1 + WIRE_MARGIN))


def _count(netlist: synthesis.Netlist, library: Library, which) -> int:
    return sum(n for cell, n in netlist.cells.items() if cell in library.cells and which(library.cells[cell]))


def critical(path: TimingPath) -> dict:
    """Where a path begins and ends, by module instance."""

    def unit(name: str) -> str:
        return name.rpartition(".")[0] or "top"

    return {"from": unit(path.steps[0].cell) if path.steps else "input", "to": unit(path.end)}


def of_units(gates: Gates, library: Library, paths: dict[str, TimingPath]) -> dict:
    """Cells and area of each unit of the top, and the longest path that ends in it."""
    cells: dict[str, list[float]] = {}
    for cell in gates.cells:
        if cell.type in library.cells:
            cells.setdefault(cell.unit(), []).append(library.cells[cell.type].area)
    units = {}
    for unit, areas in sorted(cells.items()):
        units[unit or "top"] = {"cells": len(areas), "area": figure(sum(areas), "um2")}
        if path := paths.get(unit):
            units[unit or "top"] |= {"period": figure(path.delay, "s"), "depth": path.depth, **critical(path)}
    return units


def of_macro(macro: Macro | None, count: int) -> dict:
    """One port each, where the design has a read and a write port: too little area and energy rather than too much."""
    if not macro:
        return {"macro": None}
    return {
        "macro": macro.name,
        "area": figure(macro.area * count, "um2"),
        "access": figure(macro.access, "s"),
        "read": figure(macro.read, "J"),
        "write": figure(macro.write, "J"),
        "leakage": figure(macro.leakage * count, "W"),
    }


def array_energy(netlist: synthesis.Netlist, library: Library, cycles: int, seed: int) -> dict:
    """Of one cycle at each level of activity; leakage apart."""
    levels = {}
    meter = Meter(Gates.read(netlist.json), library)
    for level in activity.LEVELS:
        print(f"  {netlist.design.name}: energy, {level}", flush=True)
        taken = meter.read(activity.simulate(netlist, library, level, cycles, seed).toggles)
        levels[level] = {
            "cycle": figure(taken.dynamic / cycles, "J"),
            "multiply": figure(taken.dynamic / cycles / netlist.design.multiplies, "J"),
            "nets": figure(taken.nets / cycles, "J"),
            "cells": figure(taken.cells / cycles, "J"),
            "clock": figure(taken.clock / cycles, "J"),
        }
    return {"levels": levels, "leakage": figure(meter.leakage, "W"), "cycles": cycles, "seed": seed}


def core_energy(netlist: synthesis.Netlist, library: Library, seed: int) -> dict:
    """Of a unit of each class of instruction at each level of activity. Every program runs in the RTL, too."""
    core = GateCore(netlist, library)
    shape = programs.Shape.of(dict(netlist.design.parameters))
    print(f"  {netlist.design.name}: energy", flush=True)
    levels, runs = energy.characterise(core, shape, seed)
    rtl = RtlCore(netlist.design, netlist.verilog.parent)
    for i, (program, run) in enumerate(runs):
        if (run.cycles, run.dram) != rtl.run(program):
            raise activity.SimulationError(f"program {i}: gates and RTL differ in cycles or in DRAM")
    return energy_entry(levels, core.leakage, len(runs), seed)


def by_saif(part: synthesis.Netlist, library: Library) -> dict:
    """How the counters behind all energies of a core meet those of Verilator, on one of its parts."""
    print(f"  {part.design.name}: SAIF", flush=True)
    files = [*part.design.sources(), *activity.gate_files(part, library)]
    gates, memories = Gates.read(part.json), part.design.memories
    found = saif.compare(gates, library, memories, files, part.verilog.parent)
    return {
        "nets": found.nets,
        "nets_that_differ": found.differ,
        "counters": figure(found.counters, "J"),
        "saif": figure(found.saif, "J"),
    }


def energy_entry(levels: dict[str, energy.Level], leakage: float, checked: int, seed: int) -> dict:
    return {
        "levels": {
            level: {name: figure(joules, "J") for name, joules in found.joules.items()}
            for level, found in levels.items()
        },
        "layer": {
            level: {
                "gates": figure(found.layer, "J"),
                "summed": figure(found.layer_summed, "J"),
                "difference": round(found.layer_summed / found.layer - 1, 4),
            }
            for level, found in levels.items()
        },
        "leakage": figure(leakage, "W"),
        "programs_equal_to_rtl": checked,
        "seed": seed,
    }


def unpacked(paths: list[Path], folder: Path) -> list[Path]:
    """Yosys reads no gzip."""
    out = []
    for path in paths:
        if path.suffix == ".gz":
            target = folder / path.stem
            target.write_bytes(gzip.decompress(path.read_bytes()))
            path = target
        out.append(path.resolve())
    return out


def characterise(paths: list[Path], designs: list[Design], metered: list[Design], options) -> dict:
    entry: dict = {
        "corner": options.corner,
        "wires": f"none; the clock is {WIRE_MARGIN:.0%} slower than the cells allow, to leave room for them",
        "memories": "macros, not in the areas of designs and units",
        "tools": {"synthesis": synthesis.tool(), "simulation": activity.tool()},
        "command": shlex.join(["python", "-m", "rtl.flow", *_portable(sys.argv[1:])]),
        "designs": {},
    }
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(options.keep or temporary)
        folder.mkdir(parents=True, exist_ok=True)
        files = unpacked(paths, folder)
        library = Library.read(files)
        macros = [read_macro(path) for path in options.macro]
        entry["macros"] = [dataclasses.asdict(macro) for macro in macros]
        entry["library"] = library.name
        entry["voltage"] = {"value": library.voltage, "unit": "V"}
        for design in dict.fromkeys(designs + metered):
            print(f"  {design.name}: synthesis", flush=True)
            netlist = synthesis.synthesise(design, library, files, folder)
            described = entry["designs"][design.name] = describe(netlist, library, macros)
            if design not in metered:
                continue
            if design.top == "npu":
                parts = [synthesis.synthesise(DESIGNS[name], library, files, folder) for name in design.parts]
                described["energy"] = core_energy(netlist, library, options.seed)
                described["energy"]["saif"] = {part.design.name: by_saif(part, library) for part in parts}
            else:
                described["energy"] = array_energy(netlist, library, options.cycles, options.seed)
    return entry


def _portable(words: list[str]) -> list[str]:
    """Without the folders in which this machine keeps libraries, netlists and figures."""
    kept, rest = [], iter(words)
    for word in rest:
        if word in ("--keep", "--out"):
            next(rest)
        elif not word.startswith(("--keep=", "--out=")):
            kept.append(Path(word).name if word.endswith((".lib", ".gz")) else word)
    return kept


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m rtl.flow", description=__doc__.split("\n\n")[0])
    parser.add_argument("liberty", nargs="+", type=Path, help="Liberty files of one library, plain or gzip")
    parser.add_argument("--node", required=True, help="the entry's name, as 'IHP SG13G2 130 nm'")
    parser.add_argument(
        "--corner", required=True, help="process, voltage and temperature, and whether it is predictive"
    )
    parser.add_argument(
        "--design", action="append", choices=DESIGNS, help=f"what to synthesise ({', '.join(DEFAULT)})"
    )
    parser.add_argument(
        "--energy",
        action="append",
        choices=[n for n in DESIGNS if n.startswith("array") or "core" in n],
        default=[],
    )
    parser.add_argument(
        "--macro",
        action="append",
        type=Path,
        default=[],
        help="a Liberty file of a memory macro, plain or gzip",
    )
    parser.add_argument("--cycles", type=int, default=CYCLES, help=f"of each simulation ({CYCLES})")
    parser.add_argument("--seed", type=int, default=SEED, help=f"of the stimulus ({SEED})")
    parser.add_argument("--keep", type=Path, help="a folder for netlists and logs")
    parser.add_argument("--out", type=Path, default=FIGURES)
    options = parser.parse_args()
    designs = [DESIGNS[name] for name in options.design or DEFAULT]
    try:
        entry = characterise(options.liberty, designs, [DESIGNS[name] for name in options.energy], options)
    except (LibraryError, synthesis.SynthesisError, activity.SimulationError, OSError) as error:
        print(f"rtl.flow: {error}", file=sys.stderr)
        return 2
    except ImportError as error:
        print(f"rtl.flow: {error}; `make setup-hw` installs the tools", file=sys.stderr)
        return 2
    figures = json.loads(options.out.read_text(encoding="utf-8")) if options.out.exists() else {}
    figures[options.node] = entry
    options.out.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    print(f"wrote {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
