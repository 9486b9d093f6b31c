"""docs/performance.md from bench/out/*.json."""

from __future__ import annotations

import json
from pathlib import Path

from examples.machine import machine_line

INTRODUCTION = """\
# Performance

This page is made by `make bench`; the figures with all their circumstances are in `bench/out/*.json`. All times are
measured wall-clock times: fp32, batch 1, {threads} threads, on {machine}, {date}. Contenders live in processes of
their own and take turns in one run, so that all see the same machine; a time is the median over all turns.
"Ready" is the time from the ONNX file (PyTorch: from the module) to the first answer, with nothing cached but, for
Tetrarch, the costs that it measured on this machine before. "Difference" is the largest difference of any output
element from ONNX Runtime's, as a share of the largest value.
"""
SPLIT_NOTE = """\
"CPU and OpenCL" gives the CPU plug-in one core and the OpenCL driver the other, and lets the planner place
each task; without a GPU the driver is PoCL, which computes on the CPU. It is there to show what a split
costs and gains where two processors are real and unequal, not as the best use of a machine with CPUs alone.
"""
CALL_NOTE = """\
What a call costs when there is nothing to compute: one `Identity` on one float.
"""


def row(record: dict, reference: float | None, unit: float, suffix: str) -> str:
    if "call" not in record:
        return f"| {record['title']} {record['version']} | did not run: {record['failed']} | | | |"
    call = record["call"]
    ratio = f"{call['value'] / reference:.2f} ×" if reference else ""
    ready = f"{record['prepare']['value']:.1f} s" if "prepare" in record else ""
    difference = f"{record['difference']['value']:.0e}" if "difference" in record else ""
    time = f"{call['value'] * unit:.1f} {suffix}"
    return f"| {record['title']} {record['version']} | {time} | {ratio} | {ready} | {difference} |"


def section(result: dict, unit: float, suffix: str) -> list[str]:
    """A table of one benchmark, the fastest first."""
    records = result["contenders"]
    reference = records["onnxruntime"].get("call", {}).get("value")
    order = sorted(records.values(), key=lambda record: record.get("call", {}).get("value", float("inf")))
    return [
        f"## {result['title'][0].upper()}{result['title'][1:]}",
        "",
        "| | one call | beside ONNX Runtime | ready | difference |",
        "| --- | ---: | ---: | ---: | ---: |",
        *(row(record, reference, unit, suffix) for record in order),
        "",
    ]


def write(folder: Path, page: Path) -> None:
    """Write the page from the results that the folder has."""
    results = {
        file.stem: json.loads(file.read_text(encoding="utf-8")) for file in sorted(folder.glob("*.json"))
    }
    if not results:
        raise SystemExit(f"{folder} has no results; run 'make bench' first")
    any_result = next(iter(results.values()))
    lines = [
        INTRODUCTION.format(**{**any_result, "machine": machine_line(any_result["machine"])}),
        SPLIT_NOTE,
    ]
    for name, result in results.items():
        if name != "call":
            lines += section(result, 1e3, "ms")
    if "call" in results:
        lines += [*section(results["call"], 1e6, "µs"), CALL_NOTE]
    page.write_text("\n".join(lines), encoding="utf-8")
