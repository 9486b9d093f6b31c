"""The flow of kernels for FPGAs with tools that only write what real ones would."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rtl.flow import fpga, fpga_operators

ROOT = Path(__file__).resolve().parents[2]
PORTS = {
    "clk_i": {"direction": "input", "bits": [2]},
    "s_axis_0_tdata": {"direction": "input", "bits": list(range(3, 11))},
    "s_axis_0_tready": {"direction": "output", "bits": [11]},
    "m_axis_1_tdata": {"direction": "output", "bits": list(range(12, 28))},
}
CLOCKS = {1: 141.5, 2: 120.25, 3: 133.0}


class Tools:
    """Stands for fpga.run: writes the files of each step and remembers which it was asked for."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.broken = ""

    def __call__(self, what: str, command: list[str], log: Path) -> None:
        self.steps.append(f"{log.parent.name}: {log.stem}")
        if self.broken and self.broken in self.steps[-1]:
            raise fpga.FlowError(f"{what} failed")
        folder = log.parent
        cells = {f"c{i}": {"type": kind} for i, kind in enumerate(("LUT4", "LUT4", "CCU2C", "TRELLIS_FF"))}
        if log.stem == "synthesis":
            module = {"ports": PORTS, "cells": cells}
            (folder / "kernel.json.part").write_text(json.dumps({"modules": {"top": module}}))
            (folder / "kernel.il").touch()
        elif log.stem == "harness":
            cells |= {"h": {"type": "TRELLIS_FF"}, "m": {"type": "MULT18X18D"}}
            (folder / "netlist.json.part").write_text(json.dumps({"modules": {"harness": {"cells": cells}}}))
        elif log.stem.startswith("seed"):
            seed = int(command[command.index("--seed") + 1])
            clocks = {"fast": {"achieved": 400.0}, "clk": {"achieved": CLOCKS[seed]}}
            (folder / command[command.index("--report") + 1]).write_text(json.dumps({"fmax": clocks}))
        else:
            (folder / command[-1]).write_bytes(b"bits")


@pytest.fixture
def tools(monkeypatch):
    tools = Tools()
    monkeypatch.setattr(fpga, "run", tools)
    monkeypatch.setattr(fpga, "check_tools", lambda: {"pyosys": "1"})
    return tools


def design(folder: Path) -> fpga.Design:
    folder.mkdir(exist_ok=True)
    (folder / "kernel.sv").write_text("module top; endmodule")
    return fpga.Design("top", folder)


def test_all_ports_but_the_clock_lie_on_shift_registers():
    text = fpga.harness("top", PORTS)
    assert "reg [7:0] in_q;" in text and "reg [16:0] out_q;" in text
    assert (
        ".clk_i(clk_i), .s_axis_0_tdata(in_q[0+:8]), .s_axis_0_tready(out[0+:1]), .m_axis_1_tdata(out[1+:16])"
        in text
    )


def test_the_worst_clock_counts(tools, tmp_path):
    (report,) = fpga.build([design(tmp_path / "ab12")], seeds=3, jobs=2)
    assert report["clock"] == {"value": 120250000, "unit": "Hz", "source": "modelled"}
    assert report["seeds"] == [1, 2, 3] and report["hash"] == "ab12"
    assert report["used"] == {"luts": 4, "flip_flops": 1, "multipliers": 0, "block_rams": 0}
    assert report["harness"] == {"luts": 0, "flip_flops": 1, "multipliers": 1, "block_rams": 0}
    assert report["bitstream_bytes"] == 4
    assert json.loads((tmp_path / "ab12" / "report.json").read_text()) == report
    assert "synth_design -top top" in (tmp_path / "ab12" / "vivado.tcl").read_text()


def test_what_is_done_is_not_done_again(tools, tmp_path):
    tools.broken = "b: seed-2"
    with pytest.raises(fpga.FlowError):
        fpga.build([design(tmp_path / "a"), design(tmp_path / "b")], seeds=3, jobs=1)
    assert not (tmp_path / "b" / "report.json").exists()
    before = set(tools.steps)
    tools.broken, tools.steps = "", []
    fpga.build([design(tmp_path / "a"), design(tmp_path / "b")], seeds=3, jobs=1)
    assert "b: seed-2" in tools.steps and not before & set(tools.steps) - {"b: seed-2"}
    tools.steps = []
    assert len(fpga.build([design(tmp_path / "b"), design(tmp_path / "b")], seeds=2, jobs=1)) == 2
    assert tools.steps == []


