"""Each operator of kernels for FPGAs, alone on an ECP5-85k: LUTs, registers, multipliers and the clock that it reaches.

    python -m rtl.flow.fpga_operators                measures those that rtl/flow/fpga_operators.json lacks
    python -m rtl.flow.fpga_operators --only FAdd    ... of one operator, anew

What comes out are rtl/flow/fpga_operators.json and tetrarch/abi/fpga_cost.def, from which the compiler estimates.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from rtl.flow import fpga

ROOT = Path(__file__).resolve().parents[2]
MODULES = ROOT / "rtl" / "fpga"
FIGURES = Path(__file__).with_name("fpga_operators.json")
TABLE = ROOT / "tetrarch" / "abi" / "fpga_cost.def"
LEAST_MHZ = 125
FLOATS = {"F16": (5, 10), "Bf16": (8, 7), "F32": (8, 23)}
INTEGERS = {f"I{width}": width for width in (8, 32, 64)}  # between them the compiler interpolates
TABLE_HEAD = """\
// What an operator takes of an ECP5-85k, its registers included: rtl/flow/fpga_operators.json has what place and route
// said of each, and `python -m rtl.flow.fpga_operators` writes both. What that file lacks is estimated here.
//
// FPGA_COST(operator, result, operand, luts, flip_flops, multipliers, block_rams)

