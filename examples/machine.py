"""What a measurement has to say about where it was taken, and how contenders are timed beside each other."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path

# CPU features that decide which kernels a library picks.
TELLING_FLAGS = ("avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile", "asimd", "sve")


def machine() -> dict:
    """The processor, its cores that this process may use, its telling features, and the system."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    fields = {}
    for line in lines:
        key, _, value = line.partition(":")
        fields.setdefault(key.strip(), value.strip())
    flags = (fields.get("flags") or fields.get("Features") or "").split()
    return {
        "cpu": fields.get("model name", platform.processor()),
        "cores": len(os.sched_getaffinity(0)),
        "features": [flag for flag in TELLING_FLAGS if flag in flags],
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def machine_line(facts: dict) -> str:
    """The machine in one line, for captions."""
    return f"{facts['cpu']}, {facts['cores']} cores, {' '.join(facts['features'])}"


def figure(value: float, unit: str, source: str = "measured") -> dict:
    """A number as every report here has it."""
    return {"value": value, "unit": unit, "source": source}


def interleaved(
    contenders: Mapping[str, Callable[[], object]], rounds: int, repeats: int = 3
) -> dict[str, list[float]]:
    """Seconds of each call, by contender: in each round each one in turn is called `repeats` times.

    Contenders alternate, so that a machine that slows down slows all of them down. One call before each turn is
    not counted: it wakes the contender's threads, and the last contender's go to sleep.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, call in contenders.items():
            time.sleep(0.02)
            call()
            for _ in range(repeats):
                start = time.perf_counter()
                call()
                seconds[name].append(time.perf_counter() - start)
    return seconds


def median(seconds: list[float]) -> dict:
    """The median as a figure, with what it is the median of."""
    return {
        **figure(statistics.median(seconds), "s"),
        "calls": len(seconds),
        "minimum": min(seconds),
        "maximum": max(seconds),
    }
