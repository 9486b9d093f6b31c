"""Short programs for the core, which its energy is characterised with: one for each class of instruction, and one like a
layer of a network. Words are encoded by the rows of the instruction table."""

from __future__ import annotations

import functools
import random
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

TABLE = Path(__file__).resolve().parents[2] / "tetrarch" / "abi" / "npu_isa.def"
_ROW = re.compile(r"^NPU_(OPCODE|FIELD_\w+|VECTOR_OP)\((.*)\)$", re.MULTILINE)
LOAD, MATRIX, VECTOR, STORE = range(4)
ACCUMULATOR = 1 << 15  # of a local address


@functools.cache
def table() -> tuple[dict, dict, dict]:
    """Opcodes by id; for each id its fields with their lowest bit and width; vector ops by name."""
    opcodes, fields, ops = {}, {}, {}
    # A row may go over two lines; all that is needed stands in the first.
    text = re.sub(r",\n +\"", ', "', TABLE.read_text(encoding="utf-8"))
    for kind, row in _ROW.findall(text):
        words = [word.strip() for word in row.split(",")]
        if kind == "OPCODE" and words[2].isdigit():
            opcodes[words[0]] = int(words[2])
        elif kind == "VECTOR_OP" and words[1].isdigit():
            ops[words[2].strip('"')] = int(words[1])
        elif kind.startswith("FIELD_") and len(words) >= 5:
            fields.setdefault(kind.removeprefix("FIELD_"), {})[words[0]] = (int(words[1]), int(words[2]))
    return opcodes, fields, ops


def encode(opcode: str, wait: int = 0, signal: int = 0, **values: int) -> int:
    """An instruction's 128 bits."""
    opcodes, fields, _ = table()
    word = opcodes[opcode] | wait << 4 | signal << 8
    for name, value in values.items():
        lsb, width = fields[opcode][name]
        if not -(1 << width) < value < 1 << width:
            raise ValueError(f"{opcode}: {name} = {value} does not fit into {width} bits")
        word |= (value & ((1 << width) - 1)) << lsb
    return word


@dataclass
class Program:
    """Instructions, and DRAM as it is before them."""

    words: list[int] = field(default_factory=list)
    units: Counter = field(default_factory=Counter)  # how many of each class it holds
    dram: bytearray = field(default_factory=lambda: bytearray(1 << 16))

    def add(self, opcode: str, **fields: int) -> None:
        self.words.append(encode(opcode, **fields))
        self.units["instruction"] += 1

    def matmul(self, **fields: int) -> None:
        self.add("MATMUL", **fields)
        self.units["matmul_row"] += fields["n0"] * fields["n1"]
        self.units["matmul_tile"] += 1

    def vop(self, name: str, **fields: int) -> None:
        """The op that stands for a class."""
        self.add("VOP", op=table()[2][VECTOR_CLASSES[name][0]], n1=1, s0=1, **fields)
        self.units[name] += fields["n0"]

    def rows(self, unit: int, rows: int, dram_stride: int) -> None:
        """The innermost loop of a DMA queue."""
        self.add(
            "DIM", of_store=int(unit == STORE), loop=0, count=rows, row_stride=1, dram_stride=dram_stride
        )

    def load(self, row: int, rows: int, size: int, dram: int, side: int, **tokens: int) -> None:
        self.rows(LOAD, rows, size)
        self.add("LOAD", loops=1, row=row, bytes=size, dram=dram, **tokens)
        self.units["load_beat"] += rows * size // side

    def store(self, row: int, rows: int, side: int, dram: int, **tokens: int) -> None:
        self.rows(STORE, rows, side)
        self.add("STORE", loops=1, row=row, bytes=side, dram=dram, **tokens)
        self.units["store_beat"] += rows

    def finished(self) -> Program:
        self.add("HALT")
        return self


# Where the programs keep their data: DRAM addresses, and rows in different banks of both memories.
_WEIGHTS, _ACTIVATIONS, _WORDS, _OUT = 0x0000, 0x2000, 0x6000, 0xC000
ROWS = 256  # of activations and of words at hand


@dataclass(frozen=True)
class Places:
    """Local rows, in different banks."""

    weights: int
    activations: int
    other: int  # a second operand
    results: int
    words: int  # of the accumulator, as the next ones
    sums: int
    parameters: int


def places(sp_rows: int, acc_rows: int) -> Places:
    bank, acc_bank = sp_rows // 16, acc_rows // 4
    return Places(
        *(k * bank for k in (0, 2, 4, 6)),
        *(ACCUMULATOR | k * acc_bank for k in (0, 1)),
        ACCUMULATOR | 3 * acc_bank,
    )


class Data:
    """Operands at one level of activity. `random`: all values alike; `relu`: activations half zeros, the others small and
    positive, as behind a ReLU, and sums as they give; `idle`: zeros, so that nothing but the instruction itself moves."""

    LEVELS = ("random", "relu", "idle")

    def __init__(self, level: str, seed: int):
        self.level, self.random = level, random.Random(seed)

    def activation(self) -> int:
        if self.level == "random":
            return self.random.randrange(256)
        return 0 if self.level == "idle" or self.random.random() < 0.5 else self.random.randrange(1, 40)

    def weight(self) -> int:
        if self.level == "idle":
            return 0
        if self.level == "random":
            return self.random.randrange(256)
        return int(self.random.gauss(0, 24)) & 255

    def word(self) -> int:
        if self.level == "idle":
            return 0
        bits = 20 if self.level == "random" else 14
        return int(self.random.gauss(0, 1 << (bits - 2))) & 0xFFFFFFFF

    def fill(self, program: Program, side: int) -> None:
        """DRAM: tiles of weights, rows of activations, rows of words."""
        for i in range(ROWS * side):
            program.dram[_WEIGHTS + i] = self.weight()
            program.dram[_ACTIVATIONS + i] = self.activation()
            program.dram[_WORDS + 4 * i : _WORDS + 4 * i + 4] = self.word().to_bytes(4, "little")


