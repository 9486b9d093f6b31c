"""Energy of each class of instruction, from the core as gates.

The core runs one program that does nothing but load its operands, and for each class the same program with UNITS of that
class behind it. What the second takes more, less its idle cycles and what earlier classes account for, is that of the
class. Memories are not part of it: they are counted by accesses. A program like a layer, which no class has seen, says how
well the sum over classes meets what its gates take.
"""

from __future__ import annotations

from dataclasses import dataclass

from rtl.flow import programs
from rtl.flow.core import GateCore, Run

IDLE_CYCLES = 400


@dataclass
class Level:
    """At one level of activity."""

    joules: dict[str, float]  # a unit of each class, and "cycle": one in which nothing else happens
    layer: float  # the program like a layer, by its gates
    layer_summed: float  # and by the sum over classes


def programs_of(shape: programs.Shape, level: str, seed: int) -> list[tuple[str, programs.Program, int]]:
    """What is run for a level: name, program, idle cycles behind it."""
    idle = programs.idle(shape, level, seed)
    return [
        ("idle", idle, 0),
        ("cycle", idle, IDLE_CYCLES),
        *((name, programs.one_class(name, shape, level, seed), 0) for name in shape.kind.classes),
        ("layer", programs.layer(shape, level, seed + 1), 0),
        ("layer idle", programs.idle(shape, level, seed + 1), 0),
    ]


def characterise(core: GateCore, shape: programs.Shape, seed: int) -> tuple[dict[str, Level], list]:
    """All levels at once, and (program, run) of each that was run, to be checked against the RTL."""
    plans = {level: programs_of(shape, level, seed) for level in programs.Data.LEVELS}
    rows = [row for plan in plans.values() for row in plan]
    runs = core.run([program for _, program, _ in rows], [idle for _, _, idle in rows])
    found = iter(runs)
    levels = {level: evaluate(plan, [next(found) for _ in plan]) for level, plan in plans.items()}
    return levels, [(program, run) for (_, program, idle), run in zip(rows, runs, strict=True) if idle == 0]


def evaluate(plan: list, runs: list[Run]) -> Level:
    """Solves for one class after the other."""
    made = {name: (program, run) for (name, program, _), run in zip(plan, runs, strict=True)}
    base_program, base = made["idle"]
    joules = {"cycle": (made["cycle"][1].joules - base.joules) / IDLE_CYCLES}
    for name in base_program.shape.kind.classes:
        program, run = made[name]
        more = program.units - base_program.units
        known = _summed(joules, more, run.cycles - base.cycles)
        # What a class takes less than idle is noise of where cycles fall.
        joules[name] = max((run.joules - base.joules - known) / more[name], 0.0)
    layer_program, layer = made["layer"]
    before = made["layer idle"][1]
    more = layer_program.units - base_program.units
    return Level(joules, layer.joules - before.joules, _summed(joules, more, layer.cycles - before.cycles))


def _summed(joules: dict[str, float], units, cycles: int) -> float:
    """Over the classes that are known."""
    return joules["cycle"] * cycles + sum(
        joules[name] * count for name, count in units.items() if name in joules
    )
