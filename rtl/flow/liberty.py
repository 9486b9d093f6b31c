"""A cell library as the flow needs it, read from Liberty files (NLDM: delay and energy by lookup tables).

Units here are SI: square micrometres for areas, seconds, farads, volts, joules, watts.
Liberty: https://people.eecs.berkeley.edu/~alanmi/publications/other/liberty07_03.pdf
"""

from __future__ import annotations

import bisect
import gzip
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from liberty.parser import parse_liberty
from liberty.types import Group

# Kinds of timing that are delays; the others constrain.
_DELAYS = ("combinational", "combinational_rise", "combinational_fall", "rising_edge", "falling_edge")
_UNITS = {"": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9, "p": 1e-12, "f": 1e-15}


class LibraryError(ValueError):
    """A Liberty file cannot be read; the message names it and says why."""


def _text(value: object) -> str:
    return str(value).strip('"')


def _unit(value: object, symbol: str) -> float:
    """`"1ns"` or `"1pW"` in SI."""
    match = re.fullmatch(r"([0-9.]*)([munpf]?)" + symbol, _text(value), re.IGNORECASE)
    if not match:
        raise LibraryError(f"'{value}' is no unit of {symbol}")
    return float(match[1] or 1) * _UNITS[match[2].lower()]


@dataclass
class Table:
    """A lookup table over up to two variables, which are (input slew, output load) in this order."""

    axes: list[np.ndarray]
    values: np.ndarray
    _plain: tuple[list, list] | None = None  # the same as lists, which one point is found faster in

    def beyond(self, slew: float, load: float) -> float:
        """Bilinear, extended beyond the borders as timing analysers do: of a heavy load, a long delay."""
        if self._plain is None:
            self._plain = ([axis.tolist() for axis in self.axes], self.values.tolist())
        axes, values = self._plain
        if len(axes) == 2 and len(axes[0]) > 1:
            i, share = _place(axes[0], slew)
            j, across = _place(axes[1], load)
            low = values[i][j] + (values[i][j + 1] - values[i][j]) * across
            high = values[i + 1][j] + (values[i + 1][j + 1] - values[i + 1][j]) * across
            return low + (high - low) * share
        if len(axes) == 2:  # over the load alone
            j, across = _place(axes[1], load)
            return values[0][j] + (values[0][j + 1] - values[0][j]) * across
        if len(axes) == 1 and len(axes[0]) > 1:
            i, share = _place(axes[0], slew)
            return values[i] + (values[i + 1] - values[i]) * share
        return float(self.values.flat[0])

    def at(self, slew: float, load: float) -> float:
        """Bilinear, clamped at the borders: a table is not trusted outside what was characterised."""
        within = [
            min(max(point, float(axis[0])), float(axis[-1]))
            for axis, point in zip(self.axes, (slew, load), strict=False)
        ]
        return self.beyond(*within, *(0.0,) * (2 - len(within)))


def _place(axis: list[float], point: float) -> tuple[int, float]:
    """The interval that holds the point, or the one nearest to it, and how far along it lies."""
    i = min(max(bisect.bisect_right(axis, point) - 1, 0), len(axis) - 2)
    return i, (point - axis[i]) / (axis[i + 1] - axis[i])


@dataclass
class Energy:
    """Energy inside the cell when a pin switches: mean over its conditions, rise and fall apart."""

    rise: list[Table] = field(default_factory=list)
    fall: list[Table] = field(default_factory=list)

    def mean(self, slew: float, load: float) -> float:
        """Of one transition, half of them rising."""
        sides = [np.mean([t.at(slew, load) for t in side]) for side in (self.rise, self.fall) if side]
        return float(np.mean(sides)) if sides else 0.0


@dataclass
class Arc:
    """Delay and slew of an output as one input changes. A missing table is an edge that the arc does not have."""

    related: str
    inverts: bool | None  # None: either edge of the input may cause either edge of the output
    from_clock: bool
    delay: tuple[Table | None, Table | None]  # rise, fall
    slew: tuple[Table | None, Table | None]


@dataclass
class Pin:
    name: str
    direction: str
    capacitance: float = 0.0
    function: str = ""
    energy: Energy = field(default_factory=Energy)
    setup: list[Table] = field(default_factory=list)
    from_clock: list[Table] = field(default_factory=list)
    arcs: list[Arc] = field(default_factory=list)


@dataclass
class Cell:
    name: str
    area: float
    leakage: float
    pins: dict[str, Pin]
    next_state: str = ""  # of a flip-flop
    clock: str = ""
    clear: str = ""
    preset: str = ""
    state: str = ""  # the name of its state variable
    state_inverse: str = ""
    gates_clock: bool = False

    @property
    def is_flip_flop(self) -> bool:
        return bool(self.next_state)


@dataclass
class Library:
    name: str
    voltage: float
    cells: dict[str, Cell]
    slew: float  # a typical input slew: a quarter up the tables' first axis, which is what buffered nets have

    @classmethod
    def read(cls, paths: Iterable[Path | str]) -> Library:
        """The cells of all files together; several files make one library where a maker splits it."""
        libraries = [_read(Path(path)) for path in paths]
        if not libraries:
            raise LibraryError("no Liberty file is given")
        cells = {name: cell for library in libraries for name, cell in library.cells.items()}
        slew = float(np.median([library.slew for library in libraries]))
        return cls(libraries[0].name, libraries[0].voltage, cells, slew)


