"""What the flow synthesises: one row a design."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

RTL = Path(__file__).resolve().parents[1]
# The instruction table as a package, which the build prints.
GENERATED = RTL.parent / "build" / "rtl" / "npu_isa_pkg.sv"


@dataclass(frozen=True)
class Design:
    """A top module with its parameters; `multiplies` of a cycle is what its energy is divided by."""

    name: str
    top: str
    parameters: tuple[tuple[str, int], ...]
    multiplies: int
    files: tuple[str, ...]

    def sources(self) -> list[Path]:
        """Its files, in an order in which each is declared before it is used."""
        return [GENERATED, *(RTL / "npu" / f"{name}.sv" for name in self.files)]


ARRAY = ("npu_pkg", "npu_delay", "npu_pe", "npu_array")

DESIGNS = {
    design.name: design
    for design in (
        Design("element", "npu_pe", (), 1, ARRAY[:3]),
        Design("array-4", "npu_array", (("S", 4),), 16, ARRAY),
        Design("array-8", "npu_array", (("S", 8),), 64, ARRAY),
        Design("array-16", "npu_array", (("S", 16, ARRAY),), 256, ARRAY),
    )
}
