"""The flow's own arithmetic, against a library of three cells and numbers worked out by hand."""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest

from rtl.flow import ecp5, programs, publish, saif
from rtl.flow.activity import SimulationError, read_saif
from rtl.flow.cell_models import model, models, verilog_expression
from rtl.flow.compare_scalesim import layers
from rtl.flow.designs import DESIGNS, Memory
from rtl.flow.gates import bench
from rtl.flow.liberty import Library, LibraryError
from rtl.flow.memories import Macro, macros_of
from rtl.flow.netlist import Gates
from rtl.flow.page import page
from rtl.flow.power import Meter
from rtl.flow.simulate import RUNS, Simulator, from_bits, to_bits, to_numbers
from rtl.flow.synthesis import critical_path
from rtl.flow.timing import Timing

LIBRARY = """
library (three) {
  time_unit : "1ns"; voltage_unit : "1V"; leakage_power_unit : "1nW"; capacitive_load_unit (1, pf); nom_voltage : 2.0;
  lu_table_template (delays) {
    variable_1 : input_net_transition; variable_2 : total_output_net_capacitance;
    index_1 ("0.1, 0.3"); index_2 ("0.01, 0.02");
  }
  power_lut_template (one) { variable_1 : input_transition_time; index_1 ("0.1, 0.3"); }
  cell (NOT) {
    area : 2; cell_leakage_power : 3;
    pin (A) { direction : input; capacitance : 0.010; }
    pin (Y) { direction : output; function : "!A";
      internal_power () { related_pin : "A";
        rise_power (delays) { values ("1, 2", "3, 4"); } fall_power (delays) { values ("3, 4", "5, 6"); } }
      timing () { related_pin : "A"; timing_sense : negative_unate;
        cell_rise (delays) { values ("1, 2", "3, 4"); } cell_fall (delays) { values ("0.5, 1", "2, 3"); }
        rise_transition (delays) { values ("0.1, 0.1", "0.1, 0.1"); }
        fall_transition (delays) { values ("0.1, 0.1", "0.1, 0.1"); } } }
  }
  cell (AND) {
    area : 4; cell_leakage_power : 5;
    pin (A) { direction : input; capacitance : 0.020; }
    pin (B) { direction : input; capacitance : 0.020; }
    pin (Y) { direction : output; function : "A B";
      timing () { related_pin : "A B"; timing_sense : positive_unate;
        cell_rise (delays) { values ("0.5, 0.5", "0.5, 0.5"); } cell_fall (delays) { values ("0.2, 0.2", "0.2, 0.2"); } } }
  }
  cell (FF) {
    area : 8; cell_leakage_power : 7;
    ff (IQ, IQN) { clocked_on : "CK"; next_state : "D"; clear : "R'"; }
    pin (CK) { direction : input; capacitance : 0.030; clock : true;
      internal_power () { power (one) { values ("0.5, 0.5"); } } }
    pin (D) { direction : input; capacitance : 0.010;
      timing () { related_pin : "CK"; timing_type : setup_rising; rise_constraint (one) { values ("0.2, 0.2"); } } }
    pin (R) { direction : input; capacitance : 0.010; }
    pin (Q) { direction : output; function : "IQ";
      timing () { related_pin : "CK"; timing_type : rising_edge;
        cell_rise (delays) { values ("0.4, 0.4", "0.4, 0.4"); } cell_fall (delays) { values ("0.4, 0.4", "0.4, 0.4"); }
        rise_transition (delays) { values ("0.1, 0.1", "0.1, 0.1"); }
        fall_transition (delays) { values ("0.1, 0.1", "0.1, 0.1"); } } }
  }
}
"""

