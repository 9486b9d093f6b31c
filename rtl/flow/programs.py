"""Short programs for the core, which its energy is characterised with: one for each class of instruction, and one like a
layer of a network. Words are encoded by the rows of the instruction table."""

from __future__ import annotations

import functools
import random
import re
import struct
from collections import Counter
from dataclasses import dataclass, field

from rtl.flow.designs import TABLE

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


@dataclass(frozen=True)
class Kind:
    """Of elements; and the vector ops that stand for a class, with where their second operands lie."""

    size: int  # bytes of an element
    vector_classes: dict[str, tuple[str, dict]]

    @property
    def classes(self) -> tuple[str, ...]:
        """In the order in which they are worked out: all hold instructions, tiles hold rows."""
        ends = ("load_beat", "store_beat", "fill_row")
        return ("instruction", "matmul_row", "matmul_tile", *self.vector_classes, *ends)


INT8 = Kind(
    1,
    {
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
    },
)
BF16 = Kind(
    2,
    {
        "move": ("move", {}),
        "requant": ("faffine", {}),
        "alu": ("fadd", {"b": "other"}),
        "mul": ("fmul", {"b": "other"}),
        "lut": ("flut", {}),
        "norm_lut": ("frecip_lut", {}),
        "lanes": ("flane_sum", {}),
        "fold": ("ffold_max", {}),
    },
)


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


@dataclass(frozen=True)
class Shape:
    """What programs are written for."""

    kind: Kind
    side: int
    at: Places

    @classmethod
    def of(cls, parameters: dict[str, int]) -> Shape:
        """Of a core with these parameters."""
        bank, acc_bank = parameters["SpRows"] // 16, parameters["AccRows"] // 4
        places = Places(
            *(k * bank for k in (0, 2, 4, 6)),
            *(ACCUMULATOR | k * acc_bank for k in (0, 1)),
            ACCUMULATOR | 3 * acc_bank,
        )
        return cls(BF16 if parameters.get("Bf16") else INT8, parameters["S"], places)

    @property
    def row(self) -> int:
        """Bytes of a scratchpad row."""
        return self.side * self.kind.size


@dataclass
class Program:
    """Instructions, and DRAM as it is before them."""

    shape: Shape
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
        self.add("VOP", op=table()[2][self.shape.kind.vector_classes[name][0]], n1=1, s0=1, **fields)
        self.units[name] += fields["n0"]

    def rows(self, unit: int, rows: int, dram_stride: int) -> None:
        """The innermost loop of a DMA queue."""
        self.add(
            "DIM", of_store=int(unit == STORE), loop=0, count=rows, row_stride=1, dram_stride=dram_stride
        )

    def load(self, row: int, rows: int, size: int, dram: int, **tokens: int) -> None:
        self.rows(LOAD, rows, size)
        self.add("LOAD", loops=1, row=row, bytes=size, dram=dram, **tokens)
        self.units["load_beat"] += rows * size // self.shape.side

    def store(self, row: int, rows: int, dram: int, **tokens: int) -> None:
        size = self.shape.row
        self.rows(STORE, rows, size)
        self.add("STORE", loops=1, row=row, bytes=size, dram=dram, **tokens)
        self.units["store_beat"] += rows * size // self.shape.side

    def finished(self) -> Program:
        self.add("HALT")
        return self


# Where the programs keep their data: DRAM addresses, and rows in different banks of both memories.
_WEIGHTS, _ACTIVATIONS, _WORDS, _PARAMETERS, _OUT = 0x0000, 0x2000, 0x6000, 0xBE00, 0xC000
ROWS = 256  # of activations and of words at hand


class Data:
    """Operands at one level of activity. `random`: all values alike; `relu`: activations half zeros, the others small and
    positive, as behind a ReLU, and sums as they give; `idle`: zeros, so that nothing but the instruction itself moves."""

    LEVELS = ("random", "relu", "idle")

    def __init__(self, level: str, seed: int):
        self.level, self.random = level, random.Random(seed)

    def activation(self) -> int:
        if self.level == "random":
            return self.random.randrange(256)
        return 0 if self._rests() else self.random.randrange(1, 40)

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

    def scale(self, lane: int) -> int:
        """A multiplier and a shift that bring a sum into int8."""
        return 12 << 16 | (20000 + 37 * lane)

    def bias(self, lane: int) -> int:
        return 0 if self.level == "idle" else lane

    def _rests(self) -> bool:
        return self.level == "idle" or self.random.random() < 0.5


class FloatData(Data):
    """The same of bf16 and, as words, of fp32: `random` spreads over some powers of two and all bits below them."""

    def activation(self) -> int:
        if self.level == "random":
            return self._spread() >> 16
        return 0 if self._rests() else float_bits(abs(self.random.gauss(0, 1))) >> 16

    def weight(self) -> int:
        return self.word() >> 16

    def word(self) -> int:
        if self.level == "random":
            return self._spread()
        return 0 if self.level == "idle" else float_bits(self.random.gauss(0, 0.1))

    def scale(self, lane: int) -> int:
        return float_bits(0.37 + lane / 64)

    def bias(self, lane: int) -> int:
        return 0 if self.level == "idle" else float_bits(lane / 8)

    def _spread(self) -> int:
        return (
            self.random.getrandbits(1) << 31
            | self.random.randrange(120, 134) << 23
            | self.random.getrandbits(23)
        )


