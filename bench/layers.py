"""Where the integers of a QDQ model part from ONNX Runtime's: `python -m bench.layers`.

ResNet-50 as ONNX Runtime's own tool quantises it (bench.quantised) is cut at every quantised tensor, so that each layer
reads the bytes that ONNX Runtime had there, operator by operator as the file states them (no optimisation), and is
compared by itself; then the whole network is.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

import tetrarch
from bench.quantised import image, qdq_file
from examples.models import resnet50

PHOTOGRAPH = "chelsea"
LEVELS = onnxruntime.GraphOptimizationLevel


def peer(model: onnx.ModelProto, names: list[str], given: dict, *, optimised: bool) -> list[np.ndarray]:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = LEVELS.ORT_ENABLE_ALL if optimised else LEVELS.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(model.SerializeToString(), options).run(names, given)


def quantised_tensors(model: onnx.ModelProto) -> dict[str, str]:
    """The activations that the model quantises, each with the operator that computes it."""
    known = {tensor.name for tensor in model.graph.initializer}
    maker = {output: node.op_type for node in model.graph.node for output in node.output}
    rows = [
        node for node in model.graph.node if node.op_type == "QuantizeLinear" and node.input[0] not in known
    ]
    return {node.output[0]: maker.get(node.input[0], "input") for node in rows}


def with_outputs(model: onnx.ModelProto, names: list[str]) -> onnx.ModelProto:
    more = onnx.ModelProto()
    more.CopyFrom(model)
    more.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.UINT8, None) for name in names)
    return more


def cut(
    model: onnx.ModelProto, values: dict[str, np.ndarray]
) -> tuple[onnx.ModelProto, dict[str, np.ndarray]]:
    """The model whose layers read those values from outside, and these inputs."""
    apart = onnx.ModelProto()
    apart.CopyFrom(model)
    graph, inputs = apart.graph, {}
    del graph.output[:], graph.value_info[:]
    for node in graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in values:
            inputs[f"{node.input[0]}_in"] = values[node.input[0]]
            node.input[0] += "_in"
    info = helper.make_tensor_value_info
    graph.input.extend(info(name, TensorProto.UINT8, value.shape) for name, value in inputs.items())
    graph.output.extend(info(name, TensorProto.UINT8, value.shape) for name, value in values.items())
    return apart, inputs


def ours(model: onnx.ModelProto, given: dict) -> list[np.ndarray]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cut.onnx"
        onnx.save(model, path)
        return tetrarch.compile(path, devices=["cpu"], measure=False)(**given)


def table(makers: dict[str, str], columns: dict[str, list[np.ndarray]], expected: list[np.ndarray]) -> None:
    """A row an operator: by how many steps bytes differ at most, and the share of bytes that do, of its layers."""
    print(f"| operator | layers | {' | '.join(f'{title}: steps | share of bytes' for title in columns)} |")
    print(f"| --- {'| ---: ' * (1 + 2 * len(columns))}|")
    for operator in dict.fromkeys(makers.values()):
        layers = [i for i, maker in enumerate(makers.values()) if maker == operator]
        cells = []
        for values in columns.values():
            apart = [np.abs(values[i].astype(int) - expected[i].astype(int)) for i in layers]
            shares = [(a > 0).mean() for a in apart]
            cells += [f"{max(a.max() for a in apart)}", f"{min(shares):.3%} to {max(shares):.3%}"]
        print(f"| {operator} | {len(layers)} | {' | '.join(cells)} |")


def relative(a: np.ndarray, b: np.ndarray) -> str:
    return f"{np.linalg.norm(a - b) / np.linalg.norm(b):.1%}"


def main() -> None:
    model, given = onnx.load(qdq_file()), {resnet50.INPUT: image(PHOTOGRAPH)}
    makers = quantised_tensors(model)
    names = list(makers)
    values = dict(zip(names, peer(with_outputs(model, names), names, given, optimised=False), strict=True))
    apart, inputs = cut(model, values)
    inputs |= given
    columns = {"Tetrarch": ours(apart, inputs), "optimised": peer(apart, names, inputs, optimised=True)}
    table(makers, columns, list(values.values()))
    logits = [output.name for output in model.graph.output]
    plain, fused = (peer(model, logits, given, optimised=o)[0] for o in (False, True))
    floats = peer(onnx.load(resnet50.onnx_file()), logits, given, optimised=True)[0]
    mine = tetrarch.compile(qdq_file(), devices=["cpu"], measure=False)(**given)
    print("\n| logits | from ONNX Runtime's as stated | from the floats |\n| --- | ---: | ---: |")
    rows = {"Tetrarch": mine, "ONNX Runtime, optimised": fused, "ONNX Runtime, as stated": plain}
    for title, found in rows.items():
        print(f"| {title} | {relative(found, plain)} | {relative(found, floats)} |")


if __name__ == "__main__":
    main()
