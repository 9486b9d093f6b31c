"""The processor's models, and its RTL, against NumPy: layers of random shapes with odd tails, zero points and values that
saturate. Nothing here comes from the models: README.md's formulas are written down again, over whole tensors.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rtl.npu.assembler import ACC, ROOT, Program

BUILD = ROOT / "build"
SIDES = (8, 16, 32)
SEEDS = range(6)


@pytest.fixture(params=[(side, seed) for side in SIDES for seed in SEEDS], ids=lambda p: f"side{p[0]}-{p[1]}")
def drawn(request) -> tuple[int, np.random.Generator]:
    side, seed = request.param
    return side, np.random.default_rng(1000 * side + seed)


def run(program: Program, folder: Path) -> None:
    rtl = BUILD / "lib" / "tetrarch" / "rtl"
    program.run(folder, BUILD, rtl if (rtl / f"npu_int8_{program.side}.so").exists() else None)


def rne(x: np.ndarray, shift: np.ndarray | int) -> np.ndarray:
    """x / 2^shift to nearest, ties to even, on integers."""
    x, shift = np.int64(x), np.int64(shift)
    floor = x >> shift
    rest = x - (floor << shift)
    half = np.where(shift > 0, np.int64(1) << np.maximum(shift - 1, 0), 0)
    up = (rest > half) | ((rest == half) & (floor & 1 == 1))
    return floor + np.where(shift > 0, up, False)


def wrap(x: np.ndarray) -> np.ndarray:
    return np.int64(x).astype(np.uint32).view(np.int32).astype(np.int64)


def sat8(x: np.ndarray) -> np.ndarray:
    return np.clip(x, -128, 127).astype(np.int8)


def int8s(random: np.random.Generator, *shape: int) -> np.ndarray:
    """Random bytes with many at the ends."""
    values = random.integers(-128, 128, shape)
    ends = random.choice([-128, 127], shape)
    return np.where(random.random(shape) < 0.2, ends, values).astype(np.int8)


class Requantiser:
    """Random parameters of the vector unit for `channels` channels, and what they do."""

    def __init__(self, random: np.random.Generator, channels: int, bias: np.ndarray):
        self.bias = bias
        self.mult = random.integers(-32768, 32768, channels)
        self.shift = random.integers(8, 30, channels)
        self.zp, self.zp_b = int(random.integers(-128, 128)), int(random.integers(-128, 128))
        self.lo, self.hi = -128, int(random.choice([127, 100, self.zp if self.zp > -128 else 0]))
        self.mult_b, self.shift_b = int(random.integers(-32768, 32768)), int(random.integers(6, 20))

    def __call__(self, acc: np.ndarray, other: np.ndarray | None = None) -> np.ndarray:
        x = rne((acc + self.bias) * self.mult, self.shift) + self.zp
        if other is not None:
            x += rne((other.astype(np.int64) - self.zp_b) * self.mult_b, self.shift_b)
        return sat8(np.clip(x, self.lo, self.hi))

    def place(self, program: Program) -> int:
        scale = (self.mult & 0xFFFF) | self.shift << 16
        return program.place(np.stack([self.bias, scale]).astype(np.int32))

    def load(self, program: Program, address: int, first: int, count: int, row: int) -> None:
        """Channels [first, first + count) into the parameters, by way of accumulator rows `row` and `row` + 1."""
        program.transfer("LOAD", ACC + row, address + 4 * first, 2, 4 * len(self.mult), 4 * count)
        scalars = {name: getattr(self, name) for name in ("zp", "lo", "hi", "zp_b", "mult_b", "shift_b")}
        program.add("VPARAM", rows=1, scalars=1, p_addr=row, **scalars)


def tiles(total: int, side: int) -> list[tuple[int, int]]:
    return [(begin, min(side, total - begin)) for begin in range(0, total, side)]


def test_matrix_product_with_zero_points_and_a_residual(drawn, tmp_path):
    side, random = drawn
    rows, depth, columns = (
        random.integers(1, 45),
        random.integers(1, 3 * side + 2),
        random.integers(1, 3 * side),
    )
    x, w = int8s(random, rows, depth), int8s(random, depth, columns)
    residual, zero = int8s(random, rows, columns), int(random.integers(-128, 128))
    bias = random.integers(-50000, 50000, columns)
    # The input's zero point is part of the bias, as the array multiplies bytes as they are.
    requantise = Requantiser(random, columns, bias - zero * w.astype(np.int64).sum(0))
    expected = requantise(wrap(x.astype(np.int64) @ w.astype(np.int64)), residual)
    also = sat8(
        np.clip(
            rne(((x.astype(np.int64) - zero) @ w.astype(np.int64) + bias) * requantise.mult, requantise.shift)
            + rne((residual.astype(np.int64) - requantise.zp_b) * requantise.mult_b, requantise.shift_b)
            + requantise.zp,
            requantise.lo,
            requantise.hi,
        )
    )
    assert np.array_equal(expected, also)

    program = Program(side)
    at_x, at_w, at_r = program.place(x), program.place(w), program.place(residual)
    at_p, at_y = requantise.place(program), program.place(np.zeros_like(residual))
    a_row, w_row, r_row, y_row, p_row = 0, 100, 200, 300, 60
    for n, width in tiles(columns, side):
        for k, deep in tiles(depth, side):
            program.transfer("LOAD", a_row, at_x + k, rows, depth, deep)
            program.transfer("LOAD", w_row, at_w + k * columns + n, deep, columns, width)
            program.add(
                "MATMUL", accumulate=int(k > 0), w_addr=w_row, a_addr=a_row, n0=rows, n1=1, s0=1, k=deep
            )
        requantise.load(program, at_p, n, width, p_row)
        program.transfer("LOAD", r_row, at_r + n, rows, columns, width)
        program.vop("REQUANT_ADD", a=ACC, b=r_row, d=y_row, n0=rows)
        program.transfer("STORE", y_row, at_y + n, rows, columns, width)
    run(program, tmp_path)
    assert np.array_equal(program.read(at_y, expected), expected)
    assert (expected == requantise.hi).any() or expected.size < 20


def test_convolution_by_address_generation(drawn, tmp_path):
    side, random = drawn
    stride, kernel = int(random.integers(1, 3)), int(random.integers(1, 4))
    height, width = (int(v) for v in random.integers(kernel, 11, 2))
    channels, outputs = (int(v) for v in random.integers(1, side + 1, 2))
    x, w = int8s(random, height, width, channels), int8s(random, kernel, kernel, channels, outputs)
    down, across = (height - kernel) // stride + 1, (width - kernel) // stride + 1
    acc = np.zeros((down, across, outputs), np.int64)
    for i in range(kernel):
        for j in range(kernel):
            seen = x[i : i + stride * down : stride, j : j + stride * across : stride][:down, :across]
            acc += seen.astype(np.int64) @ w[i, j].astype(np.int64)
    requantise = Requantiser(random, outputs, random.integers(-9000, 9000, outputs))
    expected = requantise(wrap(acc))

    program = Program(side)
    at_x, at_w, at_p = program.place(x), program.place(w), requantise.place(program)
    at_y = program.place(np.zeros_like(expected))
    w_row, y_row, p_row = 1000, 2000, 120
    program.transfer("LOAD", 0, at_x, height * width, channels, channels)
    for i in range(kernel):
        for j in range(kernel):
            tap = (i * kernel + j) * channels * outputs
            program.transfer("LOAD", w_row, at_w + tap, channels, outputs, outputs)
            grid = {"n0": across, "n1": down, "s0": stride, "s1": stride * width}
            first = i * width + j
            program.add("MATMUL", accumulate=int(tap > 0), w_addr=w_row, a_addr=first, k=channels, **grid)
    requantise.load(program, at_p, 0, outputs, p_row)
    program.vop("REQUANT", a=ACC, d=y_row, n0=down * across)
    program.transfer("STORE", y_row, at_y, down * across, outputs, outputs)
    run(program, tmp_path)
    assert np.array_equal(program.read(at_y, expected), expected)


def shifted(table: np.ndarray, index: np.ndarray, exponent: np.ndarray, imm: int) -> np.ndarray:
    """wrap(table[index] * 2^(imm - exponent)), rounded where that is a division."""
    t = table.astype(np.int64)[index]
    left = np.maximum(imm - exponent, 0)
    return np.where(imm >= exponent, wrap(t << left), rne(t, np.maximum(exponent - imm, 0)))


def leading(a: np.ndarray) -> np.ndarray:
    """The position of the leading one; what is not positive counts as 1."""
    return np.int64([int(v).bit_length() - 1 for v in np.maximum(a, 1).flat]).reshape(a.shape)


def mantissa(a: np.ndarray, p: np.ndarray, bits: int) -> np.ndarray:
    """The bits below the leading one at `p`."""
    a = np.maximum(a, 1).astype(np.int64)
    below = a - (np.int64(1) << p)
    return np.where(p >= bits, below >> np.maximum(p - bits, 0), below << np.maximum(bits - p, 0))


def lane(reduce):
    return lambda a, b, imm, table: wrap(np.repeat(reduce(a, axis=1)[:, None], a.shape[1], 1))


def rsqrt(a, b, imm, table):
    p = leading(a)
    return shifted(table, (p % 2) * 128 + mantissa(a, p, 7), p // 2, imm)


# Ops of the vector unit over rows of int32: what README.md says, whether they take a shift, whether they take B.
OPS = {
    "MOVE": (lambda a, b, imm, table: a, False, False),
    "ADD": (lambda a, b, imm, table: wrap(a + b), False, True),
    "SUB": (lambda a, b, imm, table: wrap(a - b), False, True),
    "MUL": (lambda a, b, imm, table: wrap(rne(a * ((b + 32768) % 65536 - 32768), imm)), True, True),
    "MAX": (lambda a, b, imm, table: np.maximum(a, b), False, True),
    "MIN": (lambda a, b, imm, table: np.minimum(a, b), False, True),
    "SHR": (lambda a, b, imm, table: rne(a, imm), True, False),
    "LUT": (lambda a, b, imm, table: table.astype(np.int64)[np.clip(a, -128, 127) & 255], False, False),
    "RECIP_LUT": (
        lambda a, b, imm, table: shifted(table, mantissa(a, leading(a), 8), leading(a), imm),
        True,
        False,
    ),
    "RSQRT_LUT": (rsqrt, True, False),
    "LANE_SUM": (lane(np.sum), False, False),
    "LANE_MAX": (lane(np.max), False, False),
}


@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("side", SIDES)
def test_vector_ops(op, side, tmp_path):
    formula, takes_shift, takes_b = OPS[op]
    random = np.random.default_rng(side + len(op))
    rows, imm = int(random.integers(1, 40)), int(random.integers(0, 32)) if takes_shift else 0
    a, b = (random.integers(-(2**31), 2**31, (rows, side)) for _ in range(2))
    small = random.random(a.shape) < 0.5
    a[small] >>= random.integers(16, 31)
    a.flat[:2], b.flat[:2] = [-(2**31), 2**31 - 1], [-(2**31), -1]
    table = random.integers(-32768, 32768, 256)
    expected = formula(a, b, imm, table)

    program = Program(side)
    at_a, at_b = program.place(a.astype(np.int32)), program.place(b.astype(np.int32))
    at_table = program.place(table.astype(np.int16))
    at_wide, at_bytes = (
        program.place(np.zeros((rows, side), np.int32)),
        program.place(np.zeros((rows, side), np.int8)),
    )
    program.transfer("LOAD", 0, at_table, 512 // side, side, side)
    program.add("TABLE", addr=0)
    program.transfer("LOAD", ACC, at_a, rows, 4 * side, 4 * side)
    program.transfer("LOAD", ACC + 50, at_b, rows, 4 * side, 4 * side)
    operands = {"a": ACC, "b": ACC + 50 if takes_b else 0, "imm": imm, "n0": rows}
    program.vop(op, d=ACC + 100, **operands)
    program.vop(op, d=100, **operands)
    program.transfer("STORE", ACC + 100, at_wide, rows, 4 * side, 4 * side)
    program.transfer("STORE", 100, at_bytes, rows, side, side)
    run(program, tmp_path)
    assert np.array_equal(program.read(at_wide, np.zeros((rows, side), np.int32)), expected)
    assert np.array_equal(program.read(at_bytes, np.zeros((rows, side), np.int8)), sat8(expected))


def test_pooling_folds_a_window(drawn, tmp_path):
    side, random = drawn
    window, stride = int(random.integers(2, 4)), int(random.integers(1, 3))
    length, channels = int(random.integers(window, 20)), int(random.integers(1, side + 1))
    x = int8s(random, length, channels)
    starts = range(0, length - window + 1, stride)
    largest = np.stack([x[i : i + window].max(0) for i in starts])
    total = np.stack([x[i : i + window].astype(np.int64).sum(0) for i in starts])

    program = Program(side)
    at_x, at_max = program.place(x), program.place(np.zeros_like(largest))
    at_sum = program.place(np.zeros(total.shape, np.int32))
    program.transfer("LOAD", 0, at_x, length, channels, channels)
    grid = {"a": 0, "n0": window, "n1": len(starts), "s0": 1, "s1": stride, "pitch": 1}
    program.vop("FOLD_MAX", d=500, **grid)
    program.vop("FOLD_SUM", d=ACC, **grid)
    program.transfer("STORE", 500, at_max, len(starts), channels, channels)
    program.transfer("STORE", ACC, at_sum, len(starts), 4 * channels, 4 * channels)
    run(program, tmp_path)
    assert np.array_equal(program.read(at_max, largest), largest)
    assert np.array_equal(program.read(at_sum, total.astype(np.int32)), total)
