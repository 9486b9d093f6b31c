"""ResNet-50 from an ONNX file on a real photograph, over CPU, GPU, NPU and FPGA.

    python -m examples.demo                       as `make demo`
    python -m examples.demo --devices cpu,cuda    other processors
    python -m examples.demo --model own.onnx      a network of your own with one image input [1, 3, 224, 224]

Where the only OpenCL driver is PoCL, which computes on the CPU, the CPU plug-in gets one core and PoCL the other:
two real processors of unequal speed. The NPU is the one of rtl/npu/, the FPGA an ECP5-85k with the kernels that the
compiler wrote for it, both simulated: they take parts of the network in 8-bit integers, samples of which are computed
again in their RTL. Exit status 3: bits or cycles differ, or a device failed. Writes demo-out/demo.json, trace.json
and split.svg.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

import numpy as np

import tetrarch
from examples import demo_npu, picture
from examples.console import compile_for, megabytes, milliseconds, print_table, print_text, used_devices
from examples.machine import figure, interleaved, machine, machine_line, median
from examples.models import resnet50
from examples.models.photographs import NAMES, as_input, centre_crop, photograph

SPLIT = "cpu:threads=1,opencl:threads=1"
BOTH_CORES = "cpu:threads=2"
NPU, FPGA = "npu:side=16", "fpga"
CALIBRATION = 2  # photographs, other than the one that is computed
ROUNDS = 5
NOTES = (
    "The weights are drawn from a fixed seed: trained ResNet-50 weights cannot be had here, so the class that it "
    "names means nothing, while its arithmetic, sizes and times are the real network's. --model takes your own file.",
    "The CPU plug-in gets one core and the OpenCL driver (PoCL, on this machine) the other.",
)


def compile_split(model: Path, devices: str, artifact: Path) -> tuple[tetrarch.Program, bool]:
    """The planner's own choice where that is a split; else a split is forced, and the second value is True.

    Writes the artifact, which has every task for each of the devices, however they are split.
    """
    program = compile_for(model, devices)
    program.save(artifact)
    if len(used_devices(program.report())) > 1:
        return program, False
    print("  the planner keeps everything on one device, since no split is faster; this demo forces one")
    return tetrarch.load(artifact, devices=devices.split(","), place=devices), True


def where(task: dict) -> str:
    """The device, or the devices that divide the task and their shares."""
    parts = task["parts"]
    if len(parts) == 1:
        return parts[0]["device"]
    return " + ".join(f"{part['device'].split(':')[0]} {part['share']['value']:.0%}" for part in parts)


def print_tasks(report: dict) -> None:
    rows = [("task", "device", "time", "bytes moved", "source")]
    for task in report["tasks"]:
        moved = megabytes(task["bytes"]["value"])
        row = (
            task["name"],
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
    rows = [("one call", "median", "fastest", "slowest", "to split", "source")]
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
    parser.add_argument("--npu", default=NPU, help=f"the NPU of the second part ({NPU})")
    parser.add_argument(
        "--windows",
        type=int,
        default=80,
        help="of the NPU's share that run in its RTL too (80)",
    )
    parser.add_argument("--fpga", default=FPGA, help=f"the FPGA of the second part ({FPGA})")
    parser.add_argument("--units", type=int, default=1, help="of each of its kernels that run in the RTL (1)")
    parser.add_argument("--seed", type=int, default=1, help="draws these windows and units (1)")
    parser.add_argument(
        "--output", type=Path, default=Path("demo-out"), help="folder for what it writes (demo-out)"
    )
    return parser.parse_args()


def show_floats(options: argparse.Namespace, model: Path, image: np.ndarray) -> tuple[dict, np.ndarray]:
    """The first part, fp32 over CPU and GPU: what it found, and the reference's logits."""
    with tempfile.TemporaryDirectory() as folder:
        artifact = Path(folder) / "split.tet"
        split, forced = compile_split(model, options.devices, artifact)
        programs = {"forced split" if forced else "split": split}
        for device in options.devices.split(","):
            programs[f"{device} alone"] = tetrarch.load(artifact, devices=[device])
        programs["cpu with both cores"] = tetrarch.load(artifact, devices=[BOTH_CORES])

    print("compute the reference (the graph's interpreter, one plain loop an operation)", flush=True)
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
    print()
    print_text(f"The planner: {report['plan']['reason']}")
    print(f"Largest difference from the reference: {difference:.1e} of the largest value")
    return {
        "forced": forced,
        "totals": totals,
        "difference": figure(difference, "1"),
        "report": report,
        "trace": "trace.json",
    }, reference


def write_record(record: dict, folder: Path) -> None:
    (folder / "demo.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    steps = picture.read_steps(folder / "trace.json")
    (folder / "split.svg").write_text(picture.draw(record, steps), encoding="utf-8")
    print(f"\nTrace:   {folder / 'trace.json'} (for ui.perfetto.dev)")
    print(f"Record:  {folder / 'demo.json'}")
    print(f"Picture: {folder / 'split.svg'}")


def main() -> int:
    options = parse()
    options.output.mkdir(parents=True, exist_ok=True)
    facts = machine()
    print(f"ResNet-50 on the photograph '{options.photograph}', on {machine_line(facts)}")
    for note in NOTES:
        print_text(f"* {note}")
    model = options.model or resnet50.onnx_file()
    image = as_input(centre_crop(photograph(options.photograph)))

    samples = [as_input(centre_crop(photograph(n))) for n in NAMES if n != options.photograph]
    try:
        print("\n1. In 32-bit floats over CPU and GPU")
        floats, reference = show_floats(options, model, image)
        print("\n2. In 8-bit integers over CPU, GPU, NPU and FPGA")
        integers = demo_npu.show(
            demo_npu.Question(
                model,
                options.devices,
                options.npu,
                options.fpga,
                options.windows,
                options.units,
                options.seed,
            ),
            image,
            samples[:CALIBRATION],
            reference,
        )
    except (demo_npu.MismatchError, tetrarch.DeviceError) as error:
        print(f"\nFAILED: {error}")
        return 3
    except tetrarch.InputError as error:
        print(f"\nCannot be shown: {error}")
        return 2
    record = {
        "command": "make demo",
        "model": "ResNet-50" if options.model is None else options.model.stem,
        "photograph": options.photograph,
        "machine": facts,
        **floats,
        "integers": integers,
    }
    write_record(record, options.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