# A flip-flop, its output inverted, and both joined by an and.
NETLIST = {
    "modules": {
        "gates": {
            "attributes": {"top": "1"},
            "ports": {
                "clk": {"direction": "input", "bits": [2]},
                "d": {"direction": "input", "bits": [3]},
                "y": {"direction": "output", "bits": [6]},
            },
            "cells": {
                "f": {"type": "FF", "connections": {"CK": [2], "D": [3], "R": ["1"], "Q": [4]}},
                "n": {"type": "NOT", "connections": {"A": [4], "Y": [5]}},
                "a": {"type": "AND", "connections": {"A": [4], "B": [5], "Y": [6]}},
            },
            "netnames": {
                "clk": {"bits": [2]},
                "d": {"bits": [3]},
                "q": {"bits": [4, 5]},
                "y": {"bits": [6]},
            },
        }
    }
}


@pytest.fixture
def library(tmp_path):
    path = tmp_path / "three.lib"
    path.write_text(LIBRARY, encoding="utf-8")
    return Library.read([path])


def test_units_and_tables(library):
    cell = library.cells["NOT"]
    assert (cell.area, library.voltage) == (2, 2)
    assert cell.leakage == pytest.approx(3e-9)
    energy = cell.pins["Y"].energy
    assert energy.rise[0].at(0.1e-9, 0.01e-12) == pytest.approx(1e-12)
    assert energy.rise[0].at(0.2e-9, 0.015e-12) == pytest.approx(2.5e-12)
    assert energy.rise[0].at(9e-9, 9e-12) == pytest.approx(4e-12), "beyond the table its border holds"


@pytest.fixture
def gates(tmp_path):
    path = tmp_path / "netlist.json"
    path.write_text(json.dumps(NETLIST), encoding="utf-8")
    return Gates.read(path)


def test_the_energy_of_three_cells_is_what_a_hand_computes(library, gates):
    energy = Meter(gates, library).read({"clk": 8, "d": 3, "q[0]": 2, "q[1]": 2, "y": 1})
    half_v2 = 2.0**2 / 2
    # Clock: 8 transitions of 30 fF and 0.5 pJ each.
    assert energy.clock == pytest.approx(8 * (0.030e-12 * half_v2 + 0.5e-12))
    # d has 10 fF; q[0] drives the inverter (10 fF) and the and (20 fF); q[1] drives the and; y drives nothing.
    assert energy.nets == pytest.approx((3 * 0.010 + 2 * 0.030 + 2 * 0.020) * 1e-12 * half_v2)
    # The inverter's output at a slew of 0.1 ns and a load of 20 fF: the mean of 2 and 4 pJ.
    assert energy.cells == pytest.approx(2 * 3e-12)
    assert energy.leakage == pytest.approx(15e-9)


def test_the_timing_of_three_cells_is_what_a_hand_computes(library, gates):
    # The flip-flop takes 0.4 ns. The inverter sees a slew of 0.1 ns and drives 20 fF: its output rises 2 ns after its
    # input fell, and falls 1 ns after it rose. Behind a rising input the and rises 0.5 ns later.
    timing = Timing(gates, library)
    path = timing.longest()
    assert path.delay == pytest.approx(0.4e-9 + 2e-9 + 0.5e-9)
    assert [step.type for step in path.steps] == ["FF", "NOT", "AND"]
    assert (path.depth, path.end) == (2, "y")
    # As ABC sees it the register is ready at time 0 without a slew, with which the inverter takes 1 ns.
    assert Timing(gates, library, ideal=True).longest().delay == pytest.approx(1.5e-9)


def test_registers_are_no_load_in_the_view_of_abc(tmp_path, library):
    netlist = copy.deepcopy(NETLIST)
    netlist["modules"]["gates"]["cells"]["f"]["connections"]["D"] = [5]
    path = tmp_path / "netlist.json"
    path.write_text(json.dumps(netlist), encoding="utf-8")
    loads = [Timing(Gates.read(path), library, ideal=ideal).nets[5].load for ideal in (False, True)]
    assert loads == pytest.approx([0.030e-12, 0.020e-12])


