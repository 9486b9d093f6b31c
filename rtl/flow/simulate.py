"""Gates simulated in NumPy, 64 runs at once: bit i of a word is a net in run i. No delays, so no glitches, and one change a
cycle at most; what toggles is counted for each net and run.

Verilator compiles a netlist of 200,000 cells in half an hour and runs one program at a time; this starts in seconds.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable

import numpy as np

from rtl.flow.cell_models import verilog_expression
from rtl.flow.designs import Memory
from rtl.flow.liberty import Cell, Library
from rtl.flow.netlist import Gates, Instance

RUNS = 64
ALL = np.uint64(0xFFFFFFFFFFFFFFFF)
PLANES = 14  # of a counter: that many bits
_ZERO, _ONE = 0, 1  # places of the constants


def function(text: str, names: list[str]) -> Callable:
    """A Liberty function of these names, over arrays of words."""
    words = re.sub(r"1'b([01])", lambda m: f"_{m[1]}", verilog_expression(text))
    return eval(f"lambda {', '.join(names)}: {words}", {"_0": np.uint64(0), "_1": ALL})


def to_bits(words: np.ndarray) -> np.ndarray:
    """[nets] words as [runs, nets] bits."""
    return np.unpackbits(words.view(np.uint8).reshape(-1, 8), axis=1, bitorder="little").T


def from_bits(bits: np.ndarray) -> np.ndarray:
    """[runs, nets] bits as [nets] words."""
    return np.packbits(np.ascontiguousarray(bits.T), axis=1, bitorder="little").view(np.uint64).reshape(-1)


def to_numbers(words: np.ndarray) -> np.ndarray:
    """A bus as the number it holds in each run."""
    return to_bits(words).astype(np.int64) @ (np.int64(1) << np.arange(len(words), dtype=np.int64))


class Simulator:
    """Registers and memories begin as zeros. A cycle: read `values` at the ports, then clock()."""

    def __init__(self, gates: Gates, library: Library, memories: tuple[Memory, ...] = ()):
        self.library = library
        self.place: dict[int, int] = {}  # of a net in `values`, behind the two constants
        kinds = {cell.type: library.cells[cell.type] for cell in gates.cells if cell.type in library.cells}
        known = [cell for cell in gates.cells if cell.type in kinds]
        registers = [cell for cell in known if kinds[cell.type].is_flip_flop]
        gaters = [cell for cell in known if kinds[cell.type].gates_clock]
        logic = [
            cell for cell in known if not (kinds[cell.type].is_flip_flop or kinds[cell.type].gates_clock)
        ]
        ranked = self._ranked(logic)
        for cells in ranked:  # outputs of a group lie side by side
            self._number(
                [net for name in _outputs(kinds[cells[0].type]) for net in self._column(cells, name)]
            )
        self._number([bit for cell in gates.cells for bits in cell.nets.values() for bit in bits])
        self._number([bit for _, bits in gates.ports.values() for bit in bits])
        self.ports = {name: self.places(bits) for name, (_, bits) in gates.ports.items()}
        self._logic = [group for cells in ranked for group in self._groups(kinds[cells[0].type], cells)]
        self._gaters = _ordered([_Gater(self, kinds[cell.type], cell) for cell in gaters])
        by_kind = defaultdict(list)
        for cell in registers:
            by_kind[cell.type].append(cell)
        self._registers = [_Registers(self, kinds[kind], cells) for kind, cells in by_kind.items()]
        cells = {memory.cell: memory for memory in memories}
        self._rams = [_Ram(self, cell, cells[cell.type]) for cell in gates.cells if cell.type in cells]
        self.values = np.zeros(len(self.place) + 2, dtype=np.uint64)
        self.values[_ONE] = ALL
        self.planes = np.zeros((PLANES, len(self.values)), dtype=np.uint64)

    # ---- construction

    def places(self, nets: list) -> np.ndarray:
        fixed = {"0": _ZERO, "1": _ONE, "x": _ZERO, "z": _ZERO}
        return np.array([fixed[n] if isinstance(n, str) else self.place[n] for n in nets], dtype=np.int64)

    def _number(self, nets: list) -> None:
        for net in nets:
            if isinstance(net, int) and net not in self.place:
                self.place[net] = len(self.place) + 2

    @staticmethod
    def _column(cells: list[Instance], pin: str) -> list:
        """What the cells have at this pin."""
        return [cell.nets[pin][0] for cell in cells if cell.nets.get(pin)]

    def _ranked(self, logic: list[Instance]) -> list[list[Instance]]:
        """Cells of one level and type, levels in order."""
        driver, readers, waits = {}, defaultdict(list), [0] * len(logic)
        nets = [_pins_of(self.library.cells[cell.type], cell) for cell in logic]
        for i, (_, outputs) in enumerate(nets):
            driver.update((net, i) for net in outputs)
        for i, (inputs, _) in enumerate(nets):
            for source in {driver[net] for net in inputs if net in driver}:
                readers[source].append(i)
                waits[i] += 1
        level = [0] * len(logic)
        ready = [i for i, count in enumerate(waits) if count == 0]
        groups = defaultdict(list)
        for i in ready:  # grows while it is walked
            groups[level[i], logic[i].type].append(logic[i])
            for reader in readers[i]:
                level[reader] = max(level[reader], level[i] + 1)
                waits[reader] -= 1
                if waits[reader] == 0:
                    ready.append(reader)
        if len(ready) != len(logic):
            raise ValueError("the netlist has a loop of gates")
        return [groups[key] for key in sorted(groups)]

    def _groups(self, kind: Cell, cells: list[Instance]) -> list[tuple]:
        """For each output its function, the places of it in these cells, and those of each input."""
        inputs = [pin.name for pin in kind.pins.values() if pin.direction == "input"]
        made = []
        for name in _outputs(kind):
            used = [cell for cell in cells if cell.nets.get(name)]
            out = self.places(self._column(used, name))
            begin, end = int(out.min()), int(out.max()) + 1
            where = slice(begin, end) if end - begin == len(out) and (np.diff(out) == 1).all() else out
            sources = [self.places(self._column(used, pin)) for pin in inputs]
            made.append((function(kind.pins[name].function, inputs), where, sources))
        return made

    # ---- work

    def settle(self) -> None:
        """Lets the logic follow registers and inputs."""
        values = self.values
        for make, where, sources in self._logic:
            values[where] = make(*[values[source] for source in sources])

    def clock(self, inputs: dict[str, np.ndarray], count: bool = True) -> None:
        """A rising edge, and what the inputs become with it (words, a bit each). Counts what changes."""
        before = self.values.copy()
        for gater in self._gaters:
            gater.latch(self.values)
        changes = [register.next(self.values) for register in self._registers]
        data = [ram.clock(self.values) for ram in self._rams]
        for register, state in zip(self._registers, changes, strict=True):
            register.become(self.values, state)
        for ram, read in zip(self._rams, data, strict=True):
            self.values[ram.data] = read
        for name, words in inputs.items():
            self.values[self.ports[name]] = words
        self.settle()
        if count:
            self._count(self.values ^ before)

    def _count(self, changed: np.ndarray) -> None:
        """One more in a counter for each net and run, a bit of it in each plane; a clock's nets change twice."""
        for plane in self.planes:
            carry = plane & changed
            plane ^= changed
            changed = carry
        for gater in self._gaters:
            gater.pulses += to_bits(gater.open)[:, 0]

    def toggles(self, run: int) -> np.ndarray:
        """Of each place, so far."""
        bit = np.uint64(run)
        total = np.zeros(self.planes.shape[1], dtype=np.int64)
        for k, plane in enumerate(self.planes):
            total += ((plane >> bit) & np.uint64(1)).astype(np.int64) << k
        for gater in self._gaters:
            total[gater.out] = 2 * gater.pulses[run]
        return total


