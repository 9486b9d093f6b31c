"""SHA-256 (FIPS 180-4) of many messages at once, as tensor operations on unsigned 32-bit words.

A batch lies word by word: element [t, i] is word t of message i, so that each operation is one of a whole row.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from examples.models.cache import cached
from examples.workloads.graph import Graph
from examples.workloads.workload import Arrays, Inputs, Workload

BATCH = 4096
SEED = 256
WORDS, DIGEST = 16, 8  # of a block, of a hash
ROUNDS = 64
MASK = 2**32 - 1


def primes(count: int) -> list[int]:
    found: list[int] = []
    candidate = 2
    while len(found) < count:
        if all(candidate % prime for prime in found):
            found.append(candidate)
        candidate += 1
    return found


def cube_root(x: int) -> int:
    """The largest integer whose cube is not above `x`."""
    root = round(x ** (1 / 3))
    while root**3 > x:
        root -= 1
    while (root + 1) ** 3 <= x:
        root += 1
    return root


# The first 32 bits of the fractional parts of the roots of the first primes: square roots, and cube roots.
INITIAL = [math.isqrt(prime << 64) & MASK for prime in primes(DIGEST)]
CONSTANTS = [cube_root(prime << 96) & MASK for prime in primes(ROUNDS)]


def rotate(g: Graph, x: str, bits: int) -> str:
    return g.BitwiseOr(g.BitShift(x, bits, direction="RIGHT"), g.BitShift(x, 32 - bits, direction="LEFT"))


def exclusive_or(g: Graph, *values: str) -> str:
    result, *rest = values
    for value in rest:
        result = g.BitwiseXor(result, value)
    return result


def total(g: Graph, *values: str | int) -> str:
    result, *rest = values
    for value in rest:
        result = g.Add(result, value)
    return result


def scheduled(g: Graph, block: Sequence[str]) -> list[str]:
    """The 64 words that a block of 16 is spread to."""
    words = list(block)
    for t in range(WORDS, ROUNDS):
        early, late = words[t - 15], words[t - 2]
        low = exclusive_or(
            g, rotate(g, early, 7), rotate(g, early, 18), g.BitShift(early, 3, direction="RIGHT")
        )
        high = exclusive_or(
            g, rotate(g, late, 17), rotate(g, late, 19), g.BitShift(late, 10, direction="RIGHT")
        )
        words.append(total(g, words[t - 16], low, words[t - 7], high))
    return words


def compressed(g: Graph, state: Sequence[str | int], block: Sequence[str]) -> list[str]:
    """The state after one more block."""
    a, b, c, d, e, f, k, h = state
    for constant, word in zip(CONSTANTS, scheduled(g, block), strict=True):
        choice = g.BitwiseXor(g.BitwiseAnd(e, f), g.BitwiseAnd(g.BitwiseNot(e), k))
        majority = exclusive_or(g, g.BitwiseAnd(a, b), g.BitwiseAnd(a, c), g.BitwiseAnd(b, c))
        wide = exclusive_or(g, rotate(g, e, 6), rotate(g, e, 11), rotate(g, e, 25))
        narrow = exclusive_or(g, rotate(g, a, 2), rotate(g, a, 13), rotate(g, a, 22))
        first = total(g, h, wide, choice, word, constant)
        a, b, c, d, e, f, k, h = total(g, first, narrow, majority), a, b, c, g.Add(d, first), e, f, k
    return [g.Add(old, new) for old, new in zip(state, (a, b, c, d, e, f, k, h), strict=True)]


def onnx_file(blocks: int) -> Path:
    def write(path: Path) -> None:
        g = Graph(np.uint32)
        words = g.split(g.input("message", np.uint32, [WORDS * blocks, BATCH]), WORDS * blocks)
        state: Sequence[str | int] = INITIAL
        for first in range(0, WORDS * blocks, WORDS):
            state = compressed(g, state, words[first : first + WORDS])
        g.output("digest", g.Concat(*state, axis=0), np.uint32, [DIGEST, BATCH])
        g.save(path)

    return cached(f"workload-sha256-{blocks}.onnx", write)


def padded(message: bytes) -> bytes:
    """The message, a one bit, zeros, and its length in bits, in whole blocks of 64 bytes."""
    zeros = -(len(message) + 9) % 64
    return message + b"\x80" + bytes(zeros) + (8 * len(message)).to_bytes(8, "big")


def batch_of(messages: Sequence[bytes]) -> np.ndarray:
    """Messages that fill as many blocks each, word by word."""
    rows = [np.frombuffer(padded(message), ">u4") for message in messages]
    return np.ascontiguousarray(np.stack(rows, axis=1), np.uint32)


def messages_of(batch: np.ndarray) -> list[bytes]:
    """What `batch_of` was given."""
    blocks = batch.T.astype(">u4")
    return [block.tobytes()[: (int(block[-2]) << 32 | int(block[-1])) // 8] for block in blocks]


# Messages of FIPS 180-4's examples, by the blocks that they take; their hashes are in the tests.
NIST = {1: (b"abc", b""), 2: (b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",)}


def inputs(blocks: int) -> Inputs:
    """The standard's messages, then random ones of all lengths that fill `blocks` blocks."""
    random = np.random.default_rng(SEED)
    least, most = 64 * (blocks - 1) - 8, 64 * blocks - 9
    lengths = random.integers(max(0, least), most + 1, BATCH - len(NIST[blocks]))
    return {"message": batch_of([*NIST[blocks], *(random.bytes(length) for length in lengths)])}


def reference(message: np.ndarray) -> Arrays:
    hashes = [hashlib.sha256(text).digest() for text in messages_of(message)]
    return (np.stack([np.frombuffer(text, ">u4") for text in hashes], axis=1).astype(np.uint32),)


def workload(blocks: int) -> Workload:
    return Workload(
        "sha256" if blocks == 1 else f"sha256-{blocks}-blocks",
        f"SHA-256 of {BATCH} messages of {blocks} {'block' if blocks == 1 else 'blocks'}",
        partial(onnx_file, blocks),
        partial(inputs, blocks),
        reference,
        tolerance=0,
        operation="block",
        count=blocks * BATCH,
    )


SHA256, SHA256_TWO_BLOCKS = workload(1), workload(2)
