"""Energy of a netlist from what toggled in it: net capacitance and the cells' internal energy (Liberty, NLDM).

A transition of a net of capacitance C takes C V^2 / 2; a transition at a pin takes the mean of the library's rise and fall
energy of that pin at a typical slew and the net's load. Nets have the capacitance of the pins on them and no wires.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from rtl.flow.liberty import Library
from rtl.flow.netlist import Gates


@dataclass
class Net:
    capacitance: float = 0.0  # farads, of the input pins on it
    pins: list[tuple[str, str]] = field(default_factory=list)  # (cell type, pin)


@dataclass
class Energy:
    """Joules over the whole simulation, by where they go, and watts of leakage."""

    nets: float
    cells: float
    clock: float  # at flip-flops and clock gates, nets of clocks included
    leakage: float

    @property
    def dynamic(self) -> float:
        return self.nets + self.cells + self.clock


class Meter:
    """What each net of one netlist takes at each transition, worked out once for many simulations."""

    def __init__(self, gates: Gates, library: Library):
        self.leakage = sum(library.cells[c.type].leakage for c in gates.cells if c.type in library.cells)
        self.names = _names(gates)
        self.nets: dict[
            int, tuple[float, float, bool]
        ] = {}  # of the net itself, inside cells, whether of a clock
        clocks = _clock_nets(gates, library)
        for number, net in _nets(gates, library).items():
            wire = net.capacitance * library.voltage**2 / 2
            inside = sum(
                library.cells[cell].pins[pin].energy.mean(library.slew, net.capacitance)
                for cell, pin in net.pins
            )
            self.nets[number] = (wire, inside, number in clocks)

    def read(self, toggles: Mapping[str, int]) -> Energy:
        """The energy of transitions, by the names of nets."""
        energy = Energy(0.0, 0.0, 0.0, self.leakage)
        for number, (wire, inside, clock) in self.nets.items():
            count = toggles.get(self.names.get(number, ""), 0)
            if clock:
                energy.clock += count * (wire + inside)
            else:
                energy.nets += count * wire
                energy.cells += count * inside
        return energy


def _nets(gates: Gates, library: Library) -> dict[int, Net]:
    nets: dict[int, Net] = defaultdict(Net)
    for cell in gates.cells:
        if cell.type not in library.cells:
            continue
        for name, bits in cell.nets.items():
            pin = library.cells[cell.type].pins[name]
            for bit in bits:
                if not isinstance(bit, int):  # a constant
                    continue
                nets[bit].pins.append((cell.type, name))
                if pin.direction == "input":
                    nets[bit].capacitance += pin.capacitance
    return nets


def _names(gates: Gates) -> dict[int, str]:
    """Of each net the name under which simulation counts it: several names are one net, and the last one counts."""
    names: dict[int, str] = {}
    for name, net in gates.names.items():
        for i, bit in enumerate(net["bits"]):
            if isinstance(bit, int):
                names[bit] = name if len(net["bits"]) == 1 else f"{name}[{i + net.get('offset', 0)}]"
    return names


def _clock_nets(gates: Gates, library: Library) -> set[int]:
    """Nets at the clock pins of flip-flops and clock gates."""
    clocks = set()
    for cell in gates.cells:
        known = library.cells.get(cell.type)
        for name, bits in cell.nets.items():
            if known and (name in known.clock.strip("()!") or (known.gates_clock and "CLK" in name.upper())):
                clocks.update(bit for bit in bits if isinstance(bit, int))
    return clocks
