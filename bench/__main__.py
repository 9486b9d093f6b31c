"""Measure Tetrarch beside its peers, write bench/out/*.json and docs/performance.md.

    python -m bench                           everything (about ten minutes)
    python -m bench --only resnet50 --rounds 3
    python -m bench --page                    docs/performance.md again from bench/out/

Contenders live in processes of their own and take turns: in each round each is called a few times while the others
wait. Figures are medians over all rounds. Nothing here asserts a time; see docs/performance.md for what was seen.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from bench import contenders, models, page
from bench.worker import Ready, Worker
from examples.machine import figure, machine, median

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "bench" / "out"
REFERENCE = "onnxruntime"
CALLS_A_TURN = 5
EMPTY_CALLS_A_TURN = 20_000
TOLERANCE = 1e-3  # a contender further from ONNX Runtime than this share of the largest value is not shown


def start(table: str, model: str) -> tuple[dict[str, Worker], dict[str, dict]]:
    """The workers of one model that are ready, and a first record of every contender."""
    workers, records = {}, {}
    rows = getattr(contenders, table)
    for name, contender in rows.items():
        print(f"  {contender.title:<28}", end="", flush=True)
        worker = Worker(table, name, model)
        records[name] = {"title": contender.title, "version": contender.version()}
        if isinstance(worker.ready, Ready):
            workers[name] = worker
            records[name]["prepare"] = figure(worker.ready.prepare_seconds, "s")
            print(f"ready in {worker.ready.prepare_seconds:.1f} s", flush=True)
        else:
            records[name]["failed"] = worker.ready
            print(f"failed: {worker.ready}", flush=True)
    return workers, records


def check(workers: dict[str, Worker], records: dict[str, dict]) -> None:
    """Notes how far each answer is from ONNX Runtime's; drops who is wrong."""
    expected = workers[REFERENCE].ready.output
    for name in list(workers):
        difference = np.abs(workers[name].ready.output - expected).max() / np.abs(expected).max()
        records[name]["difference"] = figure(float(difference), "1")
        if not difference <= TOLERANCE:
            records[name]["failed"] = f"its answer differs from ONNX Runtime's by {difference:.1e}"
            workers.pop(name).stop()


def take_turns(workers: dict[str, Worker], rounds: int, calls: int) -> dict[str, list[float]]:
    """Seconds of every counted call; the first call of a turn wakes the contender's threads and is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in workers}
    for _ in range(rounds):
        for name, worker in workers.items():
            time.sleep(0.05)  # the threads of the one before go to sleep
            seconds[name] += worker.call(calls + 1)[1:]
    return seconds


def bench_model(name: str, rounds: int) -> dict:
    print(models.MODELS[name].title, flush=True)
    workers, records = start("CONTENDERS", name)
    check(workers, records)
    for contender, seconds in take_turns(workers, rounds, CALLS_A_TURN).items():
        records[contender]["call"] = median(seconds)
    for worker in workers.values():
        worker.stop()
    return {"title": models.MODELS[name].title, "rounds": rounds, "contenders": records}


def bench_call(rounds: int) -> dict:
    print("a call of an empty model", flush=True)
    workers, records = start("CALL_CONTENDERS", "empty")
    for contender, seconds in take_turns(workers, rounds, EMPTY_CALLS_A_TURN).items():
        records[contender]["call"] = median(seconds)
    for worker in workers.values():
        worker.stop()
    records["tetrarch-cpp"] = cpp_call(rounds)
    return {"title": models.EMPTY.title, "rounds": rounds, "contenders": records}


def cpp_call(rounds: int) -> dict:
    """The same from C++, by bench/call_overhead.cpp: the median of the medians of `rounds` runs."""
    record = {"title": "Tetrarch, from C++", "version": contenders.CONTENDERS["tetrarch-cpu"].version()}
    program = ROOT / "build" / "bench" / "call_overhead"
    words = [str(program), str(models.EMPTY.onnx_file()), str(EMPTY_CALLS_A_TURN)]
    medians = []
    for _ in range(rounds):
        done = subprocess.run(words, capture_output=True, text=True)
        if done.returncode != 0:
            return {**record, "failed": done.stderr.strip()}
        medians.append(float(done.stdout))
    return {
        **record,
        "call": {**figure(statistics.median(medians), "s"), "calls": rounds * EMPTY_CALLS_A_TURN},
    }


def write(name: str, result: dict) -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    facts = {
        "command": "make bench",
        "machine": machine(),
        "threads": contenders.THREADS,
        "seeds": {"resnet50": models.resnet50.SEED},
        "date": time.strftime("%Y-%m-%d"),
    }
    text = json.dumps({**facts, **result}, indent=1, ensure_ascii=False)
    (OUT / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=[*models.MODELS, "call"], help="one benchmark")
    parser.add_argument("--rounds", type=int, default=10, help="turns of each contender (10)")
    parser.add_argument("--page", action="store_true", help="measure nothing, write the page from bench/out/")
    options = parser.parse_args()
    if not options.page:
        for name in [options.only] if options.only else [*models.MODELS, "call"]:
            write(name, bench_call(options.rounds) if name == "call" else bench_model(name, options.rounds))
    page.write(OUT, ROOT / "docs" / "performance.md")
    print("wrote bench/out/ and docs/performance.md")
    return 0


if __name__ == "__main__":
    sys.exit(main())
