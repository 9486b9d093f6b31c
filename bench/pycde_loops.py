"""Loops on scalars as hardware: ours beside the handshake path of CIRCT, which PyPI's `pycde` carries.

    python -m bench.pycde_loops    writes docs/fpga-loops.md (minutes; needs what `scripts/setup.sh hw bench` installs)

Both get the same loop, as cf and arith there and as scf and arith here, and then the same test bench, synthesis, and
place and route. What counts is area × time: LUTs × cycles ÷ clock. Of CIRCT's two ways to place buffers (behind every
operation, or once in each cycle of the graph) the better one counts.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from rtl.flow import activity, fpga

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "fpga-loops.md"
TRIPS, ARGUMENT = 64, 3

# In a process of its own: pycde has an MLIR of its own inside.
HANDSHAKE = """
import sys
from pycde import circt
from pycde.circt import ir, passmanager
STEPS = ("lower-cf-to-handshake", "canonicalize",
  f"handshake.func(handshake-materialize-forks-sinks,handshake-insert-buffers{{strategy={sys.argv[1]}}})", "canonicalize",
  "handshake.func(handshake-materialize-forks-sinks)", "lower-handshake-to-hw",
  "lower-esi-types,lower-esi-ports,lower-esi-to-hw", "canonicalize", "hw.module(lower-seq-hlmem)", "lower-seq-to-sv",
  "hw.module(prettify-verilog)")
with ir.Context() as context:
    circt.register_dialects(context)
    module = ir.Module.parse(sys.stdin.read())
    for step in STEPS:
        passmanager.PassManager.parse(f"builtin.module({step})").run(module.operation)
    circt.export_verilog(module, sys.stdout)