def _begin(side: int, at: Places, level: str, seed: int) -> Program:
    """All operands on chip, parameters and table set; the vector and matrix queues go on when they are."""
    program = Program()
    Data(level, seed).fill(program, side)
    # A bias, a multiplier and a shift that bring a sum into int8.
    for lane in range(side):
        program.dram[_OUT - 64 * side + 4 * lane] = 0 if level == "idle" else lane
        scale = 12 << 16 | (20000 + 37 * lane)
        begin = _OUT - 60 * side + 4 * lane
        program.dram[begin : begin + 4] = scale.to_bytes(4, "little")
    program.load(at.weights, ROWS, side, _WEIGHTS, side)
    program.load(at.activations, ROWS, side, _ACTIVATIONS, side)
    program.load(at.other, ROWS, side, _ACTIVATIONS, side)
    program.load(at.words, ROWS, 4 * side, _WORDS, side)
    program.load(
        at.parameters, 2, 4 * side, _OUT - 64 * side, side, signal=1 << MATRIX | 1 << VECTOR | 1 << STORE
    )
    program.add("SYNC", queue=MATRIX, wait=1 << LOAD)
    program.add("SYNC", queue=STORE, wait=1 << LOAD)
    scalars = dict(shift_b=6, mult_b=77, zp_b=3, zp=1, lo=-128, hi=127)
    p_addr = at.parameters & ~ACCUMULATOR
    program.add("VPARAM", wait=1 << LOAD, rows=1, scalars=1, p_addr=p_addr, **scalars)
    program.add("TABLE", addr=at.activations)
    return program


def _matmul(program: Program, at: Places, rows: int, side: int, tile: int = 0, **fields: int) -> None:
    base = dict(w_addr=at.weights + tile * side, a_addr=at.activations, c_addr=at.sums & ~ACCUMULATOR)
    program.matmul(**(base | dict(n0=rows, n1=1, s0=1, k=side) | fields))


# The vector ops that stand for a class, and where their second operands lie.
VECTOR_CLASSES = {
    "move": ("move", {}),
    "requant": ("requant", {}),
    "requant_add": ("requant_add", {"b": "other"}),
    "alu": ("add", {"b": "other"}),
    "mul": ("mul", {"b": "other", "imm": 8}),
    "shr": ("shr", {"imm": 6}),
    "lut": ("lut", {}),
    "norm_lut": ("recip_lut", {"imm": 4}),
    "lanes": ("lane_sum", {}),
    "fold": ("fold_sum", {}),
}


def _vector(program: Program, at: Places, name: str, rows: int) -> None:
    fields = VECTOR_CLASSES[name][1]
    values = {key: getattr(at, value) if isinstance(value, str) else value for key, value in fields.items()}
    program.vop(name, a=at.words, d=at.results, n0=rows, **values)


UNITS = 192  # of a class that its program holds


def one_class(name: str, side: int, at: Places, level: str, seed: int) -> Program:
    """What `idle` does, and behind it UNITS of a class of instruction (of tiles: with so many rows)."""
    program = _begin(side, at, level, seed)
    if name == "matmul_row":
        _matmul(program, at, UNITS, side)
    elif name == "matmul_tile":
        for tile in range(UNITS // 8):
            _matmul(program, at, 8, side, tile)
    elif name == "load_beat":
        program.load(at.results, UNITS, side, _ACTIVATIONS, side)
    elif name == "store_beat":
        program.store(at.activations, UNITS, side, _OUT)
    elif name == "fill_row":
        program.rows(LOAD, UNITS, 0)
        program.add("FILL", loops=1, row=at.results, bytes=side, value=0x55 if level == "random" else 0)
        program.units["fill_row"] += UNITS
    elif name == "instruction":
        for i in range(UNITS):
            program.add("SYNC", queue=i % 4)
    else:
        _vector(program, at, name, UNITS)
    return program.finished()


# In the order in which they are worked out: all hold instructions, tiles hold rows.
CLASSES = ("instruction", "matmul_row", "matmul_tile", *VECTOR_CLASSES, "load_beat", "store_beat", "fill_row")


def idle(side: int, at: Places, level: str, seed: int) -> Program:
    """What every program here begins with, and nothing behind it."""
    return _begin(side, at, level, seed).finished()


def layer(side: int, at: Places, level: str, seed: int) -> Program:
    """A pointwise convolution of 2 input and 2 output tiles with a residual, rows in two halves so that the units work at
    once: accumulating products, requantised sums, stores. The characterisation has not seen it."""
    program = _begin(side, at, level, seed)
    half = 64
    for part in range(4):
        tile, rows = divmod(part, 2)
        sums = (at.sums & ~ACCUMULATOR) + rows * half
        # The sums of this half are free again when the vector unit has read them.
        tokens = [{"wait": 1 << VECTOR if tile else 0}, {"signal": 1 << VECTOR}]
        for k in range(2):
            where = dict(a_addr=at.activations + rows * half, c_addr=sums, accumulate=k)
            _matmul(program, at, half, side, 2 * tile + k, **where, **tokens[k])
        result = at.results + part * half
        vector = dict(wait=1 << MATRIX, signal=1 << STORE | (0 if tile else 1 << MATRIX))
        residual = at.other + rows * half
        program.vop("requant_add", a=ACCUMULATOR | sums, b=residual, d=result, n0=half, **vector)
        program.store(result, half, side, _OUT + part * half * side, wait=1 << VECTOR)
    return program.finished()
