"""SystemVerilog to a netlist of a library's cells, with Yosys and ABC (the wheel `pyosys`, which has read_slang)."""

from __future__ import annotations

import collections
import json
import re
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from rtl.flow.designs import Design
from rtl.flow.liberty import Library

# Mapping, then sizing for speed under the library's own delays; `stime` is the timing that is reported.
ABC = "strash;ifraig;scorr;dc2;fraig;dch -f;map -B 0.9;topo;buffer -c;upsize;dnsize;stime -p"
# Flip-flops that share an enable get a clock gate when there are at least so many.
SMALLEST_GATED_GROUP = 4


class SynthesisError(RuntimeError):
    """Yosys or ABC failed; the message says at which command."""


@dataclass
class Netlist:
    """A design of library cells. Delay and depth are of the longest path between registers, without wires."""

    design: Design
    cells: dict[str, int]  # how often each cell is used
    delay: float  # seconds, combinational
    depth: int  # cells on that path
    verilog: Path
    json: Path

    def area(self, library: Library) -> float:
        """Square micrometres, cells side by side."""
        return sum(library.cells[cell].area * count for cell, count in self.cells.items())

    def period(self, library: Library) -> float:
        """Seconds: the longest path and the flip-flop that begins and ends it."""
        return self.delay + library.flip_flop_overhead(c for c in self.cells if library.cells[c].is_flip_flop)


def tool() -> str:
    return f"pyosys {version('pyosys')}"


def synthesise(design: Design, library: Library, files: list[Path], folder: Path) -> Netlist:
    """The netlist in `folder`. `files` are the library's Liberty files, unpacked."""
    folder.mkdir(parents=True, exist_ok=True)
    verilog, netlist = folder / "netlist.v", folder / "netlist.json"
    abc = folder / "abc.script"
    abc.write_text(ABC + "\n", encoding="utf-8")
    liberty = " ".join(f"-liberty {file}" for file in files)
    parameters = " ".join(f"-G{name}={value}" for name, value in design.parameters)
    sources = design.sources()
    if missing := [str(file) for file in sources if not file.exists()]:
        raise SynthesisError(f"{missing[0]} is missing; `make build` makes it")
    gate = clock_gate(library)
    commands = [
        f"read_slang --threads 1 --top {design.top} -DSYNTHESIS {parameters} -I {sources[1].parent} "
        + " ".join(map(str, sources)),
        f"synth -booth -top {design.top}",
        f"clockgate -pos {gate} -min_net_size {SMALLEST_GATED_GROUP}" if gate else "",
        "flatten",
        f"dfflibmap {liberty}",
        "opt",
        f"abc {liberty} -script {abc}",
        "clean -purge",
        "rename -top gates",
        "rename -enumerate -pattern net%_ w:$*",  # names that Verilog, SAIF and JSON spell alike
        f"write_json {netlist}",
        f"write_verilog -noattr -noexpr {verilog}",
    ]
    delay, depth = critical_path(_yosys(commands, folder))
    return Netlist(design, count_cells(netlist, library), delay, depth, verilog, netlist)


def _yosys(commands: list[str], folder: Path) -> str:
    """What Yosys prints over these commands. In a process of its own, since an error ends it."""
    script, log = folder / "synthesis.ys", folder / "yosys.log"
    script.write_text("\n".join(filter(None, commands)) + "\n", encoding="utf-8")
    program = f"from pyosys import libyosys; libyosys.run_pass('script {script}', libyosys.Design())"
    with open(log, "w", encoding="utf-8") as out:
        done = subprocess.run([sys.executable, "-c", program], stdout=out, stderr=subprocess.STDOUT)
    text = log.read_text(encoding="utf-8", errors="replace")
    if done.returncode != 0:
        errors = [line for line in text.splitlines() if "error" in line.lower()]
        raise SynthesisError(f"Yosys failed on {folder.name}: {(errors or ['no message'])[-1]}")
    return text


def clock_gate(library: Library) -> str:
    """The library's smallest plain clock gate as Yosys wants it named, or nothing."""
    for cell in sorted(library.cells.values(), key=lambda cell: cell.area):
        inputs = [pin.name for pin in cell.pins.values() if pin.direction == "input"]
        outputs = [pin.name for pin in cell.pins.values() if pin.direction == "output"]
        clocks = [name for name in inputs if "CLK" in name.upper() or name.upper() == "CK"]
        enables = [name for name in inputs if name.upper() in ("GATE", "ENA", "E", "EN")]
        if not (cell.gates_clock and len(clocks) == len(enables) == len(outputs) == 1):
            continue
        ties = "".join(f" -tie_lo {name}" for name in inputs if name not in clocks + enables)
        return f"{cell.name} {enables[0]}:{clocks[0]}:{outputs[0]}{ties}"
    return ""


def critical_path(timing: str) -> tuple[float, int]:
    """Seconds and cells of the longest path in what ABC's `stime -p` printed."""
    delay = re.search(r"Delay\s*=\s*([0-9.]+) ps", timing)
    if not delay:
        raise SynthesisError("ABC reported no delay")
    steps = re.findall(r"^ABC: Path +(\d+) --", timing, re.MULTILINE)
    return float(delay[1]) * 1e-12, max(map(int, steps), default=0)


def count_cells(netlist: Path, library: Library) -> dict[str, int]:
    """Of the top module. What is no cell of the library was not mapped, which is an error."""
    modules = json.loads(netlist.read_text(encoding="utf-8"))["modules"]
    top = next(module for module in modules.values() if int(module.get("attributes", {}).get("top", "0"), 2))
    cells = collections.Counter(
        cell["type"] for cell in top["cells"].values() if not cell["type"].startswith("$scopeinfo")
    )
    if strange := sorted(set(cells) - set(library.cells)):
        raise SynthesisError(f"{', '.join(strange)} was not mapped to the library {library.name}")
    return dict(cells)
