"""The second part of the demo: the network in 8-bit integers over CPU, GPU, the simulated NPU of rtl/npu/ and kernels
for a simulated FPGA.

Their shares are forced, by rules: no planner gives work to processors that are modelled at the clock of a 130 nm
library or of an ECP5 while a server's core is free. What the planner does by itself stands beside it.
"""

from __future__ import annotations

import json
import tempfile
import time
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np

import tetrarch
from examples import demo_fpga
from examples.console import compile_for, megabytes, milliseconds, print_table, print_text, used_devices
from examples.machine import figure, interleaved, median
from rtl.flow import publish

ROUNDS = 5
TOP = 5
ROUNDING = 2.0**-22
DECLINED = "no other device takes it"  # how a report's reason begins where the device beside it declines
FLOW = "rtl/flow/figures.json"


class MismatchError(Exception):
    """Two computations that must have the same bits have not."""


@dataclass
class Question:
    """What to show, and where."""

    model: Path
    others: str  # the CPU first, which takes what another declines
    npu: str
    fpga: str
    windows: int  # of the NPU's work
    units: int  # of each of the FPGA's kernels
    seed: int

    @property
    def devices(self) -> list[str]:
        return [*self.others.split(","), self.npu, self.fpga]

    def checked(self, device: str) -> str:
        """The device with samples of its work in the RTL, where it has one."""
        samples = {self.npu: self.windows, self.fpga: self.units}
        if device not in samples:
            return device
        return f"{device}:check_rtl={samples[device]}:check_seed={self.seed}"


@dataclass
class Compiled:
    """An artifact with every task for each of the devices that take it, and a folder for placements."""

    artifact: Path
    devices: list[str]

    def alone(self, device: str) -> tetrarch.Program:
        """On this device, and the first one for what it declines."""
        beside = [] if device == self.devices[0] else [self.devices[0]]
        return tetrarch.load(self.artifact, devices=[device, *beside])

    def placed(self, placement: dict[str, str], devices: list[str]) -> tetrarch.Program:
        path = self.artifact.with_name("placement.json")
        path.write_text(json.dumps(placement), encoding="utf-8")
        return tetrarch.load(self.artifact, devices=devices, place=path)

    def declined(self, device: str) -> dict[str, str]:
        """The tasks that the device does not take, with the reason."""
        tasks = self.alone(device).report()["tasks"]
        return {t["name"]: t["reason"] for t in tasks if t["reason"].startswith(DECLINED)}


def is_npu(device: str) -> bool:
    return device.split(":")[0] == "npu"


def is_simulated(device: str) -> bool:
    return is_npu(device) or demo_fpga.is_fpga(device)


def shared(names: list[str], declined: dict[str, dict[str, str]]) -> list[str]:
    """The tasks that all devices take."""
    return [name for name in names if not any(name in tasks for tasks in declined.values())]


def stages(names: list[str], devices: list[str], declined: dict[str, dict[str, str]]) -> dict[str, str]:
    """One stage of the network a device: where each task goes.

    The tasks that all devices take, in launch order, are cut into as many runs of equal length as there are devices
    (where there are few tasks, the last devices have them); a task between them goes along with the one before, or
    to the first device where that one declines it.
    """
    common = shared(names, declined)
    stage, placement = 0, {}
    for name in names:
        if name in common:
            behind = len(common) - 1 - common.index(name)
            stage = len(devices) - 1 - behind * len(devices) // len(common)
        device = devices[stage]
        placement[name] = devices[0] if name in declined.get(device, {}) else device
    return placement


def all_on(device: str, names: list[str], declined: dict[str, dict[str, str]], rest: str) -> dict[str, str]:
    return {name: rest if name in declined.get(device, {}) else device for name in names}


def task_device(task: dict) -> str:
    return " + ".join(part["device"] for part in task["parts"])


def joules(report: dict, device: str) -> dict | None:
    """What a device took in the last call, where that is known."""
    energies = report["total"].get("energy", [])
    return next((e["energy"] for e in energies if e["device"] == device), None)


def sum_of(tasks: list[dict], what: str) -> float:
    return sum(task[what]["value"] for task in tasks)


def sources(tasks: list[dict]) -> str:
    return " + ".join(sorted({task["time"]["source"] for task in tasks}))