class Reader:
    """One Liberty file."""

    def __init__(self, group: Group):
        self.group = group
        self.time = _unit(group.get("time_unit", "1ns"), "s")
        self.voltage = float(group.get("nom_voltage", 1.0))
        factor, unit = group.get("capacitive_load_unit", [1, "pf"])
        self.capacitance = float(factor) * _unit(f"1{_text(unit)}", "f")
        self.leakage = _unit(group.get("leakage_power_unit", "1nW"), "W")
        # Liberty: internal energy is in voltage squared times the unit of capacitance.
        self.energy = self.capacitance * _unit(group.get("voltage_unit", "1V"), "V") ** 2
        self.templates = {
            _text(template.args[0]): template
            for kind in ("lu_table_template", "power_lut_template")
            for template in group.get_groups(kind)
        }

    def table(self, group: Group, scale: float) -> Table:
        template = self.templates.get(_text(group.args[0])) if group.args else None
        axes, kinds = [], []
        for i in (1, 2):
            index = group.get(f"index_{i}") or (template.get(f"index_{i}") if template else None)
            kind = _text(template.get(f"variable_{i}", "")) if template else ""
            if index is None:
                continue
            unit = self.capacitance if "capacitance" in kind else self.time
            axes.append(np.array(_numbers(index)) * unit)
            kinds.append("load" if "capacitance" in kind else "slew")
        values = np.array(_numbers(group["values"])) * scale
        values = values.reshape([len(axis) for axis in axes]) if axes else values.reshape(())
        if kinds == ["load", "slew"]:
            axes, values = axes[::-1], values.T
        elif kinds == ["load"]:  # a constant slew
            axes, values = [np.array([0.0]), axes[0]], values.reshape(1, -1)
        return Table(axes, values)

    def cell(self, group: Group) -> Cell:
        pins = [self.pin(pin) for pin in group.get_groups("pin")]
        cell = Cell(
            name=_text(group.args[0]),
            area=float(group.get("area", 0)),
            leakage=float(group.get("cell_leakage_power", 0)) * self.leakage,
            pins={pin.name: pin for pin in pins},
            gates_clock="clock_gating_integrated_cell" in group,
        )
        for flip_flop in group.get_groups("ff"):
            cell.state, cell.state_inverse = map(_text, flip_flop.args[:2])
            cell.next_state = _text(flip_flop.get("next_state", ""))
            cell.clock = _text(flip_flop.get("clocked_on", ""))
            cell.clear = _text(flip_flop.get("clear", ""))
            cell.preset = _text(flip_flop.get("preset", ""))
        return cell

    def pin(self, group: Group) -> Pin:
        pin = Pin(_text(group.args[0]), _text(group.get("direction", "internal")))
        pin.capacitance = float(group.get("capacitance", 0)) * self.capacitance
        pin.function = _text(group.get("function", group.get("state_function", "")))
        for power in group.get_groups("internal_power"):
            for kind, side in (("rise_power", [pin.energy.rise]), ("fall_power", [pin.energy.fall])):
                for table in power.get_groups(kind):
                    side[0].append(self.table(table, self.energy))
            for table in power.get_groups("power"):
                pin.energy.rise.append(self.table(table, self.energy))
                pin.energy.fall.append(pin.energy.rise[-1])
        for arc in group.get_groups("timing"):
            self.timing(arc, pin)
        return pin

    def timing(self, arc: Group, pin: Pin) -> None:
        kind = _text(arc.get("timing_type", "combinational"))
        if kind.startswith("setup"):
            for name in ("rise_constraint", "fall_constraint"):
                pin.setup += [self.table(table, self.time) for table in arc.get_groups(name)]
        elif kind in ("rising_edge", "falling_edge"):
            for name in ("cell_rise", "cell_fall"):
                pin.from_clock += [self.table(table, self.time) for table in arc.get_groups(name)]
        if kind in _DELAYS:
            self.arc(arc, kind, pin)

    def arc(self, group: Group, kind: str, pin: Pin) -> None:
        def edges(what: str) -> tuple[Table | None, Table | None]:
            rise, fall = (group.get_groups(what.format(edge)) for edge in ("rise", "fall"))
            return (
                self.table(rise[0], self.time) if rise else None,
                self.table(fall[0], self.time) if fall else None,
            )

        sense = {"positive_unate": False, "negative_unate": True}.get(_text(group.get("timing_sense", "")))
        for related in _text(group.get("related_pin", "")).split():
            pin.arcs.append(
                Arc(related, sense, kind.endswith("edge"), edges("cell_{}"), edges("{}_transition"))
            )


def _numbers(value: object) -> list[float]:
    parts = value if isinstance(value, list) else [value]
    return [float(number) for part in parts for number in re.split(r"[,\s]+", _text(part).strip()) if number]


def _read(path: Path) -> Library:
    try:
        raw = path.read_bytes()
        text = (gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw).decode("latin-1")
        group = parse_liberty(text)
    except OSError as error:
        raise LibraryError(f"{path}: {error.strerror}") from error
    except Exception as error:  # the parser's own errors have no common base
        raise LibraryError(f"{path}: this is no Liberty file: {str(error).splitlines()[0]}") from error
    reader = Reader(group)
    cells = {cell.name: cell for cell in map(reader.cell, group.get_groups("cell"))}
    if not cells:
        raise LibraryError(f"{path}: the library has no cells")
    slews = [
        t.axes[0] for cell in cells.values() for pin in cell.pins.values() for t in pin.from_clock if t.axes
    ]
    slew = float(np.median([axis[len(axis) // 4] for axis in slews])) if slews else 0.0
    return Library(_text(group.args[0]), reader.voltage, cells, slew)