def _outputs(kind: Cell) -> list[str]:
    return [pin.name for pin in kind.pins.values() if pin.direction == "output"]


def _pins_of(kind: Cell, cell: Instance) -> tuple[list[int], list[int]]:
    """Nets at inputs and at outputs."""
    sides: tuple[list[int], list[int]] = ([], [])
    for name, bits in cell.nets.items():
        if bits and isinstance(bits[0], int):
            sides[kind.pins[name].direction == "output"].append(bits[0])
    return sides


class _Gater:
    """A clock gate: the clock passes in the runs in which it is enabled before the edge."""

    def __init__(self, simulator: Simulator, kind: Cell, cell: Instance):
        inputs = [pin.name for pin in kind.pins.values() if pin.direction == "input"]
        (clock,) = [name for name in inputs if "CLK" in name.upper() or name.upper() == "CK"]
        (out,) = _outputs(kind)
        self.clock, self.out = (int(simulator.places(cell.nets[pin])[0]) for pin in (clock, out))
        self.enables = [
            simulator.places(cell.nets[pin]) for pin in inputs if pin != clock and cell.nets.get(pin)
        ]
        self.before: _Gater | None = None  # the gate that this one's clock comes from
        self.open = np.zeros(1, dtype=np.uint64)
        self.pulses = np.zeros(RUNS, dtype=np.int64)

    def latch(self, values: np.ndarray) -> None:
        enabled = np.bitwise_or.reduce([values[place] for place in self.enables])
        self.open = enabled & (self.before.open if self.before else ALL)


