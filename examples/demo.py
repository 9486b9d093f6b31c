"""ResNet-50 from an ONNX file on a real photograph, split over the CPU and the GPU of this machine.

    python -m examples.demo                       as `make demo`
    python -m examples.demo --devices cpu,cuda    other processors
    python -m examples.demo --model own.onnx      a network of your own with one image input [1, 3, 224, 224]

Where the only OpenCL driver is PoCL, which computes on the CPU, the CPU plug-in gets one core and PoCL the other:
two real processors of unequal speed. Writes demo-out/demo.json, trace.json and split.svg.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np

import tetrarch
from examples import picture
from examples.machine import figure, interleaved, machine, machine_line, median
from examples.models import resnet50
from examples.models.photographs import NAMES, as_input, centre_crop, photograph

SPLIT = "cpu:threads=1,opencl:threads=1"
BOTH_CORES = "cpu:threads=2"
ROUNDS = 5
NOTES = (
    "The weights are drawn from a fixed seed: trained ResNet-50 weights cannot be had here, so the class that it\n"
    "  names means nothing, while its arithmetic, sizes and times are the real network's. --model takes your own file.",
    "The CPU plug-in gets one core and the OpenCL driver (PoCL, on this machine) the other.",
)


class StageLines:
    """One line for each stage of the compiler, with its time."""

    def __init__(self):
        self.stage, self.begin = "", 0.0

    def __call__(self, stage: str, what: str, done: int, total: int) -> None:
        if stage != self.stage:
            self.finish()
            self.stage, self.begin = stage, time.perf_counter()
            print(f"  {stage:<32}", end="", flush=True)

    def finish(self) -> None:
        if self.stage:
            print(f"{time.perf_counter() - self.begin:8.2f} s", flush=True)
        self.stage = ""


def compile_for(model: Path, devices: str, place: str = "") -> tetrarch.Program:
    """The model compiled for the devices, with a line for each stage."""
    print(f"compile for {devices}{f', each of {place} must run something' if place else ''}")
    stages = StageLines()
    program = tetrarch.compile(model, devices=devices.split(","), place=place, progress=stages)
    stages.finish()
    return program


def used_devices(report: dict) -> list[str]:
    return sorted({part["device"] for task in report["tasks"] for part in task["parts"]})


def compile_split(model: Path, devices: str) -> tuple[tetrarch.Program, bool]:
    """The planner's own choice where that is a split; else a split is forced, and the second value is True."""
    program = compile_for(model, devices)
    if len(used_devices(program.report())) > 1:
        return program, False
    print("  the planner keeps everything on one device, since no split is faster; this demo forces one")
    return compile_for(model, devices, place=devices), True


def print_table(rows: list[tuple[str, ...]]) -> None:
    """Columns as wide as their widest cell; the first is aligned left, the others right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = [row[0].ljust(widths[0])] + [c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True)]
        print("  " + "  ".join(cells).rstrip())


def milliseconds(time_figure: dict) -> str:
    value = time_figure["value"]
    return "unknown" if value is None else f"{value * 1e3:.3f} ms"


def where(task: dict) -> str:
    """The device, or the devices that divide the task and their shares."""
    parts = task["parts"]
    if len(parts) == 1:
        return parts[0]["device"]
    return " + ".join(f"{part['device']} {part['share']['value']:.0%}" for part in parts)


def print_tasks(report: dict) -> None:
    rows = [("task", "operation", "device", "time", "bytes moved", "source")]
    for task in report["tasks"]:
        moved = f"{task['bytes']['value'] / 1e6:.2f} MB"
        row = (
            task["name"],
            task["root"],
            where(task),
            milliseconds(task["time"]),
            moved,
            task["time"]["source"],
        )
        rows.append(row)
    print_table(rows)


def time_totals(programs: dict[str, tetrarch.Program], image: np.ndarray) -> list[dict]:
    """The median call of each program, timed in turns; the first one is the split."""
    calls = {name: (lambda run=program: run(image)) for name, program in programs.items()}
    seconds = interleaved(calls, ROUNDS)
    return [{"name": name, "time": median(seconds[name])} for name in programs]


def print_totals(totals: list[dict]) -> None:
    first = totals[0]["time"]["value"]
    rows = [("one call", "median", "fastest", "slowest", "beside the split", "source")]
    for total in totals:
        t = total["time"]
        spread = (f"{t['minimum'] * 1e3:.2f} ms", f"{t['maximum'] * 1e3:.2f} ms")
        rows.append((total["name"], milliseconds(t), *spread, f"{t['value'] / first:.2f} x", t["source"]))
    print_table(rows)


def largest_difference(ours: np.ndarray, reference: np.ndarray) -> float:
    """The largest difference of any element, as a share of the reference's largest value."""
    return float(np.abs(ours - reference).max() / np.abs(reference).max())


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, help="an ONNX file (default: ResNet-50 with seeded weights)")
    parser.add_argument("--photograph", choices=NAMES, default="chelsea")
    parser.add_argument("--devices", default=SPLIT, help=f"the processors to split over ({SPLIT})")
    parser.add_argument(
        "--output", type=Path, default=Path("demo-out"), help="folder for what it writes (demo-out)"
    )
    return parser.parse_args()


def main() -> int:
    options = parse()
    options.output.mkdir(parents=True, exist_ok=True)
    facts = machine()
    print(f"ResNet-50 on the photograph '{options.photograph}', on {machine_line(facts)}")
    for note in NOTES:
        print(f"* {note}")
    model = options.model or resnet50.onnx_file()
    image = as_input(centre_crop(photograph(options.photograph)))

    split, forced = compile_split(model, options.devices)
    programs = {"forced split" if forced else "split": split}
    for device in options.devices.split(","):
        programs[f"{device} alone"] = compile_for(model, device)
    programs["cpu with both cores"] = compile_for(model, BOTH_CORES)

    print("compute the reference (the graph's interpreter, one plain loop an operation)")
    reference = tetrarch.reference(model)(image)
    totals = time_totals(programs, image)
    logits = split(image)
    report = split.report()
    split.write_trace(str(options.output / "trace.json"))
    difference = largest_difference(logits, reference)

    print(f"\nThe split, task by task ({len(report['tasks'])} tasks)")
    print_tasks(report)
    print("\nWhole calls")
    print_totals(totals)
    print(f"\nThe planner: {report['plan']['reason']}")
    print(f"Largest difference from the reference: {difference:.1e} of the largest value")
    record = {
        "command": "make demo",
        "model": "ResNet-50" if options.model is None else options.model.stem,
        "photograph": options.photograph,
        "machine": facts,
        "forced": forced,
        "totals": totals,
        "difference": figure(difference, "1"),
        "report": report,
        "trace": "trace.json",
    }
    (options.output / "demo.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    steps = picture.read_steps(options.output / "trace.json")
    (options.output / "split.svg").write_text(picture.draw(record, steps), encoding="utf-8")
    print(f"Trace:   {options.output / 'trace.json'} (open it in ui.perfetto.dev or chrome://tracing)")
    print(f"Record:  {options.output / 'demo.json'}")
    print(f"Picture: {options.output / 'split.svg'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
