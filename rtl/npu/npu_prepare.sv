`include "npu_assert.svh"

// The first stage of the matrix unit: reads the weights of a tile, one array row every Step cycles, and hands them to
// the array's shadow registers; then waits for the second stage to take the tile. With `keep` there is nothing to read.
module npu_prepare
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
  input  logic                    take_i,     // the tile leaves
  output logic                    full_o,     // there is a tile
  output logic                    reading_o,  // its weights are being read
  output logic                    ready_o,    // it may leave: reads of the next stage come after the last of these
  // scratchpad
  output logic                    re_o,
  output logic [SpRowW-1:0]       row_o,
  input  logic [S-1:0][ElemW-1:0] data_i,
  // array
  output logic                    load_o,
  output logic                    load_tern_o,
  output logic [$clog2(S)-1:0]    load_index_o,
  output logic [S-1:0][ElemW-1:0] load_row_o
);

  localparam int unsigned ArrayRowW = $clog2(S);
  localparam int unsigned Step = Bf16 ? MatrixStepBf16 : MatrixStepInt8;
  localparam int unsigned StepW = $clog2(Step + 1);

  typedef struct packed {
    logic              valid;
    logic              tern;
    logic [ArrayRowW-1:0] index;
  } load_t;

  logic                    full_q, keep_q, tern_q;
  logic [SpRowW-1:0]       row_q;
  logic [ArrayRowW:0]      done_q;  // array rows whose weights were read
  logic [StepW-1:0]        step_q;  // cycles since the read of the present one
  load_t                   arriving_q, loading_q;
  logic [S-1:0][ElemW-1:0] load_row_q;

  logic step_over, row_begins;

  assign step_over  = step_q == StepW'(Step - 1);
  assign row_begins = reading_o && step_q == '0;
  assign reading_o  = full_q && !keep_q && done_q != (ArrayRowW + 1)'(S);
  assign ready_o    = full_q && (keep_q || !reading_o || (step_over && done_q == (ArrayRowW + 1)'(S - 1)));
  assign full_o     = full_q;

  // A ternary scratchpad row serves four array rows: it is read once and stays on the port.
  assign re_o  = row_begins && (!tern_q || done_q[1:0] == '0);
  assign row_o = row_q + (tern_q ? SpRowW'(done_q >> 2) : SpRowW'(done_q));

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      full_q     <= 1'b0;
      keep_q     <= 1'b0;
      tern_q     <= 1'b0;
      row_q      <= '0;
      done_q     <= '0;
      step_q     <= '0;
      arriving_q <= '0;
      loading_q  <= '0;
    end else begin
      if (start_i) full_q <= 1'b1;
      else if (take_i) full_q <= 1'b0;
      if (start_i) begin
        keep_q <= start_op_i.keep;
        tern_q <= start_op_i.ternary;
        row_q  <= start_op_i.w_addr;
        done_q <= '0;
        step_q <= '0;
      end else if (reading_o) begin
        step_q <= step_over ? '0 : step_q + 1'b1;
        if (step_over) done_q <= done_q + 1'b1;
      end
      arriving_q <= '{valid: row_begins, tern: tern_q, index: done_q[ArrayRowW-1:0]};
      loading_q  <= arriving_q;
    end
  end

  always_ff @(posedge clk_i) begin
    if (arriving_q.valid) load_row_q <= data_i;
  end

  assign load_o       = loading_q.valid;
  assign load_tern_o  = loading_q.tern;
  assign load_index_o = loading_q.index;
  assign load_row_o   = load_row_q;

  logic unused_bits;
  assign unused_bits = ^start_op_i;

  `NPU_ASSERT(TakesTheReady_A, take_i -> ready_o)
  `NPU_ASSERT(StartsEmpty_A, start_i -> !full_q || take_i)

endmodule
