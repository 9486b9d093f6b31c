"""Energy of a netlist from what toggled in it: net capacitance and the cells' internal energy (Liberty, NLDM).

A transition of a net of capacitance C takes C V^2 / 2; a transition at a pin takes the mean of the library's rise and fall
energy of that pin at a typical slew and the net's load. Nets have the capacitance of the pins on them and no wires.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field

from rtl.flow.activity import Activity
from rtl.flow.liberty import Library
from rtl.flow.synthesis import Netlist


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


def measure(netlist: Netlist, library: Library, activity: Activity) -> Energy:
    """The energy of `activity`, which is of this very netlist."""
    module = _top(json.loads(netlist.json.read_text(encoding="utf-8")))
    nets = _nets(module, library)
    toggles = _toggles(module, activity)
    clocks = _clock_nets(module, library)
    energy = Energy(0.0, 0.0, 0.0, sum(library.cells[c].leakage * n for c, n in netlist.cells.items()))
    for number, net in nets.items():
        count = toggles.get(number, 0)
        wire = count * net.capacitance * library.voltage**2 / 2
        inside = count * sum(
            library.cells[cell].pins[pin].energy.mean(library.slew, net.capacitance) for cell, pin in net.pins
        )
        if number in clocks:
            energy.clock += wire + inside
        else:
            energy.nets += wire
            energy.cells += inside
    return energy


def _top(netlist: dict) -> dict:
    modules = netlist["modules"].values()
    return next(module for module in modules if int(module.get("attributes", {}).get("top", "0"), 2))


def _nets(module: dict, library: Library) -> dict[int, Net]:
    nets: dict[int, Net] = defaultdict(Net)
    for cell in module["cells"].values():
        if cell["type"] not in library.cells:
            continue
        for name, bits in cell["connections"].items():
            pin = library.cells[cell["type"]].pins[name]
            for bit in bits:
                if not isinstance(bit, int):  # a constant
                    continue
                nets[bit].pins.append((cell["type"], name))
                if pin.direction == "input":
                    nets[bit].capacitance += pin.capacitance
    return nets


def _toggles(module: dict, activity: Activity) -> dict[int, int]:
    """By the net's number: several names are one net."""
    toggles: dict[int, int] = {}
    for name, net in module["netnames"].items():
        for i, bit in enumerate(net["bits"]):
            index = i + net.get("offset", 0)
            count = activity.toggles.get(name if len(net["bits"]) == 1 else f"{name}[{index}]")
            if count is not None and isinstance(bit, int):
                toggles[bit] = count
    return toggles


def _clock_nets(module: dict, library: Library) -> set[int]:
    """Nets at the clock pins of flip-flops and clock gates."""
    clocks = set()
    for cell in module["cells"].values():
        known = library.cells.get(cell["type"])
        for name, bits in cell["connections"].items():
            if known and (name in known.clock.strip("()!") or (known.gates_clock and "CLK" in name.upper())):
                clocks.update(bit for bit in bits if isinstance(bit, int))
    return clocks
