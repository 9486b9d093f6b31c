"""A netlist as Yosys writes it in JSON: cells of a library, and memories, joined by numbered nets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Instance:
    """A cell; `name` is its path in the design, as `u_vector.u_across.$12`."""

    name: str
    type: str
    nets: dict[str, list]  # by port: a number a bit, or "0", "1", "x"

    def unit(self, depth: int = 1) -> str:
        """The module instance that it lies in, to that depth; nothing for the top itself."""
        return ".".join(self.name.split(".")[:-1][:depth])


@dataclass
class Gates:
    """The one module of a flat netlist."""

    cells: list[Instance]
    ports: dict[str, tuple[str, list]]  # direction, nets
    names: dict[str, dict]  # of nets, as Yosys gives them

    @classmethod
    def read(cls, path: Path) -> Gates:
        modules = json.loads(path.read_text(encoding="utf-8"))["modules"].values()
        top = next(m for m in modules if int(m.get("attributes", {}).get("top", "0"), 2))
        return cls(
            [Instance(_path(name), cell["type"], cell["connections"]) for name, cell in top["cells"].items()],
            {name: (port["direction"], port["bits"]) for name, port in top.get("ports", {}).items()},
            top["netnames"],
        )

    def inputs(self) -> Iterator[int]:
        for direction, bits in self.ports.values():
            if direction == "input":
                yield from (bit for bit in bits if isinstance(bit, int))


def _path(name: str) -> str:
    """Yosys names what it made itself `$flatten\\\\path.$kind$12`: the path in front, one short word behind."""
    name = name.removeprefix("$flatten").replace("\\", "")
    head, dollar, _ = name.partition("$")
    return head + dollar if dollar else name
