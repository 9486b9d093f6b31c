"""The workloads of examples/workloads on every device, beside ONNX Runtime and NumPy: writes docs/workloads.md.

    python -m bench.workloads                      all of them (minutes)
    python -m bench.workloads --only sobel fft     these; the others of the page stay as they were
    python -m bench.workloads --route              also place and route what is made for an FPGA (long)
    python -m bench.workloads --page               the page again from bench/out/workloads.json

CPU, OpenCL, ONNX Runtime and the references take turns in one process with THREADS threads each (references: one). A
device of the class fpga, where there is one, is simulated: what it did in one call is told by its receipts.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx

import tetrarch
from bench import contenders
from examples.machine import figure, interleaved, machine, machine_line, median
from examples.workloads import digits
from examples.workloads.table import WORKLOADS
from examples.workloads.workload import Inputs, Workload

ROOT = Path(__file__).resolve().parents[1]
OUT, PAGE = ROOT / "bench" / "out" / "workloads.json", ROOT / "docs" / "workloads.md"
CPU, OPENCL = f"cpu:threads={contenders.THREADS}", f"opencl:threads={contenders.THREADS}"

# As reports of place and route name them, and as the page does.
RESOURCES = {
    "luts": "LUTs",
    "flip_flops": "flip-flops",
    "multipliers": "multipliers",
    "block_rams": "block RAMs",
}

Call = Callable[[], object]


def ours(device: str) -> Callable[[Workload, Inputs], Call]:
    def make(workload: Workload, inputs: Inputs) -> Call:
        program = tetrarch.compile(
            workload.onnx_file(), devices=[device], measure=False, **workload.options()
        )
        given = list(inputs.values())
        return lambda: program(*given)

    return make


def onnxruntime(workload: Workload, inputs: Inputs) -> Call:
    session = contenders.onnxruntime_session(workload.onnx_file())
    return lambda: session.run(None, inputs)


def reference(workload: Workload, inputs: Inputs) -> Call:
    return lambda: workload.reference(**inputs)


# Title and maker of each contender; the reference of a network is ONNX Runtime itself.
CONTENDERS = {
    "cpu": ("Tetrarch, CPU", ours(CPU)),
    "opencl": ("Tetrarch, OpenCL", ours(OPENCL)),
    "onnxruntime": ("ONNX Runtime", onnxruntime),
    "reference": ("NumPy, SciPy, hashlib", reference),
}


def is_network(workload: Workload) -> bool:
    return bool(workload.options()) or workload.name.startswith("digits")


def check(workload: Workload, results: object) -> None:
    """The outputs are the reference's, within the workload's tolerance."""
    results = results if isinstance(results, tuple | list) else (results,)
    for ours_, theirs in zip(results, workload.reference(**workload.inputs()), strict=True):
        difference = np.abs(ours_.astype(np.float64) - theirs).max() / max(float(np.abs(theirs).max()), 1e-30)
        if not difference <= workload.tolerance:
            raise ValueError(f"its result differs by {difference:.1e}")


def measured(workload: Workload, rounds: int) -> dict[str, dict]:
    """The record of each contender: the median of its calls, or why it has none."""
    inputs, records, calls = workload.inputs(), {}, {}
    for name, (_, make) in CONTENDERS.items():
        if name == "reference" and is_network(workload):
            records[name] = {"failed": "its reference is ONNX Runtime"}
            continue
        try:
            call = make(workload, inputs)
            check(workload, call())
            calls[name] = call
        except Exception as error:  # any library may fail in its own way; the table says so
            records[name] = {"failed": f"{type(error).__name__}: {error}".splitlines()[0]}
    for name, seconds in interleaved(calls, rounds).items():
        records[name] = {"call": median(seconds)}
    return records


def kernels_of(program: tetrarch.Program, routes: bool) -> list[dict]:
    """Each kernel for an FPGA: what the compiler expects of it, and what place and route made where they did."""
    with tempfile.TemporaryDirectory() as folder:
        artifact = Path(folder) / "m.tet"
        program.save(artifact)
        for word in ("build", "list") if routes else ("list",):
            words = [str(ROOT / "build" / "bin" / "tetrarch"), "fpga", word, str(artifact), "--json"]
            environment = {**os.environ, "TETRARCH_PYTHON": sys.executable}
            done = subprocess.run(words, capture_output=True, text=True, check=True, env=environment)
    return json.loads(done.stdout)["kernels"]


def dimensions_of(workload: Workload) -> dict[str, int]:
    """The sizes that the workload's inputs give to the named dimensions of its file."""
    inputs, graph = workload.inputs(), onnx.load(workload.onnx_file()).graph
    return {
        dimension.dim_param: size
        for value in graph.input
        for dimension, size in zip(value.type.tensor_type.shape.dim, inputs[value.name].shape, strict=True)
        if dimension.dim_param
    }


