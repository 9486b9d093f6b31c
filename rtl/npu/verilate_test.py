"""Models that Verilator made are kept: cmake/Verilate.cmake, with a stand-in for Verilator that counts how often it ran."""

from __future__ import annotations

import os
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "cmake" / "Verilate.cmake"
# Writes a class and a file for each source; runs a while, so that two may run at once.
TOOL = """\
#!/usr/bin/env python3
import os, pathlib, sys, time
folder = pathlib.Path(sys.argv[sys.argv.index("-Mdir") + 1])
with open(os.environ["VERILATOR_ROOT"] + "/runs", "a") as runs:
    runs.write("run\\n")
time.sleep(0.3)
for source in sys.argv[sys.argv.index("-I.") + 1:]:
    text = pathlib.Path(source).read_text()
    if "wrong" in text:
        sys.exit(1)
    (folder / f"V{pathlib.Path(source).stem}.cpp").write_text(f"// {text}")
"""


@dataclass
class Workplace:
    """A folder of sources, a tool and a cache."""

    root: Path

    def make(self, name: str = "model", options: str = "-O3;-GS=8", cache: bool = True) -> Path:
        """The folder of a model of a.sv and b.sv, which includes c.svh."""
        folder = self.root / name
        arguments = {
            "ROOT": self.root,
            "OPTIONS": options,
            "SOURCES": "a.sv;b.sv",
            "INCLUDED": "c.svh",
            "FOLDER": folder,
            "CACHE": self.root / "cache" if cache else "",
        }
        words = [f"-D{name}={value}" for name, value in arguments.items()]
        subprocess.run(["cmake", *words, "-P", SCRIPT], cwd=self.root, check=True, capture_output=True)
        return folder

    @property
    def runs(self) -> int:
        """How often the tool ran so far."""
        log = self.root / "runs"
        return len(log.read_text().splitlines()) if log.exists() else 0

    def entries(self) -> list[Path]:
        return list((self.root / "cache").iterdir())


@pytest.fixture
def workplace(tmp_path):
    tool = tmp_path / "bin" / "verilator_bin"
    tool.parent.mkdir()
    tool.write_text(TOOL)
    tool.chmod(0o755)
    for name in ("a.sv", "b.sv", "c.svh"):
        (tmp_path / name).write_text(f"module {name}")
    return Workplace(tmp_path)


def test_a_model_is_made_once(workplace):
    begin = time.time()
    first, second = workplace.make("first"), workplace.make("second")
    assert workplace.runs == 1
    for folder in (first, second):
        assert (folder / "all.cpp").read_text() == '#include "Va.cpp"\n#include "Vb.cpp"\n'
        assert (folder / "Va.cpp").read_text() == "// module a.sv"
        # A build goes by the age of files, also of those from the cache.
        assert all(file.stat().st_mtime >= begin - 1 for file in folder.iterdir())


def test_what_the_model_follows_from_makes_another(workplace):
    workplace.make()
    changes = [
        lambda: workplace.make(options="-O3;-GS=16"),
        lambda: (workplace.root / "b.sv").write_text("module b2"),
        lambda: (workplace.root / "c.svh").write_text("`define C"),
        lambda: (workplace.root / "bin" / "verilator_bin").write_text(TOOL + "# another version\n"),
    ]
    for count, change in enumerate(changes, 2):
        change()
        folder = workplace.make(options="-O3;-GS=16")
        assert workplace.runs == count
    assert (folder / "Vb.cpp").read_text() == "// module b2"


def test_a_model_leaves_no_file_of_the_one_before(workplace):
    stale = workplace.make() / "Vstale.cpp"
    stale.write_text("")
    workplace.make()
    assert not stale.exists()


def test_two_at_once_make_one_whole_model(workplace):
    with ThreadPoolExecutor() as pool:
        folders = list(pool.map(workplace.make, ("first", "second", "third")))
    assert len({(folder / "Va.cpp").read_text() for folder in folders}) == 1
    assert len(workplace.entries()) == 1


def test_a_failure_leaves_nothing_behind(workplace):
    (workplace.root / "a.sv").write_text("wrong")
    with pytest.raises(subprocess.CalledProcessError):
        workplace.make()
    assert not workplace.entries()
    assert not (workplace.root / "model").exists()


def test_what_is_long_unused_is_removed(workplace):
    workplace.make()
    (old,) = workplace.entries()
    long_ago = time.time() - 40 * 86400
    os.utime(old, (long_ago, long_ago))
    workplace.make(options="-O3")
    assert old not in workplace.entries()


def test_it_works_without_a_cache(workplace):
    assert (workplace.make(cache=False) / "Va.cpp").exists()
    (workplace.root / "cache").write_text("no folder")
    assert (workplace.make() / "Vb.cpp").exists()
    assert workplace.runs == 2
