"""Parts of the processor as gates, beside the RTL that they were made from: random inputs, equal outputs in every cycle.

    python -m rtl.flow.gates /usr/share/qflow/tech/osu018/osu018_stdcells.lib     cells of that library
    python -m rtl.flow.gates --ecp5                                               LUTs, carries and multipliers of an FPGA

Both run in one Verilator simulation. Memories stay as the RTL has them.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from rtl.flow import activity, synthesis
from rtl.flow.__main__ import unpacked
from rtl.flow.designs import DESIGNS, Design
from rtl.flow.liberty import Library, LibraryError
from rtl.flow.netlist import Gates

CYCLES, SEED = 20000, 1
# Registers without a reset hold anything until they are first written.
WARM_UP = 200
PARTS = ("element", "lane-8", "decode")
MULTIPLIER = Path(__file__).with_name("ecp5_cells.v")

# What drives an input; the others are uniform random bits.
STIMULI = {
    "rst_ni": "cycle > 3",
    # An instruction of any opcode with random fields, now and then with bits that belong to none.
    "bits_i": "instruction()",
    # Operations that the lane has; they stay the same while operands are under way.
    "op_i": "cycle % 64 == 0 ? $urandom % 16 : op_i",
    "valid_i": "cycle % 64 < 8 ? '0 : $urandom",
}

# Inputs that follow an output, as what is around the part makes them: only legal instructions are dispatched.
FOLLOWS = {"dispatch_i": "legal_o_rtl"}

INSTRUCTION = """\
  function automatic logic [127:0] instruction();
    logic [127:0] word, fields;
    word = {$urandom, $urandom, $urandom, $urandom};
    word[3:0] = 4'($urandom % 11);
    unique case (word[3:0])
      OpHalt: fields = ~HaltUnused;
      OpSync: fields = ~SyncUnused;
      OpDim: fields = ~DimUnused;
      OpLoad: fields = ~LoadUnused;
      OpFill: fields = ~FillUnused;
      OpStore: fields = ~StoreUnused;
      OpMatmul: fields = ~MatmulUnused;
      OpVparam: fields = ~VparamUnused;
      OpTable: fields = ~TableUnused;
      default: fields = ~VopUnused;
    endcase
    // Small counts and addresses are legal more often than large ones.
    if ($urandom % 4 != 0) word &= {$urandom, $urandom, $urandom, $urandom} | 128'hfff;
    if ($urandom % 4 != 0) word[11:4] = '0;
    return $urandom % 16 == 0 ? word : word & fields;
  endfunction
"""


def bench(design: Design, ports: dict[str, tuple[str, list]]) -> str:
    """A module that drives gates and RTL alike and stops at the first difference."""
    lines = [
        "module gate_bench import npu_isa_pkg::*, npu_pkg::*;;",
        "  logic clk_i = 1'b0;",
        "  int unsigned cycle;",
    ]
    inputs, outputs = [], []
    for name, (direction, bits) in ports.items():
        if name == "clk_i":
            continue
        (inputs if direction == "input" else outputs).append((name, len(bits)))
    lines += [f"  logic [{width - 1}:0] {name};" for name, width in inputs]
    lines += [f"  logic [{width - 1}:0] {name}_gates, {name}_rtl;" for name, width in outputs]
    lines += [f"  assign {name} = {FOLLOWS[name]};" for name, _ in inputs if name in FOLLOWS]
    driven = [(name, width) for name, width in inputs if name not in FOLLOWS]
    joined = ", ".join([".clk_i(clk_i)", *(f".{name}({name})" for name, _ in inputs)])
    parameters = ", ".join(f".{name}({value})" for name, value in design.parameters)
    for module, side in (("gates", "gates"), (f"{design.top} #({parameters})", "rtl")):
        out = "".join(f", .{name}({name}_{side})" for name, _ in outputs)
        lines.append(f"  {module} u_{side} ({joined}{out});")
    lines += [INSTRUCTION if any(name == "bits_i" for name, _ in inputs) else "", "  initial begin"]
    lines += [f"    void'($urandom({SEED}));", f"    {{{', '.join(name for name, _ in driven)}}} = '0;"]
    lines.append(f"    for (cycle = 0; cycle < {CYCLES}; cycle++) begin")
    for name, width in driven:
        words = -(-width // 32)
        lines.append(
            f"      {name} = {width}'({STIMULI.get(name, '{' + ', '.join(['$urandom'] * words) + '}')});"
        )
    lines.append("      #5;")
    for name, _ in outputs:
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


def check(design: Design, gates: Gates, files: list[Path], folder: Path) -> None:
    """An error if a difference is found."""
    source = folder / "gate_bench.sv"
    source.write_text(bench(design, gates.ports), encoding="utf-8")
    program = activity.build(design.sources(), folder, files, source, "gate_bench", {})
    if "equal" not in activity.run(program):
        raise activity.SimulationError(f"{design.name}: the simulation did not come to its end")


def of_library(design: Design, paths: list[Path], folder: Path) -> tuple[Gates, list[Path]]:
    files = unpacked(paths, folder)
    library = Library.read(files)
    netlist = synthesis.synthesise(design, library, files, folder)
    return Gates.read(netlist.json), activity.gate_files(netlist, library)


def of_ecp5(design: Design, folder: Path) -> tuple[Gates, list[Path]]:
    here = folder / design.name
    here.mkdir(parents=True, exist_ok=True)
    netlist, verilog = here / "netlist.json", here / "netlist.v"
    commands = [
        *synthesis.reading(design, here),
        f"synth_ecp5 -top {design.top}",
        "rename -top gates",
        f"write_json {netlist}",
        f"write_verilog -noattr {verilog}",
    ]
    synthesis.run_yosys("synthesis", commands, here)
    models = here / "memories.sv"
    models.write_text("".join(memory.model() for memory in design.memories), encoding="utf-8")
    library = synthesis.share() / "lattice"
    return Gates.read(netlist), [library / "cells_sim_ecp5.v", MULTIPLIER, models, verilog]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m rtl.flow.gates", description=__doc__.split("\n\n")[0])
    parser.add_argument("liberty", nargs="*", type=Path, help="Liberty files of one library, plain or gzip")
    parser.add_argument("--ecp5", action="store_true", help="cells of the FPGA instead")
    parser.add_argument("--part", action="append", choices=PARTS, help="which (default: all)")
    options = parser.parse_args()
    if bool(options.liberty) == options.ecp5:
        parser.error("give a library or --ecp5")
    try:
        for name in options.part or PARTS:
            with tempfile.TemporaryDirectory() as temporary:
                folder, design = Path(temporary), DESIGNS[name]
                made = (
                    of_ecp5(design, folder) if options.ecp5 else of_library(design, options.liberty, folder)
                )
                check(design, *made, folder)
                print(f"{name}: gates and RTL agree over {CYCLES} cycles", flush=True)
    except (LibraryError, synthesis.SynthesisError, activity.SimulationError, OSError) as error:
        print(f"rtl.flow.gates: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
