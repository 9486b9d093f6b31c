"""Flip operators in the RTL and count how many of the changed processors the tests catch.

python rtl/npu/mutate.py --count 20 --seed 1
python rtl/npu/mutate.py --count 20 --only 'npu_(bf16|fp)_'

A mutant is one operator of one line of a module, replaced; it is built with side 8 and small memories (about 15 s of a
core each) and runs random programs against the models, in a process of its own, until one differs, an assertion of the
RTL fails or it hangs. One in a module of both kinds may be noticed by either. Mutants that Verilator refuses are not
counted, nor those of EQUIVALENT, which no test can tell from the processor. Ends with 0 when 9 of 10 are caught.
"""

from __future__ import annotations

import argparse
import random
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

NPU = Path(__file__).resolve().parent
ROOT = NPU.parents[1]

# What an operator may become.
FLIPS = {
    " + ": " - ",
    " - ": " + ",
    " && ": " || ",
    " || ": " && ",
    " == ": " != ",
    " != ": " == ",
    " < ": " <= ",
    " > ": " >= ",
    " >= ": " > ",
    " & ": " | ",
    " | ": " & ",
    " ^ ": " | ",
    " << ": " >> ",
    " >>> ": " >> ",
    "1'b1": "1'b0",
    "1'b0": "1'b1",
    "!": "",
}
# Lines that are no logic: comments, declarations, parameters, assertions, and what keeps the linter quiet.
SKIPPED = re.compile(
    r"^\s*(//|`|localparam|parameter|input|output|assign unused|for \()|unused|NPU_ASSERT|typedef"
)
# Modules of one kind; the others are in both.
INT8_FILES = {"npu_pe.sv", "npu_accumulate.sv", "npu_lane.sv", "npu_round_shift.sv", "npu_across.sv"}
BF16_FILES = re.compile(r"npu_(bf16|fp)_")
# Mutants that compute the same, by file, the line's code and the flip: why.
SAME_CHOICE = "where both sides are equal, so are the values to choose from"
EQUIVALENT = {
    ("npu_lane.sv", "VopMax:  simple_d = a_q > b_q ? a_q : b_q;", " > "): SAME_CHOICE,
    ("npu_lane.sv", "VopMin:  simple_d = a_q < b_q ? a_q : b_q;", " < "): SAME_CHOICE,
    ("npu_lane.sv", "if (a_q > 127) entry_index = 8'h7f;", " > "): SAME_CHOICE,
    ("npu_lane.sv", "if (a_q < -128) entry_index = 8'h80;", " < "): SAME_CHOICE,
    ("npu_lane.sv", "if (total < 51'(scalars_i.lo)) clipped = scalars_i.lo;", " < "): SAME_CHOICE,
    ("npu_lane.sv", "if (total > 51'(scalars_i.hi)) clipped = scalars_i.hi;", " > "): SAME_CHOICE,
    ("npu_lane.sv", "if (scalars_i.lo > scalars_i.hi) clipped = scalars_i.hi;", " > "): SAME_CHOICE,
    ("npu_across.sv", "return x > y ? x : y;", " > "): SAME_CHOICE,
    ("npu_vector.sv", "if ($signed(written[i]) > 127) sp_data_o[i] = 8'h7f;", " > "): SAME_CHOICE,
    ("npu_vector.sv", "if ($signed(written[i]) < -128) sp_data_o[i] = 8'h80;", " < "): SAME_CHOICE,
}
TIMEOUT = 300  # seconds that a mutant may take to build or to run


@dataclass
class Mutant:
    file: str
    line: int  # from 1
    column: int
    old: str
    new: str
    code: str  # of the line

    @property
    def equivalent(self) -> str:
        """Why it computes the same, if it does."""
        return EQUIVALENT.get((self.file, self.code, self.old), "")

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: '{self.old.strip()}' becomes '{self.new.strip()}'"

    def apply(self, text: str) -> str:
        lines = text.split("\n")
        line = lines[self.line - 1]
        end = self.column + len(self.old)
        assert line[self.column : end] == self.old
        lines[self.line - 1] = line[: self.column] + self.new + line[end:]
        return "\n".join(lines)


