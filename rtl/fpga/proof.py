"""The long proof of the FPGA class: `make fpga-proof`. Its last line counts what ran and what was found.

python -m rtl.fpga.proof --graphs 50 --kernels 200 --route 3

Random graphs, whose tasks become kernels: the reference interpreter, the twin and the SystemVerilog in Verilator compute
the same, the latter two in the same cycles, and once more with ports that pause at random. Random kernels likewise, with
corners that no task has. What kernels are made of: proved by an SMT solver, and as gates of an ECP5 beside their RTL. Some
small programs placed and routed, beside what the compiler expected of them. Ends with 0 when nothing differs.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from examples.workloads.table import WORKLOADS

ROOT = Path(__file__).resolve().parents[2]
GRAPHS, KERNELS = 5, 10  # of one step of the bar
# Small programs, the smallest first.
ROUTED = ("laplacian", "mean-filter", "sobel", "median-filter", "histogram")
PROOFS = (
    ("FIFOs, lines and cells proved", ("rtl.fpga.formal.prove",)),
    ("gates of an ECP5 beside the RTL", ("rtl.flow.fpga_gates",)),
)


@dataclass
class Totals:
    tasks: int = 0
    units: int = 0  # of these tasks, in the RTL
    cycles: int = 0
    kernels: int = 0
    routed: list[dict] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def worst(self) -> str:
        """The largest errors of the compiler's estimates, as shares of what place and route found."""
        if not self.routed:
            return "no estimate compared"
        clock = max(error_of(d["estimate"]["clock"]["value"], d["clock"]["value"]) for d in self.routed)
        luts = max(error_of(d["estimate"]["used"]["luts"], d["used"]["luts"]) for d in self.routed)
        return f"worst estimate error {clock:.0%} of a clock, {luts:.0%} of LUTs"

    def line(self) -> str:
        return (
            f"{self.tasks} tasks and {self.kernels} random kernels generated, {len(self.problems)} differences in "
            f"{self.units} units and {self.cycles:,} cycles of RTL, {len(self.routed)} kernels routed, {self.worst()}"
        )


def error_of(estimate: float, found: float) -> float:
    return abs(estimate - found) / found


class Bar:
    """On standard error: redrawn on a terminal, else a line a step."""

    def __init__(self, steps: int) -> None:
        self.steps, self.done = steps, 0

    def step(self, words: str) -> None:
        self.done += 1
        filled = 24 * self.done // max(self.steps, 1)
        bar = f"[{'=' * filled}{' ' * (24 - filled)}] {self.done}/{self.steps} {words}"
        is_terminal = sys.stderr.isatty()
        end = "" if is_terminal and self.done < self.steps else "\n"
        print(f"\r\033[K{bar}" if is_terminal else bar, end=end, file=sys.stderr, flush=True)


def run(*command: object, **environment: str) -> subprocess.CompletedProcess:
    words = [str(word) for word in command]
    return subprocess.run(words, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True)


def compare_graphs(build: Path, first: int, count: int, environment: dict[str, str], totals: Totals) -> None:
    done = run(
        *(build / "bin" / "tetrarch-differential", "--target", "fpga", "--counts"),
        *("--device", build / "lib" / "tetrarch" / "devices" / "tetrarch_fpga.so"),
        *("--device-options", '{"check_rtl":1}', "--seed", first, "--count", count),
        **environment,
    )
    *told, last = done.stdout.splitlines() or [""]
    counts = json.loads(last) if last.startswith("{") else {}
    totals.tasks += counts.get("tasks", 0)
    totals.units += counts.get("rtl_units", 0)
    totals.cycles += counts.get("rtl_cycles", 0)
    if done.returncode != 0:
        totals.problems += [line for line in told if line.startswith("seed ")] or [done.stderr.strip()]


def compare_kernels(build: Path, first: int, count: int, environment: dict[str, str], totals: Totals) -> None:
    choice = {"FPGA_RANDOM_KERNELS": str(count), "FPGA_RANDOM_SEED": str(first)}
    done = run(build / "tests" / "fpga_random_test", **environment, **choice)
    if "[  SKIPPED ]" in done.stdout:
        sys.exit("rtl.fpga.proof: Verilator is missing, which runs the kernels' SystemVerilog: make setup")
    totals.kernels += count
    if done.returncode != 0:
        found = re.findall(r'^  (?!Which is)"?(.+?)"?$', done.stdout, re.MULTILINE)
        totals.problems.append(f"kernels {first} to {first + count - 1}: {'; '.join(found)}")


def prove(module: tuple[str, ...], totals: Totals) -> None:
    done = run(sys.executable, "-m", *module)
    if done.returncode != 0:
        totals.problems.append((done.stderr or done.stdout).strip().splitlines()[-1])


def route(build: Path, name: str, seeds: int, totals: Totals) -> None:
    """In the cache of the user: what is there is not made again."""
    with tempfile.TemporaryDirectory() as folder:
        artifact, command = Path(folder) / "m.tet", build / "bin" / "tetrarch"
        model = WORKLOADS[name].onnx_file()
        done = run(command, "compile", model, "-o", artifact, "--devices", "cpu,fpga", "--no-measure")
        if done.returncode == 0:
            python = {"TETRARCH_PYTHON": sys.executable}
            done = run(command, "fpga", "build", artifact, "--seeds", seeds, "--json", **python)
    if done.returncode != 0:
        sys.exit(f"rtl.fpga.proof: {name}: {(done.stderr or done.stdout).strip().splitlines()[-1]}")
    totals.routed += json.loads(done.stdout)["designs"]


def chunks(count: int, size: int) -> list[tuple[int, int]]:
    """First and number of each piece."""
    return [(first, min(size, count - first)) for first in range(0, count, size)]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m rtl.fpga.proof", description=__doc__.splitlines()[0])
    parser.add_argument("--graphs", type=int, default=50, help="random graphs, a dozen tasks each (50)")
    parser.add_argument("--kernels", type=int, default=200, help="random kernels (200)")
    parser.add_argument("--route", type=int, default=3, help=f"of {', '.join(ROUTED)} so many (3)")
    parser.add_argument("--seeds", type=int, default=3, help="places and routes of each (3)")
    parser.add_argument("--parts", action="store_true", help="formal proofs and gates too")
    parser.add_argument("--seed", type=int, default=1, help="of the first graph and kernel (1)")
    parser.add_argument("--build", type=Path, default=ROOT / "build", help="where all was built")
    options = parser.parse_args()
    totals = Totals()
    graphs, kernels = chunks(options.graphs, GRAPHS), chunks(options.kernels, KERNELS)
    proofs = PROOFS if options.parts else ()
    chosen = ROUTED[: options.route]
    bar = Bar(len(graphs) + len(kernels) + len(proofs) + len(chosen))
    with tempfile.TemporaryDirectory() as cache:
        # Programs that run for a moment: optimising them takes longer.
        environment = {"XDG_CACHE_HOME": cache, "CXXFLAGS": "-O0"}
        for first, count in graphs:
            compare_graphs(options.build, options.seed + first, count, environment, totals)
            bar.step(f"{totals.tasks} tasks, {totals.units} units in the RTL")
        for first, count in kernels:
            compare_kernels(options.build, options.seed + first, count, environment, totals)
            bar.step(f"{totals.kernels} random kernels")
    for words, module in proofs:
        prove(module, totals)
        bar.step(words)
    for name in chosen:
        route(options.build, name, options.seeds, totals)
        bar.step(f"{name} placed and routed")
    for problem in totals.problems:
        print(problem)
    print(totals.line())
    return 1 if totals.problems else 0


if __name__ == "__main__":
    sys.exit(main())
