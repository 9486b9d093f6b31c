`include "npu_assert.svh"

// The dependency tokens: one counter for each pair of queues, 16 in all. A queue issues when every counter that its
// instruction waits for holds a token, and takes one of each at once; a completing instruction adds one to each that
// it signals. An added token counts from the next cycle on.
module npu_tokens
  import npu_isa_pkg::*;
(
  input  logic                          clk_i,
  input  logic                          rst_ni,
  input  logic [Queues-1:0][Queues-1:0] wait_i,      // [q][p]: the head of queue q waits for a token of queue p
  output logic [Queues-1:0]             ready_o,     // all tokens of that head are there
  input  logic [Queues-1:0]             take_i,      // it issues
  input  logic [Queues-1:0][Queues-1:0] signal_i,    // [q][p]: queue q sends a token to queue p
  output logic [Queues-1:0]             overflow_o   // queue q sent a token to a full counter
);

  localparam int unsigned CountW = $clog2(TokenMax + 1);

  // count_q[from][to]
  logic [CountW-1:0] count_q[Queues][Queues]  /*verilator public_flat_rw*/;

  always_comb begin
    ready_o    = '1;
    overflow_o = '0;
    for (int unsigned q = 0; q < Queues; q++) begin
      for (int unsigned p = 0; p < Queues; p++) begin
        if (wait_i[q][p] && count_q[p][q] == '0) ready_o[q] = 1'b0;
        if (signal_i[q][p] && count_q[q][p] == CountW'(TokenMax) && !(take_i[p] && wait_i[p][q])) begin
          overflow_o[q] = 1'b1;
        end
      end
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      for (int unsigned from = 0; from < Queues; from++) begin
        for (int unsigned to = 0; to < Queues; to++) count_q[from][to] <= '0;
      end
    end else begin
      for (int unsigned from = 0; from < Queues; from++) begin
        for (int unsigned to = 0; to < Queues; to++) begin
          count_q[from][to] <= count_q[from][to] + CountW'(signal_i[from][to])
                               - CountW'(take_i[to] & wait_i[to][from]);
        end
      end
    end
  end

  for (genvar q = 0; q < Queues; q++) begin : gen_assert
    `NPU_ASSERT(TakesWhatIsThere_A, take_i[q] -> ready_o[q])
  end

endmodule
