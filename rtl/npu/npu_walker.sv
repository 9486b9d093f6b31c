// Walks the rows of a LOAD, FILL or STORE: four loops, the first innermost, over DRAM addresses and local rows. The
// loops must not change while it walks.
module npu_walker
  import npu_isa_pkg::*, npu_pkg::*;
(
  input  logic                           clk_i,
  input  logic                           rst_ni,
  input  logic                           start_i,
  input  logic        [Loops-1:0]        loops_i,       // which loops count; the others count once
  input  logic        [Loops-1:0][15:0]  count_i,
  input  logic        [Loops-1:0][31:0]  dram_stride_i,
  input  logic        [Loops-1:0][15:0]  row_stride_i,
  input  logic        [31:0]             dram_i,
  input  logic        [RowW-1:0]         row_i,
  input  logic                           step_i,        // to the next row
  output logic signed [33:0]             dram_o,        // wide enough to show a step out of the address space
  output logic        [RowW-1:0]         row_o,
  output logic                           last_o
);

  logic [Loops-1:0]           loops_q;
  logic [Loops-1:0][15:0]     left_q;    // iterations behind the present one
  logic [Loops-1:0][33:0]     dram_q;    // where the present iteration of loop k began
  logic [Loops-1:0][RowW-1:0] row_q;

  logic [Loops-1:0]       at_end;
  logic [Loops-1:0][15:0] behind;  // iterations behind the first
  for (genvar k = 0; k < Loops; k++) begin : gen_at_end
    assign behind[k] = count_i[k] - 16'd1;
    assign at_end[k] = !loops_q[k] || left_q[k] == '0;
  end
  assign last_o = &at_end;

  // The innermost loop that is not at its end goes on; those inside it start again where it then stands.
  logic [Loops-1:0] goes_on, restarts;
  logic [33:0]      dram_next;
  logic [RowW-1:0]  row_next;

  always_comb begin
    dram_next = dram_q[0];
    row_next  = row_q[0];
    goes_on   = '0;
    restarts  = '0;
    for (int k = Loops - 1; k >= 0; k--) begin
      if (!at_end[k]) begin
        goes_on    = '0;
        goes_on[k] = 1'b1;
        dram_next  = dram_q[k] + 34'(signed'(dram_stride_i[k]));
        row_next   = row_q[k] + row_stride_i[k];
      end
    end
    for (int unsigned k = 0; k < Loops; k++) begin
      for (int unsigned outer = k + 1; outer < Loops; outer++) restarts[k] |= goes_on[outer];
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      loops_q <= '0;
      left_q  <= '0;
      dram_q  <= '0;
      row_q   <= '0;
    end else if (start_i) begin
      loops_q <= loops_i;
      left_q  <= behind;
      dram_q  <= {Loops{34'(dram_i)}};
      row_q   <= {Loops{row_i}};
    end else if (step_i) begin
      for (int unsigned k = 0; k < Loops; k++) begin
        if (goes_on[k]) left_q[k] <= left_q[k] - 16'd1;
        if (restarts[k]) left_q[k] <= behind[k];
        if (goes_on[k] || restarts[k]) dram_q[k] <= dram_next;
        if (goes_on[k] || restarts[k]) row_q[k] <= row_next;
      end
    end
  end

  assign dram_o = dram_q[0];
  assign row_o  = row_q[0];

endmodule