def mutants(only: re.Pattern[str]) -> list[Mutant]:
    """Every place where a flip fits, in the modules of those names."""
    found = []
    for file in sorted(NPU.glob("npu*.sv")):
        if file.name == "npu_pkg.sv" or not only.search(file.stem):
            continue
        for number, line in enumerate(file.read_text(encoding="utf-8").split("\n"), 1):
            code = line.split("//")[0]
            if SKIPPED.search(code) or (code.strip() and line.strip().startswith("//")):
                continue
            for old, new in FLIPS.items():
                for match in re.finditer(re.escape(old), code):
                    if old == "!" and code[match.end() : match.end() + 1] == "=":
                        continue
                    # A reset value or a size, not a decision.
                    if "rst_ni" in code:
                        continue
                    found.append(Mutant(file.name, number, match.start(), old, new, code.strip()))
    return found


def run(*command: str | Path, folder: Path) -> bool | None:
    """Whether a command succeeds; None when it takes too long."""
    try:
        return subprocess.run(command, cwd=folder, capture_output=True, timeout=TIMEOUT).returncode == 0
    except subprocess.TimeoutExpired:
        return None


def kinds_of(mutant: Mutant) -> list[str]:
    """The kinds of the processor that the mutant is in."""
    if mutant.file in INT8_FILES:
        return ["int8"]
    return ["bf16"] if BF16_FILES.match(mutant.file) else ["int8", "bf16"]


def is_caught(mutant: Mutant, kind: str, folder: Path, build: Path, programs: int) -> bool | None:
    """Build the mutant and let it run; None when it is no legal RTL."""
    sources = folder / "src"
    sources.mkdir()
    for file in NPU.glob("npu*.*v*"):
        text = file.read_text(encoding="utf-8")
        (sources / file.name).write_text(
            mutant.apply(text) if file.name == mutant.file else text, encoding="utf-8"
        )
    commands = (build / f"rtl/npu/mutant_{kind}.txt").read_text(encoding="utf-8").splitlines()
    for template in commands:
        if not run(*template.replace("@OUT@", str(folder / "model")).split(), folder=sources):
            return None
    options = ("--side", "8", "--kind", kind, "--programs", str(programs), "--no-shrink")
    return run(folder / "model" / "mutant", *options, folder=folder) is not True


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=20, help="of mutants")
    parser.add_argument("--seed", type=int, default=1, help="which ones")
    parser.add_argument("--programs", type=int, default=1000, help="random programs a mutant runs at most")
    parser.add_argument("--build", type=Path, default=ROOT / "build", help="where the processor was built")
    parser.add_argument("--only", type=re.compile, default=re.compile(""), help="modules, by a pattern")
    arguments = parser.parse_args()
    everywhere = mutants(arguments.only)
    random.Random(arguments.seed).shuffle(everywhere)
    caught, missed = 0, []
    for mutant in everywhere:
        if caught + len(missed) == arguments.count:
            break
        if mutant.equivalent:
            print(f"same    {mutant}: {mutant.equivalent}", flush=True)
            continue
        for kind in kinds_of(mutant):
            with tempfile.TemporaryDirectory() as folder:
                verdict = is_caught(mutant, kind, Path(folder), arguments.build, arguments.programs)
            if verdict is not False:
                break
        print(f"{ {True: 'caught', False: 'MISSED', None: 'refused'}[verdict] }  {mutant}", flush=True)
        if verdict:
            caught += 1
        elif verdict is False:
            missed.append(mutant)
    total = caught + len(missed)
    print(f"{caught} of {total} mutants caught, of {len(everywhere)} possible")
    return 0 if caught * 10 >= total * 9 else 1


if __name__ == "__main__":
    sys.exit(main())
