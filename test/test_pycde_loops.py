"""The loops that are compared with CIRCT's handshake path, without its package: our half, and the page."""

from __future__ import annotations

import pytest

from bench import pycde_loops


@pytest.mark.parametrize("loop", pycde_loops.LOOPS, ids=lambda loop: loop.name)
def test_a_loop_becomes_a_module_of_two_streams(tmp_path, loop):
    top, text = pycde_loops.ours(loop, tmp_path)
    assert f"module {top} (" in text
    assert "s_axis_0_tdata" in text and "m_axis_1_tdata" in text and "_axis_2_" not in text


def test_the_page_says_which_is_better():
    mine = pycde_loops.Result(cycles=100, value=7, luts=200, multipliers=3, hz=200e6)
    theirs = pycde_loops.Result(cycles=300, value=7, luts=400, multipliers=3, hz=100e6)
    row = pycde_loops.row(pycde_loops.LOOPS[0], mine, theirs)
    assert row == "| horner | 100 | 200 | 3 | 200 MHz | 100 | 300 | 400 | 3 | 100 MHz | 1,200 | 12.00 × |"
    page = pycde_loops.page([row], seeds=3)
    assert row in page and "3 seeds" in page