def test_builds_side_by_side_make_each_file_once(tools, tmp_path):
    design(tmp_path / "a")

    def build() -> list[dict]:
        return fpga.build([fpga.Design("top", tmp_path / "a")], seeds=3, jobs=2)

    with ThreadPoolExecutor(3) as builds:
        first, *others = [running.result() for running in [builds.submit(build) for _ in range(3)]]
    assert others == [first, first]
    assert len(tools.steps) == len(set(tools.steps))
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.parametrize("damage", ["", "[]", '{"hash": "of another kernel"}', '{"hash": "a", "top": "top"}'])
def test_a_report_of_something_else_is_made_again(tools, tmp_path, damage):
    fpga.build([design(tmp_path / "a")], seeds=1, jobs=1)
    whole = (tmp_path / "a" / "report.json").read_text()
    (tmp_path / "a" / "report.json").write_text(damage)
    assert fpga.build([design(tmp_path / "a")], seeds=1, jobs=1) == [json.loads(whole)]
    assert (tmp_path / "a" / "report.json").read_text() == whole


def test_a_damaged_file_is_named(tools, tmp_path):
    fpga.build([design(tmp_path / "a")], seeds=1, jobs=1)
    (tmp_path / "a" / "report.json").unlink()
    (tmp_path / "a" / "seed-1.json").write_text("{")
    with pytest.raises(
        fpga.FlowError, match=r"seed-1\.json is damaged .*; remove its folder and build again"
    ):
        fpga.build([design(tmp_path / "a")], seeds=1, jobs=1)


def test_a_missing_tool_is_named_with_what_installs_it(monkeypatch):
    monkeypatch.setattr(fpga, "TOOLS", ("no-such-tool",))
    with pytest.raises(fpga.FlowError, match=r"no-such-tool is not installed .* pip install pyosys=="):
        fpga.check_tools()


def test_a_failing_tool_is_quoted(tmp_path):
    tool = tmp_path / "tool"
    tool.write_text("#!/bin/sh\necho ERROR: no room for 300 MULT18X18D\necho 1 error\nexit 1\n")
    tool.chmod(0o755)
    with pytest.raises(fpga.FlowError, match="place failed: ERROR: no room for 300 MULT18X18D"):
        fpga.run("place", [str(tool)], tmp_path / "tool.log")
    with pytest.raises(fpga.FlowError, match="does not start"):
        fpga.run("place", [str(tmp_path / "none")], tmp_path / "tool.log")


def test_the_versions_to_install_are_those_of_the_list():
    listed = (ROOT / "packages.txt").read_text(encoding="utf-8")
    for name in fpga.INSTALL.split()[2:]:
        assert f"hw {name}\n" in listed


def test_operators_bring_the_modules_that_they_need():
    operators = {operator.key: operator for operator in fpga_operators.OPERATORS}
    assert len(operators) == len(fpga_operators.OPERATORS)
    text = operators["FMul F32 F32"].text()
    for module in (
        "fpga_fmul",
        "fpga_mul",
        "fpga_dsp",
        "fpga_pipe",
        "fpga_fnormal",
        "fpga_clz",
        "fpga_fpack",
    ):
        assert text.count(f"module {module} ") == 1
    assert "fpga_" not in operators["Add I8 I8"].text()


def test_the_compilers_table_is_that_of_the_measurements():
    figures = json.loads(fpga_operators.FIGURES.read_text(encoding="utf-8"))
    present = fpga_operators.TABLE.read_text(encoding="utf-8")
    assert present == fpga_operators.table(figures, present)
    assert present.count("\nFPGA_COST(") == len(fpga_operators.OPERATORS)
    timed = [figure["mhz"] for figure in figures.values() if figure["seeds"]]
    assert min(timed, default=fpga_operators.LEAST_MHZ) >= fpga_operators.LEAST_MHZ
