"""What the flow synthesises: one row a design.

A large design is made of parts that are synthesised once and used many times: an array is one element, 64 times. Parts meet
at registers or close to them, so little is lost by not optimising across; in return time and memory do not grow with the
square of the side.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

RTL = Path(__file__).resolve().parents[1]
# The instruction table, and as a package, which the build prints.
TABLE = RTL.parent / "tetrarch" / "abi" / "npu_isa.def"
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
        return [GENERATED, *self._written()]

    def _written(self) -> list[Path]:
        return [RTL / "npu" / f"{name}.sv" for name in self.files]

    def fingerprint(self) -> str:
        """Of its RTL as it is today: figures with another one are of an older RTL."""
        digest = hashlib.sha256()
        for file in (TABLE, *self._written()):
            digest.update(file.read_bytes())
        return digest.hexdigest()[:16]


FLOATS = ("npu_fp_pack", "npu_fp_mul", "npu_fp_add", "npu_fp_max")
ELEMENT = ("npu_pkg", "npu_delay", *FLOATS, "npu_pe", "npu_bf16_pe")
ARRAY = (*ELEMENT, "npu_array")
LANE = (
    "npu_pkg",
    "npu_delay",
    "npu_ram",
    *FLOATS,
    "npu_round_shift",
    "npu_lane",
    "npu_bf16_scale",
    "npu_bf16_lane",
)
DECODE = ("npu_pkg", "npu_ranges", "npu_decode")
CORE = (
    *ARRAY,
    *("npu_prepare", "npu_stream", "npu_accumulate", "npu_bf16_accumulate", "npu_matrix"),
    *("npu_ram", "npu_round_shift", "npu_lane", "npu_bf16_scale", "npu_bf16_lane"),
    *("npu_across", "npu_bf16_across", "npu_grid", "npu_vector"),
    *("npu_loops", "npu_walker", "npu_load", "npu_store"),
    *("npu_queue", "npu_tokens", "npu_issue", "npu_ranges", "npu_decode", "npu_fetch"),
    *("npu_banks", "npu"),
)
# The parts of the core that are told apart in its figures.
UNITS = (
    *("npu_fetch", "npu_decode", "npu_queue", "npu_tokens", "npu_issue", "npu_load", "npu_store"),
    *("npu_matrix", "npu_array", "npu_vector", "npu_across", "npu_bf16_across", "npu_banks"),
)
SIDES = (8, 16, 32)


def _of_side(kind: str, side: int) -> list[Design]:
    """In their standard configuration: 256 KiB in 16 banks, 64 KiB in 4; 512 bytes of table in each lane."""
    size = 2 if kind == "bf16" else 1  # bytes of an element
    prefix, module = ("bf16-", "npu_bf16_lane") if kind == "bf16" else ("", "npu_lane")
    parameters = (("S", side), *((("Bf16", 1),) if kind == "bf16" else ()))
    sp_rows, acc_rows, table_rows = (bytes_ // (size * side) for bytes_ in (262144, 65536 * size // 4, 512))
    rows = (*parameters, ("SpRows", sp_rows), ("AccRows", acc_rows))
    parts = (f"{prefix}element", f"{prefix}lane-{side}")
    banks = (Memory(8 * size * side, sp_rows // 16, 16), Memory(32 * side, acc_rows // 4, 4))
    table = Memory(8 * size * side, table_rows, 1)
    tables = Memory(table.width, table.rows, side)
    return [
        Design(parts[1], module, (("S", side),), 1, LANE, memories=(table,)),
        Design(f"{prefix}array-{side}", "npu_array", parameters, side * side, ARRAY, parts[:1]),
        Design(f"{prefix}core-{side}", "npu", rows, side * side, CORE, parts, UNITS, (*banks, tables)),
    ]


DESIGNS = {
    design.name: design
    for design in (
        Design("element", "npu_pe", (), 1, ELEMENT),
        Design("bf16-element", "npu_bf16_pe", (), 1, ELEMENT),
        Design("decode", "npu_decode", (("S", 8), ("SpRows", 32768), ("AccRows", 2048)), 1, DECODE),
        Design("array-4", "npu_array", (("S", 4),), 16, ARRAY, ("element",)),
        *(design for kind in ("int8", "bf16") for side in SIDES for design in _of_side(kind, side)),
    )
}
