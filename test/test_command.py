"""The `tetrarch` command: results, JSON of the documented form, exit statuses, and nothing left behind."""

from __future__ import annotations

import json
import os
import sqlite3

import jsonschema
import numpy as np
import pytest
import small_models

from conftest import BUILD, ROOT, assert_close, onnxruntime_outputs

SCHEMA = json.loads((ROOT / "docs" / "report.schema.json").read_text(encoding="utf-8"))
COMMANDS = ("devices", "compile", "run", "bench", "explain", "fpga")


def valid(document: dict) -> dict:
    jsonschema.validate(document, SCHEMA)
    return document


@pytest.fixture
def perceptron(tmp_path):
    """A model file and an input file beside it."""
    model = small_models.perceptron(tmp_path)
    x = np.random.default_rng(3).standard_normal((4, 32), np.float32)
    np.save(tmp_path / "x.npy", x)
    return model, x


def test_devices_are_listed(command_json):
    document = valid(command_json("devices"))
    devices = {device["name"]: device for device in document["devices"]}
    assert (devices["cpu"]["class"], devices["cpu"]["kind"]) == ("cpu", "real")


def test_a_model_runs_from_onnx_and_from_its_artifact(command_json, perceptron, tmp_path):
    model, x = perceptron
    expected = onnxruntime_outputs(model, {"x": x})
    artifact = tmp_path / "p.tet"
    compiled = valid(command_json("compile", model, "-o", artifact))
    assert compiled["bytes"]["value"] == artifact.stat().st_size
    for file in (model, artifact):
        y, h = tmp_path / "y.npy", tmp_path / "h.npy"
        np.save(tmp_path / "expected.npy", expected[0])
        outputs = ("--output", f"y={y}", "--output", f"h={h}", "--expect", f"y={tmp_path / 'expected.npy'}")
        trace = tmp_path / "trace.json"
        document = valid(
            command_json("run", file, "--input", f"x={tmp_path / 'x.npy'}", *outputs, "--trace", trace)
        )
        assert_close(np.load(y), expected[0])
        assert_close(np.load(h), expected[1])
        assert document["outputs"][0]["difference"]["value"] < 1e-4
        assert all(task["time"]["source"] == "measured" for task in document["report"]["tasks"])
        assert json.loads(trace.read_text(encoding="utf-8"))["traceEvents"]


def test_a_model_may_follow_any_option(command_json, perceptron, tmp_path):
    model, _ = perceptron
    arguments = ("--input", f"x={tmp_path / 'x.npy'}", "--output", f"y={tmp_path / 'y.npy'}", model)
    assert len(valid(command_json("run", *arguments))["outputs"]) == 2
    assert valid(command_json("explain", "--shape", "x=4,32", model, "--no-measure"))["report"]


def test_bench_and_explain(command_json, command, perceptron):
    model, _ = perceptron
    document = valid(command_json("bench", model, "--runs", 5, "--warmup", 1))
    assert document["minimum"]["value"] <= document["median"]["value"] <= document["maximum"]["value"]
    document = valid(command_json("explain", model))
    assert all(task["reason"] for task in document["report"]["tasks"])
    assert "why" in command("explain", model, "--quiet").stdout


def test_plans_from_estimates_are_modelled(command_json, perceptron):
    document = valid(command_json("explain", perceptron[0], "--no-measure"))
    assert document["report"]["plan"]["predicted"]["source"] == "modelled"


def test_named_dimensions_are_bound(command, command_json, tmp_path):
    model = small_models.perceptron(tmp_path, batch="batch")
    document = valid(command_json("run", model, "--random", "--dim", "batch=7"))
    assert document["outputs"][0]["shape"] == [7, 10]
    np.save(tmp_path / "x.npy", np.zeros((5, 32), np.float32))
    document = valid(command_json("run", model, "--input", f"x={tmp_path / 'x.npy'}"))
    assert document["outputs"][0]["shape"] == [5, 10]
    failed = command("compile", model, "-o", tmp_path / "p.tet")
    assert failed.returncode == 2
    assert "batch" in failed.stderr
    assert not (tmp_path / "p.tet").exists()


def test_each_stage_is_shown(command, command_json, perceptron):
    assert "tet.task" in valid(command_json("compile", perceptron[0], "--stop-after", "tasks"))["text"]
    stages = command("compile", perceptron[0], "--stop-after", "no-such-stage")
    assert stages.returncode == 2
    assert "tet.dot_general" in command("compile", perceptron[0], "--stop-after", "import").stdout
    assert "tet.task" in command("compile", perceptron[0], "--stop-after", "tasks").stdout