def print_segments(tasks: list[dict]) -> None:
    """A row for each run of tasks on one device."""
    rows = [("tasks", "device", "time", "moved", "source")]
    for device, run in groupby(tasks, task_device):
        segment = list(run)
        more = f" and {len(segment) - 1} more" * (len(segment) > 1)
        seconds, moved = sum_of(segment, "time"), megabytes(sum_of(segment, "bytes"))
        rows.append((segment[0]["name"] + more, device, f"{seconds * 1e3:.3f} ms", moved, sources(segment)))
    print_table(rows)


def print_devices(report: dict, devices: list[str]) -> None:
    rows = [("device", "tasks", "time", "moved", "energy", "time is", "energy is")]
    for device in devices:
        tasks = [task for task in report["tasks"] if task_device(task) == device]
        energy = joules(report, device)
        row = (
            device,
            str(len(tasks)),
            f"{sum_of(tasks, 'time') * 1e3:.3f} ms",
            megabytes(sum_of(tasks, "bytes")),
            f"{energy['value'] * 1e3:.2f} mJ" if energy else "no meter",
            sources(tasks),
            energy["source"] if energy else "",
        )
        rows.append(row)
    print_table(rows)


def must_equal(name: str, logits: np.ndarray, cpu: np.ndarray) -> None:
    different = int(np.count_nonzero(logits.view(np.uint32) != cpu.view(np.uint32)))
    if different:
        raise MismatchError(
            f"{different} of {cpu.size} logits of '{name}' differ from those of the CPU alone"
        )


def must_agree(logits: np.ndarray, reference: np.ndarray) -> float:
    """The largest difference from the interpreter, as a share of its largest value.

    All is integers but for the last step, which scales sums to floats: a processor that multiplies and adds in one
    rounds once there, and the interpreter twice.
    """
    difference = float(np.abs(logits - reference).max() / np.abs(reference).max())
    if not difference <= ROUNDING:
        raise MismatchError(
            f"the logits differ by {difference:.1e} from those of the quantised graph's interpreter"
        )
    return difference


def show_totals(programs: dict[str, tetrarch.Program], image: np.ndarray) -> list[dict]:
    """The time of a whole call of each: measured in turns, or the sum of its tasks where a simulated device is in it."""
    simulated = {n: p for n, p in programs.items() if any(map(is_simulated, used_devices(p.report())))}
    real = {n: (lambda p=p: p(image)) for n, p in programs.items() if n not in simulated}
    seconds = interleaved(real, ROUNDS)
    totals = []
    for name, program in programs.items():
        if name in simulated:
            total = figure(sum_of(program.report()["tasks"], "time"), "s", "modelled")
        else:
            total = median(seconds[name])
        totals.append({"name": name, "time": total})
    rows = [("one call", "time", "source")]
    for total in totals:
        calls = f"median of {total['time']['calls']}" if "calls" in total["time"] else "sum of tasks"
        rows.append((total["name"], milliseconds(total["time"]), f"{total['time']['source']}, {calls}"))
    print_table(rows)
    return totals


def npu_parts(report: dict) -> list[dict]:
    return [part for task in report["tasks"] for part in task["parts"] if is_npu(part["device"])]


def counted(report: dict, counter: str) -> int:
    return demo_fpga.counted(npu_parts(report), counter)


def check_in_rtl(
    question: Question, compiled: Compiled, placement: dict[str, str], image: np.ndarray
) -> dict:
    """The split once more, with samples of the NPU's and the FPGA's work run in their RTL as well; the plug-ins compare.

    Raises:
        tetrarch.DeviceError: a bit or a number of cycles differs, or the RTL halts or hangs.
    """
    print(
        f"\nRun samples in Verilated RTL, drawn by seed {question.seed}: {question.windows} windows of the NPU's"
    )
    print(
        f"share, and {question.units} of each FPGA kernel's units",
        flush=True,
    )
    begin = time.monotonic()
    checked = {task: question.checked(device) for task, device in placement.items()}
    program = compiled.placed(checked, [question.checked(device) for device in question.devices])
    logits = program(image)
    report = program.report()
    windows, cycles = counted(report, "rtl_windows"), counted(report, "rtl_cycles")
    if windows == 0 and npu_parts(report):  # too few were drawn
        raise MismatchError(
            f"none of the {question.windows} windows lies in the NPU's share: draw more by --windows"
        )
    kernels = demo_fpga.parts_of(report)
    units, unit_cycles = (demo_fpga.counted(kernels, name) for name in ("rtl_units", "rtl_cycles"))
    print(f"  NPU: {windows} windows, {cycles:,} cycles, 0 bit and 0 cycle differences")
    print(f"  FPGA: {units} units, {unit_cycles:,} cycles, 0 bit and 0 cycle differences")
    print(f"  ({time.monotonic() - begin:.1f} s)")
    return {
        "logits": logits,
        "windows": windows,
        "cycles": cycles,
        "units": units,
        "unit_cycles": unit_cycles,
        "seed": question.seed,
    }


