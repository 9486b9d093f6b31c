#!/usr/bin/env python3
"""Run the node tests of ONNX's conformance suite and count what passes.

    python test/onnx_conformance.py                                        both ways to run them
    python test/onnx_conformance.py --on cpu --filter resize               some of them, on the CPU device
    python test/onnx_conformance.py --report docs/onnx-conformance.md      count again for the documents

The cases come from the installed onnx wheel. Two things run them: `cpu` is `tetrarch.onnx_backend` on the CPU device,
judged by the suite's own code; `interpreter` is the importer and the reference interpreter, with the same tolerances.
A case is "passed", "declined" (an error that names operator and reason) or "wrong" (other numbers than expected, any
other error, or a crash). Exits 1 when any case is wrong, or when fewer than --at-least percent pass.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import pathlib
import re
import select
import signal
import subprocess
import sys
import tempfile
import unittest.mock
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import onnx
import onnx.numpy_helper

TOOL = "build/bin/tet-import"
SECONDS_EACH = 120  # of one case on a device; what takes longer counts as a crash

# Cases whose expected values are further from the exact result than the suite's tolerance (1e-3 relative, 1e-7
# absolute) allows. A DFT's zeros are expected to be the rounding errors of numpy's transform in f32. The attention
# is expected as numpy computes the one operator; the graph of the case rounds to f16 in other places, and with each
# of its operators rounded correctly it comes out two steps of f16 away.
TOLERANCES = {
    "test_attention_4d_causal_fp16_expanded": {"rtol": 2**-9},
    "test_dft_inverse": {"atol": 1e-6},
    "test_dft_inverse_opset19": {"atol": 1e-6},
}

# {"name", "status", "reason", "bound"}; bound lists inputs whose value decided a shape.
Result = dict[str, Any]


# -- The reference interpreter, through tet-import


def write_tensor(path: pathlib.Path, value: object, info: onnx.ValueInfoProto) -> None:
    """Write one input or output; what is not an array stays away, and its case is declined by its model."""
    if info.type.WhichOneof("value") != "tensor_type" or value is None:
        return
    tensor = value if isinstance(value, onnx.TensorProto) else onnx.numpy_helper.from_array(np.asarray(value))
    path.write_bytes(tensor.SerializeToString())


def write_case(folder: pathlib.Path, case: Any) -> pathlib.Path:
    """Write a case as a folder of model.onnx, input_<i>.pb, output_<i>.pb and tolerance.json."""
    folder.mkdir()
    (folder / "model.onnx").write_bytes(case.model.SerializeToString())
    tolerance = {"rtol": case.rtol, "atol": case.atol} | TOLERANCES.get(case.name, {})
    (folder / "tolerance.json").write_text(json.dumps(tolerance))
    inputs, outputs = case.data_sets[0]
    for i, (value, info) in enumerate(zip(inputs, case.model.graph.input, strict=False)):
        write_tensor(folder / f"input_{i}.pb", value, info)
    for i, (value, info) in enumerate(zip(outputs, case.model.graph.output, strict=False)):
        write_tensor(folder / f"output_{i}.pb", value, info)
    return folder


def run_interpreter(cases: list[Any], tool: str) -> Iterator[Result]:
    """Run the tool over the cases. A crash is the result of the case that it happened in; the tool goes on after it."""
    with tempfile.TemporaryDirectory() as root:
        folders = [write_case(pathlib.Path(root) / case.name, case) for case in cases]
        while folders:
            listing = pathlib.Path(root) / "cases.txt"
            listing.write_text("".join(f"{folder}\n" for folder in folders))
            done = subprocess.run(
                [tool, "--check", str(listing)], capture_output=True, text=True, check=False
            )
            results = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
            yield from results
            folders = folders[len(results) :]
            if folders:
                yield crashed(folders.pop(0).name, done.stderr[-300:])


# -- A device, through the backend


def crashed(name: str, how: str) -> Result:
    return {"name": name, "status": "wrong", "reason": f"crashed: {how}", "bound": []}


def backend_tests(cases: list[Any], device: str) -> dict[str, Callable[[], None]]:
    """The suite's own test functions for one device, by the names of their cases."""
    from onnx.backend.test import BackendTest

    from tetrarch.onnx_backend import TetrarchBackend

    class OneDevice(TetrarchBackend):
        supports_device = staticmethod(lambda other: other == device)  # asked for each case twice

        @classmethod
        def prepare(cls, model: onnx.ModelProto, device: str = "CPU", **tolerances: float) -> Any:
            return super().prepare(model, device)

    # The suite would load all its kinds of models, and these a second time.
    loaded = unittest.mock.patch(
        "onnx.backend.test.runner.load_model_tests", lambda kind: cases if kind == "node" else []
    )
    with loaded:
        tests = BackendTest(OneDevice, __name__, TOLERANCES).test_cases["OnnxBackendNodeModelTest"]
    ending = f"_{device.lower()}"
    return {case.name: getattr(tests(case.name + ending), case.name + ending) for case in cases}