def _ordered(gaters: list[_Gater]) -> list[_Gater]:
    """Each behind the one that its clock comes from."""
    by_out = {gater.out: gater for gater in gaters}
    depth = {}
    for gater in gaters:
        gater.before = by_out.get(gater.clock)
    for gater in gaters:
        at, count = gater, 0
        while at.before:
            at, count = at.before, count + 1
        depth[id(gater)] = count
    return sorted(gaters, key=lambda gater: depth[id(gater)])


class _Registers:
    """All flip-flops of one kind."""

    def __init__(self, simulator: Simulator, kind: Cell, cells: list[Instance]):
        if not kind.clock.strip("()").isidentifier():
            raise ValueError(f"{kind.name} is clocked on {kind.clock}; only rising edges are simulated")
        clocks = simulator.places([cell.nets[kind.clock.strip("()")][0] for cell in cells])
        inputs = [pin.name for pin in kind.pins.values() if pin.direction == "input"]
        self.sources = [
            simulator.places([(cell.nets.get(pin) or ["0"])[0] for cell in cells]) for pin in inputs
        ]
        self.next_state = function(kind.next_state, inputs)
        self.resets = [
            (function(when, inputs), value)
            for when, value in ((kind.clear, np.uint64(0)), (kind.preset, ALL))
            if when
        ]
        gaters = {gater.out: gater for gater in simulator._gaters}
        self.gaters = [gaters[clock] for clock in dict.fromkeys(clocks.tolist()) if clock in gaters]
        index = {gater.out: i + 1 for i, gater in enumerate(self.gaters)}
        self.gated = np.array([index.get(clock, 0) for clock in clocks.tolist()], dtype=np.int64)
        self.state = np.zeros(len(cells), dtype=np.uint64)
        names = [name for name in (kind.state, kind.state_inverse) if name]
        self.outputs = []
        for name in _outputs(kind):
            used = [i for i, cell in enumerate(cells) if cell.nets.get(name)]
            places = simulator.places([cells[i].nets[name][0] for i in used])
            self.outputs.append(
                (np.array(used, dtype=np.int64), places, function(kind.pins[name].function, names))
            )
        self.has_inverse = len(names) == 2

    def next(self, values: np.ndarray) -> np.ndarray:
        words = [values[source] for source in self.sources]
        opens = np.concatenate([np.array([ALL]), *(gater.open for gater in self.gaters)])[self.gated]
        state = (self.state & ~opens) | (self.next_state(*words) & opens)
        for when, value in self.resets:
            reset = when(*words)
            state = (state & ~reset) | (value & reset)
        return state

    def become(self, values: np.ndarray, state: np.ndarray) -> None:
        self.state = state
        for used, places, make in self.outputs:
            words = state[used]
            values[places] = make(words, ~words) if self.has_inverse else make(words)


class _Ram:
    """`npu_ram` in all runs: read data comes a cycle later and stays; a row read while it is written is the old one."""

    def __init__(self, simulator: Simulator, cell: Instance, memory: Memory):
        def at(pin: str) -> np.ndarray:
            return simulator.places(cell.nets[pin])

        self.reads, self.read_row, self.data = at("re_i"), at("raddr_i"), at("rdata_o")
        self.writes, self.write_row, self.write_data = at("we_i"), at("waddr_i"), at("wdata_i")
        self.packed = np.zeros((RUNS, memory.rows, memory.width // 8), dtype=np.uint8)
        self.accesses = np.zeros((RUNS, 2), dtype=np.int64)  # reads, writes

    def clock(self, values: np.ndarray) -> np.ndarray:
        """What its data becomes."""
        data = values[self.data]
        if int(values[self.reads][0]):
            runs = np.flatnonzero(to_bits(values[self.reads])[:, 0])
            bits = to_bits(data).copy()
            rows = to_numbers(values[self.read_row])[runs]
            bits[runs] = np.unpackbits(self.packed[runs, rows], axis=1, bitorder="little")
            data = from_bits(bits)
            self.accesses[runs, 0] += 1
        if int(values[self.writes][0]):
            runs = np.flatnonzero(to_bits(values[self.writes])[:, 0])
            rows = to_numbers(values[self.write_row])[runs]
            bits = to_bits(values[self.write_data])[runs]
            self.packed[runs, rows] = np.packbits(bits, axis=1, bitorder="little")
            self.accesses[runs, 1] += 1
        return data
