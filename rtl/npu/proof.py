"""The long proof of the NPU: `make npu-proof`. Its last line counts what ran and what was found.

python -m rtl.npu.proof --programs 5000 --mutants 50

Random programs and windows of them in every configuration of the RTL that the build has, each against the models in all
bits and the cycles; windows of a compiled ResNet-50, drawn over all its tasks; mutants of the RTL, which the tests must
notice; and how busy the array is over ResNet-50's convolutions. Ends with 0 when nothing differs and 9 of 10 mutants
are killed.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CHUNK = 250  # programs between two lines of progress


@dataclass
class Totals:
    programs: int = 0
    windows: int = 0
    cycles: int = 0
    bit_differences: int = 0
    cycle_differences: int = 0

    def add(self, row: dict) -> None:
        for name in vars(self):
            setattr(self, name, getattr(self, name) + row.get(name, 0))


def say(text: str) -> None:
    print(f"[{time.strftime('%H:%M:%S')}] {text}", flush=True)


def libraries(build: Path) -> list[tuple[str, int]]:
    """Kind and side of each configuration that was built."""
    names = sorted((build / "lib" / "tetrarch" / "rtl").glob("npu_*.so"))
    found = [re.fullmatch(r"npu_(\w+)_(\d+)", name.stem) for name in names]
    return sorted((match[1], int(match[2])) for match in found if match)


def compare_programs(build: Path, kind: str, side: int, programs: int, seed: int, totals: Totals) -> None:
    for first in range(seed, seed + programs, CHUNK):
        count = min(CHUNK, seed + programs - first)
        command = [build / "bin" / "npu_proof", "--rtl", build / "lib" / "tetrarch" / "rtl"]
        command += ["--kind", kind, "--side", str(side), "--programs", str(count), "--seed", str(first)]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
        if done.stderr:
            print(done.stderr, end="", flush=True)
        if not done.stdout:
            sys.exit(f"npu_proof died at seeds {first} to {first + count}")
        totals.add(json.loads(done.stdout))
        say(f"{kind}, side {side}: {first + count - seed} of {programs} programs")


def check_network(windows: int, seed: int, totals: Totals) -> None:
    """Windows of ResNet-50's tasks: one that differs is an error of the device, which ends the proof."""
    from rtl.npu import network

    options = f"check_rtl={windows}:check_seed={seed}"
    counters = network.Run(network.load(options), network.image()).counters
    totals.add({"windows": counters["rtl_windows"], "cycles": counters["rtl_cycles"]})
    say(f"ResNet-50: {counters['rtl_windows']} windows, {counters['rtl_cycles']:,} cycles")


def kill_mutants(build: Path, count: int, seed: int) -> tuple[int, int]:
    """Mutants that were noticed, and all."""
    command = [sys.executable, ROOT / "rtl" / "npu" / "mutate.py", "--build", build]
    command += ["--count", str(count), "--seed", str(seed)]
    caught = total = 0
    with subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, text=True) as mutants:
        for line in mutants.stdout:
            say(line.rstrip())
            if match := re.match(r"(\d+) of (\d+) mutants", line):
                caught, total = int(match[1]), int(match[2])
    return caught, total


def utilisation(build: Path) -> str:
    """Of the array over ResNet-50's convolutions, as npu-utilisation says."""
    tool = build / "bin" / "npu-utilisation"
    if not tool.exists():  # a build without the compiler half
        return "unknown"
    done = subprocess.run([tool], capture_output=True, text=True, check=True)
    total = next(line for line in done.stdout.splitlines() if line.startswith("| **all"))
    return re.search(r"\*\*([\d.]+ %)\*\*", total)[1]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--programs", type=int, default=5000, help="random programs of each configuration")
    parser.add_argument("--windows", type=int, default=200, help="of a compiled ResNet-50; 0: leave it out")
    parser.add_argument("--mutants", type=int, default=50, help="of the RTL")
    parser.add_argument("--seed", type=int, default=1, help="of programs and mutants")
    parser.add_argument("--build", type=Path, default=ROOT / "build", help="where all was built")
    arguments = parser.parse_args()
    totals, build = Totals(), arguments.build
    for kind, side in libraries(build):
        compare_programs(build, kind, side, arguments.programs, arguments.seed, totals)
    if totals.programs == 0:
        sys.exit("there is no RTL in this build: it needs Verilator (make setup)")
    if arguments.windows > 0:
        check_network(arguments.windows, arguments.seed, totals)
    killed, mutants = kill_mutants(build, arguments.mutants, arguments.seed)
    print(
        f"{totals.programs:,} programs, {totals.windows:,} windows, {totals.bit_differences} bit differences, "
        f"{totals.cycle_differences} cycle differences in {totals.cycles:,} cycles, {killed} of {mutants} mutants "
        f"killed, utilisation {utilisation(build)} over ResNet-50"
    )
    same = totals.bit_differences == totals.cycle_differences == 0
    return 0 if same and killed * 10 >= mutants * 9 else 1


if __name__ == "__main__":
    sys.exit(main())
