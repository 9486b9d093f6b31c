"""The FPGA's share of the demo's second part: which tasks it gets, and what is known of them.

The share is forced, as the NPU's is: of the tasks that all devices take those that cost it least by its own model, few
enough that one or two configurations of the part hold them. It is simulated; nothing here was measured on a chip.
"""

from __future__ import annotations

from collections.abc import Iterable

import tetrarch
from examples.machine import figure

TASKS = 2  # at most


def is_fpga(device: str) -> bool:
    return device.split(":")[0] == "fpga"


def parts_of(report: dict) -> list[dict]:
    """One a task, by the name of the task."""
    return [
        {"task": task["name"], **part}
        for task in report["tasks"]
        for part in task["parts"]
        if is_fpga(part["device"])
    ]


def counted(parts: Iterable[dict], counter: str) -> int:
    """The sum over the parts. A segment is one launch, so one part of it has the counters."""
    return sum(part.get("counters", {}).get(counter, 0) for part in parts)


def share(everything: tetrarch.Program, shared: list[str], devices: int) -> list[str]:
    """Which of the tasks that all devices take are the FPGA's; `everything` has it compute all, and did not run."""
    seconds = {part["task"]: part["time"]["value"] for part in parts_of(everything.report())}
    cheapest = sorted(shared, key=seconds.__getitem__)
    return cheapest[: min(TASKS, max(1, len(shared) // devices))]


def print_facts(report: dict, energy: dict | None) -> dict:
    """Time and energy of the FPGA's share, and where each figure comes from."""
    parts = parts_of(report)
    seconds = sum(part["time"]["value"] for part in parts)
    cycles, moved, routed, changes = (
        counted(parts, name) for name in ("cycles", "transfer_bytes", "routed_units", "reconfigurations")
    )
    clock = "which place and route found" if routed else "not routed yet: tetrarch fpga build"
    print(f"\nThe FPGA's share: {', '.join(part['task'] for part in parts)}")
    print(f"  time    {seconds * 1e3:.3f} ms: {cycles:,} cycles (the timing model, which the RTL keeps")
    print(f"          exactly) at the kernels' clocks ({clock}),")
    print(f"          {moved / 1e6:.2f} MB over the stated link, {changes} configurations at 63 ms each")
    if energy:
        print(f"  energy  {energy['value'] * 1e3:.2f} mJ; half and twice of it is its range")
    print(f"  Both are {parts[0]['time']['source']}: an ECP5-85k that nobody plugged in (docs/fpga.md)")
    return {
        "tasks": [part["task"] for part in parts],
        "cycles": cycles,
        "configurations": changes,
        "time": figure(seconds, "s", parts[0]["time"]["source"]),
        **({"energy": energy} if energy else {}),
    }