def fpga_record(workload: Workload, routes: bool) -> dict | None:
    """What a device of the class fpga says of one call; None without one."""
    device = next((d.name for d in tetrarch.devices() if d.name.startswith("fpga")), None)
    if device is None:
        return None
    try:
        options = {"devices": ["cpu", device], "place": device, "measure": False}
        options["dims"] = dimensions_of(workload)
        program = tetrarch.compile(workload.onnx_file(), **options, **workload.options())
        kernels = kernels_of(program, routes)
        program(**workload.inputs())  # which loads the configuration
        check(workload, program(**workload.inputs()))
    except (tetrarch.Error, ValueError) as error:
        return {"failed": str(error).splitlines()[0]}
    except subprocess.CalledProcessError as error:
        return {"failed": error.stderr.strip().splitlines()[0]}
    tasks = program.report()["tasks"]
    parts = [part for task in tasks for part in task["parts"] if part["device"].startswith("fpga")]
    sources = {part["time"]["source"] for part in parts}
    counters: dict[str, int] = {}
    for part in parts:
        for name, count in part.get("counters", {}).items():
            counters[name] = counters.get(name, 0) + count
    return {
        "tasks": len(parts),
        "of": len(tasks),
        "time": figure(sum(part["time"]["value"] for part in parts), "s", "/".join(sorted(sources))),
        "counters": counters,
        "kernels": kernels,
    }


def record(workload: Workload, rounds: int, routes: bool) -> dict:
    print(workload.title, flush=True)
    entry = {
        "title": workload.title,
        "operation": workload.operation,
        "count": workload.count,
        "tolerance": workload.tolerance,
        "contenders": measured(workload, rounds),
        "fpga": fpga_record(workload, routes),
    }
    if (classifier := next((c for c in digits.CLASSIFIERS if c.name == workload.name), None)) is not None:
        entry["accuracy"] = dict(zip(("file", "integers"), classifier.accuracies(), strict=True))
    return entry


# The page


INTRODUCTION = """\
# Workloads

Tensor programs of many kinds ([examples/workloads](../examples/workloads)), each an ordinary ONNX file beside an
independent reference, compiled by the one compiler for every class of processor. Made by
`python -m bench.workloads`; with all circumstances in `bench/out/workloads.json`. Every result was compared with its
reference before it was timed: integers are equal, floats within the tolerance of the workload's row.

Times are measured wall-clock times of one call, medians, {threads} threads (the references: one), on {machine}, {date}. All
took turns in one run on a machine that had other work to do, with tiles as planned and not tuned; compare those of
one row.
"""

FPGA = """\
## On an FPGA

What the simulated device of the class fpga says of one call, once it is configured ([docs/fpga.md](fpga.md) has what
its figures are). Cycles are simulated; clock and cells are those of place and route where `tetrarch fpga build` made
exactly these kernels, else the compiler's estimate, and then the time is modelled. Of several kernels the slowest clock
and the sum of their cells. The last column has what the compiler expected beside what place and route found.
"""

NO_FPGA = "No device of this class compiles them here yet.\n"


def milliseconds(seconds: float) -> str:
    return f"{1e3 * seconds:.3g} ms"


def rate(count: int, seconds: float) -> str:
    per_second = count / seconds
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if per_second >= size:
            return f"{per_second / size:.3g} {unit}/s"
    return f"{per_second:.3g} /s"


def time_cell(records: dict, name: str, peer: str) -> str:
    entry = records[name]
    if "call" not in entry:
        return "none"
    seconds, other = entry["call"]["value"], records[peer].get("call", {}).get("value")
    ratio = f" ({seconds / other:.2g} ×)" if other and name != peer else ""
    return milliseconds(seconds) + ratio


def row(entry: dict) -> str:
    records = entry["contenders"]
    cells = [entry["title"], *(time_cell(records, name, "onnxruntime") for name in CONTENDERS)]
    cpu = records["cpu"].get("call")
    cells.append(f"{rate(entry['count'], cpu['value'])}" if cpu else "")
    cells.append(entry["operation"])
    return f"| {' | '.join(cells)} |"


