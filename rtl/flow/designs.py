"""What the flow synthesises: one row a design."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

RTL = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Design:
    """A top module with its parameters; `multiplies` of a cycle is what its energy is divided by."""

    name: str
    top: str
    parameters: tuple[tuple[str, int], ...]
    multiplies: int

    def sources(self) -> list[Path]:
        """The files of the processor, packages first; modules that the top does not use are left out by the tools."""
        folder = RTL / "npu"
        packages = sorted(folder.glob("*pkg.sv"))
        return packages + [file for file in sorted(folder.glob("*.sv")) if file not in packages]


DESIGNS = {
    design.name: design
    for design in (
        Design("element", "npu_pe", (), 1),
        Design("array-4", "npu_array", (("S", 4),), 16),
        Design("array-8", "npu_array", (("S", 8),), 64),
        Design("array-16", "npu_array", (("S", 16),), 256),
    )
}
