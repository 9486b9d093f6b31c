"""`tetrarch fpga build`: kernels of an artifact go to the flow and come back as designs; the flow's tools stand in."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import jsonschema
import pytest
import small_models

from conftest import ROOT

SCHEMA = json.loads((ROOT / "docs" / "report.schema.json").read_text(encoding="utf-8"))
# Writes what place and route would have found, for each folder that it is given.
FLOW = """#!/usr/bin/env python3
import json, pathlib, sys
cells = {"luts": 10, "flip_flops": 20, "multipliers": 1, "block_rams": 2}
reports = []
for word in sys.argv[1:]:
    top, is_design, folder = word.partition("=")
    if not is_design: continue
    folder = pathlib.Path(folder)
    assert f"module {top} (" in (folder / "kernel.sv").read_text()
    report = {"hash": folder.name, "top": top, "part": "ecp5-85k", "tools": {}, "seeds": [1, 2],
              "clocks": {"1": 131e6, "2": 120e6}, "clock": {"value": 120e6, "unit": "Hz", "source": "modelled"},
              "used": cells, "harness": cells, "bitstream_bytes": 1000, "source": "modelled"}
    (folder / "report.json").write_text(json.dumps(report))
    reports.append(report)
print(json.dumps(reports))
"""


@pytest.fixture
def artifact(command, tmp_path):
    file = tmp_path / "p.tet"
    done = command(
        *("compile", small_models.perceptron(tmp_path), "-o", file, "--devices", "cpu,fpga", "--no-measure")
    )
    assert done.returncode == 0, done.stderr
    return file


@pytest.fixture
def environment(tmp_path):
    """A cache of its own, and an interpreter that writes reports in place of the tools."""
    stand_in = tmp_path / "python"
    stand_in.write_text(FLOW, encoding="utf-8")
    stand_in.chmod(0o755)
    return {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache"), "TETRARCH_PYTHON": str(stand_in)}


def test_each_kernel_becomes_a_design_that_the_device_uses(command, artifact, environment):
    done = command("fpga", "build", artifact, "--seeds", "2", "--json", env=environment)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    jsonschema.validate(document, SCHEMA)
    for built in document["designs"]:
        assert built["estimate"]["used"]["luts"] > 0 and built["estimate"]["clock"]["value"] > 0
    assert document["designs"] and document["cache"].startswith(environment["XDG_CACHE_HOME"])
    done = command("fpga", "list", artifact, "--json", env=environment)
    assert done.returncode == 0, done.stderr
    listed = json.loads(done.stdout)
    jsonschema.validate(listed, SCHEMA)
    assert [kernel["design"]["clock"]["value"] for kernel in listed["kernels"]] == [120e6] * len(
        listed["kernels"]
    )
    assert "built" in command("fpga", "list", artifact, env=environment).stdout
    table = command("fpga", "build", artifact, env=environment).stdout
    assert "120.0 MHz" in table
    done = command("run", artifact, "--random", "--place", "fpga", "--json", env=environment)
    assert done.returncode == 0, done.stderr
    parts = [part for task in json.loads(done.stdout)["report"]["tasks"] for part in task["parts"]]
    assert any(part.get("counters", {}).get("routed_units", 0) > 0 for part in parts)


def test_what_is_damaged_is_not_used_and_is_said(command, artifact, environment):
    done = command("fpga", "build", artifact, "--json", env=environment)
    for built in json.loads(done.stdout)["designs"]:
        folder = Path(environment["XDG_CACHE_HOME"]) / "tetrarch" / "fpga" / built["hash"]
        (folder / "report.json").write_text("{}")
    listed = json.loads(command("fpga", "list", artifact, "--json", env=environment).stdout)
    assert all("build the design again" in kernel["refused"] for kernel in listed["kernels"])
    done = command("run", artifact, "--random", "--place", "fpga", "--json", env=environment)
    assert done.returncode == 0, done.stderr
    parts = [part for task in json.loads(done.stdout)["report"]["tasks"] for part in task["parts"]]
    assert all(part["counters"]["routed_units"] == 0 for part in parts if part["device"] == "fpga")
    assert any(part["counters"]["refused_units"] > 0 for part in parts if part["device"] == "fpga")


def test_what_the_flow_says_of_a_missing_tool_is_the_error(command, artifact, environment, tmp_path):
    words = "pyosys is not installed; pip install pyosys"
    (tmp_path / "python").write_text(f"#!/bin/sh\necho '{json.dumps({'error': words})}'\nexit 3\n")
    done = command("fpga", "build", artifact, "--json", env=environment)
    assert done.returncode == 3
    assert json.loads(done.stdout)["error"]["message"] == words
    done = command("fpga", "build", artifact, env={**environment, "TETRARCH_PYTHON": str(tmp_path / "none")})
    assert done.returncode == 3
    assert re.search(r"none does not start .* set TETRARCH_PYTHON", done.stderr)
