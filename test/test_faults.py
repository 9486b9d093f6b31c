"""What is broken, hostile or fails: one sentence that names it, the exit status of whose fault it is, nothing left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import jsonschema
import numpy as np
import onnx
import pytest
import small_models
from onnx import TensorProto, helper

from conftest import BUILD, ROOT

SCHEMA = json.loads((ROOT / "docs" / "report.schema.json").read_text(encoding="utf-8"))
BAD_DEVICES = BUILD / "tetrarch" / "run" / "bad_devices"
FAILING_DEVICE = BUILD / "tetrarch" / "run" / "failing_device"


class Workplace:
    """A folder for a command to work in, with a folder for temporary files of its own."""

    def __init__(self, folder: Path, command):
        self.folder, self.temporary, self.command = folder / "here", folder / "tmp", command
        self.folder.mkdir()
        self.temporary.mkdir()

    def run(self, *arguments: object, plugins: Path | None = None) -> subprocess.CompletedProcess:
        """Runs `tetrarch`; what it had to leave behind on an error is checked at once."""
        before = self.files()
        environment = {**os.environ, "TMPDIR": str(self.temporary)}
        if plugins:
            environment["TETRARCH_DEVICE_PATH"] = str(plugins)
        done = self.command(*arguments, cwd=self.folder, env=environment)
        if done.returncode != 0:
            assert self.files() == before, "nothing is left behind"
        assert not list(self.temporary.iterdir()), "no temporary file is left behind"
        return done

    def files(self) -> list[Path]:
        return sorted(self.folder.rglob("*"))

    def sentence(self, *arguments: object, status: int, **options) -> str:
        """The one line on standard error of a command that ends with `status`."""
        done = self.run(*arguments, **options)
        assert done.returncode == status, done.stdout + done.stderr
        assert done.stdout == ""
        (line,) = done.stderr.splitlines()
        assert line.startswith("tetrarch: ")
        return line


@pytest.fixture
def here(tmp_path, command):
    return Workplace(tmp_path, command)


@pytest.fixture
def model(here):
    return small_models.perceptron(here.folder)


# ---- plug-ins

WRONG_PLUGINS = {
    "lacks_symbol": "exports no 'tetrarch_plugin'",
    "says_no": "cannot work on this machine",
    "wrong_size": "struct_size 24",
    "wrong_version": "version 77.",
    "lacks_entry": "lacks the required entry 'device_count'",
}


@pytest.mark.parametrize("name", WRONG_PLUGINS)
def test_a_wrong_plugin_is_named_when_it_is_asked_for(name, here, model):
    line = here.sentence(
        "run", model, "--random", "--quiet", "--devices", name, status=2, plugins=BAD_DEVICES
    )
    assert f"tetrarch_{name}.so" in line
    assert WRONG_PLUGINS[name] in line


def test_wrong_plugins_are_listed_and_stop_nobody(here, model):
    done = here.run("devices", "--json", plugins=BAD_DEVICES)
    document = json.loads(done.stdout)
    jsonschema.validate(document, SCHEMA)
    assert "cpu" in [device["name"] for device in document["devices"]]
    for name, why in WRONG_PLUGINS.items():
        (sentence,) = [p for p in document["problems"] if f"tetrarch_{name}.so" in p]
        assert why in sentence
    assert here.run("run", model, "--random", plugins=BAD_DEVICES).returncode == 0


def test_a_plugin_that_is_no_library(here, model):
    (here.folder / "tetrarch_text.so").write_text("not a library", encoding="utf-8")
    line = here.sentence(
        "run", model, "--random", "--quiet", "--devices", "text", status=2, plugins=here.folder
    )
    assert "tetrarch_text.so" in line


def test_a_failure_in_the_middle_of_a_launch_is_the_devices(here, model):
    arguments = ("run", model, "--random", "--quiet", "--no-measure", "--devices", "failing")
    line = here.sentence(*arguments, status=3, plugins=FAILING_DEVICE)
    assert "tetrarch_failing.so: failing: the command processor stopped in the middle of a launch" in line
    document = json.loads(here.run(*arguments, "--json", plugins=FAILING_DEVICE).stdout)
    jsonschema.validate(document, SCHEMA)
    assert document["error"]["exit"] == 3


def test_a_failure_while_measuring_leaves_no_artifact(here, model):
    arguments = ("compile", model, "-o", "m.tet", "--quiet", "--devices", "failing")
    line = here.sentence(*arguments, status=3, plugins=FAILING_DEVICE)
    assert "failing" in line


def test_a_device_that_is_lost_in_a_run(here, model):
    line = here.sentence(
        *("run", model, "--random", "--quiet", "--no-measure"),
        *("--devices", "cpu:fail_after_launches=0"),
        status=3,
    )
    assert "cpu" in line
    assert "lost" in line


def test_a_plugin_that_vanishes(here, model):
    arguments = ("compile", model, "-o", "m.tet", "--no-measure", "--devices", "failing")
    assert here.run(*arguments, plugins=FAILING_DEVICE).returncode == 0
    line = here.sentence("run", "m.tet", "--random", status=3)
    assert "m.tet" in line
    assert "failing" in line


def test_python_raises_by_whose_fault_it_is(model):
    program = f"""
import tetrarch
try:
    tetrarch.compile({str(model)!r}, devices=["failing"])
except tetrarch.DeviceError as error:
    print(error)
try:
    tetrarch.compile({str(model)!r}, devices=["wrong_size"])
except tetrarch.InputError as error:
    print(error)
