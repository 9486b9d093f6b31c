"""The core as gates, with the memory system of rtl/npu/README.md around it: 64 programs at once, each with what it takes,
and the same programs in the core's RTL, by Verilator."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rtl.flow import activity
from rtl.flow.designs import Design
from rtl.flow.liberty import Library
from rtl.flow.netlist import Gates
from rtl.flow.power import Meter
from rtl.flow.programs import Program
from rtl.flow.simulate import ALL, RUNS, Simulator, from_bits, to_bits, to_numbers
from rtl.flow.synthesis import Netlist

BENCH = Path(__file__).with_name("core_run.sv")
LATENCY = 64
MAX_CYCLES = 8000  # what the counters hold


@dataclass
class Run:
    """Of a program; joules without leakage and memories."""

    cycles: int
    joules: float
    clock: float  # of these, in clock pins and clock nets
    dram: bytes  # as it is left


class GateCore:
    """A core as gates. One run() each."""

    def __init__(self, netlist: Netlist, library: Library):
        gates = Gates.read(netlist.json)
        self.side = dict(netlist.design.parameters)["S"]
        self.simulator = Simulator(gates, library, netlist.design.memories)
        meter = Meter(gates, library)
        self.leakage = meter.leakage
        self.weights = np.zeros((2, len(self.simulator.values)))  # joules of a transition: all, of clocks
        for net, (wire, inside, clock) in meter.nets.items():
            place = self.simulator.place[net]
            self.weights[0, place] = wire + inside
            self.weights[1, place] = (wire + inside) * clock

    def run(self, programs: list[Program], idle: list[int]) -> list[Run]:
        """Each from reset to its end, and as many idle cycles more."""
        if len(programs) > RUNS:
            raise ValueError(f"{len(programs)} programs at once; there is room for {RUNS}")
        memory = _Memory(programs, self.side)
        self._reset(programs)
        answers = deque([memory.nothing()] * (LATENCY - 1))  # served before the clock that ends the cycle
        ended: dict[int, int] = {}
        runs: dict[int, Run] = {}
        for cycle in range(MAX_CYCLES):
            done = to_bits(self._port("done_o"))[:, 0]
            for i in np.flatnonzero(done[: len(programs)]).tolist():
                ended.setdefault(i, cycle)
                if i not in runs and cycle == ended[i] + idle[i]:
                    self._check_cause(i)
                    runs[i] = self._finish(i, cycle, memory.dram[i].tobytes())
            if len(runs) == len(programs):
                return [runs[i] for i in range(len(programs))]
            answers.append(memory.serve(self._port))
            self.simulator.clock(answers.popleft())
        missing = [i for i in range(len(programs)) if i not in runs]
        raise activity.SimulationError(f"the gates do not end program {missing[0]} in {MAX_CYCLES} cycles")

    def _port(self, name: str) -> np.ndarray:
        return self.simulator.values[self.simulator.ports[name]]

    def _reset(self, programs: list[Program]) -> None:
        def same(number: int, name: str) -> np.ndarray:
            bits = len(self.simulator.ports[name])
            return np.array([ALL if number >> i & 1 else 0 for i in range(bits)], dtype=np.uint64)

        lengths = np.zeros((RUNS, len(self.simulator.ports["length_i"])), dtype=np.uint8)
        for i, program in enumerate(programs):
            for bit in range(lengths.shape[1]):
                lengths[i, bit] = len(program.words) >> bit & 1
        still = {"length_i": from_bits(lengths), "dram_bytes_i": same(len(programs[0].dram), "dram_bytes_i")}
        clock = self.simulator.clock
        for _ in range(2):
            clock({**still, "rst_ni": same(0, "rst_ni")}, count=False)
        clock({"rst_ni": same(1, "rst_ni")}, count=False)
        clock({"run_i": same(1, "run_i")}, count=False)

    def _check_cause(self, i: int) -> None:
        cause = int(to_numbers(self._port("cause_o"))[i])
        if cause:
            raise activity.SimulationError(f"the gates end program {i} with cause {cause}")

    def _finish(self, i: int, cycles: int, dram: bytes) -> Run:
        toggles = self.simulator.toggles(i)
        toggles[self.simulator.ports["clk_i"]] = 2 * cycles
        joules, clock = self.weights @ toggles
        return Run(cycles, float(joules), float(clock), dram)


class _Memory:
    """DRAM and program of each run."""

    def __init__(self, programs: list[Program], side: int):
        self.side = side
        self.dram = np.zeros((RUNS, len(programs[0].dram)), dtype=np.uint8)
        self.words = np.zeros((RUNS, max(len(p.words) for p in programs), 16), dtype=np.uint8)
        for i, program in enumerate(programs):
            self.dram[i] = np.frombuffer(program.dram, dtype=np.uint8)
            code = b"".join(word.to_bytes(16, "little") for word in program.words)
            self.words[i, : len(program.words)] = np.frombuffer(code, dtype=np.uint8).reshape(-1, 16)
        self.fetched = np.zeros((RUNS, 16), dtype=np.uint8)
        self.read = np.zeros((RUNS, side), dtype=np.uint8)

    def nothing(self) -> dict[str, np.ndarray]:
        """No answer in this cycle: the data wires stay as they are."""
        none = np.zeros(1, dtype=np.uint64)
        return {"fetch_valid_i": none, "read_valid_i": none}

    def serve(self, port) -> dict[str, np.ndarray]:
        """What answers the requests of this cycle, LATENCY cycles later; writes happen now."""
        answer = {"fetch_valid_i": port("fetch_req_o"), "read_valid_i": port("read_req_o")}
        if runs := np.flatnonzero(to_bits(answer["fetch_valid_i"])[:, 0]).tolist():
            index = np.minimum(to_numbers(port("fetch_addr_o"))[runs] // 16, self.words.shape[1] - 1)
            self.fetched[runs] = self.words[runs, index]
            answer["fetch_data_i"] = from_bits(np.unpackbits(self.fetched, axis=1, bitorder="little"))
        columns = np.arange(self.side)
        if runs := np.flatnonzero(to_bits(answer["read_valid_i"])[:, 0]).tolist():
            first = to_numbers(port("read_addr_o"))[runs]
            self.read[runs] = self.dram[
                np.array(runs)[:, None], (first[:, None] + columns) % self.dram.shape[1]
            ]
            answer["read_data_i"] = from_bits(np.unpackbits(self.read, axis=1, bitorder="little"))
        if runs := np.flatnonzero(to_bits(port("write_req_o"))[:, 0]).tolist():
            self._write(port, np.array(runs), columns)
        return answer

    def _write(self, port, runs: np.ndarray, columns: np.ndarray) -> None:
        first = to_numbers(port("write_addr_o"))[runs]
        strobe = to_bits(port("write_strobe_o"))[runs].astype(bool)
        data = np.packbits(to_bits(port("write_data_o"))[runs], axis=1, bitorder="little")
        where = (first[:, None] + columns) % self.dram.shape[1]
        old = self.dram[runs[:, None], where]
        self.dram[runs[:, None], where] = np.where(strobe, data, old)


class RtlCore:
    """The same core's RTL."""

    def __init__(self, design: Design, folder: Path):
        self.program = activity.build(
            design.sources(), folder, [], BENCH, "core_run", dict(design.parameters)
        )

    def run(self, program: Program) -> tuple[int, bytes]:
        """Its cycles, and DRAM as it is left."""
        here = self.program.parent
        words, dram, after = here / "program.hex", here / "dram.hex", here / "after.hex"
        words.write_text("".join(f"{word:032x}\n" for word in program.words), encoding="utf-8")
        dram.write_text("".join(f"{byte:02x}\n" for byte in program.dram), encoding="utf-8")
        arguments = (f"+program={words}", f"+dram={dram}", f"+length={len(program.words)}", f"+after={after}")
        said = activity.run(self.program, *arguments)
        cycles = re.search(r"^cycles (\d+)", said, re.MULTILINE)
        if not cycles:
            raise activity.SimulationError(
                "the RTL's simulation did not say how many cycles the program took"
            )
        left = re.sub(r"//.*|@.*", "", after.read_text(encoding="utf-8"))
        return int(cycles[1]), bytes.fromhex("".join(left.split()))
