// The tokens of one pair of queues, any pair: no token is lost and none made, a queue issues exactly when what it waits
// for is there, and a counter that would overflow says so. By induction, so for runs of any length.
module npu_tokens_formal
  import npu_isa_pkg::*;
(
  input logic                          clk_i,
  input logic                          rst_ni,
  input logic [Queues-1:0][Queues-1:0] wait_i,
  input logic [Queues-1:0]             want_i,     // the unit of queue q would take its head
  input logic [Queues-1:0][Queues-1:0] signal_i,
  input logic [1:0]                    from_i,     // the pair
  input logic [1:0]                    to_i
);

  logic [Queues-1:0] ready, take, overflow;
  assign take = want_i & ready;

  npu_tokens u_dut (
    .clk_i,
    .rst_ni,
    .wait_i,
    .ready_o   (ready),
    .take_i    (take),
    .signal_i,
    .overflow_o(overflow)
  );

  logic        started_q = 1'b0;
  logic [1:0]  from_q, to_q;
  logic [15:0] tokens_q = '0;  // of the pair: sent and not taken
  logic        sent, taken;

  assign sent  = signal_i[from_i][to_i];
  assign taken = take[to_i] && wait_i[to_i][from_i];

  always_ff @(posedge clk_i) begin
    started_q <= 1'b1;
    from_q    <= from_i;
    to_q      <= to_i;
    assume (rst_ni == started_q);
    if (started_q) assume (from_i == from_q && to_i == to_q);
    // The processor stops on an overflow.
    assume (overflow == '0 || !rst_ni);
    if (rst_ni) tokens_q <= tokens_q + 16'(sent) - 16'(taken);
  end

  logic [Queues-1:0][Queues-1:0] there;  // [q][p]: the counter from p to q is not empty
  for (genvar q = 0; q < Queues; q++) begin : gen_to
    for (genvar p = 0; p < Queues; p++) begin : gen_from
      assign there[q][p] = u_dut.count_q[p][q] != '0;
    end
  end

  always_ff @(posedge clk_i) begin
    if (rst_ni) begin
      NothingLost_A: assert (16'(u_dut.count_q[from_i][to_i]) == tokens_q);
      InRange_A: assert (tokens_q <= 16'(TokenMax));
      Ready_A: assert (ready[to_i] == ((wait_i[to_i] & ~there[to_i]) == '0));
      Three_C: cover (tokens_q == 16'd3 && taken && sent);
    end
  end

endmodule