"""
    environment = {
        **os.environ,
        "PYTHONPATH": str(BUILD / "python"),
        "TETRARCH_DEVICE_PATH": f"{FAILING_DEVICE}:{BAD_DEVICES}",
    }
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    assert "middle of a launch" in first
    assert "tetrarch_wrong_size.so" in second


# ---- models


def hostile(nodes, inputs, outputs, initializers=()) -> onnx.ModelProto:
    """An unchecked model; inputs and outputs are (name, type, shape)."""
    graph = helper.make_graph(
        nodes,
        "hostile",
        [helper.make_tensor_value_info(*value) for value in inputs],
        [helper.make_tensor_value_info(*value) for value in outputs],
        list(initializers),
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


X, Y = ("x", TensorProto.FLOAT, [2]), ("y", TensorProto.FLOAT, [2])


def cyclic() -> onnx.ModelProto:
    nodes = [helper.make_node("Add", ["x", "b"], ["a"]), helper.make_node("Relu", ["a"], ["b"])]
    return hostile([*nodes, helper.make_node("Relu", ["b"], ["y"])], [X], [Y])


def mistyped() -> onnx.ModelProto:
    node = helper.make_node("Add", ["x", "i"], ["y"])
    return hostile([node], [X, ("i", TensorProto.INT64, [2])], [Y])


def oversized() -> onnx.ModelProto:
    shape = [1 << 20, 1 << 20]
    return hostile(
        [helper.make_node("Relu", ["x"], ["y"])],
        [("x", TensorProto.FLOAT, shape)],
        [("y", TensorProto.FLOAT, shape)],
    )


def oversized_weights() -> onnx.ModelProto:
    weights = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[1 << 20, 1 << 20])
    return hostile([helper.make_node("Add", ["x", "w"], ["y"])], [X], [Y], [weights])


def recursive() -> onnx.ModelProto:
    model = hostile([helper.make_node("F", ["x"], ["y"], domain="own")], [X], [Y])
    body = [helper.make_node("F", ["a"], ["b"], domain="own")]
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    model.functions.append(helper.make_function("own", "F", ["a"], ["b"], body, imports))
    model.opset_import.append(helper.make_opsetid("own", 1))
    return model


def escaping() -> onnx.ModelProto:
    weights = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[2])
    weights.data_location = TensorProto.EXTERNAL
    weights.external_data.add(key="location", value="../../../etc/passwd")
    return hostile([helper.make_node("Add", ["x", "w"], ["y"])], [X], [Y], [weights])


def unknown_operator() -> onnx.ModelProto:
    return hostile([helper.make_node("Frobnicate", ["x"], ["y"], name="odd")], [X], [Y])


HOSTILE = {
    made.__name__: made
    for made in (cyclic, mistyped, oversized, oversized_weights, recursive, escaping, unknown_operator)
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_model_is_one_sentence(name, here):
    file = here.folder / f"{name}.onnx"
    onnx.save(HOSTILE[name](), file)
    line = here.sentence("compile", file, "-o", "m.tet", "--quiet", "--no-measure", status=2)
    assert file.name in line


def test_garbage_and_truncated_models(here, model):
    whole = model.read_bytes()
    for number, content in enumerate([b"", b"\x93" * 300, whole[:-500], whole[: len(whole) // 2]]):
        file = here.folder / f"broken{number}.onnx"
        file.write_bytes(content)
        line = here.sentence("compile", file, "-o", "m.tet", "--quiet", "--no-measure", status=2)
        assert file.name in line


# ---- artifacts and files


def test_truncated_and_flipped_artifacts(here, model):
    assert here.run("compile", model, "-o", "m.tet", "--no-measure").returncode == 0
    artifact = here.folder / "m.tet"
    whole = artifact.read_bytes()
    random = np.random.default_rng(4)
    damaged = [whole[:size] for size in (0, 7, 100, len(whole) - 1)]
    for at in random.integers(0, len(whole), 8):
        flipped = bytearray(whole)
        flipped[at] ^= 1 << int(random.integers(8))
        damaged.append(bytes(flipped))
    for content in damaged:
        artifact.write_bytes(content)
        assert "m.tet" in here.sentence("run", artifact, "--random", "--quiet", status=2)


def test_a_place_that_cannot_be_written(here, model):
    missing = here.folder / "no" / "such" / "folder"
    line = here.sentence("compile", model, "-o", missing / "m.tet", status=2)  # one line: before any stage
    assert str(missing) in line
    for option in (("--output", f"y={missing / 'y.npy'}"), ("--trace", missing / "t.json")):
        line = here.sentence("run", model, "--random", *option, status=2)
        assert str(missing) in line


def test_an_artifact_that_is_there_survives_a_failure(here, model):
    assert here.run("compile", model, "-o", "m.tet", "--no-measure").returncode == 0
    before = (here.folder / "m.tet").read_bytes()
    arguments = ("compile", model, "-o", "m.tet", "--quiet", "--devices", "failing")
    here.sentence(*arguments, status=3, plugins=FAILING_DEVICE)
    assert (here.folder / "m.tet").read_bytes() == before


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_nothing_is_left_of_an_interrupted_compilation(name, here, model):
    """At any moment of the code generation, the linker's included."""
    before = here.files()
    environment = {**os.environ, "TMPDIR": str(here.temporary)}
    arguments = ("compile", str(model), "-o", "m.tet", "--no-measure")
    for delay in (0.0, 0.05, 0.1, 0.2):
        process = subprocess.Popen(
            [str(BUILD / "bin" / "tetrarch"), *arguments],
            cwd=here.folder,
            env=environment,
            stderr=subprocess.PIPE,
            start_new_session=True,  # the terminal's Ctrl-C reaches the linker too
        )
        process.stderr.readline()  # a stage is done
        time.sleep(delay)
        os.killpg(process.pid, getattr(signal, name))
        process.communicate(timeout=60)
        left = [path for path in here.files() if path.name != "m.tet"]  # it may have been done
        assert left == before
        assert not list(here.temporary.iterdir())
