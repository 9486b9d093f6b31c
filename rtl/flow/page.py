"""The page docs/npu-hardware.md, made of rtl/flow/figures.json."""

from __future__ import annotations

from rtl.flow.designs import DESIGNS

SQUARE, LINEAR, CONSTANT = 2, 1, 0  # how a figure grows with the side

HEAD = """\
# The processor as hardware: area, clock, energy

Written by `python -m rtl.flow.publish` from [rtl/flow/figures.json](../rtl/flow/figures.json); not by hand. Everything
here is *modelled*: netlists of library cells before layout. There are no wires and no clock tree in them; a clock is
30 % slower than the cells alone allow, to leave room for wires. Simulation has no delays, so there are no glitches
in the energies. ASAP7 is a predictive library that no fab makes. No chip and no board has been measured.
A node has the designs that its command names. {age}
"""


def page(figures: dict, dram_byte: float) -> str:
    nodes = {name: node for name, node in figures.items() if "designs" in node}
    parts = [HEAD.format(age=_age(nodes)), _designs(nodes)]
    for name, node in nodes.items():
        for design, found in node["designs"].items():
            if "units" in found:
                parts.append(_units(name, design, found))
            if "levels" in found.get("energy", {}) and "layer" in found["energy"]:
                parts.append(_energy(name, design, found, dram_byte))
    parts += [_scaling(nodes), _memories(nodes), _fpga(figures), _commands(figures)]
    return "\n".join(part for part in parts if part)


def _age(nodes: dict) -> str:
    """Which figures are of the RTL as it is."""
    old = [
        f"{design} in {name}"
        for name, node in nodes.items()
        for design, found in node["designs"].items()
        if found.get("rtl") != DESIGNS[design].fingerprint()
    ]
    return f"Of an older RTL are: {', '.join(old)}." if old else "All in cells is of the RTL as it is."


def scaled_area(core: dict, scale: float) -> float:
    """The core of side 8 with its array, its vector unit and the rest grown each in its way."""
    areas = {unit: found["area"]["value"] for unit, found in core["units"].items()}
    array, vector = areas["u_matrix"], areas["u_vector"]
    rest = sum(areas.values()) - array - vector
    return array * scale**SQUARE + vector * scale**LINEAR + rest


def _number(figure: dict, scale: float, digits: int) -> str:
    return f"{figure['value'] * scale:,.{digits}f}"