"""
WRAPPER = """
module {top}(
  input logic clk_i, rst_ni, input logic s_axis_0_tvalid, output logic s_axis_0_tready, input logic [31:0] s_axis_0_tdata,
  output logic m_axis_1_tvalid, input logic m_axis_1_tready, output logic [31:0] m_axis_1_tdata
);
  k u_k (
    .clock(clk_i), .reset(!rst_ni), .in0(s_axis_0_tdata), .in0_valid(s_axis_0_tvalid), .in0_ready(s_axis_0_tready),
    .in1_valid(1'b1), .in1_ready(), .out0(m_axis_1_tdata), .out0_valid(m_axis_1_tvalid), .out0_ready(m_axis_1_tready),
    .out1_valid(), .out1_ready(1'b1));
endmodule
"""
BENCH = """
module loop_bench;
  logic clk_i = 1'b0, rst_ni = 1'b0, valid = 1'b0, ready, out_valid;
  logic [31:0] result;
  int cycles = 0;
  {top} u_top (.clk_i, .rst_ni, .s_axis_0_tvalid(valid), .s_axis_0_tready(ready), .s_axis_0_tdata(32'd{argument}),
    .m_axis_1_tvalid(out_valid), .m_axis_1_tready(1'b1), .m_axis_1_tdata(result){rest});
  initial begin
    repeat (8) #5 clk_i = !clk_i;
    rst_ni = 1'b1;
    valid = 1'b1;
    while (!out_valid && cycles < 100000) begin
      automatic logic taken;
      #1 taken = ready;
      #4 clk_i = 1'b1;
      #1 if (taken) valid = 1'b0;
      #4 clk_i = 1'b0;
      #1 cycles++;
    end
    $display("%0d cycles, %0d", cycles, result);
    $finish;
  end
endmodule
"""


@dataclass(frozen=True)
class Loop:
    """`step` makes %s1 (and %t1) of %s, %t, the counter %i and the argument %a, all i32."""

    name: str
    step: str

    def cf(self) -> str:
        return f"""
func.func @k(%a0: i32) -> i32 {{
  %z = arith.constant 0 : i32
  %one = arith.constant 1 : i32
  %n = arith.constant {TRIPS} : i32
  cf.br ^head(%z, %one, %z, %a0 : i32, i32, i32, i32)
^head(%h: i32, %hs: i32, %ht: i32, %ha: i32):
  %c = arith.cmpi slt, %h, %n : i32
  cf.cond_br %c, ^body(%h, %hs, %ht, %ha : i32, i32, i32, i32), ^end(%hs : i32)
^body(%i: i32, %s: i32, %t: i32, %a: i32):
  {self.step}
  %j = arith.addi %i, %one : i32
  cf.br ^head(%j, %s1, %t1, %a : i32, i32, i32, i32)
^end(%r: i32):
  return %r : i32
}}
"""

    def scf(self) -> str:
        return f"""
func.func @{self.name}(%x: tensor<1xi32>) -> tensor<1xi32> {{
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %cn = arith.constant {TRIPS} : index
  %z = arith.constant 0 : i32
  %one = arith.constant 1 : i32
  %e = tensor.empty() : tensor<1xi32>
  %a = tensor.extract %x[%c0] : tensor<1xi32>
  %r:2 = scf.for %k = %c0 to %cn step %c1 iter_args(%s = %one, %t = %z) -> (i32, i32) {{
    %i = arith.index_cast %k : index to i32
    {self.step}
    scf.yield %s1, %t1 : i32, i32
  }}
  %y = tensor.insert %r#0 into %e[%c0] : tensor<1xi32>
  return %y : tensor<1xi32>
}}
"""


LOOPS = (
    Loop(
        "horner", "%m = arith.muli %s, %a : i32\n%s1 = arith.addi %m, %i : i32\n%t1 = arith.addi %t, %z : i32"
    ),
    Loop(
        "fibonacci",
        "%u = arith.addi %s, %t : i32\n%s1 = arith.addi %u, %a : i32\n%t1 = arith.addi %s, %z : i32",
    ),
    Loop(
        "mix",
        "%u = arith.xori %s, %i : i32\n%v = arith.addi %u, %a : i32\n%w = arith.xori %v, %t : i32\n"
        "%s1 = arith.addi %w, %i : i32\n%t1 = arith.xori %v, %a : i32",
    ),
)


@dataclass
class Result:
    cycles: int
    value: int
    luts: int
    multipliers: int
    hz: float

    @property
    def area_time(self) -> float:
        return self.luts * self.cycles / self.hz


def ours(loop: Loop, folder: Path) -> tuple[str, str]:
    """Top module and text."""
    file = folder / "loop.mlir"
    file.write_text(loop.scf(), encoding="utf-8")
    words = [str(ROOT / "build" / "bin" / "tetrarch-kernel"), str(file), "--emit", "verilog"]
    return loop.name, subprocess.run(words, capture_output=True, text=True, check=True).stdout


def handshake(loop: Loop, folder: Path) -> tuple[str, str]:
    """`folder` is named by the way to place buffers."""
    words = [sys.executable, "-c", HANDSHAKE, folder.name]
    done = subprocess.run(words, input=loop.cf(), capture_output=True, text=True, check=True)
    top = f"handshake_{loop.name}"
    return top, done.stdout + WRAPPER.format(top=top)


def measure(make, loop: Loop, folder: Path, seeds: int) -> Result:
    folder.mkdir()
    top, text = make(loop, folder)
    (folder / "kernel.sv").write_text(text, encoding="utf-8")
    rest = ", .m_axis_1_tlast(), .done_o()" if make is ours else ""
    source = folder / "loop_bench.sv"
    source.write_text(BENCH.format(top=top, argument=ARGUMENT, rest=rest), encoding="utf-8")
    program = activity.build([folder / "kernel.sv"], folder, [], source, "loop_bench", {})
    cycles, _, value = next(
        line for line in activity.run(program).splitlines() if " cycles, " in line
    ).split()
    design = fpga.Design(top, folder)
    design.synthesise()
    used = design.used()
    hz = min(design.place_and_route(seed) for seed in range(1, seeds + 1))
    return Result(int(cycles), int(value), used["luts"], used["multipliers"], hz)


def row(loop: Loop, mine: Result, theirs: Result) -> str:
    cells = [
        loop.name,
        *(
            f"{r.cycles} | {r.luts} | {r.multipliers} | {r.hz / 1e6:.0f} MHz | {r.area_time * 1e6:,.0f}"
            for r in (mine, theirs)
        ),
        f"{theirs.area_time / mine.area_time:.2f} ×",
    ]
    return f"| {' | '.join(cells)} |"


def page(rows: list[str], seeds: int) -> str:
    kinds = "cycles | LUTs | multipliers | clock | LUTs × µs"
    return "\n".join(
        [
            "# Loops beside a dynamic schedule",
            "",
            f"Loops of {TRIPS} trips on 32-bit scalars, by this compiler and by the handshake path of CIRCT (PyPI's",
            "`pycde` 0.12.1, which knows no memories there), with buffers where they pay more, in the same test",
            "bench, synthesis, place and route on an ECP5-85k, the worst clock of",
            f"{seeds} seed{'s' * (seeds > 1)}. Cycles are simulated, clocks modelled by place and",
            "route. Made by `python -m bench.pycde_loops`.",
            "",
            f"| | ours: {kinds} | handshake: {kinds} | theirs / ours |",
            f"| --- |{' ---: |' * 11}",
            *rows,
            "",
        ]
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3, help="places and routes of each (3)")
    options = parser.parse_args()
    rows = []
    try:
        fpga.check_tools()
        for loop in LOOPS:
            with tempfile.TemporaryDirectory() as folder:
                mine = measure(ours, loop, Path(folder) / "ours", options.seeds)
                theirs = [
                    measure(handshake, loop, Path(folder) / way, options.seeds) for way in ("all", "cycles")
                ]
            if {result.value for result in theirs} != {mine.value}:
                print(f"{loop.name}: the results differ", file=sys.stderr)
                return 1
            rows.append(row(loop, mine, min(theirs, key=lambda result: result.area_time)))
            print(rows[-1], flush=True)
    except subprocess.CalledProcessError as error:
        print(f"bench.pycde_loops: {error.stderr.strip().splitlines()[-1]}", file=sys.stderr)
        return 1
    except (fpga.FlowError, activity.SimulationError) as error:
        print(f"bench.pycde_loops: {error}", file=sys.stderr)
        return 1
    PAGE.write_text(page(rows, options.seeds), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
