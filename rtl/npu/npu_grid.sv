// The addresses of n1 x n0 rows of which i0 runs first: first + i1 * s1 + i0 * s0.
module npu_grid
  import npu_pkg::*;
(
  input  logic              clk_i,
  input  logic              rst_ni,
  input  logic              start_i,
  input  logic [SpRowW-1:0] first_i,
  input  logic              step_i,     // to the next row ...
  input  logic              outer_i,    // ... which is the first of the next i1
  input  logic [SpRowW-1:0] s0_i,
  input  logic [SpRowW-1:0] s1_i,
  output logic [SpRowW-1:0] row_o
);

  logic [SpRowW-1:0] outer_q, inner_q, outer_next;

  assign outer_next = outer_q + s1_i;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      outer_q <= '0;
      inner_q <= '0;
    end else if (start_i) begin
      outer_q <= first_i;
      inner_q <= first_i;
    end else if (step_i) begin
      if (outer_i) outer_q <= outer_next;
      inner_q <= outer_i ? outer_next : inner_q + s0_i;
    end
  end

  assign row_o = inner_q;

endmodule
