"""Write the seeds of onnx_fuzz: the smallest model of ONNX's node tests for each operator, up to a size.

    python test/fuzz/make_onnx_seeds.py

Seeds only have to show the fuzzer what models look like, so operators that share their form are left to it.
"""

from __future__ import annotations

import warnings
from pathlib import Path

FOLDER = Path(__file__).resolve().parent / "onnx_fuzz"
LARGEST_BYTES = 700
OPERATORS = (  # noqa: SIM905
    "Add AffineGrid ArgMax AveragePool BatchNormalization Cast CausalConvWithState Clip Col2Im Compress Concat "
    "ConstantOfShape Conv ConvTranspose CumSum DFT DeformConv DequantizeLinear Det Einsum Expand GRU Gather "
    "GatherElements GatherND Gemm GridSample If LSTM LayerNormalization LinearAttention Loop MatMul MaxPool "
    "MelWeightMatrix NonMaxSuppression NonZero OneHot Pad QuantizeLinear Range ReduceMean Reshape Resize RoiAlign "
    "STFT Scan ScatterElements ScatterND Slice Softmax Split Squeeze TfIdfVectorizer Tile TopK Transpose Trilu "
    "Unique Unsqueeze Where"
).split()


def main() -> None:
    """Write one file an operator."""
    from onnx.backend.test.loader import load_model_tests

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cases = load_model_tests(kind="node")
    smallest: dict[str, bytes] = {}
    for case in cases:
        operators = {node.op_type for node in case.model.graph.node}
        for operator in operators.intersection(OPERATORS):
            model = case.model.SerializeToString()
            if len(model) < len(smallest.get(operator, b"0" * (LARGEST_BYTES + 1))):
                smallest[operator] = model
    FOLDER.mkdir(exist_ok=True)
    for operator, model in sorted(smallest.items()):
        (FOLDER / f"{operator}.onnx").write_bytes(model)


if __name__ == "__main__":
    main()