"""


@dataclass(frozen=True)
class Operator:
    """One row of the table: the operator, the types of its result and operands, and a module that is nothing else."""

    name: str
    result: str
    operand: str
    body: str
    operands: int = 2

    @property
    def key(self) -> str:
        return f"{self.name} {self.result} {self.operand}"

    @property
    def top(self) -> str:
        return f"operator_{self.name}_{self.result}_{self.operand}".lower()

    def text(self) -> str:
        """The module, and those of rtl/fpga/ that it needs."""
        inputs = ", ".join(
            f"input logic [{width_of(self.operand) - 1}:0] {x}_i" for x in "abc"[: self.operands]
        )
        top = (
            f"module {self.top} (input logic clk_i, input logic en_i, {inputs}, "
            f"output logic [{width_of(self.result) - 1}:0] q_o);\n{self.body}\nendmodule\n"
        )
        return top + needed(top)


def width_of(name: str) -> int:
    return 1 + sum(FLOATS[name]) if name in FLOATS else int(name[1:])


def needed(text: str) -> str:
    """The modules of rtl/fpga/ that a text instantiates, and those that they do."""
    found: dict[str, str] = {}
    todo = [text]
    while todo:
        for name in re.findall(r"\b(fpga_\w+)\s*(?:#\s*\(|u_)", todo.pop()):
            if name not in found:
                found[name] = (MODULES / f"{name}.sv").read_text(encoding="utf-8")
                todo.append(found[name])
    return "".join(found.values())


def instance(module: str, parameters: dict[str, int], pins: str) -> str:
    joined = ", ".join(f".{name}({value})" for name, value in parameters.items())
    return f"  {module} #({joined}) u_operator (.clk_i, .en_i, {pins});"


def registered(expression: str) -> str:
    return f"  always_ff @(posedge clk_i) if (en_i) q_o <= {expression};"


def of_integers(name: str, width: int) -> list[Operator]:
    def same(operator: str, body: str, operands: int = 2) -> Operator:
        return Operator(operator, name, name, body, operands)

    count = width.bit_length()
    return [
        same("And", "  assign q_o = a_i & b_i;"),
        same("Select", "  assign q_o = c_i[0] ? a_i : b_i;", 3),
        same("Add", registered("a_i + b_i")),
        same("Shl", registered("a_i << b_i")),
        same("MinS", registered("$signed(a_i) < $signed(b_i) ? a_i : b_i")),
        Operator("Eq", "I1", name, registered("a_i == b_i")),
        Operator("LtS", "I1", name, registered("$signed(a_i) < $signed(b_i)")),
        same(
            "Mul",
            instance(
                "fpga_mul", dict.fromkeys(("WidthA", "WidthB", "WidthP"), width), ".a_i, .b_i, .p_o(q_o)"
            ),
        ),
        same(
            "DivS",
            instance(
                "fpga_div", {"Width": width, "Signed": 1}, ".a_i, .b_i, .quotient_o(q_o), .remainder_o()"
            ),
        ),
        same(
            "Clz",
            f"  logic [{count - 1}:0] zeros;\n  assign q_o = {width}'(zeros);\n"
            + instance("fpga_clz", {"Width": width}, ".x_i(a_i), .zeros_o(zeros)"),
            1,
        ),
        same("Popcount", instance("fpga_popcount", {"Width": width}, ".x_i(a_i), .count_o(q_o)"), 1),
    ]


def of_floats(name: str) -> list[Operator]:
    exponent, mantissa = FLOATS[name]
    shape = {"ExpW": exponent, "ManW": mantissa}

    def same(operator: str, module: str, pins: str, operands: int = 2, **more: int) -> Operator:
        return Operator(operator, name, name, instance(module, {**shape, **more}, pins), operands)

    made = [
        same("FAdd", "fpga_fadd", ".a_i, .b_i, .sum_o(q_o)"),
        same("FMul", "fpga_fmul", ".a_i, .b_i, .product_o(q_o)"),
        same("FDiv", "fpga_fdiv", ".a_i, .b_i, .quotient_o(q_o)"),
        same("FSqrt", "fpga_fsqrt", ".a_i, .root_o(q_o)", 1),
        same("FMin", "fpga_fminmax", ".a_i, .b_i, .result_o(q_o)"),
        same("FRoundEven", "fpga_fround", ".a_i, .result_o(q_o)", 1, Mode=4),
        Operator("Select", name, name, "  assign q_o = c_i[0] ? a_i : b_i;", 3),
        Operator(
            "FLt",
            "I1",
            name,
            instance("fpga_fcompare", shape, ".a_i, .b_i, .less_o(q_o), .equal_o(), .unordered_o()"),
        ),
    ]
    for other, width in INTEGERS.items():
        both = {**shape, "IntW": width, "Signed": 1}
        made += [
            Operator(
                "IntToFloatS",
                name,
                other,
                instance("fpga_int_to_float", both, ".int_i(a_i), .float_o(q_o)"),
                1,
            ),
            Operator(
                "FloatToIntS",
                other,
                name,
                instance("fpga_float_to_int", both, ".float_i(a_i), .int_o(q_o)"),
                1,
            ),
        ]
    for other, (in_exponent, in_mantissa) in FLOATS.items():
        both = {"InExpW": in_exponent, "InManW": in_mantissa, "OutExpW": exponent, "OutManW": mantissa}
        if other != name:
            pins = ".float_i(a_i), .float_o(q_o)"
            made.append(Operator("FloatToFloat", name, other, instance("fpga_float_to_float", both, pins), 1))
    return made


OPERATORS = [row for name, width in INTEGERS.items() for row in of_integers(name, width)] + [
    row for name in FLOATS for row in of_floats(name)
]


def measure(operator: Operator, out: Path, seeds: int) -> dict:
    folder = out / operator.top
    text = operator.text()
    source = folder / "kernel.sv"
    if not source.exists() or source.read_text(encoding="utf-8") != text:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        source.write_text(text, encoding="utf-8")
    design = fpga.Design(operator.top, folder)
    design.map()
    if not seeds:
        return {**design.used(), "mhz": None, "seeds": 0}
    design.synthesise()
    clocks = [design.place_and_route(seed) for seed in range(1, seeds + 1)]
    return {**design.used(), "mhz": round(min(clocks) / 1e6, 1), "seeds": seeds}


def table(figures: dict[str, dict], present: str) -> str:
    """The rows of operators that were not measured yet stay as they are at present."""
    kinds = ("luts", "flip_flops", "multipliers", "block_rams")
    estimates = dict(re.findall(r"^FPGA_COST\((\w+, \w+, \w+), (.*)\)$", present, re.MULTILINE))
    rows = []
    for operator in OPERATORS:
        key = operator.key.replace(" ", ", ")
        figure = figures.get(operator.key)
        numbers = ", ".join(str(figure[kind]) for kind in kinds) if figure else estimates.get(key)
        rows += [f"FPGA_COST({key}, {numbers})\n"] if numbers else []
    return TABLE_HEAD + "".join(rows) + "\n#undef FPGA_COST\n"


def write(figures: dict[str, dict]) -> None:
    ordered = {operator.key: figures[operator.key] for operator in OPERATORS if operator.key in figures}
    lines = ",\n".join(f"  {json.dumps(key)}: {json.dumps(figure)}" for key, figure in ordered.items())
    FIGURES.write_text("{\n" + lines + "\n}\n", encoding="utf-8")
    TABLE.write_text(table(ordered, TABLE.read_text(encoding="utf-8")), encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m rtl.flow.fpga_operators", description=__doc__.split("\n\n")[0]
    )
    parser.add_argument(
        "--out", type=Path, default=ROOT / "build" / "fpga-operators", help="the folder of what is made"
    )
    parser.add_argument("--only", action="append", help="operators by name, anew")
    parser.add_argument(
        "--seeds", type=int, default=1, help="the worst clock counts (1); 0: count cells, time nothing"
    )
    options = parser.parse_args()
    figures = json.loads(FIGURES.read_text(encoding="utf-8")) if FIGURES.exists() else {}
    try:
        fpga.check_tools()
        for operator in OPERATORS:
            known = figures.get(operator.key, {"seeds": -1})["seeds"] >= options.seeds
            if operator.name not in options.only if options.only else known:
                continue
            figures[operator.key] = figure = measure(operator, options.out, options.seeds)
            print(f"{operator.key}: {figure}", flush=True)
            write(figures)
    except (fpga.FlowError, OSError) as error:
        print(f"rtl.flow.fpga_operators: {error}", file=sys.stderr)
        return 3
    timed = {key: figure["mhz"] for key, figure in figures.items() if figure["seeds"]}
    slow = [key for key, mhz in timed.items() if mhz < LEAST_MHZ]
    words = f"{len(timed)} of {len(figures)} operators were timed, {len(slow)} are"
    print(f"{words} below {LEAST_MHZ} MHz: {', '.join(slow) or 'none'}")
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
