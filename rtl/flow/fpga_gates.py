"""What kernels for FPGAs are made of as cells of an ECP5, beside the RTL that they were made from: random inputs and stalls,
equal outputs in every cycle.

    python -m rtl.flow.fpga_gates            all
    python -m rtl.flow.fpga_gates --part "FAdd F16 F16"
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from rtl.flow import activity, fpga, fpga_operators, synthesis

CYCLES, WARM_UP, SEED = 20000, 2000, 1
MULTIPLIER = Path(__file__).with_name("ecp5_cells.v")
OPERATORS = (
    *("FAdd F16 F16", "FMul F16 F16", "FDiv Bf16 Bf16", "FSqrt F16 F16", "FMul F32 F32", "FMin F32 F32"),
    *("FRoundEven F16 F16", "IntToFloatS F16 I32", "FloatToIntS I32 F16", "FloatToFloat F16 F32"),
    *("Mul I32 I32", "Mul I64 I64", "DivS I8 I8", "Popcount I32 I32", "Clz I64 I64"),
)
HOLDING = """\
module holding (
  input logic clk_i, input logic rst_ni, input logic en_i, input logic [7:0] d_i, input logic wvalid_i, input logic rready_i,
  input logic we_i, input logic [4:0] raddr_i, input logic [4:0] waddr_i,
  output logic wready_o, output logic rvalid_o, output logic [7:0] rdata_o,
  output logic [7:0] delayed_o, output logic [7:0] cell_o
);
  logic [7:0] rdata;
  fpga_fifo #(.Width(8), .Depth(5)) u_fifo (
    .clk_i, .rst_ni, .wvalid_i, .wready_o, .wdata_i(d_i), .rvalid_o, .rready_i, .rdata_o(rdata));
  assign rdata_o = rvalid_o ? rdata : '0;
  fpga_delay #(.Width(8), .Count(7)) u_delay (.clk_i, .rst_ni, .en_i, .d_i, .q_o(delayed_o));
  fpga_cells #(.Width(8), .Cells(32)) u_cells (
    .clk_i, .en_i, .raddr_i, .rdata_o(cell_o), .we_i, .waddr_i, .wdata_i(d_i));
endmodule
"""


@dataclass
class Subject:
    """A module that is whole in itself."""

    name: str
    top: str
    text: str
    folder: Path = Path()

    def sources(self) -> list[Path]:
        return [self.folder / "kernel.sv"]


SUBJECTS = {
    "holding": Subject("holding", "holding", HOLDING + fpga_operators.needed(HOLDING)),
    **{o.key: Subject(o.key, o.top, o.text()) for o in fpga_operators.OPERATORS if o.key in OPERATORS},
}


def bench(top: str, ports: dict[str, dict]) -> str:
    """A module that drives gates and RTL alike and stops at the first difference."""
    inputs = {
        name: len(p["bits"]) for name, p in ports.items() if p["direction"] == "input" and name != "clk_i"
    }
    outputs = {name: len(p["bits"]) for name, p in ports.items() if p["direction"] == "output"}
    joined = ", ".join([".clk_i", *(f".{name}" for name in inputs)])
    lines = ["module gate_bench;", "  logic clk_i = 1'b0;", "  int unsigned cycle;"]
    lines += [f"  logic [{width - 1}:0] {name};" for name, width in inputs.items()]
    lines += [f"  logic [{width - 1}:0] {name}_gates, {name}_rtl;" for name, width in outputs.items()]
    for module, side in (("gates", "gates"), (top, "rtl")):
        pins = "".join(f", .{name}({name}_{side})" for name in outputs)
        lines.append(f"  {module} u_{side} ({joined}{pins});")
    lines += [
        "  initial begin",
        f"    void'($urandom({SEED}));",
        f"    for (cycle = 0; cycle < {CYCLES}; cycle++) begin",
    ]
    for name, width in inputs.items():
        words = ", ".join(["$urandom"] * -(-width // 32))
        value = {"rst_ni": "cycle > 3", "en_i": "$urandom % 4 != 0"}.get(name, f"{{{words}}}")
        lines.append(f"      {name} = {width}'({value});")
    lines.append("      #5;")
    for name in outputs:
        lines.append(f"      if (cycle > {WARM_UP} && {name}_gates !== {name}_rtl)")
        lines.append(
            f'        $fatal(1, "cycle %0d, {name}: gates %h, RTL %h", cycle, {name}_gates, {name}_rtl);'
        )
    lines += [
        "      clk_i = 1'b1;",
        "      #5 clk_i = 1'b0;",
        "    end",
        '    $display("equal");',
        "    $finish;",
    ]
    return "\n".join([*lines, "  end", "endmodule", ""])


def check(subject: Subject, folder: Path) -> None:
    """An error if a difference is found."""
    subject.folder = folder
    subject.sources()[0].write_text(subject.text, encoding="utf-8")
    netlist, verilog = folder / "netlist.json", folder / "gates.v"
    commands = [
        fpga.Design(subject.top, folder).read("-DECP5"),
        f"{fpga.SYNTHESIS} -top {subject.top} -json {netlist}",
        f"rename {subject.top} gates",
        f"write_verilog -noattr {verilog}",
    ]
    fpga.run_yosys("synthesis", commands, folder)
    ports = json.loads(netlist.read_text(encoding="utf-8"))["modules"][subject.top]["ports"]
    source = folder / "gate_bench.sv"
    source.write_text(bench(subject.top, ports), encoding="utf-8")
    models = synthesis.share() / "lattice" / "cells_sim_ecp5.v"
    program = activity.build(
        subject.sources(), folder, [models, MULTIPLIER, verilog], source, "gate_bench", {}
    )
    if "equal" not in activity.run(program):
        raise activity.SimulationError(f"{subject.name}: the simulation did not come to its end")


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m rtl.flow.fpga_gates", description=__doc__.split("\n\n")[0]
    )
    parser.add_argument("--part", action="append", choices=SUBJECTS, help="which (default: all)")
    options = parser.parse_args()
    chosen = options.part or list(SUBJECTS)
    try:
        fpga.check_tools()
        for name in chosen:
            with tempfile.TemporaryDirectory() as folder:
                check(SUBJECTS[name], Path(folder))
            print(f"{name}: gates and RTL agree over {CYCLES} cycles", flush=True)
    except (fpga.FlowError, activity.SimulationError, OSError) as error:
        print(f"rtl.flow.fpga_gates: {error}", file=sys.stderr)
        return 1
    print(f"{len(chosen)} parts agree")
    return 0


if __name__ == "__main__":
    sys.exit(main())
