// Assertions that every module of the processor uses. Simulation checks them (Verilator --assert), formal proves the
// ones of the modules it opens, synthesis ignores them.
`ifndef NPU_ASSERT_SVH
`define NPU_ASSERT_SVH

// `Prop` holds at every clock edge outside reset.
`ifdef SYNTHESIS
`define NPU_ASSERT(Name, Prop)
`else
`define NPU_ASSERT(Name, Prop) \
  Name: assert property (@(posedge clk_i) disable iff (!rst_ni) (Prop));
`endif

`endif  // NPU_ASSERT_SVH
