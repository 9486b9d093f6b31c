"""Static timing of a netlist from a library's tables (Liberty, NLDM), without wires.

Arrival times and slews of both edges go from flip-flops, memories and inputs through the cells to where the next clock edge
takes them. The worst slew at a net goes with the worst arrival, which no real path may have: the usual pessimism.

Synthesis maps part by part and does not see what a net between parts, or behind a register, has to drive. A net with more
load than a buffer drives well is timed as place and route would leave it: with a tree of the library's buffers, where that
is faster.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from dataclasses import dataclass, field

from rtl.flow.liberty import Library, Pin, Table
from rtl.flow.memories import Macro
from rtl.flow.netlist import Gates, Instance

RISE, FALL = 0, 1
_NEVER = float("-inf")


@dataclass
class Step:
    """A cell on a path, and when its output has settled."""

    cell: str
    type: str
    pin: str
    arrival: float


@dataclass
class Path:
    """The longest path into one register, memory or output; `delay` has its setup time in it."""

    delay: float
    end: str
    steps: list[Step]

    @property
    def depth(self) -> int:
        """Cells between begin and end."""
        return len(self.steps) - (1 if self.steps and self.steps[0].pin == "" else 0)


FAN_OUT = 8  # of a buffer, in inputs of its own size


class _Tree:
    """Buffers of one size between a driver and a heavy load."""

    def __init__(self, library: Library):
        plain = [
            (cell, inputs[0], outputs[0])
            for cell in library.cells.values()
            for inputs in [[p for p in cell.pins.values() if p.direction == "input"]]
            for outputs in [[p for p in cell.pins.values() if p.direction == "output"]]
            if len(inputs) == len(outputs) == 1 and outputs[0].function.strip("() ") == inputs[0].name
        ]
        self.limit = float("inf")
        best = float("inf")
        for _, into, out in plain:
            limit = FAN_OUT * into.capacitance
            arc = out.arcs[0]
            delay = tuple(table.beyond(library.slew, limit) for table in arc.delay if table)
            slew = tuple(table.beyond(library.slew, limit) for table in arc.slew if table)
            if sum(delay) < best:  # the fastest: there are slow ones to mend hold times
                best, self.delay, self.slew = sum(delay), delay, slew
                self.capacitance, self.limit = into.capacitance, limit

    def plant(self, load: float) -> tuple[float, int]:
        """What the driver sees, and levels of buffers behind it."""
        levels = 0
        while load > self.limit:
            load = -(-load // self.limit) * self.capacitance
            levels += 1
        return load, levels


@dataclass
class _Net:
    load: float = 0.0
    trees: list[tuple[float, int]] = field(
        default_factory=lambda: [(0.0, 0)]
    )  # loads to drive, and levels of buffers behind them
    arrival: list[float] = field(default_factory=lambda: [_NEVER, _NEVER])
    slew: list[float] = field(default_factory=lambda: [0.0, 0.0])
    origin: list = field(default_factory=lambda: [None, None])  # (instance, input net, its edge)


class Timing:
    """Of one netlist. With `ideal`, registers and inputs change at time 0 without a slew, outputs count as they arrive, and
    registers and memories neither load a net nor have a setup time: what ABC's `stime` computes."""

    def __init__(
        self, gates: Gates, library: Library, macros: dict[str, Macro] | None = None, ideal: bool = False
    ):
        self.gates, self.library, self.macros, self.ideal = gates, library, macros or {}, ideal
        self.nets: dict[int, _Net] = defaultdict(_Net)
        self.tree = _Tree(library)
        self._load()
        for net in self.nets.values():
            net.trees = [(net.load, 0)]
            if not ideal and net.load > self.tree.limit:
                net.trees.append(self.tree.plant(net.load))
        self._start()
        for instance in self._in_order():
            self._through(instance)

    def paths(self, depth: int = 1) -> dict[str, Path]:
        """The longest path that ends in each unit, and "" for the top and its outputs."""
        worst: dict[str, tuple[float, int, int, str]] = {}
        for unit, delay, net, edge, end in self._ends(depth):
            if delay > worst.get(unit, (_NEVER,))[0]:
                worst[unit] = (delay, net, edge, end)
        return {
            unit: Path(delay, end, self._trace(net, edge)) for unit, (delay, net, edge, end) in worst.items()
        }

    def longest(self) -> Path:
        return max(self.paths().values(), key=lambda path: path.delay)

    # ---- what a cell is

    def _pins(self, instance: Instance) -> list[tuple[Pin, int]]:
        cell = self.library.cells.get(instance.type)
        if not cell:
            return []
        return [
            (cell.pins[name], bits[0])
            for name, bits in instance.nets.items()
            if isinstance(bits[0], int) and name in cell.pins
        ]

    def _combinational(self, instance: Instance) -> bool:
        cell = self.library.cells.get(instance.type)
        return bool(cell) and not cell.is_flip_flop and not cell.gates_clock

    # ---- forward

    def _load(self) -> None:
        for instance in self.gates.cells:
            if self.ideal and not self._combinational(instance):
                continue
            for pin, net in self._pins(instance):
                if pin.direction == "input":
                    self.nets[net].load += pin.capacitance
            if macro := self.macros.get(instance.type):
                for bits in instance.nets.values():
                    for net in bits:
                        self.nets[net].load += macro.capacitance

    def _start(self) -> None:
        slew = 0.0 if self.ideal else self.library.slew
        for net in self.gates.inputs():
            self._arrive(net, (0.0, 0.0), (slew, slew), None)
        for instance in self.gates.cells:
            macro = self.macros.get(instance.type)
            for net in instance.nets.get("rdata_o", []) if instance.type not in self.library.cells else []:
                access = macro.access if macro and not self.ideal else 0.0
                self._arrive(net, (access, access), (slew, slew), instance)
            if self._combinational(instance):
                continue
            for pin, net in self._pins(instance):
                if pin.direction == "output":
                    self._leave_register(instance, pin, net, slew)

    def _leave_register(self, instance: Instance, pin: Pin, net: int, slew: float) -> None:
        if self.ideal:
            self._arrive(net, (0.0, 0.0), (0.0, 0.0), instance)
            return
        at = self.nets[net]
        for arc in pin.arcs:
            if arc.from_clock:
                edges = [self._drive(arc, edge, slew, at) for edge in (RISE, FALL)]
                self._arrive(net, *zip(*edges, strict=True), instance)

    def _drive(self, arc, edge: int, slew: float, at: _Net) -> tuple[float, float]:
        """Delay and slew of this edge at the end of the net, by the faster way."""
        delay, slews = arc.delay[edge], arc.slew[edge]
        if delay is None:
            return _NEVER, 0.0
        ways = []
        for load, levels in at.trees:
            behind = self.tree.slew[edge] if levels else slews.beyond(slew, load) if slews else 0.0
            ways.append(
                (delay.beyond(slew, load) + (levels * self.tree.delay[edge] if levels else 0.0), behind)
            )
        return min(ways)

    def _arrive(self, net: int, times, slews, instance: Instance | None) -> None:
        at = self.nets[net]
        for edge in (RISE, FALL):
            if times[edge] > at.arrival[edge]:
                at.arrival[edge], at.origin[edge] = times[edge], (instance, None, edge)
            at.slew[edge] = max(at.slew[edge], slews[edge])

    def _in_order(self) -> list[Instance]:
        """Combinational cells, each after those that drive it."""
        readers: dict[int, list[int]] = defaultdict(list)
        waits, drives = {}, {}
        cells = self.gates.cells
        driven = set()
        for i, instance in enumerate(cells):
            if self._combinational(instance):
                drives[i] = [net for pin, net in self._pins(instance) if pin.direction == "output"]
                driven.update(drives[i])
        for i in drives:
            inputs = {net for pin, net in self._pins(cells[i]) if pin.direction == "input"} & driven
            waits[i] = len(inputs)
            for net in inputs:
                readers[net].append(i)
        ready = [i for i, count in waits.items() if count == 0]
        order = []
        for i in ready:  # grows while it is walked
            order.append(cells[i])
            for net in drives[i]:
                for reader in readers[net]:
                    waits[reader] -= 1
                    if waits[reader] == 0:
                        ready.append(reader)
        return order

    def _through(self, instance: Instance) -> None:
        nets = {pin.name: net for pin, net in self._pins(instance)}
        for pin, out in self._pins(instance):
            if pin.direction != "output":
                continue
            at = self.nets[out]
            for arc in pin.arcs:
                source = nets.get(arc.related)
                if source is None or source not in self.nets:
                    continue
                self._along(arc, self.nets[source], at, (instance, source))

    def _along(self, arc, begin: _Net, at: _Net, origin: tuple) -> None:
        for edge in (RISE, FALL):
            if arc.delay[edge] is None:
                continue
            causes = (RISE, FALL) if arc.inverts is None else ((1 - edge) if arc.inverts else edge,)
            for cause in causes:
                if begin.arrival[cause] == _NEVER:
                    continue
                delay, slew = self._drive(arc, edge, begin.slew[cause], at)
                time = begin.arrival[cause] + delay
                if time > at.arrival[edge]:
                    at.arrival[edge], at.origin[edge] = time, (*origin, cause)
                at.slew[edge] = max(at.slew[edge], slew)

    # ---- back

    def _ends(self, depth: int):
        """(unit, delay, net, edge, name) of everything that a path can end in."""
        for instance in self.gates.cells:
            for net, setup in self._setups(instance):
                at = self.nets[net]
                for edge in (RISE, FALL):
                    if at.arrival[edge] > _NEVER:
                        yield (
                            instance.unit(depth),
                            at.arrival[edge] + setup(edge, at),
                            net,
                            edge,
                            instance.name,
                        )
        for name, (direction, bits) in self.gates.ports.items():
            for net in bits if direction == "output" else []:
                for edge in (RISE, FALL):
                    if net in self.nets and self.nets[net].arrival[edge] > _NEVER:
                        yield "", self.nets[net].arrival[edge], net, edge, name

    def _setups(self, instance: Instance):
        """Nets that the clock takes at this cell, each with its setup time by edge and net."""
        if instance.type not in self.library.cells:
            macro = self.macros.get(instance.type)
            setup = macro.setup if macro and not self.ideal else 0.0
            for name, bits in instance.nets.items():
                if name not in ("clk_i", "rdata_o"):
                    yield from ((net, lambda edge, at: setup) for net in bits if isinstance(net, int))
        elif not self._combinational(instance):
            for pin, net in self._pins(instance):
                if pin.direction == "input" and pin.setup:
                    yield net, functools.partial(self._setup, [] if self.ideal else pin.setup)

    def _setup(self, tables: list[Table], edge: int, at: _Net) -> float:
        return max((table.beyond(at.slew[edge], self.library.slew) for table in tables), default=0.0)

    def _trace(self, net: int, edge: int) -> list[Step]:
        steps = []
        while True:
            at = self.nets[net]
            origin = at.origin[edge]
            if origin is None:
                break
            instance, source, cause = origin
            if instance is None:  # an input
                break
            first = source is None
            steps.append(Step(instance.name, instance.type, "" if first else "out", at.arrival[edge]))
            if first:
                break
            net, edge = source, cause
        return steps[::-1]
