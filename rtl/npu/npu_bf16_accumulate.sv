`include "npu_assert.svh"

// npu_accumulate of the bf16 kind: the sums that leave the array, or what they make of the old row, go to the
// accumulator memory. An addition takes three cycles; MatrixGapBf16 keeps the tiles so far apart that no row is read
// before it is written, and within a tile no row comes twice.
//
//   cycle 0: the row is read   1: the sums arrive (c_valid_i) and enter the adders   4: the row is written
module npu_bf16_accumulate
  import npu_isa_pkg::*, npu_pkg::*;
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
  // cycle 4
  output logic               finish_o,     // the last row of an instruction is written
  // accumulator memory
  output logic               re_o,
  output logic [AccRowW-1:0] raddr_o,
  input  logic [S-1:0][31:0] rdata_i,
  output logic               we_o,
  output logic [AccRowW-1:0] waddr_o,
  output logic [S-1:0][31:0] wdata_o
);

  localparam int unsigned Write = 4;                       // the cycle of the write
  localparam logic [31:0] NegativeZero = 32'h8000_0000;    // adds nothing to any sum

  typedef struct packed {
    logic               valid;
    logic               add;
    logic               last;
    logic [AccRowW-1:0] row;
  } row_t;

  row_t row_q[Write+1];  // row_q[k]: the row in cycle k; there is none in cycle 0 yet

  assign re_o     = row_valid_i && row_add_i;
  assign raddr_o  = row_i;
  assign row_q[0] = '{valid: row_valid_i, add: row_add_i, last: row_last_i, row: row_i};

  for (genvar k = 1; k <= Write; k++) begin : gen_rows
    always_ff @(posedge clk_i or negedge rst_ni) begin
      if (!rst_ni) row_q[k] <= '0;
      else row_q[k] <= row_q[k-1];
    end

    `NPU_ASSERT(WrittenBeforeRead_A, re_o -> !(row_q[k].valid && row_q[k].row == row_i))
  end

  for (genvar c = 0; c < S; c++) begin : gen_sums
    npu_fp_add u_add (
      .clk_i,
      .en_i ({row_q[3].valid, row_q[2].valid, row_q[1].valid}),
      .a_i  (row_q[1].add ? rdata_i[c] : NegativeZero),
      .b_i  (c_row_i[c]),
      .sum_o(wdata_o[c])
    );
  end

  assign we_o     = row_q[Write].valid;
  assign waddr_o  = row_q[Write].row;
  assign finish_o = row_q[Write].valid && row_q[Write].last;

  `NPU_ASSERT(SumsOnTime_A, c_valid_i == row_q[1].valid)

  if (MatrixTailBf16 != Write + 2 || MatrixGapBf16 < Write) begin : gen_table
    $error("the table of instructions has other distances than the accumulator");
  end

endmodule
