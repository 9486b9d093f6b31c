"""What `cmake --install` lays down is enough for a C++ program and for the command."""

from __future__ import annotations

import subprocess

import pytest
import small_models

from conftest import BUILD, ROOT


@pytest.fixture(scope="session")
def installed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("installed")
    subprocess.run(["cmake", "--install", BUILD, "--prefix", folder], check=True, capture_output=True)
    return folder


def test_the_installed_command_finds_its_devices(installed):
    done = subprocess.run([installed / "bin" / "tetrarch", "devices"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "cpu" in done.stdout


def test_the_example_builds_against_the_installed_package(installed, tmp_path):
    source, build = ROOT / "examples" / "cpp", tmp_path / "build"
    configure = ["cmake", "-G", "Ninja", "-S", source, "-B", build, f"-DCMAKE_PREFIX_PATH={installed}"]
    for step in (configure + ["-DCMAKE_CXX_COMPILER=clang++-22"], ["cmake", "--build", build]):
        done = subprocess.run(step, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    model = small_models.addition(tmp_path)
    done = subprocess.run([build / "run_model", model], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "z 2x3xf32: 2 2 2 2" in done.stdout
    failed = subprocess.run([build / "run_model", tmp_path / "nothing.onnx"], capture_output=True, text=True)
    assert failed.returncode == 2
    assert "nothing.onnx" in failed.stderr
