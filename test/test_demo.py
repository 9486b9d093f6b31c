"""The demo, on a network that compiles in a moment: what it prints, what it writes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from xml.etree import ElementTree

import jsonschema
import pytest
from small_models import write_classifier

from conftest import BUILD, ROOT, TOLERANCE
from examples import demo_fpga, demo_npu, picture

SVG = "{http://www.w3.org/2000/svg}"
# RTLs that do something wrong, made for the plug-in's own tests.
FAULTY = BUILD / "tetrarch" / "devices" / "npu" / "testdata"


def run_demo(folder, *options) -> subprocess.CompletedProcess:
    """The demo on a small network, with few windows in the RTL."""
    model = write_classifier(folder / "small.onnx")
    words = [
        sys.executable,
        "-m",
        "examples.demo",
        "--model",
        model,
        "--output",
        folder / "out",
        "--windows",
        4,
    ]
    path = os.pathsep.join([str(BUILD / "python"), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [str(w) for w in (*words, *options)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """One run of the demo: what it printed, and the folder that it wrote."""
    folder = tmp_path_factory.mktemp("demo")
    done = run_demo(folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout, folder / "out"


def test_it_shows_every_task_and_each_device_alone(demo):
    printed, folder = demo
    record = json.loads((folder / "demo.json").read_text())
    for task in record["report"]["tasks"]:
        assert task["name"] in printed
    for total in ("cpu:threads=1 alone", "opencl:threads=1 alone", "cpu with both cores"):
        assert total in printed
    assert "seed" in printed
    assert str(folder / "trace.json") in printed


def test_both_processors_work_on_it(demo):
    _, folder = demo
    report = json.loads((folder / "demo.json").read_text())["report"]
    used = {part["device"].split(":")[0] for task in report["tasks"] for part in task["parts"]}
    assert used == {"cpu", "opencl"}


def test_it_agrees_with_the_reference(demo):
    _, folder = demo
    assert json.loads((folder / "demo.json").read_text())["difference"]["value"] <= TOLERANCE


def test_every_figure_says_where_it_comes_from(demo):
    _, folder = demo

    def figures(value):
        if isinstance(value, dict):
            if "value" in value and "unit" in value:
                yield value
            for inner in value.values():
                yield from figures(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from figures(inner)

    found = list(figures(json.loads((folder / "demo.json").read_text())))
    assert found
    assert {figure["source"] for figure in found} <= {"measured", "simulated", "modelled"}


def test_the_picture_has_a_box_for_every_step(demo):
    _, folder = demo
    boxes = ElementTree.parse(folder / "split.svg").iter(f"{SVG}rect")
    drawn = [box.find(f"{SVG}title").text for box in boxes if box.find(f"{SVG}title") is not None]
    report = json.loads((folder / "demo.json").read_text())["integers"]["report"]
    steps = picture.read_steps(folder / "trace.json") + picture.report_steps(report)
    assert sorted(text.split(": ")[0] for text in drawn) == sorted(step.name for step in steps)


def test_the_npu_has_a_share_that_its_rtl_computes_again(demo):
    printed, folder = demo
    integers = json.loads((folder / "demo.json").read_text())["integers"]
    schema = json.loads((ROOT / "docs" / "report.schema.json").read_text())
    jsonschema.validate(integers["report"], {"$ref": "#/$defs/report", "$defs": schema["$defs"]})
    assert any(device.startswith("npu") for device in integers["placement"].values())
    rtl = integers["rtl"]
    assert 1 <= rtl["windows"] <= 4
    assert f"{rtl['windows']} windows, {rtl['cycles']:,} cycles, 0 bit and 0 cycle differences" in printed
    assert {integers["npu"][name]["source"] for name in ("time", "energy", "area_cells")} == {"modelled"}


def test_the_fpga_has_a_share_that_its_systemverilog_computes_again(demo):
    printed, folder = demo
    integers = json.loads((folder / "demo.json").read_text())["integers"]
    tasks = [task for task, device in integers["placement"].items() if device == "fpga"]
    assert tasks and tasks == integers["fpga"]["tasks"]
    rtl = integers["rtl"]
    assert rtl["units"] >= len(tasks) and rtl["unit_cycles"] > 0
    assert (
        f"FPGA: {rtl['units']} units, {rtl['unit_cycles']:,} cycles, 0 bit and 0 cycle differences" in printed
    )
    assert integers["fpga"]["time"]["source"] == "modelled"
    assert integers["fpga"]["cycles"] > 0 and integers["fpga"]["configurations"] == 0  # one holds them all


def test_the_work_of_all_four_classes_is_computed_again(demo):
    printed, _ = demo
    proof = printed.split("What was computed again")[1].splitlines()[2:6]
    assert [line.split()[0].split(":")[0] for line in proof] == ["cpu", "opencl", "npu", "fpga"]
    assert all(line.split()[-1] == "0" for line in proof)
    assert "placements have the same bits" in printed


@pytest.mark.parametrize("fault", ["bit", "cycle"])
def test_an_rtl_that_differs_ends_it_with_status_3(tmp_path, fault):
    done = run_demo(tmp_path, "--npu", f"npu:side=16:rtl={FAULTY / fault}")
    assert done.returncode == 3, done.stdout + done.stderr
    assert "FAILED: " in done.stdout


@pytest.mark.parametrize(
    "option", [("--devices", "cpu,warp"), ("--model", "nothing.onnx"), ("--npu", "npu:side=7")]
)
def test_a_wrong_option_is_one_sentence(tmp_path, option):
    done = run_demo(tmp_path, *option)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Cannot be shown: " in done.stdout
    assert "Traceback" not in done.stderr


def test_every_task_has_one_place_and_the_last_device_a_share():
    names = ["a", "b", "c", "d", "e"]
    declined = {"gpu": {"b": "no"}, "npu": {"a": "no", "e": "no"}}
    placement = demo_npu.stages(names, ["cpu", "gpu", "npu"], declined)
    assert placement == {"a": "cpu", "b": "cpu", "c": "gpu", "d": "npu", "e": "cpu"}


def test_what_a_segment_counts_is_told_by_one_of_its_tasks():
    parts = [{"counters": {"cycles": 5}}, {}, {"counters": {"cycles": 7}}]
    assert demo_fpga.counted(parts, "cycles") == 12