def test_a_heavy_net_is_timed_with_buffers(library, gates):
    tree = Timing(gates, library).tree
    assert tree.plant(1.0) == (1.0, 0), "the library has no buffer"
    tree.capacitance, tree.limit = 1.0, 8.0
    assert tree.plant(8.0) == (8.0, 0)
    assert tree.plant(9.0) == (2.0, 1)
    assert tree.plant(100.0) == (2.0, 2), "13 buffers, and 2 in front of them"


def test_memories_are_built_of_the_smallest_macros():
    def macro(name: str, rows: int, area: float) -> Macro:
        return Macro(name, rows, 64, area, 4e-9, 1e-10, 50e-12, 60e-12, 1e-7, 4e-15)

    available = [macro("large", 1024, 9.0), macro("small", 256, 2.0)]
    bank, table = Memory(128, 1024, 16), Memory(64, 64, 8)
    chosen = macros_of((bank, table), available)
    assert chosen[bank.cell].name == "2 x large"
    assert chosen[bank.cell].read == pytest.approx(100e-12)
    assert chosen[table.cell].area == 2.0
    assert macros_of((bank,), []) == {}
    with pytest.raises(LibraryError, match="2048 rows"):
        macros_of((Memory(64, 2048, 1),), available)


def test_words_are_those_of_the_instruction_table():
    # As rtl/npu/README.md and npu_isa.def lay them out: opcode, wait, signal, then the fields.
    assert programs.encode("SYNC", wait=2, signal=8, queue=3) == 2 | 2 << 4 | 8 << 8 | 3 << 16
    assert (
        programs.encode("STORE", loops=1, row=7, bytes=8, dram=64)
        == 6 | 1 << 12 | 7 << 16 | 8 << 32 | 64 << 64
    )
    assert programs.encode("VPARAM", scalars=1, lo=-128) == 8 | 1 << 13 | 0xFF80 << 80
    with pytest.raises(ValueError, match="n0 = 2048"):
        programs.encode("MATMUL", n0=2048)


def test_programs_count_what_they_hold():
    shape = programs.Shape.of({"S": 8, "SpRows": 32768, "AccRows": 2048})
    idle, layer = (make(shape, "relu", 1) for make in (programs.idle, programs.layer))
    more = layer.units - idle.units
    assert more == {
        "instruction": 20,
        "matmul_row": 512,
        "matmul_tile": 8,
        "requant_add": 256,
        "store_beat": 256,
    }
    for name in programs.INT8.classes:
        assert (programs.one_class(name, shape, "idle", 1).units - idle.units)[name] > 0


def test_programs_of_bf16_move_twice_the_bytes():
    shape = programs.Shape.of({"S": 8, "Bf16": 1, "SpRows": 16384, "AccRows": 2048})
    idle = programs.idle(shape, "random", 1)
    for name in programs.BF16.classes:
        more = programs.one_class(name, shape, "random", 1).units - idle.units
        assert more[name] >= programs.UNITS * (2 if name.endswith("beat") else 1 / 8)
    layer = programs.layer(shape, "relu", 1).units - idle.units
    assert (layer["requant"], layer["alu"], layer["store_beat"]) == (256, 256, 512)
    assert programs.float_bits(-1.5) == 0xBFC00000


@pytest.mark.parametrize(
    ("function", "verilog"),
    [
        ("!(A*B)", "~ ( A & B )"),
        ("(!(A B))", "( ~ ( A & B ) )"),
        ("A' + B C", "(~ A ) | B & C"),
        ("(A+B)'", "(~ ( A | B ) )"),
        ("A^!B", "A ^ ~ B"),
        ("1", "1'b1"),
    ],
)
def test_functions_become_verilog(function, verilog):
    assert verilog_expression(function) == verilog


def test_a_cell_becomes_a_module(library):
    text = model(library.cells["FF"])
    assert "always @(posedge clock or posedge reset0)" in text
    assert "assign Q = IQ;" in text
    with pytest.raises(LibraryError, match="breaks at"):
        verilog_expression("A # B")


