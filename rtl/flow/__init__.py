"""From SystemVerilog and a cell library to area, clock and energy: `python -m rtl.flow --help`.

    designs.py    what is synthesised, one row a design
    liberty.py    a cell library: areas, delays, energies (NLDM tables)
    memories.py   its memory macros
    synthesis.py  SystemVerilog to a netlist of the library's cells
    timing.py     the netlist's longest paths, by unit
    activity.py   an array's netlist simulated by Verilator: how often each net toggles
    programs.py   programs for the core, by class of instruction
    simulate.py   the core's netlist simulated, 64 programs at once
    core.py       that with a memory system around it, beside the RTL
    saif.py       the toggles that it counts beside those of Verilator
    power.py      toggles times the library's energy tables
    energy.py     energy of each class of instruction, and how well their sum meets a layer
    figures.json  what came out, each with its library, corner, tools and command
    publish.py    figures.json to the plug-in's figures and docs/npu-hardware.md
    ecp5.py       the core of side 8 on an FPGA, down to a bitstream
    fpga.py       kernels for FPGAs, down to bitstreams; `tetrarch fpga build` runs it
    fpga_operators.py  each operator of such kernels alone
    compare_scalesim.py  our cycles beside those of another model

Figures are of cells alone: no wires, no clock tree, no glitches. They are estimates before layout and say so.
"""
