"""Build the Python wheel, install it into a fresh virtual environment, and run a model there: `make wheel`.

The wheel goes to dist/, what is compiled for it to build-wheel/.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

# Run by the fresh environment's Python, with an ONNX model as its argument.
TRIAL = """
import sys, numpy as np, tetrarch
program = tetrarch.compile(sys.argv[1], measure=False)
x = np.arange(6, dtype=np.float32).reshape(2, 3)
assert (program(x, x) == 2 * x).all()
print(tetrarch.__file__, [device.name for device in tetrarch.devices()])
"""


def run(*command: str | Path, **options) -> None:
    subprocess.run([str(word) for word in command], check=True, **options)


def build() -> Path:
    """The wheel of this tree."""
    options = ("--no-deps", "--no-build-isolation", "-C", "build-dir=build-wheel", "--wheel-dir", "dist")
    run(sys.executable, "-m", "pip", "wheel", "-q", *options, ".", cwd=ROOT)
    return max((ROOT / "dist").glob("tetrarch-*.whl"), key=lambda wheel: wheel.stat().st_mtime)


def try_out(wheel: Path) -> None:
    """Installs the wheel where nothing of this tree is, and uses the package and the command."""
    sys.path.insert(0, str(ROOT / "test"))
    import small_models

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run(sys.executable, "-m", "venv", folder / "venv")
        programs = folder / "venv" / "bin"
        run(programs / "pip", "install", "-q", "--disable-pip-version-check", wheel)
        model = small_models.addition(folder)
        run(programs / "python", "-c", TRIAL, model, cwd=folder)
        run(programs / "tetrarch", "run", model, "--random", "--quiet", cwd=folder, stdout=subprocess.DEVNULL)


def main() -> None:
    start = time.monotonic()
    wheel = build()
    try_out(wheel)
    print(f"{wheel.relative_to(ROOT)}: works in an environment of its own ({time.monotonic() - start:.0f} s)")


if __name__ == "__main__":
    main()
