"""Lists the workloads, or writes one with its inputs and outputs: see the package."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import numpy as np

from examples.workloads.table import WORKLOADS


def main() -> None:
    parser = argparse.ArgumentParser(
        description="List the workloads, or write one with its inputs and outputs."
    )
    parser.add_argument("name", nargs="?", choices=WORKLOADS, metavar="NAME")
    parser.add_argument("folder", nargs="?", type=Path, default=Path())
    options = parser.parse_args()
    if options.name is None:
        for workload in WORKLOADS.values():
            print(f"{workload.name:<20} {workload.title}")
        return
    workload = WORKLOADS[options.name]
    options.folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(workload.onnx_file(), options.folder / f"{workload.name}.onnx")
    inputs = workload.inputs()
    for name, array in inputs.items():
        np.save(options.folder / f"{name}.npy", array)
    for index, array in enumerate(workload.reference(**inputs)):
        np.save(options.folder / f"expected-{index}.npy", array)


if __name__ == "__main__":
    main()
