"""From SystemVerilog and a cell library to area, clock and energy: `python -m rtl.flow --help`.

    designs.py    what is synthesised, one row a design
    liberty.py    a cell library: areas, delays, energies (NLDM tables)
    synthesis.py  SystemVerilog to a netlist of the library's cells; area, logic depth, clock
    activity.py   the netlist simulated on a stimulus: how often each net toggles
    power.py      toggles times the library's energy tables
    figures.json  what came out, each with its library, corner, tools and command

Figures are of cells alone: no wires, no clock tree, no glitches. They are estimates before layout and say so.
"""
