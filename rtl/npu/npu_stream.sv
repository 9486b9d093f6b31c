`include "npu_assert.svh"

// The second stage of the matrix unit: reads the activation rows of a tile, n1 x n0 of them, one a cycle, and hands them
// to the array. It stays taken for MatrixMinRows cycles at least, and for Gap cycles more.
module npu_stream
  import npu_isa_pkg::*, npu_pkg::*;
#(
  parameter int unsigned S = 16,
  parameter bit Bf16 = 1'b0,
  localparam int unsigned ElemW = Bf16 ? 16 : 8
) (
  input  logic                    clk_i,
  input  logic                    rst_ni,
  input  logic                    start_i,
  input  matmul_t                 start_op_i,
  output logic                    free_o,     // may start
  output logic                    reading_o,  // rows are being read
  // scratchpad
  output logic                    re_o,
  output logic [SpRowW-1:0]       row_o,
  input  logic [S-1:0][ElemW-1:0] data_i,
  // array
  output logic                    enter_o,
  output logic                    enter_swap_o,
  output logic [S-1:0]            enter_live_o,
  output logic [S-1:0][ElemW-1:0] enter_row_o,
  // what becomes of the row that is read in this cycle
  output logic                    sum_add_o,
  output logic                    sum_last_o,
  output logic [AccRowW-1:0]      sum_row_o
);

  localparam int unsigned RowsW = $bits(start_op_i.n0) + $bits(start_op_i.n1);
  localparam int unsigned SlotW = $clog2(MatrixMinRows + 1);
  localparam int unsigned Gap = Bf16 ? MatrixGapBf16 : MatrixGapInt8;
  localparam int unsigned GapW = $clog2(Gap + 2);

  typedef struct packed {
    logic         valid;
    logic         swap;
    logic [S-1:0] live;
  } enter_t;

  matmul_t                 op_q;
  logic                    busy_q, first_q;
  logic [RowsW-1:0]        left_q;  // rows still to read
  logic [SlotW-1:0]        slot_q;  // cycles that the stage stays taken at least
  logic [GapW-1:0]         gap_q;   // ... and beyond its last row
  logic                    rows_over;
  logic [10:0]             i0_q;
  logic [SpRowW-1:0]       outer_q, inner_q, outer_next;
  logic [AccRowW-1:0]      sum_row_q;
  enter_t                  arriving_q, entering_q;
  logic [S-1:0][ElemW-1:0] enter_row_q;
  logic [S-1:0]            live;

  assign reading_o  = busy_q && left_q != '0;
  assign rows_over  = left_q <= RowsW'(1) && slot_q <= SlotW'(1);
  assign free_o     = !busy_q || (rows_over && gap_q == '0);
  assign re_o       = reading_o;
  assign row_o      = inner_q;
  assign outer_next = outer_q + SpRowW'(op_q.s1);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      busy_q    <= 1'b0;
      first_q   <= 1'b0;
      op_q      <= '0;
      left_q    <= '0;
      slot_q    <= '0;
      gap_q     <= '0;
      i0_q      <= '0;
      outer_q   <= '0;
      inner_q   <= '0;
      sum_row_q <= '0;
    end else if (start_i) begin
      busy_q    <= 1'b1;
      first_q   <= 1'b1;
      op_q      <= start_op_i;
      left_q    <= RowsW'(start_op_i.n1) * RowsW'(start_op_i.n0);
      slot_q    <= SlotW'(MatrixMinRows);
      gap_q     <= GapW'(Gap);
      i0_q      <= '0;
      outer_q   <= start_op_i.a_addr;
      inner_q   <= start_op_i.a_addr;
      sum_row_q <= start_op_i.c_addr;
    end else begin
      if (free_o) busy_q <= 1'b0;
      first_q <= 1'b0;
      if (slot_q != '0) slot_q <= slot_q - 1'b1;
      if (rows_over && gap_q != '0) gap_q <= gap_q - 1'b1;
      if (reading_o) begin
        left_q    <= left_q - 1'b1;
        sum_row_q <= sum_row_q + 1'b1;
        if (i0_q + 11'd1 == op_q.n0) begin
          i0_q    <= '0;
          outer_q <= outer_next;
          inner_q <= outer_next;
        end else begin
          i0_q    <= i0_q + 1'b1;
          inner_q <= inner_q + SpRowW'(op_q.s0);
        end
      end
    end
  end

  for (genvar r = 0; r < S; r++) begin : gen_live
    assign live[r] = r < 32'(op_q.k);
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      arriving_q <= '0;
      entering_q <= '0;
    end else begin
      arriving_q <= '{valid: reading_o, swap: first_q && !op_q.keep, live: live};
      entering_q <= arriving_q;
    end
  end

  always_ff @(posedge clk_i) begin
    if (arriving_q.valid) enter_row_q <= data_i;
  end

  assign enter_o      = entering_q.valid;
  assign enter_swap_o = entering_q.swap;
  assign enter_live_o = entering_q.live;
  assign enter_row_o  = enter_row_q;
  assign sum_add_o    = op_q.accumulate;
  assign sum_last_o   = left_q == RowsW'(1);
  assign sum_row_o    = sum_row_q;

  logic unused_bits;
  assign unused_bits = ^op_q;

  `NPU_ASSERT(StartsFree_A, start_i -> free_o)

endmodule
