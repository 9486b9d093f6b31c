"""Memories of a design built of a library's memory macros: area, access time and energy of an access.

The macros at hand have one port, while a bank of the processor reads and writes in one cycle; a bank of two ports is larger
and takes more energy. So areas here are lower bounds.
"""

from __future__ import annotations

import gzip
import re
from dataclasses import dataclass
from pathlib import Path

from liberty.parser import parse_liberty
from liberty.types import Group

from rtl.flow.designs import Memory
from rtl.flow.liberty import LibraryError, Reader


@dataclass(frozen=True)
class Macro:
    """Of one macro, or of several side by side; SI, and square micrometres."""

    name: str
    rows: int
    width: int
    area: float
    access: float  # clock to data
    setup: float
    read: float
    write: float
    leakage: float
    capacitance: float  # of one input

    def times(self, count: int) -> Macro:
        """So many side by side, which work at once."""
        return Macro(
            f"{count} x {self.name}" if count > 1 else self.name,
            self.rows,
            self.width * count,
            self.area * count,
            self.access,
            self.setup,
            self.read * count,
            self.write * count,
            self.leakage * count,
            self.capacitance,
        )


def read_macro(path: Path) -> Macro:
    """From a Liberty file that holds one macro."""
    try:
        raw = path.read_bytes()
        text = (gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw).decode("latin-1")
        group = parse_liberty(text)
    except OSError as error:
        raise LibraryError(f"{path}: {error.strerror}") from error
    except Exception as error:  # the parser's own errors have no common base
        raise LibraryError(f"{path}: this is no Liberty file: {str(error).splitlines()[0]}") from error
    cells = [cell for cell in group.get_groups("cell") if cell.get_groups("memory")]
    if len(cells) != 1:
        raise LibraryError(f"{path}: a file of one memory macro is expected, this has {len(cells)}")
    cell, reader = cells[0], Reader(group)
    memory = cell.get_groups("memory")[0]
    address, data, out = _bus(cell, "ADDR"), _bus(cell, "DIN"), _bus(cell, "DOUT")
    reads, writes = _accesses(cell, reader)
    return Macro(
        name=str(cell.args[0]).strip('"'),
        rows=1 << int(memory["address_width"]),
        width=int(memory["word_width"]),
        area=float(cell["area"]),
        access=max(_tables(out, ("cell_rise", "cell_fall"), reader, ("rising_edge",))),
        setup=max(
            [0.0]
            + [
                s
                for pin in (address, data)
                for s in _tables(pin, ("rise_constraint", "fall_constraint"), reader, ("setup_rising",))
            ]
        ),
        read=reads,
        write=writes,
        leakage=float(cell.get("cell_leakage_power", 0)) * reader.leakage,
        capacitance=float(data.get("capacitance", 0)) * reader.capacitance,
    )


def _bus(cell: Group, name: str) -> Group:
    """The first bus whose name ends so, which is that of port A; its own self test has others."""
    for bus in cell.get_groups("bus"):
        if re.fullmatch(rf"[A-Z]_{name}", str(bus.args[0]).strip('"')):
            return bus
    raise LibraryError(f"macro {cell.args[0]} has no bus {name}")


def _tables(bus: Group, names: tuple[str, ...], reader: Reader, kinds: tuple[str, ...]) -> list[float]:
    """The middles of the tables of these names."""
    timings = [
        *bus.get_groups("timing"),
        *(t for pin in bus.get_groups("pin") for t in pin.get_groups("timing")),
    ]
    return [
        float(table.values.flat[table.values.size // 2])
        for timing in timings
        if str(timing.get("timing_type")).strip('"') in kinds
        for name in names
        for table in (reader.table(group, reader.time) for group in timing.get_groups(name))
    ]


def _accesses(cell: Group, reader: Reader) -> tuple[float, float]:
    """Joules of a read and of a write: what the clock's rising edge takes while the memory is enabled for it."""
    (clock,) = [
        pin for pin in cell.get_groups("pin") if re.fullmatch(r"[A-Z]_CLK", str(pin.args[0]).strip('"'))
    ]
    found = {}
    for power in clock.get_groups("internal_power"):
        words = re.findall(r"(!?)\s*[A-Z]_(\w+)", str(power.get("when", "")))
        enabled = {word for negated, word in words if not negated}
        (table,) = power.get_groups("rise_power")
        found[frozenset(enabled)] = float(reader.table(table, reader.energy).values.flat[0])
    try:
        return found[frozenset(("MEN", "REN"))], found[frozenset(("MEN", "WEN"))]
    except KeyError as error:
        raise LibraryError(f"macro {cell.args[0]} does not say what a read and a write take") from error


def macros_of(memories: tuple[Memory, ...], available: list[Macro]) -> dict[str, Macro]:
    """By cell: the smallest macro that has the rows, as often as the width needs. None where there are no macros."""
    chosen = {}
    for memory in memories:
        deep = sorted((m for m in available if m.rows >= memory.rows), key=lambda macro: macro.area)
        if available and not deep:
            raise LibraryError(f"no memory macro has {memory.rows} rows")
        if deep:
            chosen[memory.cell] = deep[0].times(-(-memory.width // deep[0].width))
    return chosen
