"""Area, clock and energy of the processor's parts in a cell library.

    python -m rtl.flow --node "OSU 180 nm" --corner "typical, 1.8 V, 25 C" \\
        /usr/share/qflow/tech/osu018/osu018_stdcells.lib
    python -m rtl.flow --node "..." --corner "..." --design array-8 --energy array-4 cells.lib.gz more_cells.lib.gz

What comes out replaces that node's entry in rtl/flow/figures.json, or in the file that --out names.
"""

from __future__ import annotations

import argparse
import gzip
import json
import shlex
import sys
import tempfile
from pathlib import Path

from rtl.flow import activity, power, synthesis
from rtl.flow.designs import DESIGNS, Design
from rtl.flow.liberty import Library, LibraryError

FIGURES = Path(__file__).with_name("figures.json")
# Nothing is placed: how much longer a cycle is than the cells alone would need.
WIRE_MARGIN = 0.3
CYCLES, SEED = 1000, 1


def figure(value: float, unit: str) -> dict:
    """Out of synthesis and tables, nothing that was timed or metered."""
    return {"value": float(f"{value:.4g}"), "unit": unit, "source": "modelled"}


def describe(netlist: synthesis.Netlist, library: Library) -> dict:
    period = netlist.period(library)
    return {
        "parameters": dict(netlist.design.parameters),
        "cells": sum(netlist.cells.values()),
        "flip_flops": sum(n for cell, n in netlist.cells.items() if library.cells[cell].is_flip_flop),
        "clock_gates": sum(n for cell, n in netlist.cells.items() if library.cells[cell].gates_clock),
        "area": figure(netlist.area(library), "um2"),
        "depth": netlist.depth,
        "period": figure(period, "s"),
        "clock": figure(1 / (period * (1 + WIRE_MARGIN)), "Hz"),
    }


def energies(netlist: synthesis.Netlist, library: Library, cycles: int, seed: int) -> dict:
    """Of one cycle at each level of activity; leakage apart."""
    levels = {}
    for level in activity.LEVELS:
        print(f"  {netlist.design.name}: energy, {level}", flush=True)
        energy = power.measure(netlist, library, activity.simulate(netlist, library, level, cycles, seed))
        levels[level] = {
            "cycle": figure(energy.dynamic / cycles, "J"),
            "multiply": figure(energy.dynamic / cycles / netlist.design.multiplies, "J"),
            "nets": figure(energy.nets / cycles, "J"),
            "cells": figure(energy.cells / cycles, "J"),
            "clock": figure(energy.clock / cycles, "J"),
        }
        leakage = figure(energy.leakage, "W")
    return {"levels": levels, "leakage": leakage, "cycles": cycles, "seed": seed}


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
        "tools": {"synthesis": synthesis.tool(), "simulation": activity.tool()},
        "command": shlex.join(["python", "-m", "rtl.flow", *_portable(sys.argv[1:])]),
        "designs": {},
    }
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(options.keep or temporary)
        folder.mkdir(parents=True, exist_ok=True)
        files = unpacked(paths, folder)
        library = Library.read(files)
        entry["library"] = library.name
        entry["voltage"] = {"value": library.voltage, "unit": "V"}
        for design in dict.fromkeys(designs + metered):
            print(f"  {design.name}: synthesis", flush=True)
            netlist = synthesis.synthesise(design, library, files, folder / design.name)
            entry["designs"][design.name] = describe(netlist, library)
            if design in metered:
                entry["designs"][design.name]["energy"] = energies(
                    netlist, library, options.cycles, options.seed
                )
    return entry


def _portable(words: list[str]) -> list[str]:
    """Without the folders in which this machine keeps its libraries."""
    return [Path(word).name if word.endswith((".lib", ".gz")) else word for word in words]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m rtl.flow", description=__doc__.split("\n\n")[0])
    parser.add_argument("liberty", nargs="+", type=Path, help="Liberty files of one library, plain or gzip")
    parser.add_argument("--node", required=True, help="the entry's name, as 'IHP SG13G2 130 nm'")
    parser.add_argument(
        "--corner", required=True, help="process, voltage and temperature, and whether it is predictive"
    )
    parser.add_argument(
        "--design", action="append", choices=DESIGNS, help="what to synthesise (default: all)"
    )
    parser.add_argument(
        "--energy", action="append", choices=[n for n in DESIGNS if n != "element"], default=[]
    )
    parser.add_argument("--cycles", type=int, default=CYCLES, help=f"of each simulation ({CYCLES})")
    parser.add_argument("--seed", type=int, default=SEED, help=f"of the stimulus ({SEED})")
    parser.add_argument("--keep", type=Path, help="a folder for netlists and logs")
    parser.add_argument("--out", type=Path, default=FIGURES)
    options = parser.parse_args()
    designs = [DESIGNS[name] for name in options.design or DESIGNS]
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
