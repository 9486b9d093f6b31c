"""Prove what rtl/fpga/formal/ states: each proof, each cover, and that each seeded bug is found.

python -m rtl.fpga.formal.prove                 all
python -m rtl.fpga.formal.prove fpga_fifo       some
"""

from __future__ import annotations

import sys
from pathlib import Path

from rtl.npu.formal.prove import Proof, main

FPGA = Path(__file__).resolve().parents[1]

PROOFS = [
    Proof(
        "fpga_fifo",
        ["fpga_fifo.sv"],
        10,
        ("fpga_fifo.sv", "assign to_front  = push && ram_empty && room;", "assign to_front  = push && room;"),
        induction="smt",
        folder=FPGA,
    ),
    Proof(
        "fpga_delay",
        ["fpga_delay.sv"],
        14,
        ("fpga_delay.sv", "rptr_q   <= PtrW'(1);", "rptr_q   <= '0;"),
        folder=FPGA,
    ),
    Proof(
        "fpga_cells",
        ["fpga_cells.sv"],
        8,
        (
            "fpga_cells.sv",
            "data_q        <= we_i && waddr_i == addr1_q ? wdata_i : data_d;",
            "data_q        <= data_d;",
        ),
        folder=FPGA,
    ),
]

if __name__ == "__main__":
    sys.exit(main(PROOFS, __doc__.splitlines()[0]))