def test_saif_of_one_instance():
    def net(name: str, toggles: int) -> str:
        return f"({name} (T0 1) (T1 1) (TZ 0) (TX 0) (TB 0) (TC {toggles}))"

    cell = f"(INSTANCE cell (NET {net('clk', 7)}))"
    gates = f"(INSTANCE u_gates (NET {net('clk', 8)} {net('q' + chr(92) + '[0' + chr(92) + ']', 2)}) {cell})"
    text = f"(SAIFILE (INSTANCE top (NET {net('clk', 9)}) {gates}))"
    assert read_saif(text) == {"clk": 8, "q[0]": 2}
    with pytest.raises(SimulationError, match="no instance"):
        read_saif("(SAIFILE)")


def test_the_longest_path_of_a_report():
    report = (
        'ABC: WireLoad = "none"  Delay =  2456.64 ps  ( 17.6 %)\nABC: Path  0 --  3\nABC: Path 12 --  7\n'
    )
    assert critical_path(report) == (pytest.approx(2.45664e-9), 12)


def test_a_file_that_is_no_library_is_named(tmp_path):
    path = tmp_path / "bad.lib"
    path.write_text("library (", encoding="utf-8")
    with pytest.raises(LibraryError, match=r"bad\.lib"):
        Library.read([path])
    with pytest.raises(LibraryError, match="No such file"):
        Library.read([tmp_path / "missing.lib"])


def test_gates_are_simulated_in_all_runs_at_once(library, gates):
    simulator = Simulator(gates, library)
    d, y = simulator.ports["d"], simulator.ports["y"]
    simulator.settle()

    def cycle(runs: int) -> int:
        """d becomes 1 in these runs with the edge; what y is in each."""
        simulator.clock({"d": np.array([runs], dtype=np.uint64)})
        return int(simulator.values[y][0])

    # y is q and not q: always 0, while d comes to q a cycle late, in runs 0 and 2.
    assert [cycle(0b101), cycle(0b101), cycle(0)] == [0, 0, 0]
    assert int(simulator.values[simulator.place[4]]) == 0b101
    assert [int(simulator.toggles(run)[d[0]]) for run in (0, 1, 2)] == [2, 0, 2]
    assert [int(simulator.toggles(run)[simulator.place[5]]) for run in (0, 1)] == [1, 0], (
        "the inverter fell once"
    )


VERILOG = """\
module gates (input clk, input d, output y);
  wire [1:0] q;
  FF f (.CK(clk), .D(d), .R(1'b1), .Q(q[0]));
  NOT n (.A(q[0]), .Y(q[1]));
  AND a (.A(q[0]), .B(q[1]), .Y(y));
endmodule
"""


def test_the_counters_are_those_of_verilator(library, gates, tmp_path):
    cells, netlist = tmp_path / "cells.v", tmp_path / "netlist.v"
    cells.write_text(models(library, ["FF", "NOT", "AND"]), encoding="utf-8")
    netlist.write_text(VERILOG, encoding="utf-8")
    found = saif.compare(gates, library, (), [cells, netlist], tmp_path, cycles=100, clock="clk")
    assert (found.nets, found.differ) == (5, 0)
    assert found.counters == pytest.approx(found.saif) != 0


def test_numbers_and_words_are_two_views():
    bits = np.zeros((RUNS, 12), dtype=np.uint8)
    bits[3, [0, 11]] = 1
    words = from_bits(bits)
    assert words[0] == words[11] == 1 << 3
    assert (to_bits(words) == bits).all()
    assert to_numbers(words)[3] == 1 + (1 << 11)


def test_a_bench_drives_gates_and_rtl_alike():
    ports = {"clk_i": ("input", [2]), "bits_i": ("input", list(range(3, 131))), "legal_o": ("output", [200])}
    text = bench(DESIGNS["decode"], ports)
    assert "gates u_gates (.clk_i(clk_i), .bits_i(bits_i), .legal_o(legal_o_gates));" in text
    assert "npu_decode #(.S(8), .SpRows(32768), .AccRows(2048)) u_rtl (" in text
    assert "bits_i = 128'(instruction());" in text
    assert "legal_o_gates !== legal_o_rtl" in text


