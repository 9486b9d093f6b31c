"""What 8-bit integers cost two trained networks: writes docs/quantisation.md.

    python -m examples.quantized

EfficientNet-Lite0 on photographs, MiniLM on sentences; each is calibrated on some of them and
compared with its own floats on all.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

import tetrarch
from examples.models import efficientnet_lite0, minilm
from examples.models.photographs import as_input, centre_crop, photograph

PAGE = Path(__file__).parent.parent / "docs" / "quantisation.md"
PHOTOGRAPHS = ("chelsea", "coffee", "flower", "china", "astronaut", "rocket")
CALIBRATION = 4  # of them

ABOUT = """# Quantisation

`tetrarch compile m.onnx --quantize int8 --calibrate x=samples.npy` computes a float model in 8-bit integers. A
model that is quantised already (`QuantizeLinear`, `DequantizeLinear`, `QLinearConv`, `QLinearMatMul`) needs no
option. Either way the stage `quantize` leaves a graph of integer arithmetic (`--stop-after quantize` shows it)
whose meaning is exact: the reference interpreter, and the code of every class of processor, give the same bits.
[bf16](bf16.md) is the other choice, for floats.

## Numbers

A real number is (q - zero point) * scale with q in -128 to 127. Activations have one scale and zero point a
tensor, both operands of a product of two activations the zero point 0; weights have one scale an output channel
and the zero point 0. A contraction sums products in 32 bits; padding is the zero point, and what zero points add
to the sum is folded into the bias.

| composite | result |
| --- | --- |
| `requantize` | clip(rne((acc + bias) * multiplier / 2^shift) + zero point) |
| `requantize_add` | clip(rne((acc + bias) * multiplier / 2^shift) + rne((other - zero) * factor / 2^s) + zero point) |
| `lookup_table` | table[q mod 256]: any function of one tensor's elements, as sigmoid, gelu or x * sigmoid(x) |
| `softmax_int8` | clip(rne(rne(r * e / 2^15) * multiplier / 2^shift) + zero point) |
| `layer_norm_int8`, `rms_norm_int8` | clip(rne((w + bias) * multiplier / 2^shift) + zero point) |

zero, factor and s belong to the other tensor. The last two rows are of the rows of a tensor, which have n elements,
up to 65536:

- softmax: e = exponential[x - max x + 127], r = reciprocal(sum e);
- normalisations: d = 2^7 x - rne(2^7 / n * sum x), or 2^7 (x - zero point of x) for RMS norm;
  v = sum rne(d * d / 2^t) + epsilon, w = rne(rsqrt(v) * d / 2^16).

exponential, reciprocal and rsqrt are tables of 256 16-bit numbers: the first has 2^15 e^(d * scale), the
others are indexed by the bits below the leading one of their operand and shifted by its position, so that
reciprocal(x) is 2^45 / x and rsqrt(x) is 2^30 / sqrt(x), both within 2^-9. t is the least shift with which a sum of n
squares stays below 2^30. No sum can overflow, so its order makes no difference. rne
rounds halves to even, clip is to 8 bits and to the limits of a ReLU that follows. bias, multiplier (15 bits)
and shift (1 to 46) are one for all or one an output channel. Nothing on the way overflows 64 bits.

**When it is used.** Between values that are quantised by constants, one a tensor (weights: one a tensor or an
output channel, symmetric), an operation becomes integer arithmetic. That differs from the floats between the same
values by at most one step of the result, and only where the float lies within 2^-15 of its size from a half: the
multiplier is rounded (and a bias that the model gives in floats, to a step of the sum). A sum of two tensors rounds
both terms, so it may differ by one step anywhere. Softmax and the normalisations
are within 0.8 steps of the reals over random rows of 1 to 1001 elements (the rounding to a step is 0.5 of it). A
normalisation becomes integers where a contraction makes its operand; of other operands, as an embedding, 8 bits
cost too much. Products whose sum could leave 31 bits, other types, and operations that have no integer form keep
their floats between dequantised operands.

**Calibration.** The float graph runs on each sample in the interpreter. A tensor's range is the one, among the
whole range and narrower ones, whose quantisation of what was seen has the least square error. What lies so far
below the largest of a softmax's row that it counts for nothing is not looked at, nor is that part of the range of
what is added to it, as the mask of an attention. Each task's error
against the floats, over all samples, is in the artifact; `tetrarch explain` and `--json` show it, source measured.

**On the CPU.** Products of bytes are summed four at a time: by `vpdpbusd` where the processor has AVX-512 VNNI or
AVX-VNNI, by `vpmaddwd` on 16-bit pairs elsewhere; which code is loaded is decided by the processor's features.
`vpdpbusd` takes the left bytes as unsigned, so they are moved by 128 and 128 times the sum of each column's weights
is subtracted from where its sum begins. Requantisation is computed in doubles: the product has at most 48 bits, so
every step is exact and rounds as the integers do. Both have the bits of the interpreter, which the tests compare.

Measured by `python -m bench.quantised` (AMD EPYC with AVX-512 VNNI, one thread, batch 1, tiles not tuned, in turns
in one process on a busy machine, so processor time): ONNX Runtime's own QDQ form of ResNet-50, with per-channel
weights and unsigned activations, run by both.

