`include "npu_assert.svh"

// Fetches the program over a read channel of its own and hands one instruction a cycle to its queue. FetchBuffer
// instructions may be asked for ahead, also past a HALT and past the program's end: memory answers those with anything.
module npu_fetch
  import npu_isa_pkg::*, npu_pkg::*;
#(
  parameter int unsigned S = 16,
  parameter bit Bf16 = 1'b0,
  parameter int unsigned SpRows = 16384,
  parameter int unsigned AccRows = 1024
) (
  input  logic              clk_i,
  input  logic              rst_ni,
  input  logic              run_i,           // high from the first cycle of the run until it has ended
  input  logic [31:0]       program_i,       // byte address, a multiple of 16
  input  logic [IndexW-1:0] length_i,        // instructions
  output logic              dram_req_o,
  output logic [31:0]       dram_addr_o,
  input  logic              dram_valid_i,
  input  logic [127:0]      dram_data_i,
  input  logic [Queues-1:0] queue_full_i,
  output logic [Queues-1:0] queue_push_o,
  output entry_t            entry_o,
  output error_t            error_o,
  output logic              ended_o,         // HALT was reached
  output logic              blocked_o        // the next instruction waits for room in its queue
);

  localparam int unsigned PtrW = $clog2(FetchBuffer);
  localparam int unsigned CountW = PtrW + 1;

  logic [127:0]      buffer_q[FetchBuffer];
  logic [PtrW-1:0]   wptr_q, rptr_q;
  logic [CountW-1:0] asked_q;   // asked for and not dispatched
  logic [CountW-1:0] there_q;   // of these, arrived
  logic [IndexW-1:0] ask_index_q, index_q;
  logic              ended_q;

  // ---- ask ------------------------------------------------------------------------------------------------------
  assign dram_req_o  = run_i && !ended_q && asked_q != CountW'(FetchBuffer);
  assign dram_addr_o = program_i + {ask_index_q, 4'b0};

  // ---- dispatch -------------------------------------------------------------------------------------------------
  logic [127:0]              bits;
  logic                      have, in_program, is_halt, legal, good, ends, to_queue;
  logic [$clog2(Queues)-1:0] queue_index;
  cause_e                    cause;

  assign bits   = buffer_q[rptr_q];
  assign have   = run_i && there_q != '0 && !ended_q;
  assign in_program = index_q < length_i;
  assign good   = have && in_program && legal;

  npu_decode #(
    .S      (S),
    .Bf16   (Bf16),
    .SpRows (SpRows),
    .AccRows(AccRows)
  ) u_decode (
    .clk_i,
    .rst_ni,
    .bits_i    (bits),
    .dispatch_i(to_queue),
    .halt_o    (is_halt),
    .queue_o   (queue_index),
    .entry_o,
    .legal_o   (legal),
    .cause_o   (cause)
  );

  assign to_queue = good && !is_halt && !queue_full_i[queue_index];
  assign ends     = good && is_halt;

  always_comb begin
    queue_push_o = '0;
    if (to_queue) queue_push_o[queue_index] = 1'b1;
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      wptr_q      <= '0;
      rptr_q      <= '0;
      asked_q     <= '0;
      there_q     <= '0;
      ask_index_q <= '0;
      index_q     <= '0;
      ended_q     <= 1'b0;
    end else begin
      if (dram_req_o) ask_index_q <= ask_index_q + 1'b1;
      if (dram_valid_i) wptr_q <= wptr_q + 1'b1;
      if (to_queue) rptr_q <= rptr_q + 1'b1;
      if (to_queue) index_q <= index_q + 1'b1;
      asked_q <= asked_q + CountW'(dram_req_o) - CountW'(to_queue);
      there_q <= there_q + CountW'(dram_valid_i) - CountW'(to_queue);
      if (ends) ended_q <= 1'b1;
    end
  end

  always_ff @(posedge clk_i) begin
    if (dram_valid_i) buffer_q[wptr_q] <= dram_data_i;
  end

  always_comb begin
    error_o = '{valid: have && !good, cause: in_program ? cause : CauseFetchRange, index: index_q};
  end

  assign ended_o   = ended_q;
  assign blocked_o = good && !is_halt && !to_queue;

  `NPU_ASSERT(BufferHasRoom_A, dram_valid_i -> there_q != CountW'(FetchBuffer))
  `NPU_ASSERT(ArrivalsWereAsked_A, there_q <= asked_q)
  `NPU_ASSERT(OneQueue_A, $onehot0(queue_push_o))

endmodule
