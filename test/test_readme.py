"""What the README tells people to type works as written."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from small_models import IMAGE, write_classifier

from conftest import BUILD, ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder with the files that the examples name; a small network stands in for ResNet-50."""
    made = tmp_path_factory.mktemp("readme")
    write_classifier(made / "resnet50.onnx")
    np.save(made / "image.npy", np.zeros(IMAGE, np.float32))
    return made


def environment() -> dict[str, str]:
    path = os.pathsep.join([str(BUILD / "bin"), os.environ["PATH"]])
    return {**os.environ, "PATH": path, "PYTHONPATH": str(BUILD / "python")}


def test_commands(folder):
    lines = [line for block in blocks("sh") for line in block.splitlines() if line.startswith("tetrarch ")]
    assert len(lines) >= 4
    for line in lines:
        done = subprocess.run(line.split(), cwd=folder, env=environment(), capture_output=True, text=True)
        assert done.returncode == 0, f"{line}\n{done.stderr}"
    assert np.load(folder / "logits.npy").shape == (1, 10)
    assert (folder / "trace.json").exists()


def test_python(folder):
    (block,) = blocks("python")
    words = [sys.executable, "-c", block]
    done = subprocess.run(words, cwd=folder, env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "'source': 'measured'" in done.stdout


def test_cpp_is_in_the_example():
    (block,) = blocks("cpp")
    example = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "examples" / "cpp").glob("*.cpp"))
    squeezed = re.sub(r"\s+", " ", example)
    for line in block.splitlines():
        assert re.sub(r"\s+", " ", line.strip()) in squeezed


def test_links_lead_somewhere():
    for page in [ROOT / "README.md", ROOT / "ARCHITECTURE.md", *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.relative_to(ROOT)} names {target}"


def test_make_targets_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"`?make ([a-z0-9-]+)", README)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
