"""A library's cells as Verilog, so that a netlist of them can be simulated: functions without delays."""

from __future__ import annotations

import re

from rtl.flow.liberty import Cell, Library, LibraryError

_TOKEN = re.compile(r"\s*([A-Za-z_][\w\[\]]*|[01]|[()!'*&+|^])")


def verilog_expression(function: str) -> str:
    """A Liberty function in Verilog: `*`, `&` and mere neighbourhood mean and; `+` and `|` or; `!` and `'` not."""
    tokens, at = [], 0
    while at < len(function.rstrip()):
        match = _TOKEN.match(function, at)
        if not match:
            raise LibraryError(f"'{function}' is no function of a cell: it breaks at '{function[at:]}'")
        tokens.append(match[1])
        at = match.end()
    words: list[str] = []
    for token in tokens:
        if token == "'":  # negates what was just closed, or the name before
            start = _begin_of_operand(words)
            words[start:] = ["(~", *words[start:], ")"]
            continue
        begins = token in ("(", "!") or token[0].isalnum() or token[0] == "_"
        if begins and words and (words[-1] == ")" or words[-1][0].isalnum() or words[-1][0] == "_"):
            words.append("&")
        words.append({"!": "~", "*": "&", "+": "|", "0": "1'b0", "1": "1'b1"}.get(token, token))
    return " ".join(words)


def _begin_of_operand(words: list[str]) -> int:
    depth = 0
    for i in range(len(words) - 1, -1, -1):
        depth += (words[i] == ")") - words[i].count("(")
        if depth == 0:
            return i
    raise LibraryError("a function's parentheses do not match")


def _flip_flop(cell: Cell) -> list[str]:
    clock = verilog_expression(cell.clock)
    lines = [f"  reg {cell.state}; wire clock = {clock};"]
    if cell.state_inverse:
        lines.append(f"  wire {cell.state_inverse} = ~{cell.state};")
    resets = [(cell.clear, "1'b0"), (cell.preset, "1'b1")]
    resets = [(verilog_expression(when), value) for when, value in resets if when]
    edges = "".join(f" or posedge reset{i}" for i in range(len(resets)))
    lines += [f"  wire reset{i} = {when};" for i, (when, _) in enumerate(resets)]
    lines.append(f"  always @(posedge clock{edges})")
    for i, (_, value) in enumerate(resets):
        lines.append(f"    if (reset{i}) {cell.state} <= {value}; else")
    lines.append(f"    {cell.state} <= {verilog_expression(cell.next_state)};")
    return lines


def _clock_gate(cell: Cell) -> list[str]:
    """A latch that is open while the clock is low, then an and."""
    inputs = [pin.name for pin in cell.pins.values() if pin.direction == "input"]
    (clock,) = [name for name in inputs if "CLK" in name.upper() or name.upper() == "CK"]
    (output,) = [pin.name for pin in cell.pins.values() if pin.direction == "output"]
    enables = " | ".join(name for name in inputs if name != clock)
    return [
        "  reg open;",
        f"  always_latch if (~{clock}) open = {enables};",
        f"  assign {output} = {clock} & open;",
    ]


def model(cell: Cell) -> str:
    """The module of one cell."""
    ports = [
        f"{pin.direction} {pin.name}" for pin in cell.pins.values() if pin.direction in ("input", "output")
    ]
    lines = [f"module {cell.name} ({', '.join(ports)});"]
    if cell.gates_clock:
        lines += _clock_gate(cell)
    else:
        if cell.is_flip_flop:
            lines += _flip_flop(cell)
        for pin in cell.pins.values():
            if pin.direction == "output":
                if not pin.function:
                    raise LibraryError(f"cell {cell.name} says no function of its output {pin.name}")
                lines.append(f"  assign {pin.name} = {verilog_expression(pin.function)};")
    return "\n".join([*lines, "endmodule", ""])


def models(library: Library, cells: list[str]) -> str:
    """The modules of these cells."""
    return "\n".join(model(library.cells[name]) for name in sorted(cells))