def run_test(name: str, test: Callable[[], None]) -> Result:
    """One case in this process: Tetrarch's own error for bad input declines it, anything else is wrong."""
    import tetrarch

    result: Result = {"name": name, "status": "passed", "reason": "", "bound": []}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            test()
    except tetrarch.InputError as error:
        result |= {"status": "declined", "reason": str(error)}
    except Exception as error:
        result |= {
            "status": "wrong",
            "reason": f"{type(error).__name__}: {' '.join(str(error).split())[:400]}",
        }
    return result


def run_tests_in_child(tests: list[tuple[str, Callable[[], None]]]) -> tuple[int, int]:
    """Fork a process that runs the tests and writes a line of JSON for each: its number, and where to read."""
    reader, writer = os.pipe()
    child = os.fork()
    if child:
        os.close(writer)
        return child, reader
    os.close(reader)
    with os.fdopen(writer, "w", buffering=1) as lines:
        for name, test in tests:
            lines.write(json.dumps(run_test(name, test)) + "\n")
    os._exit(0)


def lines_of(reader: int) -> Iterator[str]:
    """Whole lines from a pipe, until its end or until nothing came for SECONDS_EACH."""
    pending = b""
    while select.select([reader], [], [], SECONDS_EACH)[0]:
        data = os.read(reader, 1 << 16)
        if not data:
            return
        *lines, pending = (pending + data).split(b"\n")
        yield from (line.decode() for line in lines)


def run_device(cases: list[Any], device: str) -> Iterator[Result]:
    """Run the cases on a device in a child process; a new one goes on after a crash."""
    tests = backend_tests(cases, device)
    left = [(case.name, tests[case.name]) for case in cases]
    while left:
        child, reader = run_tests_in_child(left)
        for line in lines_of(reader):
            left.pop(0)
            yield json.loads(line)
        os.close(reader)
        if left:
            os.kill(child, signal.SIGKILL)
        status = os.waitpid(child, 0)[1]
        if left:
            yield crashed(
                left.pop(0)[0], f"the process ended with status {os.waitstatus_to_exitcode(status)}"
            )


RUNNERS: dict[str, tuple[str, Callable[[list[Any], str], Iterator[Result]]]] = {
    "cpu": ("CPU device", lambda cases, tool: run_device(cases, "CPU")),
    "interpreter": ("reference interpreter", run_interpreter),
}


# -- The report


def short_reason(reason: str) -> str:
    """The part of an error that cases share: operator and cause, without the file and the node's name."""
    reason = re.sub(r"^([A-Z_]+: )?(\S*?model\.onnx|model): ", "", reason)
    reason = re.sub(
        r"^input '[^']*'( of node [^(]*\([^)]*\)|, which no node reads,?)(:?) ", r"an input\2 ", reason
    )
    reason = re.sub(r"node (that makes )?'[^']*' \(([^)]*)\)", r"\2", reason)
    return re.sub(r"'[^']*'", "…", reason) if len(reason) > 90 else reason


