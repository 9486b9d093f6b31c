"""SystemVerilog to a netlist of a library's cells, with Yosys and ABC (the wheel `pyosys`, which has read_slang)."""

from __future__ import annotations

import collections
import json
import re
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import distribution, version
from pathlib import Path

from rtl.flow.designs import DESIGNS, MEMORY, RTL, Design, Memory
from rtl.flow.liberty import Library

# Mapping, then sizing for speed under the library's own delays; `stime` is the timing that is reported.
ABC = "strash;ifraig;scorr;dc2;fraig;dch -f;map -B 0.9;topo;buffer -p -N 16;buffer -c;upsize;dnsize;stime -p"
# Flip-flops that share an enable get a clock gate when there are at least so many.
SMALLEST_GATED_GROUP = 4


class SynthesisError(RuntimeError):
    """Yosys or ABC failed; the message says at which command."""


@dataclass
class Netlist:
    """A design of library cells. Delay and depth are what ABC says of its longest path; of a design with parts, they are of
    what is not in them."""

    design: Design
    cells: dict[str, int]  # how often each cell is used
    delay: float  # seconds, combinational
    depth: int  # cells on that path
    verilog: Path
    json: Path

    def area(self, library: Library) -> float:
        """Square micrometres, cells side by side."""
        return sum(
            library.cells[cell].area * count for cell, count in self.cells.items() if cell in library.cells
        )


def tool() -> str:
    return f"pyosys {version('pyosys')}"


def share() -> Path:
    """What Yosys brings along: models of the cells of FPGAs, for one."""
    return Path(str(distribution("pyosys").locate_file("pyosys"))) / "share"


def synthesise(design: Design, library: Library, files: list[Path], folder: Path) -> Netlist:
    """The netlist in `folder`, beside those of its parts. `files` are the library's Liberty files, unpacked."""
    folder = folder.absolute()
    parts = [(DESIGNS[name], synthesise(DESIGNS[name], library, files, folder)) for name in design.parts]
    here = folder / design.name
    verilog, netlist, mapped = here / "netlist.v", here / "netlist.json", here / "mapped.il"
    if not mapped.exists():  # it does for a part that another design has, too
        here.mkdir(parents=True, exist_ok=True)
        (here / "abc.script").write_text(ABC + "\n", encoding="utf-8")
        unfinished = here / "unfinished.il"
        run_yosys("map", [*_mapping(design, library, files, here), f"write_rtlil {unfinished}"], here)
        unfinished.rename(mapped)
    if not netlist.exists():
        modules = {part.top: made.verilog.with_name("mapped.il") for part, made in parts}
        run_yosys("link", _linking(mapped, modules, netlist, verilog), here)
    delay, depth = critical_path((here / "map.log").read_text(encoding="utf-8", errors="replace"))
    cells = count_cells(netlist, library, design.memories)
    return Netlist(design, cells, delay, depth, verilog, netlist)


def _linking(mapped: Path, modules: dict[str, Path], netlist: Path, verilog: Path) -> list[str]:
    """Puts the parts where they are used and makes one module of all."""
    commands = [f"read_rtlil {mapped}"]
    for module, made in modules.items():
        commands += [f"delete ={module}", f"read_rtlil {made}", f"setattr -mod -unset top {module}"]
    return [
        *commands,
        "setattr -mod -unset keep_hierarchy *",
        "flatten -noscopeinfo",
        "clean -purge",
        "rename -top gates",
        "rename -enumerate -pattern net%_ w:* x:* %d",  # names that Verilog, SAIF and JSON spell alike
        f"write_json {netlist}",
        f"write_verilog -noattr -noexpr {verilog}",
    ]


def reading(design: Design, here: Path) -> list[str]:
    """From the sources to modules with the parts and the memories as black boxes."""
    sources = design.sources()
    if missing := [str(file) for file in sources if not file.exists()]:
        raise SynthesisError(f"{missing[0]} is missing; `make build` makes it")
    parameters = " ".join(f"-G{name}={value}" for name, value in design.parameters)
    apart = [DESIGNS[name].top for name in design.parts] + [MEMORY]
    boxes = " ".join(f"--blackboxed-module {name}" for name in apart)
    return [
        f"read_slang --threads 1 --top {design.top} -DSYNTHESIS {parameters} {boxes} -I {RTL / 'npu'} "
        + ("--keep-hierarchy " if design.kept else "")
        + " ".join(map(str, sources)),
        *_memories(design, here),
    ]


def _mapping(design: Design, library: Library, files: list[Path], here: Path) -> list[str]:
    """From the sources to cells of the library; what is kept apart is a module still."""
    liberty = " ".join(f"-liberty {file}" for file in files)
    kept = " ".join(f"{name}* {name}$*" for name in design.kept)
    gate = clock_gate(library)
    return [
        *reading(design, here),
        f"setattr -mod -set keep_hierarchy 1 {kept}" if kept else "",
        "flatten",
        f"synth -booth -top {design.top}",
        f"clockgate -pos {gate} -min_net_size {SMALLEST_GATED_GROUP}" if gate else "",
        f"dfflibmap {liberty}",
        "opt",
        f"abc {liberty} -script {here / 'abc.script'}",
        "clean -purge",
    ]


def _memories(design: Design, here: Path) -> list[str]:
    """Makes a cell type of each size of memory: as one type with parameters all would get the ports of the first."""
    if not design.memories:
        return []
    boxes = here / "memories.v"
    boxes.write_text("\n".join(memory.black_box() for memory in design.memories), encoding="utf-8")
    commands = [f"delete ={MEMORY}", f"read_verilog -lib {boxes}"]
    for memory in design.memories:
        chosen = f"t:{MEMORY} r:Width={memory.width} %i r:Depth={memory.rows} %i"
        commands.append(f"chtype -set {memory.cell} {chosen}")
    return [
        *commands,
        *(f"setparam -unset Width -unset Depth -unset AddrW t:{memory.cell}" for memory in design.memories),
    ]


def run_yosys(step: str, commands: list[str], folder: Path) -> None:
    """Runs these commands, in a process of its own, since an error ends it. What Yosys prints lies in `step`.log."""
    script, log = folder / f"{step}.ys", folder / f"{step}.log"
    script.write_text("\n".join(filter(None, commands)) + "\n", encoding="utf-8")
    program = f"from pyosys import libyosys; libyosys.run_pass('script {script}', libyosys.Design())"
    with open(log, "w", encoding="utf-8") as out:
        done = subprocess.run([sys.executable, "-c", program], stdout=out, stderr=subprocess.STDOUT)
    if done.returncode != 0:
        text = log.read_text(encoding="utf-8", errors="replace")
        errors = [line for line in text.splitlines() if "error" in line.lower()]
        raise SynthesisError(f"Yosys failed on {folder.name}: {(errors or ['no message'])[-1]}")


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


def count_cells(netlist: Path, library: Library, memories: tuple[Memory, ...] = ()) -> dict[str, int]:
    """Of the top module. What is no cell of the library was not mapped, which is an error."""
    modules = json.loads(netlist.read_text(encoding="utf-8"))["modules"]
    top = next(module for module in modules.values() if int(module.get("attributes", {}).get("top", "0"), 2))
    cells = collections.Counter(
        cell["type"] for cell in top["cells"].values() if not cell["type"].startswith("$scopeinfo")
    )
    if strange := sorted(set(cells) - set(library.cells) - {memory.cell for memory in memories}):
        raise SynthesisError(f"{', '.join(strange)} was not mapped to the library {library.name}")
    return dict(cells)
