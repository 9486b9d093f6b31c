"""The `tetrarch` command of a wheel: hands over to the program that lies in the package."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def main() -> None:
    program = Path(__file__).parent / "bin" / "tetrarch"
    os.environ.setdefault("TETRARCH_PYTHON", sys.executable)  # which has the tools, if any has
    os.execv(program, [str(program), *sys.argv[1:]])
