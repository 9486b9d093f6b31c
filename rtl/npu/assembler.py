"""Programs for the NPU, written from Python: words by the rows of the instruction table, tensors laid out in DRAM.

What is here knows the encoding and nothing of what instructions do; that is the point of numpy_test.py, which uses it.
"""

from __future__ import annotations

import functools
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
TABLE = ROOT / "tetrarch" / "abi" / "npu_isa.def"
ROW = re.compile(r'^NPU_(OPCODE|FIELD_(?P<of>\w+)|VECTOR_OP)\((?P<name>\w+), (?P<rest>[^"]*)', re.MULTILINE)
QUEUES = ("load", "matrix", "vector", "store")
QUEUE_OF = {"LOAD": 0, "FILL": 0, "MATMUL": 1, "VPARAM": 2, "TABLE": 2, "VOP": 2, "STORE": 3}
ACC = 1 << 15  # bit of a local address: a row of the accumulator memory
WAIT_LSB, SIGNAL_LSB = 4, 8


@functools.cache
def table() -> tuple[dict[str, int], dict[str, dict[str, tuple[int, int]]], dict[str, int]]:
    """Opcodes by name, of each the fields with lowest bit and width, vector ops by name."""
    opcodes, fields, ops = {}, {}, {}
    for row in ROW.finditer(TABLE.read_text(encoding="utf-8")):
        rest = [word.strip() for word in row["rest"].split(",")]
        if row["of"] and rest[0].isdigit():
            fields.setdefault(row["of"], {})[row["name"]] = (int(rest[0]), int(rest[1]))
        elif row[1] == "OPCODE":
            opcodes[row["name"]] = int(rest[1])
        elif row[1] == "VECTOR_OP":
            ops[row["name"]] = int(rest[0])
    return opcodes, fields, ops


def encode(opcode: str, wait: int = 0, signal: int = 0, **values: int) -> bytes:
    """The 16 bytes of an instruction."""
    opcodes, fields, _ = table()
    word = opcodes[opcode] | wait << WAIT_LSB | signal << SIGNAL_LSB
    for name, value in values.items():
        lsb, width = fields[opcode][name]
        if not -(1 << (width - 1)) <= value < 1 << width:
            raise ValueError(f"{opcode}: {name} = {value} does not fit {width} bits")
        word |= (int(value) & ((1 << width) - 1)) << lsb
    return word.to_bytes(16, "little")


@dataclass
class Program:
    """Instructions that run one after the other, each with a token for the next, and the DRAM under them."""

    side: int
    instructions: list[tuple[str, dict[str, int]]] = field(default_factory=list)
    dram: bytearray = field(default_factory=bytearray)

    def place(self, array: np.ndarray) -> int:
        """Lays an array out in DRAM at the address that it returns, which has no alignment to speak of."""
        address = len(self.dram)
        self.dram += array.tobytes() + b"\xa5" * (3 + address % 5)
        return address

    def add(self, opcode: str, **fields: int) -> None:
        self.instructions.append((opcode, fields))

    def transfer(self, opcode: str, row: int, address: int, rows: int, pitch: int, size: int) -> None:
        """LOAD or STORE of `rows` rows of `size` bytes that lie `pitch` bytes apart in DRAM."""
        of_store = int(opcode == "STORE")
        self.add("DIM", of_store=of_store, loop=0, count=rows, row_stride=1, dram_stride=pitch)
        self.add(opcode, loops=1, row=row, bytes=size, dram=address)

    def vop(self, op: str, **fields: int) -> None:
        defaults = {"n0": 1, "n1": 1, "s0": 1, "pitch": fields.get("n0", 1)}
        self.add("VOP", op=table()[2][op], **(defaults | fields))

    def words(self) -> bytes:
        """The whole, with HALT; DIM takes effect in order with its queue and carries no token."""
        queues = [QUEUE_OF.get(opcode) for opcode, _ in self.instructions]
        ordered = [i for i, queue in enumerate(queues) if queue is not None]
        code = b""
        for i, (opcode, fields) in enumerate(self.instructions):
            tokens = {}
            if queues[i] is not None:
                at = ordered.index(i)
                if at > 0:
                    tokens["wait"] = 1 << queues[ordered[at - 1]]
                if at + 1 < len(ordered):
                    tokens["signal"] = 1 << queues[ordered[at + 1]]
            code += encode(opcode, **tokens, **fields)
        return code + encode("HALT")

    def run(self, folder: Path, build: Path, rtl: Path | None) -> int:
        """Runs it in the models, and in the RTL if its folder is given; updates `dram` and returns the cycles."""
        (folder / "program.bin").write_bytes(self.words())
        # The RTL's DRAM ends at a multiple of 64.
        (folder / "dram.bin").write_bytes(bytes(self.dram) + bytes(-len(self.dram) % 64))
        command = [build / "tests" / "npu_run", "--side", str(self.side)]
        command += ["--program", folder / "program.bin", "--dram", folder / "dram.bin"]
        if rtl:
            command += ["--rtl", rtl]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(done.stderr.strip())
        self.dram[:] = (folder / "dram.bin").read_bytes()[: len(self.dram)]
        return int(done.stdout)

    def read(self, address: int, like: np.ndarray) -> np.ndarray:
        return np.frombuffer(bytes(self.dram[address : address + like.nbytes]), like.dtype).reshape(
            like.shape
        )
