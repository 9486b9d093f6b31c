`include "npu_assert.svh"

// One instruction queue. What is pushed in cycle t may leave in t + 1; a place that is freed in t is free in t + 1.
module npu_queue #(
  parameter int unsigned Width = 8,
  parameter int unsigned Depth = 16,
  parameter int unsigned IndexW = 28
) (
  input  logic              clk_i,
  input  logic              rst_ni,
  input  logic              push_i,
  input  logic [Width-1:0]  data_i,
  output logic              full_o,
  output logic              valid_o,
  output logic [Width-1:0]  head_o,
  output logic [IndexW-1:0] index_o,  // how many left before this head
  input  logic              pop_i
);

  localparam int unsigned PtrW = $clog2(Depth);

  logic [Width-1:0]  mem[Depth];
  logic [PtrW-1:0]   wptr_q, rptr_q;
  logic [PtrW:0]     count_q;
  logic [IndexW-1:0] index_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      wptr_q  <= '0;
      rptr_q  <= '0;
      count_q <= '0;
      index_q <= '0;
    end else begin
      if (push_i) wptr_q <= wptr_q + 1'b1;
      if (pop_i) rptr_q <= rptr_q + 1'b1;
      if (pop_i) index_q <= index_q + 1'b1;
      count_q <= count_q + (PtrW + 1)'(push_i) - (PtrW + 1)'(pop_i);
    end
  end

  always_ff @(posedge clk_i) begin
    if (push_i) mem[wptr_q] <= data_i;
  end

  assign full_o  = count_q == (PtrW + 1)'(Depth);
  assign valid_o = count_q != '0;
  assign head_o  = mem[rptr_q];
  assign index_o = index_q;

  `NPU_ASSERT(NoOverflow_A, push_i -> !full_o)
  `NPU_ASSERT(NoUnderflow_A, pop_i -> valid_o)
  `NPU_ASSERT(CountInRange_A, count_q <= (PtrW + 1)'(Depth))

endmodule
