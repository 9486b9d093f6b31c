"""What the flow synthesises: one row a design.

A large design is made of parts that are synthesised once and used many times: an array is one element, 64 times. Parts meet
at registers or close to them, so little is lost by not optimising across; in return time and memory do not grow with the
square of the side.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

RTL = Path(__file__).resolve().parents[1]
# The instruction table as a package, which the build prints.
GENERATED = RTL.parent / "build" / "rtl" / "npu_isa_pkg.sv"

# Memories are macros: cells of their own, neither synthesised nor counted among the others.
MEMORY = "npu_ram"


@dataclass(frozen=True)
class Memory:
    """One size of `npu_ram`, and how many of it a design has."""

    width: int
    rows: int
    count: int

    @property
    def cell(self) -> str:
        return f"{MEMORY}_{self.rows}x{self.width}"

    def _ports(self) -> str:
        row, data = f"[{(self.rows - 1).bit_length() - 1}:0]", f"[{self.width - 1}:0]"
        return (
            f"input clk_i, input re_i, input {row} raddr_i, output {data} rdata_o,"
            f" input we_i, input {row} waddr_i, input {data} wdata_i"
        )

    def black_box(self) -> str:
        return f"(* blackbox *) module {self.cell}({self._ports()}); endmodule\n"

    def model(self) -> str:
        """For simulation: the RTL."""
        return (
            f"module {self.cell}({self._ports()});\n"
            f"  {MEMORY} #(.Width({self.width}), .Depth({self.rows})) u_ram (.*);\nendmodule\n"
        )


@dataclass(frozen=True)
class Design:
    """A top module with its parameters; `multiplies` of a cycle is what its energy is divided by."""

    name: str
    top: str
    parameters: tuple[tuple[str, int], ...]
    multiplies: int
    files: tuple[str, ...]
    parts: tuple[str, ...] = ()  # designs that are linked in where their top modules are used
    kept: tuple[str, ...] = ()  # modules that are mapped each on its own
    memories: tuple[Memory, ...] = ()

    def sources(self) -> list[Path]:
        """Its files, in an order in which each is declared before it is used."""
        return [GENERATED, *(RTL / "npu" / f"{name}.sv" for name in self.files)]


ELEMENT = ("npu_pkg", "npu_delay", "npu_pe")
ARRAY = (*ELEMENT, "npu_array")
LANE = ("npu_pkg", "npu_ram", "npu_round_shift", "npu_lane")
DECODE = ("npu_pkg", "npu_ranges", "npu_decode")
CORE = (
    *ARRAY,
    *("npu_prepare", "npu_stream", "npu_accumulate", "npu_matrix"),
    *(*LANE[1:], "npu_across", "npu_grid", "npu_vector"),
    *("npu_loops", "npu_walker", "npu_load", "npu_store"),
    *("npu_queue", "npu_tokens", "npu_issue", "npu_ranges", "npu_decode", "npu_fetch"),
    *("npu_banks", "npu"),
)
# The parts of the core that are told apart in its figures.
UNITS = (
    *("npu_fetch", "npu_decode", "npu_queue", "npu_tokens", "npu_issue", "npu_load", "npu_store"),
    *("npu_matrix", "npu_array", "npu_vector", "npu_across", "npu_banks"),
)


def _of_side(side: int) -> list[Design]:
    size = (("S", side),)
    parts = ("element", f"lane-{side}")
    # Of the standard configurations: 256 KiB in 16 banks, 64 KiB in 4; a table in each lane.
    banks = (Memory(8 * side, 262144 // side // 16, 16), Memory(32 * side, 65536 // (4 * side) // 4, 4))
    rows = (*size, ("SpRows", 262144 // side), ("AccRows", 65536 // (4 * side)))
    table = Memory(8 * side, 512 // side, 1)
    tables = Memory(table.width, table.rows, side)
    return [
        Design(f"lane-{side}", "npu_lane", size, 1, LANE, memories=(table,)),
        Design(f"array-{side}", "npu_array", size, side * side, ARRAY, parts[:1]),
        Design(f"core-{side}", "npu", rows, side * side, CORE, parts, UNITS, (*banks, tables)),
    ]


DESIGNS = {
    design.name: design
    for design in (
        Design("element", "npu_pe", (), 1, ELEMENT),
        Design("decode", "npu_decode", (("S", 8), ("SpRows", 32768), ("AccRows", 2048)), 1, DECODE),
        Design("array-4", "npu_array", (("S", 4),), 16, ARRAY, ("element",)),
        *(design for side in (8, 16, 32) for design in _of_side(side)),
    )
}