def facts_of_npu(question: Question) -> dict:
    """The row of the plug-in's figures for this NPU, and its area."""
    options = dict(option.split("=") for option in question.npu.split(":")[1:] if "=" in option)
    side = int(options.get("side", 16))
    rows = json.loads(publish.PLUGIN.read_text(encoding="utf-8"))
    row = next(r for r in rows["figures"] if r["side"] == side and r["kind"] == "int8")
    area = publish.areas(json.loads(publish.FIGURES.read_text(encoding="utf-8")), "int8", side)
    return {**row, "area": area, "dram": rows["dram"]}


def print_npu(facts: dict, report: dict) -> dict:
    """Time, area and energy of the NPU's share, and where each figure comes from."""
    parts = npu_parts(report)
    seconds = sum(part["time"]["value"] for part in parts)
    cycles = round(seconds * facts["clock_hz"])
    energy = joules(report, parts[0]["device"])
    multiplications = counted(report, "multiplications")
    busy = multiplications / (cycles * facts["side"] ** 2)
    cells, memories = facts["area"]["cells"] * 1e6, facts["area"]["memories"] * 1e6
    print(
        f"\nThe NPU's share: {len(parts)} task{'s' * (len(parts) > 1)}, {multiplications / 1e6:,.0f} million multiplications"
    )
    print(
        f"  time    {seconds * 1e3:.3f} ms: {cycles:,} cycles (the timing model, which the RTL keeps exactly)"
    )
    print(
        f"          at {facts['clock_hz'] / 1e6:.1f} MHz ({facts['clock_from']}); "
        f"the array is {busy:.0%} busy"
    )
    if energy:
        print(
            f"  energy  {energy['value'] * 1e3:.2f} mJ, {energy['value'] / seconds * 1e3:.0f} mW: work counted by"
        )
        print(f"          class x toggles ({facts['energy_from']}), with DRAM")
    print(
        f"  area    {cells:.2f} mm2 of cells and {memories:.2f} mm2 of memory macros ({facts['area']['from']})"
    )
    print(f"  All three are modelled: {facts['node']}, {facts['corner']},")
    print(f"  cells without wires ({FLOW})")
    return {
        "cycles": cycles,
        "multiplications": multiplications,
        "time": figure(seconds, "s", "modelled"),
        "clock": figure(facts["clock_hz"], "Hz", "modelled"),
        "area_cells": figure(facts["area"]["cells"], "m2", "modelled"),
        "area_memories": figure(facts["area"]["memories"], "m2", "modelled"),
        **({"energy": energy} if energy else {}),
    }


def print_proof(report: dict, devices: list[str], rtl: dict) -> None:
    """What of each device's work was computed again, by what. Whatever differs has raised an error before."""
    count = dict.fromkeys(devices, 0)
    for task in report["tasks"]:
        count[task_device(task)] += 1
    rows = [("device", "tasks", "again by", "of it", "differ")]
    for device in devices:
        how, part = "the interpreter", "all, by the logits"
        if is_npu(device):
            how, part = "its SystemVerilog", f"{rtl['windows']} windows, {rtl['cycles']:,} cycles"
        elif demo_fpga.is_fpga(device):
            how, part = "its SystemVerilog", f"{rtl['units']} units, {rtl['unit_cycles']:,} cycles"
        rows.append((device, str(count[device]), how, part, "0"))
    print_table(rows)


def print_error(logits: np.ndarray, floats: np.ndarray) -> dict:
    """What 8-bit integers cost beside the floats."""
    relative = float(np.linalg.norm(logits - floats) / np.linalg.norm(floats))
    best = [set(np.argsort(-values.ravel())[:TOP].tolist()) for values in (logits, floats)]
    same = len(best[0] & best[1])
    first = "the same" if logits.argmax() == floats.argmax() else "another"
    print_text(
        f"Beside fp32: {same} of the {TOP} best classes are the same, {first} is first; relative error {relative:.1%}"
    )
    return {"relative": figure(relative, "1"), "top": same}