def best_known(kernel: dict) -> dict:
    """Clock and cells: those of the design, else the estimate."""
    return kernel.get("design", kernel["estimate"])


def slowest(of: list[dict]) -> float:
    return min(one["clock"]["value"] for one in of) / 1e6


def fpga_row(entry: dict) -> str:
    told = entry["fpga"]
    if "failed" in told:
        return f"| {entry['title']} | {told['failed'].split('fpga: ')[-1]} | | | | | | | |"
    seconds, kernels = told["time"]["value"], told["kernels"]
    built = [kernel for kernel in kernels if "design" in kernel]
    used = [sum(best_known(kernel)["used"][kind] for kernel in kernels) for kind in RESOURCES]
    comparison = "not routed"
    if built:
        estimates, designs = ([kernel[which] for kernel in built] for which in ("estimate", "design"))
        luts = [sum(one["used"]["luts"] for one in of) for of in (estimates, designs)]
        comparison = f"{slowest(estimates):.0f} / {slowest(designs):.0f} MHz, {luts[0]} / {luts[1]} LUTs"
        comparison += f" ({len(built)} of {len(kernels)} kernels)" * (len(built) < len(kernels))
    cells = [
        entry["title"],
        f"{told['tasks']} of {told['of']}",
        f"{told['counters'].get('cycles', 0):,}",
        f"{slowest([best_known(kernel) for kernel in kernels]):.0f} MHz",
        " / ".join(map(str, used)),
        milliseconds(seconds),
        rate(entry["count"], seconds),
        told["time"]["source"],
        comparison,
    ]
    return f"| {' | '.join(cells)} |"


def accuracy_lines(entries: dict) -> list[str]:
    known = {name: entry["accuracy"] for name, entry in entries.items() if "accuracy" in entry}
    if not known:
        return []
    rows = [
        f"| {entries[name]['title']} | {share['file']:.1%} | {share['integers']:.1%} |"
        for name, share in known.items()
    ]
    about = (
        "Trained by `python -m examples.workloads.digits` (seeded, seconds), then quantised with 64 of the digits that "
        "it was trained with; the ternary one is quantised by its file. Of 450 held-out digits:"
    )
    return [
        "## Digits",
        "",
        about,
        "",
        "| | by the file's floats | in integers |",
        "| --- | ---: | ---: |",
        *rows,
        "",
    ]


def page(result: dict) -> str:
    entries = result["workloads"]
    titles = [title for title, _ in CONTENDERS.values()]
    lines = [
        INTRODUCTION.format(**{**result, "machine": machine_line(result["machine"])}),
        f"| | {' | '.join(titles)} | on the CPU | counted |",
        "| --- | ---: | ---: | ---: | ---: | ---: | --- |",
        *(row(entry) for entry in entries.values()),
        "",
        "In parentheses: the time as a share of ONNX Runtime's.",
        "",
        *accuracy_lines(entries),
        FPGA,
    ]
    told = [entry for entry in entries.values() if entry["fpga"]]
    if missing := [name for name in WORKLOADS if name not in entries]:
        lines.insert(1, f"Not measured here: {', '.join(missing)}; the tests run them all.\n")
    if not told:
        return "\n".join([*lines, NO_FPGA])
    lines += [
        f"| | tasks | cycles | clock | {' / '.join(RESOURCES.values())} | time | throughput | source | estimate / result |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | --- | --- |",
        *(fpga_row(entry) for entry in told),
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=WORKLOADS, metavar="NAME", help="these workloads")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each contender (5)")
    parser.add_argument("--page", action="store_true", help="measure nothing, write the page again")
    parser.add_argument("--route", action="store_true", help="place and route the kernels for an FPGA")
    options = parser.parse_args()
    result = json.loads(OUT.read_text(encoding="utf-8")) if OUT.exists() else {"workloads": {}}
    if not options.page:
        made = {
            name: record(WORKLOADS[name], options.rounds, options.route) for name in options.only or WORKLOADS
        }
        known = result["workloads"] | made
        result = {
            "command": "python -m bench.workloads",
            "machine": machine(),
            "threads": contenders.THREADS,
            "date": time.strftime("%Y-%m-%d"),
            "workloads": {name: known[name] for name in WORKLOADS if name in known},
        }
        OUT.parent.mkdir(parents=True, exist_ok=True)
        OUT.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    if not result["workloads"]:
        parser.error(f"{OUT} has no results; measure first")
    PAGE.write_text(page(result), encoding="utf-8")
    print(f"wrote {OUT.relative_to(ROOT)} and {PAGE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