def test_recorded_figures_hold_what_they_promise():
    figures = json.loads(publish.FIGURES.read_text(encoding="utf-8"))
    designs = [design for node in figures.values() for design in node.get("designs", {}).values()]
    differences = [abs(design["abc"]["difference"]) for design in designs if "abc" in design]
    assert differences, "no timing was compared with ABC's"
    assert max(differences) < 0.02  # bf16-element in ASAP7 1.4 %
    layers = [row for design in designs for row in design.get("energy", {}).get("layer", {}).values()]
    assert layers, "no sum of energies was compared with a layer's gates"
    assert max(abs(row["difference"]) for row in layers) < 0.1


def test_published_files_are_those_of_the_figures():
    figures = json.loads(publish.FIGURES.read_text(encoding="utf-8"))
    assert json.loads(publish.PLUGIN.read_text(encoding="utf-8")) == publish.plugin_figures(figures)
    assert publish.PAGE.read_text(encoding="utf-8") == page(figures, publish.DRAM_BYTE)


def test_fpga_figures_are_those_of_their_command(tmp_path, monkeypatch):
    # The tools' versions are asked of packages that only `make setup-hw` installs.
    monkeypatch.setattr(ecp5.synthesis, "tool", lambda: "synthesis 1")
    monkeypatch.setattr(ecp5, "version", lambda package: "2")
    found = json.loads(ecp5.FIGURES.read_text(encoding="utf-8"))[ecp5.NODE]
    assert found["parameters"] == ecp5.PARAMETERS
    clocks = found.get("clocks", {})
    assert found["command"].endswith(f" --seeds {len(clocks)}")
    assert not clocks or found["clock"] == {"value": min(clocks.values()), "unit": "Hz", "source": "modelled"}

    cells = {str(n): {"type": kind} for n, kind in enumerate(("LUT4", "LUT4", "CCU2C", "DCCA"))}
    netlist, bitstream = tmp_path / "netlist.json", tmp_path / "npu.bit"
    netlist.write_text(json.dumps({"modules": {ecp5.TOP: {"cells": cells}}}), encoding="utf-8")
    bitstream.write_bytes(bytes(5))
    made = ecp5.entry(netlist, {1: 30e6, 2: 20e6}, bitstream)
    assert (made["used"]["luts"], made["used"]["carries"], made["used"]["block_rams"]) == (2, 1, 0)
    assert (made["clock"]["value"], made["bitstream_bytes"]) == (20e6, 5)
    assert "clock" not in ecp5.entry(netlist, {}, bitstream)


def test_energies_of_other_sides_are_scaled():
    figures = json.loads(publish.FIGURES.read_text(encoding="utf-8"))
    small, large = (publish.joules(figures, "int8", side)["random"] for side in (8, 16))
    assert large["matmul_row"] == pytest.approx(4 * small["matmul_row"], rel=1e-3)
    assert large["requant"] == pytest.approx(2 * small["requant"], rel=1e-3)
    assert large["instruction"] == small["instruction"]
    assert small["cycle"] < large["cycle"] < 4 * small["cycle"]


def test_layers_of_the_utilisation_page():
    page_text = (
        "| stem 7x7 | 224 | 3 | 64 | 1 | 706103 | 65.3 % | 26 % |\n"
        "| stage 2, 1x1 shortcut | 56 | 256 | 512 | 1 | 402964 | 99.6 % |\n| **all 24** | | | | | **1** | |\n"
    )
    stem, shortcut = layers(page_text)
    assert (stem.kernel, stem.channels, stem.filters, stem.out, stem.times, stem.cycles) == (
        7,
        3,
        64,
        112,
        1,
        706103,
    )
    assert (shortcut.name, shortcut.out, shortcut.folds) == ("stage 2, 1x1 shortcut", 28, 16)
