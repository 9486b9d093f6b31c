"""The families of networks that Tetrarch is made for, each beside ONNX Runtime: the same file, the same inputs.

    python -m examples.families                        the small ones of the tests
    python -m examples.families --full                 with the published sizes; the largest takes 8 GB to compile
    python -m examples.families --full bert-base gpt2  only these
    python -m examples.families --list

Prints a table: tasks, seconds to compile, CPU seconds of a call by each (all threads together, so that what else the
machine does hardly counts), and the largest difference of any output as a share of that output's largest value.
--page FILE puts the rows into a page; those of networks that were not named stay there as they are.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import tetrarch
from examples.machine import machine, machine_line
from examples.models import bert, gpt2, mobilenet, stable_diffusion, unet, vit, whisper, yolo
from examples.models.family import Network

FAMILIES = (mobilenet, yolo, unet, bert, vit, gpt2, whisper, stable_diffusion)
SMALL: tuple[Network, ...] = sum((family.SMALL for family in FAMILIES), ())
FULL: tuple[Network, ...] = sum((family.FULL for family in FAMILIES), ())
TIMED_SECONDS = 3.0

Arrays = tuple[np.ndarray, ...]


@dataclass(frozen=True)
class Row:
    """What one call of one network gave."""

    network: str
    call: str
    tasks: int
    compile_seconds: float
    cpu_seconds: float
    their_cpu_seconds: float
    difference: float

    def cells(self) -> tuple[str, ...]:
        return (
            self.network,
            self.call,
            str(self.tasks),
            f"{self.compile_seconds:.1f}",
            f"{1e3 * self.cpu_seconds:.1f}",
            f"{1e3 * self.their_cpu_seconds:.1f}",
            f"{self.difference:.0e}",
        )


HEADER = (
    "network",
    "call",
    "tasks",
    "compile, CPU s",
    "a call, CPU ms",
    "ONNX Runtime, CPU ms",
    "difference",
)


def difference(ours: Sequence[np.ndarray], theirs: Sequence[np.ndarray]) -> float:
    """The largest, over all outputs, as a share of the output's largest magnitude."""
    shares = [
        float(np.abs(a.astype(np.float64) - b).max()) / max(float(np.abs(b).max()), 1e-30)
        for a, b in zip(ours, theirs, strict=True)
    ]
    return max(shares)


def cpu_seconds(call: Callable[[], object]) -> float:
    """CPU time of one call of all threads of this process: the least of those that fit into a few seconds."""
    end, least = time.monotonic() + TIMED_SECONDS, float("inf")
    while True:
        start = time.process_time()
        call()
        least = min(least, time.process_time() - start)
        if time.monotonic() > end:
            return least


def theirs(model: Path, inputs: dict[str, np.ndarray]) -> tuple[Arrays, float]:
    """ONNX Runtime's outputs and CPU time. Its session ends here, and its memory with it."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = len(os.sched_getaffinity(0))
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # waiting is not work
    session = onnxruntime.InferenceSession(str(model), options)
    return tuple(session.run(None, inputs)), cpu_seconds(lambda: session.run(None, inputs))


def rows_of(network: Network) -> list[Row]:
    """Each call of the network by both."""
    rows, model = [], network.onnx_file()
    for call, inputs in network.arrays().items():
        expected, their_seconds = theirs(model, inputs)
        start = time.process_time()
        shapes = {name: array.shape for name, array in inputs.items()}
        program = tetrarch.compile(model, shapes=shapes)
        compiled = time.process_time() - start
        results = program(**inputs)
        results = results if isinstance(results, tuple) else (results,)
        rows.append(
            Row(
                network.name,
                call,
                len(program.report()["tasks"]),
                compiled,
                cpu_seconds(lambda inputs=inputs, program=program: program(**inputs)),
                their_seconds,
                difference(results, expected),
            )
        )
    return rows


def line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def rows_in(page: Path) -> dict[str, list[str]]:
    """The lines of a page's table by network, in its order; an error when another machine's are there."""
    if not page.exists():
        return {}
    text = page.read_text(encoding="utf-8")
    if machine_line(machine()) not in text:
        raise SystemExit(f"{page}: its rows were measured on another machine; remove it to begin anew")
    table: dict[str, list[str]] = {}
    for row in (found for found in text.splitlines() if found.startswith("| ")):
        table.setdefault(row.split("|")[1].strip(), []).append(row)
    return {name: rows for name, rows in table.items() if name not in (HEADER[0], "---")}


def sections_in(page: Path) -> str:
    """What people wrote below the table."""
    text = page.read_text(encoding="utf-8") if page.exists() else ""
    return text[text.index("\n## ") :] if "\n## " in text else ""


def page(table: dict[str, list[str]], sections: str) -> str:
    """The table as a page, its rows in the order of FULL, and what comes below it."""
    order = [network.name for network in FULL]
    rows = [row for name in sorted(table, key=order.index) for row in table[name]]
    missing = [name for name in order if name not in table]
    lines = [line(HEADER), line(["---"] * 2 + ["---:"] * 5), *rows]
    if missing:
        lines += [
            "",
            f"Not measured here: {', '.join(missing)}; the tests run all networks with fewer channels.",
        ]
    return f"""# Families of networks

Networks with their published sizes and weights from a seed, compiled for the CPU and run beside ONNX Runtime.
Made by `python -m examples.families --full --page docs/model-families.md`; all figures measured, on
{machine_line(machine())}. CPU time is that of all threads
together, the least of the calls of three seconds. Other programs shared the cores meanwhile; the two of a row ran one
after the other, so compare them with each other. `prompt` and `first` are calls with an empty key-value cache, `next`
those of one token with the cache that was given back.

{chr(10).join(lines)}
{sections}"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", help="of the networks; all of them by default")
    parser.add_argument("--full", action="store_true", help="the published sizes")
    parser.add_argument("--list", action="store_true", help="print the names")
    parser.add_argument("--page", type=Path, help="also put the rows into this page; needs --full")
    options = parser.parse_args()
    if options.page and not options.full:
        parser.error("a page has the published sizes; give --full as well")
    networks = {network.name: network for network in (FULL if options.full else SMALL)}
    if unknown := set(options.names) - set(networks):
        parser.error(f"no network {', '.join(sorted(unknown))}; there are {', '.join(networks)}")
    if options.list:
        print("\n".join(networks))
        return
    print(line(HEADER))
    table = rows_in(options.page) if options.page else {}
    for name in options.names or networks:
        table[name] = []
        for row in rows_of(networks[name]):
            table[name].append(line(row.cells()))
            print(table[name][-1], flush=True)
        if options.page:
            options.page.write_text(page(table, sections_in(options.page)), encoding="utf-8")


if __name__ == "__main__":
    main()