def report(results: dict[str, list[Result]]) -> str:
    """The page for docs/: counts, then the reasons by how many cases they decline."""
    counts = {
        key: collections.Counter(result["status"] for result in list_) for key, list_ in results.items()
    }
    first = next(iter(results.values()))

    def row(text: str, of: Callable[[str], int]) -> str:
        return f"| {text} | {' | '.join(str(of(key)) for key in results)} |"

    lines = [
        "# ONNX conformance",
        "",
        f"Node tests of `onnx.backend.test` {onnx.__version__}, made by `test/onnx_conformance.py`: through",
        "`tetrarch.onnx_backend` on the CPU device, and imported and run by the reference interpreter.",
        "",
        f"| result | {' | '.join(RUNNERS[key][0] for key in results)} |",
        f"| --- |{' --- |' * len(results)}",
        row("passed", lambda key: counts[key]["passed"]),
        row("of these, to a wider tolerance", lambda key: sum(r["name"] in TOLERANCES for r in results[key])),
        row("declined, with an error that names operator and reason", lambda key: counts[key]["declined"]),
        row("wrong numbers or a crash", lambda key: counts[key]["wrong"]),
        row("all", lambda key: len(results[key])),
        "",
    ]
    bound = sum(1 for list_ in results.values() for r in list_ if r["status"] == "passed" and r["bound"])
    if bound:
        lines += [
            f"{bound} of those that pass need the value of an input to know a shape; the import is then made for",
            "that value.",
            "",
        ]
    if TOLERANCES:
        names = " and ".join(f"`{name}`" for name in TOLERANCES)
        lines += [
            f"Wider than the suite's tolerance is that of {names}: their expected values are rounded further from",
            "the exact result than the suite allows (`test/onnx_conformance.py` says how).",
            "",
        ]
    lines += ["## Declined", "", "| cases | reason | for example |", "| --- | --- | --- |"]
    reasons = collections.defaultdict(list)
    for result in first:
        if result["status"] == "declined":
            reasons[short_reason(result["reason"])].append(result["name"])
    for reason, names in sorted(reasons.items(), key=lambda item: (-len(item[1]), item[0])):
        text = reason.replace("|", "\\|")
        lines.append(f"| {len(names)} | {text} | `{names[0]}` |")
    return "\n".join(lines) + "\n"


def checked(result: Result) -> Result:
    """The result; declining counts only with an error that names node and operator, where one is to blame."""
    names = r"node [^(]*\(\w|which no node reads|it uses opset"
    if result["status"] == "declined" and not re.search(names, result["reason"]):
        return result | {"status": "wrong", "reason": f"the error names no operator: {result['reason']}"}
    return result


def load_cases(pattern: str) -> list[Any]:
    """The node tests whose names match."""
    from onnx.backend.test.loader import load_model_tests

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cases = load_model_tests(kind="node")
    return [case for case in cases if re.search(pattern, case.name)]


def main() -> int:
    """Parse the arguments, run, print and write the report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--on", action="append", choices=list(RUNNERS), help="what runs the cases (all)")
    parser.add_argument("--tool", default=TOOL, help="the tet-import program")
    parser.add_argument("--filter", default="", help="only cases whose name matches this regular expression")
    parser.add_argument("--every", type=int, default=1, help="on a device, only every n-th: a fixed sample")
    parser.add_argument("--report", help="write this Markdown file")
    parser.add_argument("--json", help="write the result of each case to this file")
    parser.add_argument("--at-least", type=int, default=0, help="fail when fewer percent pass")
    arguments = parser.parse_args()
    all_cases = load_cases(arguments.filter)
    results: dict[str, list[Result]] = {}
    good = True
    for key in arguments.on or RUNNERS:
        title, run = RUNNERS[key]
        cases = all_cases[:: 1 if key == "interpreter" else arguments.every]
        results[key] = []
        for result in map(checked, run(cases, arguments.tool)):
            results[key].append(result)
            if result["status"] == "wrong":
                print(f"WRONG {result['name']}: {result['reason']}", flush=True)
        counts = collections.Counter(result["status"] for result in results[key])
        print(
            f"{title}: {counts['passed']} passed, {counts['declined']} declined, {counts['wrong']} wrong"
            f" of {len(cases)}",
            flush=True,
        )
        good = good and not counts["wrong"] and 100 * counts["passed"] >= arguments.at_least * len(cases)
    if arguments.json:
        pathlib.Path(arguments.json).write_text(json.dumps(results, indent=1))
    if arguments.report:
        pathlib.Path(arguments.report).write_text(report(results))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