| ResNet-50, one image | processor time, median |
| --- | ---: |
| Tetrarch, fp32 | 89.0 ms |
| Tetrarch, int8 | 30.5 ms |
| ONNX Runtime, fp32 | 81.8 ms |
| ONNX Runtime, int8 | 24.2 ms |

**Beside ONNX Runtime.** The same file, cut at every quantised tensor so that each layer reads the bytes that ONNX Runtime
had there when it runs the operators one by one as the file states them; "optimised" is ONNX Runtime's own fused integer
kernels. `python -m bench.layers` measured it on one photograph:

| operator | layers | Tetrarch: steps | share of bytes | optimised: steps | share of bytes |
| --- | ---: | ---: | ---: | ---: | ---: |
| Conv | 53 | 1 | 0.000% to 0.016% | 1 | 0.000% to 0.002% |
| MaxPool | 1 | 0 | 0.000% | 0 | 0.000% |
| Add | 16 | 1 | 9.392% to 16.519% | 0 | 0.000% |
| ReduceMean | 1 | 0 | 0.000% | 0 | 0.000% |
| Gemm | 1 | 0 | 0.000% | 0 | 0.000% |

| logits | from ONNX Runtime's as stated | from the floats |
| --- | ---: | ---: |
| Tetrarch | 15.7% | 15.3% |
| ONNX Runtime, optimised | 7.2% | 16.2% |
| ONNX Runtime, as stated | 0.0% | 16.8% |

So no layer is off by more than a step, and the steps are the documented ones: a sum rounds its two terms each, as the
integer hardware does, where ONNX Runtime adds floats and rounds once; for two terms that lie anywhere between two steps
that is one step in a quarter of the cases, less where a ReLU cuts half of them off. Sixteen such sums one after the other
are what the logits show, in a network whose weights are drawn from a seed and which makes much of little: ONNX Runtime's
own two ways, whose layers differ in 0.002% of the bytes at most, are 7.2% apart at the end. From the floats all three are
equally far. A test holds single layers to a step, and to the shares of bytes that this reasoning allows.
"""


def relative(ours: np.ndarray, floats: np.ndarray) -> float:
    return float(np.linalg.norm(ours - floats) / np.linalg.norm(floats))


def lines(rows: list[str]) -> str:
    return "\n".join(rows) + "\n"


def photographs() -> str:
    images = [as_input(centre_crop(photograph(name))) for name in PHOTOGRAPHS]
    model = efficientnet_lite0.onnx_file()
    floats = tetrarch.compile(model)
    integers = tetrarch.compile(
        model, quantize="int8", calibration=[{"image": image} for image in images[:CALIBRATION]]
    )
    rows, same = [], 0
    for index, (name, image) in enumerate(zip(PHOTOGRAPHS, images, strict=True)):
        expected, logits = floats(image), integers(image)
        same += expected.argmax() == logits.argmax()
        answer = efficientnet_lite0.best(logits, 1)[0][0]
        difference = np.abs(logits - expected)
        said = efficientnet_lite0.best(expected, 1)[0][0]
        title = f"{name} (calibrated on)" if index < CALIBRATION else name
        rows.append(
            f"| {title} | {said} | {answer} "
            f"| {difference.mean():.3f} | {difference.max():.3f} | {relative(logits, expected):.1%} |"
        )
    tasks = integers.report()["tasks"]
    errors = [task["error"]["value"] for task in tasks if "error" in task]
    return f"""
## EfficientNet-Lite0

Top-1 agrees on {same} of {len(images)} photographs. Error of a task's result, relative: mean {np.mean(errors):.1%},
largest {max(errors):.1%} (measured for {len(errors)} of {len(tasks)} tasks).

| photograph | floats say | integers say | mean difference of logits | largest | relative |
| --- | --- | --- | --- | --- | --- |
""" + lines(rows)


def sentences() -> str:
    inputs = [minilm.tokens(sentence) for sentence in minilm.EXAMPLE]
    floats = tetrarch.compile(minilm.onnx_file())
    integers = tetrarch.compile(minilm.onnx_file(), quantize="int8", calibration=inputs[:3])
    expected, vectors = ([program(**given) for given in inputs] for program in (floats, integers))
    rankings = [minilm.ranked(of[0], of[1:]) for of in (expected, vectors)]
    rows = [
        f"| {sentence} | {float(of[0].ravel() @ of[1].ravel()):.4f} | {np.abs(of[0] - of[1]).max():.4f} |"
        for sentence, of in zip(minilm.EXAMPLE, zip(expected, vectors, strict=True), strict=True)
    ]
    verdict = "that" if rankings[0] == rankings[1] else "not that"
    return f"""
## MiniLM-L6

The ranking of sentences by their likeness to the first is {verdict} of the floats.
A cosine well below 1 says that the vectors themselves are not close: one scale a tensor is too coarse for this network.

| sentence | cosine of integers and floats | largest difference |
| --- | --- | --- |
""" + lines(rows)


def main() -> None:
    PAGE.write_text(ABOUT + photographs() + sentences(), encoding="utf-8")
    print(PAGE.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
