// Queues and tokens together, under any program that keeps the verifier's rule: in program order, a token is there
// before it is taken. Whatever the units do, and however long they take, one can always go on: when nothing is in
// flight and a queue is not empty, a head finds its tokens. And when all is done, no token is lost and none was made.
module npu_progress_formal
  import npu_isa_pkg::*;
(
  input logic                    clk_i,
  input logic                    rst_ni,
  input logic                    dispatch_i,   // the program's next instruction, if its queue has room
  input logic [1:0]              queue_i,
  input logic [Queues-1:0]       wait_i,
  input logic [Queues-1:0]       signal_i,
  input logic [Queues-1:0]       accepts_i,    // the unit of queue q would take a head in this cycle
  input logic [Queues-1:0]       completes_i   // what it has in flight ends in this cycle
);

  localparam int unsigned Depth = 2;
  localparam int unsigned Width = 2 * Queues;  // wait and signal
  localparam int unsigned CountW = 4;          // enough for the cycles of the proof

  // ---- the program, in its own order -----------------------------------------------------------------------------
  logic [Queues-1:0]                         full, push;
  logic [Queues-1:0][Queues-1:0][CountW-1:0] balance_q;  // [p][q]: sent from p to q and not taken, in program order
  logic                                      legal;

  always_comb begin
    legal = 1'b1;
    for (int unsigned p = 0; p < Queues; p++) begin
      if (wait_i[p] && balance_q[p][queue_i] == '0) legal = 1'b0;
    end
    for (int unsigned q = 0; q < Queues; q++) push[q] = dispatch_i && queue_i == 2'(q) && !full[q];
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      balance_q <= '0;
    end else if (push != '0) begin
      for (int unsigned p = 0; p < Queues; p++) begin
        for (int unsigned q = 0; q < Queues; q++) begin
          balance_q[p][q] <= balance_q[p][q] + CountW'(signal_i[q] && queue_i == 2'(p))
                             - CountW'(wait_i[p] && queue_i == 2'(q));
        end
      end
    end
  end

  // ---- queues, tokens, and units that take any time ----------------------------------------------------------------
  logic [Queues-1:0]             head_valid, pop, ready, overflow, flies_q;
  logic [Queues-1:0][Width-1:0]  head;
  logic [Queues-1:0][Queues-1:0] waits, flying_q, sent;
  logic [Queues-1:0][7:0]        index;

  for (genvar q = 0; q < Queues; q++) begin : gen_queue
    npu_queue #(
      .Width (Width),
      .Depth (Depth),
      .IndexW(8)
    ) u_queue (
      .clk_i,
      .rst_ni,
      .push_i (push[q]),
      .data_i ({signal_i, wait_i}),
      .full_o (full[q]),
      .valid_o(head_valid[q]),
      .head_o (head[q]),
      .index_o(index[q]),
      .pop_i  (pop[q])
    );
    assign waits[q] = head_valid[q] ? head[q][Queues-1:0] : '0;
    assign pop[q]   = head_valid[q] && ready[q] && accepts_i[q] && !flies_q[q];
    assign sent[q]  = flies_q[q] && completes_i[q] ? flying_q[q] : '0;
  end

  npu_tokens u_tokens (
    .clk_i,
    .rst_ni,
    .wait_i    (waits),
    .ready_o   (ready),
    .take_i    (pop),
    .signal_i  (sent),
    .overflow_o(overflow)
  );

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      flies_q  <= '0;
      flying_q <= '0;
    end else begin
      for (int unsigned q = 0; q < Queues; q++) begin
        if (pop[q]) begin
          flies_q[q]  <= 1'b1;
          flying_q[q] <= head[q][Width-1:Queues];
        end else if (completes_i[q]) begin
          flies_q[q] <= 1'b0;
        end
      end
    end
  end

  // ---- what holds ---------------------------------------------------------------------------------------------------
  logic started_q = 1'b0;
  logic balanced;

  always_comb begin
    balanced = 1'b1;
    for (int unsigned p = 0; p < Queues; p++) begin
      for (int unsigned q = 0; q < Queues; q++) begin
        if (8'(u_tokens.count_q[p][q]) != 8'(balance_q[p][q])) balanced = 1'b0;
      end
    end
  end

  always_ff @(posedge clk_i) begin
    started_q <= 1'b1;
    assume (rst_ni == started_q);
    if (rst_ni) begin
      assume (!dispatch_i || legal);
      NoDeadlock_A: assert (flies_q != '0 || head_valid == '0 || (head_valid & ready) != '0);
      NothingLost_A: assert (flies_q != '0 || head_valid != '0 || balanced);
      NoOverflow_A: assert (overflow == '0);
      // Three queues wait for tokens, the fourth alone can go on.
      Chain_C: cover (flies_q == '0 && head_valid == '1 && $countones(ready) == 1);
      Done_C: cover (flies_q == '0 && head_valid == '0 && index[0] != '0 && index[3] != '0 && balance_q == '0);
    end
  end

endmodule
