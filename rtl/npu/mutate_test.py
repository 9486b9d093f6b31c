"""What the mutation script says is no mutant: each of those lines is in the RTL."""

from __future__ import annotations

import re

from rtl.npu import mutate


def test_each_equivalent_mutant_is_a_place_in_the_rtl():
    places = {(m.file, m.code, m.old) for m in mutate.mutants(re.compile(""))}
    assert set(mutate.EQUIVALENT) <= places


def test_a_mutant_changes_one_operator():
    first = mutate.mutants(re.compile("^npu_across$"))[0]
    text = (mutate.NPU / first.file).read_text(encoding="utf-8")
    changed = first.apply(text)
    lines = [(a, b) for a, b in zip(text.split("\n"), changed.split("\n"), strict=True) if a != b]
    assert len(lines) == 1
    assert lines[0][0].replace(first.old, first.new, 1) == lines[0][1]
