"""Draws the split of a run as SVG, from what `make demo` wrote.

python -m examples.picture demo-out/demo.json docs/split.svg
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from pathlib import Path

from examples.machine import machine_line

WIDTH, LEFT, RIGHT = 920, 190, 90
LANE, GAP = 44, 10
SPLIT = "#4c9a5b"
# The same in every panel.
COLOURS = {"cpu": "#2f6fb0", "opencl": "#d9822b", "npu": "#8a5ca8", "fpga": "#c2475d"}
QUIET, INK = "#6b7280", "#1f2937"
WHOLE_RUN = "run"  # the trace's track of the call as a whole


@dataclass
class Step:
    """One event of a trace: what ran where, in milliseconds from the start of the run."""

    device: str
    name: str
    begin: float
    end: float


def read_steps(trace: Path) -> list[Step]:
    """The complete events of a Chrome trace, by track name."""
    events = json.loads(trace.read_text(encoding="utf-8"))["traceEvents"]
    tracks = {event["tid"]: event["args"]["name"] for event in events if event["ph"] == "M"}
    complete = [event for event in events if event["ph"] == "X" and tracks[event["tid"]] != WHOLE_RUN]
    start = min(event["ts"] for event in complete)
    return [
        Step(
            tracks[event["tid"]],
            event["name"],
            (event["ts"] - start) / 1e3,
            (event["ts"] + event["dur"] - start) / 1e3,
        )
        for event in complete
    ]


def report_steps(report: dict) -> list[Step]:
    """The tasks of a report one after the other, each as long as the report says."""
    steps, now = [], 0.0
    for task in report["tasks"]:
        for part in task["parts"]:
            end = now + part["time"]["value"] * 1e3
            steps.append(Step(part["device"], task["name"], now, end))
        now += task["time"]["value"] * 1e3
    return steps


class Drawing:
    """SVG elements in the order of drawing."""

    def __init__(self):
        self.elements: list[str] = []

    def text(self, x: float, y: float, content: str, *, size=13, colour=INK, anchor="start", weight="normal"):
        self.elements.append(
            f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{colour}" text-anchor="{anchor}" '
            f'font-weight="{weight}">{escape(content)}</text>'
        )

    def box(self, x: float, y: float, width: float, height: float, colour: str, hint: str = ""):
        title = f"<title>{escape(hint)}</title>" if hint else ""
        self.elements.append(
            f'<rect x="{x:.2f}" y="{y:.1f}" width="{max(width, 0.4):.2f}" height="{height}" fill="{colour}" '
            f'stroke="#ffffff" stroke-width="0.5">{title}</rect>'
        )

    def line(self, x1: float, y1: float, x2: float, y2: float):
        self.elements.append(
            f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="#d1d5db"/>'
        )

    def svg(self, height: float) -> str:
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" '
            f'width="{WIDTH}" height="{height:.0f}" font-family="DejaVu Sans, Helvetica, Arial, sans-serif">'
        )
        ground = f'<rect width="{WIDTH}" height="{height:.0f}" fill="#ffffff"/>'
        return "\n".join([head, ground, *self.elements, "</svg>"]) + "\n"


def tick_step(span: float, count: int = 8) -> float:
    """A round distance between ticks, so that about `count` of them cover the span."""
    for step in (m * 10.0**e for e in range(-3, 6) for m in (1, 2, 5)):
        if span / step <= count:
            return step
    return span


def draw_timeline(drawing: Drawing, steps: Iterable[Step], y: float) -> float:
    """A lane for each device, a box for each step; returns where the drawing goes on."""
    steps = list(steps)
    span = max(step.end for step in steps)
    scale = (WIDTH - LEFT - RIGHT) / span
    devices = list(dict.fromkeys(step.device for step in steps))
    bottom = y + len(devices) * (LANE + GAP)
    distance = tick_step(span)
    for index in range(int(span / distance) + 1):
        x = LEFT + index * distance * scale
        drawing.line(x, y - 4, x, bottom)
        drawing.text(x, bottom + 14, f"{index * distance:g} ms", size=11, colour=QUIET, anchor="middle")
    for lane, device in enumerate(devices):
        top = y + lane * (LANE + GAP)
        own = [step for step in steps if step.device == device]
        busy = sum(step.end - step.begin for step in own)
        drawing.text(LEFT - 12, top + 19, device, anchor="end", weight="bold")
        drawing.text(LEFT - 12, top + 35, f"busy {busy:.1f} ms", size=11, colour=QUIET, anchor="end")
        for step in own:
            x, width = LEFT + step.begin * scale, (step.end - step.begin) * scale
            colour = COLOURS.get(device.partition(":")[0], INK)
            drawing.box(x, top, width, LANE, colour, f"{step.name}: {step.end - step.begin:.3f} ms")
    return bottom + 34


def draw_totals(drawing: Drawing, totals: list[dict], y: float) -> float:
    """A bar for each way of running the model; returns where the drawing goes on."""
    longest = max(total["time"]["value"] for total in totals)
    scale = (WIDTH - LEFT - RIGHT) / longest
    for index, total in enumerate(totals):
        top, value = y + index * 26, total["time"]["value"]
        drawing.text(
            LEFT - 12, top + 14, total["name"], anchor="end", weight="bold" if index == 0 else "normal"
        )
        drawing.box(LEFT, top, value * scale, 19, SPLIT if index == 0 else "#c3c8d0")
        drawing.text(LEFT + value * scale + 6, top + 14, f"{value * 1e3:.1f} ms", size=12)
    return y + len(totals) * 26 + 12


def draw_heading(drawing: Drawing, title: str, note: str, y: float) -> float:
    """Returns where the drawing goes on."""
    drawing.text(20, y, title, size=14, weight="bold")
    drawing.text(20, y + 17, note, size=12, colour=QUIET)
    return y + 34


def draw(record: dict, steps: list[Step]) -> str:
    """The whole picture as SVG text."""
    drawing = Drawing()
    title = f"{record['model']} on one photograph, split over CPU, GPU, NPU and FPGA"
    drawing.text(20, 30, title, size=17, weight="bold")
    note = "Each box is one step of one run; both processors are real."
    if record["forced"]:
        note += " The split is forced: alone, the planner keeps to one device."
    y = draw_heading(drawing, "In 32-bit floats over CPU and GPU", note, 58)
    y = draw_timeline(drawing, steps, y)
    note = "Each box is one task. NPU and FPGA are simulated, their times modelled, and the split is forced."
    y = draw_heading(drawing, "In 8-bit integers over CPU, GPU, NPU and FPGA", note, y + 12)
    y = draw_timeline(drawing, report_steps(record["integers"]["report"]), y)
    y = draw_heading(drawing, "One call in 32-bit floats", "Medians, measured.", y + 12)
    y = draw_totals(drawing, record["totals"], y - 8)
    drawing.text(20, y + 12, f"Made by `{record['command']}` on {machine_line(record['machine'])}.", size=11,
                 colour=QUIET)  # fmt: skip
    return drawing.svg(y + 28)


def main() -> int:
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    source, target = map(Path, sys.argv[1:])
    record = json.loads(source.read_text(encoding="utf-8"))
    target.write_text(draw(record, read_steps(source.parent / record["trace"])), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