def _designs(nodes: dict) -> str:
    lines = [
        "## Parts and the whole\n",
        "The element is one of the array; `lane-8` one of the vector unit of side 8; `core-8` everything, its memories as",
        "macros that are not in the area. What begins with `bf16` is of that kind, the others are of int8. Depth is in",
        "cells. *ABC* is how much the flow's own timing differs from ABC's.\n",
        "| node | design | cells | area µm² | depth | longest path ns | clock MHz | from | to | ABC |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, node in nodes.items():
        for design, found in node["designs"].items():
            abc = f"{found['abc']['difference']:+.1%}" if "abc" in found else ""
            lines.append(
                f"| {name} | {design} | {found['cells']:,} | {_number(found['area'], 1, 0)} | {found['depth']} "
                f"| {_number(found['period'], 1e9, 2)} | {_number(found['clock'], 1e-6, 0)} "
                f"| {found['critical']['from']} | {found['critical']['to']} | {abc} |"
            )
    return "\n".join(lines) + "\n"


def _units(node: str, design: str, found: dict) -> str:
    lines = [
        f"## {design} in {node}, by unit\n",
        "The longest path is that which ends in the unit, wherever it begins.\n",
        "| unit | cells | area mm² | longest path ns | depth | from |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for unit, row in sorted(found["units"].items(), key=lambda item: -item[1]["area"]["value"]):
        path = (
            [_number(row["period"], 1e9, 2), str(row["depth"]), row["from"]] if "period" in row else [""] * 3
        )
        lines.append(
            f"| {unit} | {row['cells']:,} | {_number(row['area'], 1e-6, 4)} | " + " | ".join(path) + " |"
        )
    return "\n".join(lines) + "\n"


def _energy(node: str, design: str, found: dict, dram_byte: float) -> str:
    energy = found["energy"]
    levels = list(energy["levels"])
    lines = [
        f"## Energy of {design} in {node}, pJ by class of instruction\n",
        "Of the cells, without memories: a cycle in which nothing else happens, an instruction's way through fetch, decode",
        "and queue, and then what it does by row, tile or beat. *random*: uniform operands; *relu*: half zeros and small",
        f"values; *idle*: zeros. Leakage {energy['leakage']['value'] * 1e6:.1f} µW. DRAM {dram_byte * 1e12:.0f} pJ a byte",
        "(Horowitz, ISSCC 2014: 1.3 to 2.6 nJ for 64 bits; the middle).\n",
        "| class | " + " | ".join(levels) + " |",
        "| --- |" + " --- |" * len(levels),
    ]
    for name in energy["levels"][levels[0]]:
        values = " | ".join(_number(energy["levels"][level][name], 1e12, 1) for level in levels)
        lines.append(f"| {name} | {values} |")
    lines += [
        "\nA program like a layer (1 x 1 convolution of 2 by 2 tiles with residual), which no class was derived from:\n",
        "| activity | its gates nJ | summed over classes nJ | difference |",
        "| --- | --- | --- | --- |",
    ]
    for level, row in energy["layer"].items():
        gates, summed = (_number(row[key], 1e9, 2) for key in ("gates", "summed"))
        lines.append(f"| {level} | {gates} | {summed} | {row['difference']:+.1%} |")
    lines.append(
        f"\n{energy['programs_equal_to_rtl']} programs ran in these gates and in the RTL: the same cycles, and every "
        "byte of DRAM the same."
    )
    for part, found in energy.get("saif", {}).items():
        difference = found["counters"]["value"] / found["saif"]["value"] - 1
        lines.append(
            f"Toggles of `{part}` were counted by Verilator, too (SAIF), on one stimulus: {found['nets_that_differ']} of "
            f"{found['nets']:,} nets differ, the energy by {difference:+.2%}."
        )
    return "\n".join(lines) + "\n"


def _scaling(nodes: dict) -> str:
    """Cores of other sides beside what side 8 scaled would be."""
    rows = []
    for name, node in nodes.items():
        for design, found in node["designs"].items():
            kind, _, side = design.rpartition("-")
            base = node["designs"].get(f"{kind}-8")
            if not kind.endswith("core") or side == "8" or base is None:
                continue
            scaled, real = scaled_area(base, int(side) / 8), found["area"]["value"]
            rows.append(
                f"| {name} | {design} | {real * 1e-6:.2f} | {scaled * 1e-6:.2f} | {scaled / real - 1:+.1%} |"
            )
    if not rows:
        return ""
    head = [
        "## Other sides\n",
        "Energies of sides 16 and 32 are scaled from side 8: the array by the square of the side, the vector unit by the",
        "side, the rest not at all. What this makes of the area, beside the area of the core itself:\n",
        "| node | design | area mm² | scaled from side 8 | difference |",
        "| --- | --- | --- | --- | --- |",
    ]
    return "\n".join([*head, *rows]) + "\n"


def _memories(nodes: dict) -> str:
    lines = [
        "## Memories\n",
        "Macros of the library, one port each; the design has a read and a write port, so areas and energies are too low.\n",
        "| node | design | memory | of it | macros | area mm² | access ns | read pJ | write pJ |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, node in nodes.items():
        for design, found in node["designs"].items():
            for row in found.get("memories", []):
                if row["macro"]:
                    lines.append(
                        f"| {name} | {design} | {row['cell']} | {row['count']} | {row['macro']} "
                        f"| {_number(row['area'], 1e-6, 3)} | {_number(row['access'], 1e9, 2)} "
                        f"| {_number(row['read'], 1e12, 0)} | {_number(row['write'], 1e12, 0)} |"
                    )
    lines.append("\nWhere a node has no macros, its memories take no time in the longest paths above.")
    return "\n".join(lines) + "\n"


def _fpga(figures: dict) -> str:
    found = figures.get("ECP5-85k")
    if not found:
        return ""
    used = "".join(f"| {name.replace('_', ' ')} | {count:,} |\n" for name, count in found["used"].items())
    parameters = ", ".join(f"{name} {value}" for name, value in found["parameters"].items())
    placed = "synthesised, not placed and routed: no clock is known."
    if "clocks" in found:
        clocks = ", ".join(f"{int(clock) / 1e6:.1f}" for clock in found["clocks"].values())
        placed = f"placed and routed down to a bitstream of {found['bitstream_bytes']:,} bytes.\n"
        placed += f"Clock in MHz by seed: {clocks}; the worst counts."
    return f"## On an FPGA\n\n{found['part']}, with {parameters}:\n{placed}\n\n| cells | used |\n| --- | --- |\n{used}"


def _commands(figures: dict) -> str:
    lines = ["## Made by\n", "| node | corner | tools | command |", "| --- | --- | --- | --- |"]
    for name, node in figures.items():
        tools = ", ".join(node["tools"].values())
        lines.append(f"| {name} | {node.get('corner', '')} | {tools} | `{node['command']}` |")
    return "\n".join(lines) + "\n"