def show(question: Question, image: np.ndarray, samples: list[np.ndarray], floats: np.ndarray) -> dict:
    """Compile, place, run, compare and print; what was found, for the record.

    Raises:
        MismatchError: bits differ.
        tetrarch.DeviceError: a device failed, or the RTL does not do what the models say.
    """
    name = tetrarch.reference(question.model).inputs[0].name
    calibration = [{name: sample} for sample in samples]
    fastest = compile_for(question.model, ",".join(question.devices), "int8", calibration)
    with tempfile.TemporaryDirectory() as folder:
        compiled = Compiled(Path(folder) / "integers.tet", question.devices)
        fastest.save(compiled.artifact)
        print("compute the reference of the integers (the quantised graph's interpreter)", flush=True)
        reference = tetrarch.reference(question.model, quantize="int8", calibration=calibration)(image)
        return compare(question, compiled, fastest, image, floats, np.array(reference))


def compare(
    question: Question,
    compiled: Compiled,
    fastest: tetrarch.Program,
    image: np.ndarray,
    floats: np.ndarray,
    reference: np.ndarray,
) -> dict:
    """Everything after compiling; `floats` and `reference` are the logits of fp32 and of the integers' interpreter."""
    devices = question.devices
    names = [task["name"] for task in fastest.report()["tasks"]]
    declined = {device: compiled.declined(device) for device in devices[1:]}
    programs = {}
    for device in devices:
        rest = f", {devices[0]} for {len(declined[device])} tasks" if declined.get(device) else ""
        alone = all_on(device, names, declined, devices[0])
        used = [d for d in devices if d in alone.values()]
        title = f"{device}{rest or ' alone'}" + ", not run" * demo_fpga.is_fpga(device)
        programs[title] = compiled.placed(alone, used)
    on_fpga = programs[next(reversed(programs))]  # which is priced and not run: its twin takes minutes
    streamed = demo_fpga.share(on_fpga, shared(names, declined), len(devices))
    others = [name for name in names if name not in streamed]
    placement = stages(others, devices[:-1], {d: declined[d] for d in devices[1:-1]})
    placement |= dict.fromkeys(streamed, question.fpga)
    split = compiled.placed(placement, devices)
    programs = {"forced stages": split, "the planner's own choice": fastest, **programs}
    logits = {t: np.array(program(image)) for t, program in programs.items() if program is not on_fpga}
    split(image)  # configured
    cpu = logits[f"{devices[0]} alone"]
    report = split.report()

    print(f"\nStages of as many tasks, and a few for the FPGA: forced ({len(names)} tasks)")
    print_segments(report["tasks"])
    print(
        f"\nBy device; {megabytes(report['total']['copied']['value'])} were copied between devices and host"
    )
    print_devices(report, devices)
    for device, tasks in declined.items():
        if tasks:
            print_text(f"{device} declines {len(tasks)} tasks: {', '.join(tasks)}")
    print("\nWhole calls")
    totals = show_totals(programs, image)
    chosen = fastest.report()
    print_text(f"The planner by itself uses {', '.join(used_devices(chosen))}: {chosen['plan']['reason']}")
    rtl = check_in_rtl(question, compiled, placement, image)
    logits["stages, checked in RTL"] = np.array(rtl.pop("logits"))
    npu = print_npu(facts_of_npu(question), report) if npu_parts(report) else None
    fpga = demo_fpga.print_facts(report, joules(report, question.fpga))
    for title, values in logits.items():
        must_equal(title, values, cpu)
    rounding = must_agree(cpu, reference)
    print("\nWhat was computed again")
    print_proof(report, devices, rtl)
    print_text(
        f"All {cpu.size} logits of these {len(logits)} placements have the same bits. The interpreter's differ by "
        f"{rounding:.1e} of the largest: the last step, which makes floats, rounds once here and twice there"
    )
    error = print_error(cpu, floats)
    return {
        "totals": totals,
        "placement": placement,
        "report": report,
        "planner": chosen["plan"],
        "rtl": rtl,
        "npu": npu,
        "fpga": fpga,
        "error": error,
    }