def float_bits(value: float) -> int:
    return struct.unpack("<I", struct.pack("<f", value))[0]


def _begin(shape: Shape, level: str, seed: int) -> Program:
    """All operands on chip, parameters and table set; the vector and matrix queues go on when they are."""
    program, kind, side, at = Program(shape), shape.kind, shape.side, shape.at
    data = (FloatData if kind is BF16 else Data)(level, seed)

    def put(dram: int, index: int, value: int, size: int) -> None:
        program.dram[dram + size * index : dram + size * (index + 1)] = value.to_bytes(size, "little")

    for i in range(ROWS * side):
        put(_WEIGHTS, i, data.weight(), kind.size)
        put(_ACTIVATIONS, i, data.activation(), kind.size)
        put(_WORDS, i, data.word(), 4)
    for lane in range(side):
        put(_PARAMETERS, lane, data.bias(lane), 4)
        put(_PARAMETERS, side + lane, data.scale(lane), 4)
    program.load(at.weights, ROWS, shape.row, _WEIGHTS)
    program.load(at.activations, ROWS, shape.row, _ACTIVATIONS)
    program.load(at.other, ROWS, shape.row, _ACTIVATIONS)
    program.load(at.words, ROWS, 4 * side, _WORDS)
    program.load(at.parameters, 2, 4 * side, _PARAMETERS, signal=1 << MATRIX | 1 << VECTOR | 1 << STORE)
    program.add("SYNC", queue=MATRIX, wait=1 << LOAD)
    program.add("SYNC", queue=STORE, wait=1 << LOAD)
    scalars = dict(shift_b=6, mult_b=77, zp_b=3, zp=1, lo=-128, hi=127)
    p_addr = at.parameters & ~ACCUMULATOR
    program.add("VPARAM", wait=1 << LOAD, rows=1, scalars=1, p_addr=p_addr, **scalars)
    program.add("TABLE", addr=at.activations)
    return program


def _matmul(program: Program, rows: int, tile: int = 0, **fields: int) -> None:
    at, side = program.shape.at, program.shape.side
    base = dict(w_addr=at.weights + tile * side, a_addr=at.activations, c_addr=at.sums & ~ACCUMULATOR)
    program.matmul(**(base | dict(n0=rows, n1=1, s0=1, k=side) | fields))


def _vector(program: Program, name: str, rows: int) -> None:
    at, fields = program.shape.at, program.shape.kind.vector_classes[name][1]
    values = {key: getattr(at, value) if isinstance(value, str) else value for key, value in fields.items()}
    program.vop(name, a=at.words, d=at.results, n0=rows, **values)


UNITS = 192  # of a class that its program holds


def one_class(name: str, shape: Shape, level: str, seed: int) -> Program:
    """What `idle` does, and behind it UNITS of a class of instruction (of tiles: with so many rows)."""
    program, at = _begin(shape, level, seed), shape.at
    if name == "matmul_row":
        _matmul(program, UNITS)
    elif name == "matmul_tile":
        for tile in range(UNITS // 8):
            _matmul(program, 8, tile)
    elif name == "load_beat":
        program.load(at.results, UNITS, shape.row, _ACTIVATIONS)
    elif name == "store_beat":
        program.store(at.activations, UNITS, _OUT)
    elif name == "fill_row":
        program.rows(LOAD, UNITS, 0)
        value = 0x55 if level == "random" else 0
        program.add("FILL", loops=1, row=at.results, bytes=shape.row, value=value)
        program.units["fill_row"] += UNITS
    elif name == "instruction":
        for i in range(UNITS):
            program.add("SYNC", queue=i % 4)
    else:
        _vector(program, name, UNITS)
    return program.finished()


def idle(shape: Shape, level: str, seed: int) -> Program:
    """What every program here begins with, and nothing behind it."""
    return _begin(shape, level, seed).finished()


def layer(shape: Shape, level: str, seed: int) -> Program:
    """A pointwise convolution of 2 input and 2 output tiles with a residual, rows in two halves so that the units work at
    once: accumulating products, requantised sums, stores. The characterisation has not seen it."""
    program, at = _begin(shape, level, seed), shape.at
    half = 64
    for part in range(4):
        tile, rows = divmod(part, 2)
        sums = (at.sums & ~ACCUMULATOR) + rows * half
        # The sums of this half are free again when the vector unit has read them.
        tokens = [{"wait": 1 << VECTOR if tile else 0}, {"signal": 1 << VECTOR}]
        for k in range(2):
            where = dict(a_addr=at.activations + rows * half, c_addr=sums, accumulate=k)
            _matmul(program, half, 2 * tile + k, **where, **tokens[k])
        result = at.results + part * half
        sent = dict(signal=1 << STORE | (0 if tile else 1 << MATRIX))
        read = dict(a=ACCUMULATOR | sums, n0=half, wait=1 << MATRIX)
        residual = at.other + rows * half
        if "requant_add" in shape.kind.vector_classes:
            program.vop("requant_add", b=residual, d=result, **read, **sent)
        else:
            program.vop("requant", d=result, **read)
            program.vop("alu", a=result, b=residual, d=result, n0=half, **sent)
        program.store(result, half, _OUT + part * half * shape.row, wait=1 << VECTOR)
    return program.finished()
