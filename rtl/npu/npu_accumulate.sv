`include "npu_assert.svh"

// The accumulator's end of the matrix unit: writes the sums that leave the array to their rows, or adds them to what
// is there. Sums may hit the same row again in the next cycle; what is not yet in the memory is taken from here.
//
//   cycle 0: the row is read   1: the sums arrive (c_valid_i) and are added   2: the row is written
module npu_accumulate
  import npu_pkg::*;
#(
  parameter int unsigned S = 16
) (
  input  logic               clk_i,
  input  logic               rst_ni,
  // cycle 0
  input  logic               row_valid_i,
  input  logic               row_add_i,
  input  logic               row_last_i,   // of its instruction
  input  logic [AccRowW-1:0] row_i,
  // cycle 1
  input  logic               c_valid_i,
  input  logic [S-1:0][31:0] c_row_i,
  // cycle 2
  output logic               finish_o,     // the last row of an instruction is written
  // accumulator memory
  output logic               re_o,
  output logic [AccRowW-1:0] raddr_o,
  input  logic [S-1:0][31:0] rdata_i,
  output logic               we_o,
  output logic [AccRowW-1:0] waddr_o,
  output logic [S-1:0][31:0] wdata_o
);

  // Where the old row of the sums in cycle 1 is.
  typedef enum logic [1:0] {
    OldIsZero,
    OldInMemory,
    OldInSum,     // the row before was the same: its sum was made one cycle ago
    OldInWritten  // the row two before was the same: it was written when this one was read
  } old_e;

  typedef struct packed {
    logic               valid;
    logic               last;
    logic [AccRowW-1:0] row;
  } row_t;

  row_t               adding_q, writing_q;
  old_e               old_d, old_q;
  logic [S-1:0][31:0] sum_d, sum_q, written_q;

  assign re_o    = row_valid_i && row_add_i;
  assign raddr_o = row_i;

  always_comb begin
    old_d = OldIsZero;
    if (row_add_i) begin
      old_d = OldInMemory;
      if (writing_q.valid && writing_q.row == row_i) old_d = OldInWritten;
      if (adding_q.valid && adding_q.row == row_i) old_d = OldInSum;
    end
  end

  always_comb begin
    for (int unsigned c = 0; c < S; c++) begin
      unique case (old_q)
        OldInMemory:  sum_d[c] = c_row_i[c] + rdata_i[c];
        OldInSum:     sum_d[c] = c_row_i[c] + sum_q[c];
        OldInWritten: sum_d[c] = c_row_i[c] + written_q[c];
        default:      sum_d[c] = c_row_i[c];
      endcase
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      adding_q  <= '0;
      writing_q <= '0;
      old_q     <= OldIsZero;
    end else begin
      adding_q  <= '{valid: row_valid_i, last: row_last_i, row: row_i};
      writing_q <= adding_q;
      old_q     <= old_d;
    end
  end

  always_ff @(posedge clk_i) begin
    if (adding_q.valid) sum_q <= sum_d;
    if (writing_q.valid) written_q <= sum_q;
  end

  assign we_o     = writing_q.valid;
  assign waddr_o  = writing_q.row;
  assign wdata_o  = sum_q;
  assign finish_o = writing_q.valid && writing_q.last;

  `NPU_ASSERT(SumsOnTime_A, c_valid_i == adding_q.valid)

endmodule