def test_two_devices_share_the_work_when_asked(command_json, tmp_path):
    model = small_models.convolutions(tmp_path)
    devices = ("--devices", "cpu:threads=1,opencl:threads=1")
    document = valid(command_json("run", model, "--random", *devices, "--place", "cpu,opencl"))
    used = {part["device"] for task in document["report"]["tasks"] for part in task["parts"]}
    assert {name.split(":")[0] for name in used} == {"cpu", "opencl"}
    assert len(document["report"]["plan"]["singles"]) == 2
    names = [task["name"] for task in document["report"]["tasks"]]
    place = tmp_path / "place.json"
    place.write_text(json.dumps({names[0]: "opencl"}), encoding="utf-8")
    document = valid(command_json("explain", model, *devices, "--place", place))
    first = document["report"]["tasks"][0]
    assert first["parts"][0]["device"].startswith("opencl")
    assert "forced" in first["reason"]


def test_the_drivers_own_binary_is_run_from_the_artifact(command, perceptron, tmp_path):
    model, _ = perceptron
    artifact, calls = tmp_path / "p.tet", tmp_path / "calls.txt"
    watch = next(BUILD.rglob("*tetrarch_opencl_watch.so"))
    watched = {**os.environ, "TETRARCH_OPENCL_LOADER": str(watch), "TETRARCH_OPENCL_CALLS": str(calls)}

    def calls_of(*arguments: object) -> dict[str, int]:
        done = command(*arguments, env=watched)
        assert done.returncode == 0, done.stderr
        lines = (line.split() for line in calls.read_text(encoding="utf-8").splitlines())
        return {name: int(count) for name, count in lines}

    assert calls_of("compile", model, "-o", artifact, "--devices", "opencl")["clCreateProgramWithSource"] > 0
    run = calls_of("run", artifact, "--input", f"x={tmp_path / 'x.npy'}")
    assert (run["clCreateProgramWithSource"], run["clCreateProgramWithBinary"]) == (0, 1)
    assert run["clWaitForEvents"] == 0


@pytest.mark.parametrize("device", ["cpu", "opencl:0"])
def test_what_was_measured_with_another_driver_is_not_taken(device, command_json, tmp_path):
    model, profile = small_models.convolutions(tmp_path), tmp_path / "profile.db"
    about = {entry["name"]: entry for entry in command_json("devices")["devices"]}[device]
    # Each of the two tables has its own way to join what a device and its driver are called.
    was = [about["description"] + separator + about["driver"] for separator in " |"]

    def compile_and_read() -> tuple[set, set]:
        arguments = ("-o", tmp_path / "m.tet", "--devices", device, "--profile", profile)
        command_json("compile", model, *arguments)
        with sqlite3.connect(profile) as database:
            tables = ("SELECT kernel, device FROM tuning", "SELECT kernel, device FROM cost")
            tuned, timed = (set(database.execute(query)) for query in tables)
        return tuned, timed

    tuned, timed = compile_and_read()
    assert tuned
    assert timed
    assert all(key.endswith(was[0]) for _, key in tuned)
    assert all(was[1] in key for _, key in timed)
    with sqlite3.connect(profile) as database:
        for table, name in zip(("tuning", "cost"), was, strict=True):
            database.execute(
                f"UPDATE {table} SET device = replace(device, ?, ?)", (name, name + " of last year")
            )
    tuned_again, timed_again = compile_and_read()
    assert tuned < tuned_again, "all is tuned anew"
    # Other choices make other code, so the kernels have other names; there are as many.
    assert len(timed_again) == 2 * len(timed), "all is timed anew"


BAD_ARGUMENTS = {
    "missing file": (("run", "{folder}/nothing.onnx"), "nothing.onnx"),
    "garbage": (("compile", "{garbage}"), "garbage.onnx"),
    "truncated": (("compile", "{truncated}"), "truncated.onnx"),
    "cut artifact": (("run", "{cut}"), "cut.tet"),
    "missing input": (("run", "{model}"), "x"),
    "unknown input": (("run", "{model}", "--random", "--input", "q={folder}/x.npy"), "q"),
    "wrong shape": (("run", "{model}", "--input", "x={folder}/small.npy"), "1x2xf32"),
    "wrong type": (("run", "{model}", "--input", "x={folder}/whole.npy"), "xi64"),
    "not an array": (("run", "{model}", "--input", "x={garbage}"), "garbage.onnx"),
    "unknown output": (("run", "{model}", "--random", "--output", "q=q.npy"), "q"),
    "unknown device": (("run", "{model}", "--random", "--devices", "warp"), "warp"),
    "bad device": (("run", "{model}", "--random", "--devices", "cpu:fast"), "fast"),
    "bad device option": (("run", "{model}", "--random", "--devices", "cpu:colour=red"), "colour"),
    "unknown place": (("run", "{model}", "--random", "--place", "warp"), "warp"),
    "missing place file": (("run", "{model}", "--random", "--place", "{folder}/none.json"), "none.json"),
    "unknown task": (("run", "{model}", "--random", "--place", "{place}"), "no-such-task"),
    "bad dimension": (("run", "{model}", "--random", "--dim", "batch=many"), "many"),
    "no such option": (("run", "{model}", "--colour"), "colour"),
    "no command": ((), "the commands are"),
    "unknown command": (("compil", "{model}"), "'compil' is no command"),
    "no model": (("run",), "model is required"),
    "unknown dimension": (("run", "{model}", "--random", "--dim", "batch=7"), "no dimension 'batch'"),
}


