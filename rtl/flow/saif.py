"""The counters of simulate.py beside Verilator's: one netlist, one stimulus, the toggles of every net.

Energies of the core come from simulate.py, which runs 64 programs at once; Verilator runs one, takes half an hour to compile
the core's gates, and writes SAIF. On the core's parts both can run: they must count the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rtl.flow import activity
from rtl.flow.designs import Memory
from rtl.flow.liberty import Library
from rtl.flow.netlist import Gates
from rtl.flow.power import Meter
from rtl.flow.simulate import RUNS, Simulator, from_bits, to_bits

CYCLES = 1000
# Uncounted, before them: registers without a reset hold anything until they are first written.
WARM_UP = 200

BENCH = """\
module saif_bench;
  logic clk_i = 1'b0;
  logic [{width}-1:0] vectors[{cycles}], now = '0;
  int cycle;
  gates u_gates (.{clock}(clk_i){connections});
  // With the edge, as what is around the gates would.
  always_ff @(posedge clk_i) now <= vectors[cycle];
  initial begin
    $readmemh("vectors.hex", vectors);
    for (cycle = 0; cycle < {cycles}; cycle++) begin
      if (cycle == {warm_up}) begin
        $dumpfile("toggles.saif");
        $dumpvars(0, u_gates);
      end
      #5 clk_i = 1'b1;
      #5 clk_i = 1'b0;
    end
    $finish;
  end
endmodule
"""


@dataclass
class Comparison:
    """Of the nets whose toggles both counted; joules of all cycles by each count."""

    nets: int
    differ: int
    counters: float
    saif: float


def compare(
    gates: Gates,
    library: Library,
    memories: tuple[Memory, ...],
    files: list[Path],
    folder: Path,
    cycles: int = CYCLES,
    clock: str = "clk_i",
) -> Comparison:
    """On uniform random inputs. `files` are the netlist and what it needs; its module is `gates`."""
    inputs = {
        name: len(bits) for name, (way, bits) in gates.ports.items() if way == "input" and name != clock
    }
    stimulus = np.random.default_rng(1).integers(0, 2, (WARM_UP + cycles, sum(inputs.values())), np.uint8)
    if "rst_ni" in inputs:
        names = list(inputs)
        at = sum(inputs[name] for name in names[: names.index("rst_ni")])
        stimulus[:, at] = np.arange(len(stimulus)) >= 2
    ours, before = _counters(gates, library, memories, inputs, stimulus, clock)
    # Verilator counts one more of a net that is 1 when the record begins.
    theirs = {
        name: count - before.get(name, 0)
        for name, count in _saif(inputs, stimulus, files, folder, clock).items()
    }
    meter = Meter(gates, library)
    differ = sum(theirs.get(name, 0) != count for name, count in ours.items())
    return Comparison(len(ours), differ, meter.read(ours).dynamic, meter.read(theirs).dynamic)


def _saif(
    inputs: dict[str, int], stimulus: np.ndarray, files: list[Path], folder: Path, clock: str
) -> dict[str, int]:
    connections, lsb = "", 0
    for name, width in inputs.items():
        connections += f", .{name}(now[{lsb}+:{width}])"
        lsb += width
    bench = folder / "saif_bench.sv"
    numbers = dict(width=lsb, cycles=len(stimulus), warm_up=WARM_UP)
    bench.write_text(BENCH.format(clock=clock, connections=connections, **numbers), encoding="utf-8")
    program = activity.build([], folder, files, bench, "saif_bench", {}, count=True)
    words = [int("".join(map(str, row[::-1])), 2) for row in stimulus]
    vectors = "".join(f"{word:0{-(-lsb // 4)}x}\n" for word in words)
    (program.parent / "vectors.hex").write_text(vectors, encoding="utf-8")
    activity.run(program)
    return activity.read_saif((program.parent / "toggles.saif").read_text(encoding="utf-8"))


def _counters(
    gates: Gates,
    library: Library,
    memories: tuple[Memory, ...],
    inputs: dict[str, int],
    stimulus: np.ndarray,
    clock: str,
) -> tuple[dict[str, int], dict[str, int]]:
    """Toggles, and the values when counting begins."""
    simulator = Simulator(gates, library, memories)
    simulator.settle()
    for cycle, row in enumerate(stimulus):
        if cycle == WARM_UP:
            before = to_bits(simulator.values)[0].astype(int)
        bits, values = row, {}
        for name, width in inputs.items():
            values[name] = from_bits(np.tile(bits[:width], (RUNS, 1)))
            bits = bits[width:]
        simulator.clock(values, count=cycle >= WARM_UP)
    toggles = simulator.toggles(0)
    toggles[simulator.ports[clock]] = 2 * (len(stimulus) - WARM_UP)
    names = Meter(gates, library).names
    places = {name: simulator.place[net] for net, name in names.items() if net in simulator.place}
    return tuple({name: int(values[place]) for name, place in places.items()} for values in (toggles, before))
