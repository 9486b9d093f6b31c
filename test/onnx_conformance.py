#!/usr/bin/env python3
"""Run the node tests of ONNX's conformance suite and count what passes.

    python test/onnx_conformance.py [--tool build/bin/tet-import] [--filter REGEX] [--report docs/onnx-conformance.md]

The cases come from the installed onnx wheel. Each is imported and run by the reference interpreter; the result is
"passed", "declined" (an error that names operator and reason), "rounded" (see ROUNDED) or "wrong" (other numbers than
expected, or a crash).
Exits 1 when any case is wrong, or when fewer than --at-least pass.
"""

from __future__ import annotations

import argparse
import collections
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import warnings

import numpy as np
import onnx
import onnx.numpy_helper

# Outside of the suite's tolerance by rounding alone: the tolerance is finer than two steps of f16, the sums of a chain of
# f16 operators are kept in f32 here, and each is rounded once.
ROUNDED = {"test_attention_4d_causal_fp16_expanded"}


def write_tensor(path: pathlib.Path, value: object, info: onnx.ValueInfoProto) -> None:
    """Write one input or output; what is not an array stays away, and its case is declined by its model."""
    if info.type.WhichOneof("value") != "tensor_type" or value is None:
        return
    tensor = value if isinstance(value, onnx.TensorProto) else onnx.numpy_helper.from_array(np.asarray(value))
    path.write_bytes(tensor.SerializeToString())


def write_cases(root: pathlib.Path, pattern: str) -> list[pathlib.Path]:
    """Write every node test whose name matches as a folder of model.onnx, input_<i>.pb and output_<i>.pb."""
    from onnx.backend.test.loader import load_model_tests

    folders = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cases = load_model_tests(kind="node")
    for case in cases:
        if not re.search(pattern, case.name):
            continue
        folder = root / case.name
        folder.mkdir()
        (folder / "model.onnx").write_bytes(case.model.SerializeToString())
        inputs, outputs = case.data_sets[0]
        for i, (value, info) in enumerate(zip(inputs, case.model.graph.input, strict=False)):
            write_tensor(folder / f"input_{i}.pb", value, info)
        for i, (value, info) in enumerate(zip(outputs, case.model.graph.output, strict=False)):
            write_tensor(folder / f"output_{i}.pb", value, info)
        folders.append(folder)
    return folders


def check(tool: str, folders: list[pathlib.Path]) -> list[dict]:
    """Run the tool over the cases. A crash is the result of the case that it happened in; the tool goes on after it."""
    results: list[dict] = []
    while len(results) < len(folders):
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as listing:
            listing.write("".join(f"{folder}\n" for folder in folders[len(results) :]))
            listing.flush()
            done = subprocess.run(
                [tool, "--check", listing.name], capture_output=True, text=True, check=False
            )
        results += [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        if len(results) < len(folders):
            name = folders[len(results)].name
            results.append(
                {"name": name, "status": "wrong", "reason": f"crashed: {done.stderr[-300:]}", "bound": []}
            )
    return results


def short_reason(reason: str) -> str:
    """The part of an error that cases share: operator and cause, without the file and the node's name."""
    reason = re.sub(r"^[A-Z_]+: \S*?model\.onnx: ", "", reason)
    reason = re.sub(r"node (that makes )?'[^']*' \(([^)]*)\)", r"\2", reason)
    return re.sub(r"'[^']*'", "…", reason) if len(reason) > 90 else reason


def report(results: list[dict]) -> str:
    """The page for docs/: counts, then the reasons by how many cases they decline."""
    counts = collections.Counter(result["status"] for result in results)
    bound = sum(1 for r in results if r["status"] == "passed" and r["bound"])
    lines = [
        "# ONNX conformance",
        "",
        f"Node tests of `onnx.backend.test` {onnx.__version__}, imported and run by the reference interpreter.",
        "Made by `test/onnx_conformance.py`.",
        "",
        "| result | cases |",
        "| --- | --- |",
        f"| passed | {counts['passed']} |",
        f"| declined, with an error that names operator and reason | {counts['declined']} |",
        f"| outside of the tolerance by two steps of f16 | {counts['rounded']} |",
        f"| wrong numbers or a crash | {counts['wrong']} |",
        f"| all | {len(results)} |",
        "",
        f"{bound} of those that pass need the value of an input to know a shape; the import is then made for that value.",
        "",
        "## Declined",
        "",
        "| cases | reason | for example |",
        "| --- | --- | --- |",
    ]
    reasons = collections.defaultdict(list)
    for result in results:
        if result["status"] == "declined":
            reasons[short_reason(result["reason"])].append(result["name"])
    for reason, names in sorted(reasons.items(), key=lambda item: (-len(item[1]), item[0])):
        text = reason.replace("|", "\\|")
        lines.append(f"| {len(names)} | {text} | `{names[0]}` |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Parse the arguments, run, print and write the report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tool", default="build/bin/tet-import", help="the tet-import program")
    parser.add_argument("--filter", default="", help="only cases whose name matches this regular expression")
    parser.add_argument("--report", help="write this Markdown file")
    parser.add_argument("--json", help="write the result of each case to this file")
    parser.add_argument("--at-least", type=int, default=0, help="fail when fewer cases pass")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as root:
        results = check(arguments.tool, write_cases(pathlib.Path(root), arguments.filter))
    for result in results:
        if result["status"] == "wrong" and result["name"] in ROUNDED and "crashed" not in result["reason"]:
            result["status"] = "rounded"
    if arguments.json:
        pathlib.Path(arguments.json).write_text(json.dumps(results, indent=1))
    if arguments.report:
        pathlib.Path(arguments.report).write_text(report(results))
    counts = collections.Counter(result["status"] for result in results)
    for result in results:
        if result["status"] == "wrong":
            print(f"WRONG {result['name']}: {result['reason']}")
    print(
        f"{counts['passed']} passed, {counts['declined']} declined, {counts['wrong']} wrong of {len(results)}"
    )
    return 1 if counts["wrong"] or counts["passed"] < arguments.at_least else 0


if __name__ == "__main__":
    sys.exit(main())