FOUND_BY_PLANNING = ("unknown task",)  # which tasks there are is known when the model is compiled


@pytest.mark.parametrize("case", BAD_ARGUMENTS)
def test_bad_input_is_the_users(case, command, perceptron, tmp_path):
    model, _ = perceptron
    (tmp_path / "garbage.onnx").write_bytes(b"\x93" * 300)
    (tmp_path / "truncated.onnx").write_bytes(model.read_bytes()[:-500])
    (tmp_path / "cut.tet").write_bytes(b"\x89TET\r\n\x1a\n" + bytes(40))
    (tmp_path / "place.json").write_text('{"no-such-task": "cpu"}', encoding="utf-8")
    np.save(tmp_path / "small.npy", np.zeros((1, 2), np.float32))
    np.save(tmp_path / "whole.npy", np.zeros((4, 32), np.int64))
    names = {"folder": tmp_path, "model": model} | {
        path.stem: path
        for path in tmp_path.iterdir()
        if path.stem in ("garbage", "truncated", "cut", "place")
    }
    before = sorted(tmp_path.iterdir())
    arguments, word = BAD_ARGUMENTS[case]
    done = command(*(argument.format(**names) for argument in arguments), cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert word in done.stderr
    assert sorted(tmp_path.iterdir()) == before
    assert "code for" not in done.stderr or case in FOUND_BY_PLANNING, "said after a compilation"


def test_errors_are_json_too(command, tmp_path):
    done = command("run", tmp_path / "nothing.onnx", "--json")
    error = valid(json.loads(done.stdout))["error"]
    assert (done.returncode, error["exit"], error["code"]) == (2, 2, "NOT_FOUND")


def test_a_file_whose_name_is_not_text(command, command_json, perceptron, tmp_path):
    model, _ = perceptron
    named = tmp_path / os.fsdecode(b"m\xff\x1b[2J.onnx")
    named.write_bytes(model.read_bytes())
    assert valid(command_json("explain", named, "--no-measure"))["report"]["model"].startswith("m")
    done = command("run", named.with_name(os.fsdecode(b"\xff")), "--json", errors="replace")
    assert valid(json.loads(done.stdout))["error"]["code"] == "NOT_FOUND"


@pytest.mark.parametrize("words", [(), ("compil",), ("run",), ("run", "m.onnx", "--colour")])
def test_misuse_is_json_too(words, command):
    done = command(*words, "--json")
    error = valid(json.loads(done.stdout))["error"]
    assert (done.returncode, error["exit"], error["code"]) == (2, 2, "INVALID_ARGUMENT")
    assert len(done.stderr.splitlines()) == 1


def test_a_damaged_artifact_is_an_error(command, perceptron, tmp_path):
    model, _ = perceptron
    artifact = tmp_path / "p.tet"
    assert command("compile", model, "-o", artifact, "--no-measure").returncode == 0
    whole = artifact.read_bytes()
    random = np.random.default_rng(4)
    for at in random.integers(0, len(whole), 10):
        damaged = bytearray(whole)
        damaged[at] ^= 1 << int(random.integers(8))
        artifact.write_bytes(damaged)
        done = command("run", artifact, "--random")
        assert done.returncode == 2, done.stderr
        assert "p.tet" in done.stderr


def test_designs_are_built_of_artifacts_with_code_for_fpgas(command, perceptron, tmp_path):
    artifact = tmp_path / "p.tet"
    assert (
        command("compile", perceptron[0], "-o", artifact, "--devices", "cpu", "--no-measure").returncode == 0
    )
    for file, word in ((artifact, "holds no code for FPGAs"), (tmp_path / "none.tet", "cannot be opened")):
        done = command("fpga", "build", file, "--json")
        assert done.returncode == 2
        assert word in valid(json.loads(done.stdout))["error"]["message"]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(name, command):
    done = command(name, "--help")
    assert done.returncode == 0
    assert "Example" in done.stdout
    assert "--json" in done.stdout
