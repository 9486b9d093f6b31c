"""A contender in a process of its own, so that no library's threads or settings reach another's.

Started by the benchmark with one end of a pipe. It sends a `Ready` (or the text of what went wrong), then, for each
number n that it receives, the seconds of n calls; it ends when it receives None.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from multiprocessing import Pipe, get_context
from multiprocessing.connection import Connection

import numpy as np


@dataclass
class Ready:
    prepare_seconds: float  # from the file to the first answer
    output: np.ndarray


def serve(pipe: Connection, table: str, contender: str, model: str) -> None:
    from bench import contenders, models

    chosen = models.EMPTY if model == "empty" else models.MODELS[model]
    chosen.onnx_file()  # made before the clock starts
    chosen.inputs()
    start = time.perf_counter()
    try:
        call = getattr(contenders, table)[contender].make(chosen)
        output = call()
    except Exception as error:  # any library may fail in its own way; the table says so
        pipe.send(f"{type(error).__name__}: {error}")
        return
    prepared = time.perf_counter() - start
    if hasattr(output, "numpy"):
        output = output.numpy()
    pipe.send(Ready(prepared, np.array(output)))
    while (calls := pipe.recv()) is not None:
        seconds = []
        for _ in range(calls):
            begin = time.perf_counter()
            call()
            seconds.append(time.perf_counter() - begin)
        pipe.send(seconds)


class Worker:
    """The benchmark's side of one contender."""

    def __init__(self, table: str, contender: str, model: str):
        self.pipe, theirs = Pipe()
        process = get_context("spawn").Process(
            target=serve, args=(theirs, table, contender, model), daemon=True
        )
        process.start()
        theirs.close()
        try:
            self.ready: Ready | str = self.pipe.recv()
        except EOFError:
            process.join()
            self.ready = f"its process ended with {process.exitcode}"

    def call(self, times: int) -> list[float]:
        """Seconds of each of `times` calls."""
        self.pipe.send(times)
        return self.pipe.recv()

    def stop(self) -> None:
        if isinstance(self.ready, Ready):
            self.pipe.send(None)
