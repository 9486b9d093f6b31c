// Assertions that every module of the processor uses. Simulation checks them (Verilator --assert), formal proves those of
// the modules that it opens, synthesis ignores them. `Prop` is an expression, with -> for implication.
`ifndef NPU_ASSERT_SVH
`define NPU_ASSERT_SVH

// `Prop` holds at every clock edge outside reset.
`ifdef FORMAL
`define NPU_ASSERT(Name, Prop) \
  always_ff @(posedge clk_i) if (rst_ni) begin Name: assert (Prop); end
`elsif SYNTHESIS
`define NPU_ASSERT(Name, Prop)
`else
`define NPU_ASSERT(Name, Prop) \
  Name: assert property (@(posedge clk_i) disable iff (!rst_ni) (Prop));
`endif

`endif  // NPU_ASSERT_SVH
