// Queues and tokens together, under any program that keeps the verifier's rules: in program order, a token is there
// before it is taken, and no counter has too many. Whatever the units do, and however long they take, one can always go
// on: when nothing is in flight, the oldest instruction that is queued finds its tokens. And when all is done, no token
// is lost and none was made.
//
// Everything is stated of the tokens from one queue to another, from_i to to_i. By induction, so for
// runs of any length; the queues are Depth deep here. The invariant: what the two queues hold could run in the order in
// which it was dispatched, from the tokens that are there and on their way, and would leave the balance of the whole
// program. It survives every step because only one queue takes these tokens, in its order: what overtakes takes none
// that an overtaken instruction needs. The oldest instruction of all queues is the oldest of its queue and any other.
module npu_progress_formal
  import npu_isa_pkg::*;
(
  input logic                    clk_i,
  input logic                    rst_ni,
  input logic                    dispatch_i,   // the program's next instruction, if its queue has room
  input logic [1:0]              queue_i,
  input logic [Queues-1:0]       wait_i,
  input logic [Queues-1:0]       signal_i,
  input logic [1:0]              from_i,       // always the same
  input logic [1:0]              to_i,
  input logic [Queues-1:0]       accepts_i,    // the unit of queue q would take a head in this cycle
  input logic [Queues-1:0]       completes_i   // what it has in flight ends in this cycle
);

  localparam int unsigned Depth = 2;
  localparam int unsigned Width = 2 * Queues;  // wait and signal
  localparam int unsigned CountW = 10;         // more than a counter of tokens
  localparam int unsigned PtrW = $clog2(Depth);
  localparam int unsigned Places = 2 * Depth;
  localparam int unsigned MaxBalance = TokenMax - Depth;  // that a program may have in a counter

  // ---- the program, in its own order -----------------------------------------------------------------------------
  logic [Queues-1:0]                         full, push;
  logic [Queues-1:0][Queues-1:0][CountW-1:0] balance_q;  // [p][q]: sent from p to q and not taken, in program order
  logic                                      legal;

  always_comb begin
    legal = 1'b1;
    for (int unsigned p = 0; p < Queues; p++) begin
      if (wait_i[p] && balance_q[p][queue_i] == '0) legal = 1'b0;
      if (signal_i[p] && balance_q[queue_i][p] >= CountW'(MaxBalance)) legal = 1'b0;
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
  logic [Queues-1:0][Depth-1:0][Width-1:0] entries;  // the head first
  logic [Queues-1:0][PtrW:0]     queued;
  logic [Queues-1:0]             in_place;  // pointers and count agree

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
    for (genvar k = 0; k < Depth; k++) begin : gen_entry
      assign entries[q][k] = u_queue.mem[PtrW'(u_queue.rptr_q + PtrW'(k))];
    end
    assign queued[q]   = u_queue.count_q;
    assign in_place[q] = PtrW'(u_queue.wptr_q - u_queue.rptr_q) == PtrW'(u_queue.count_q) &&
                         u_queue.count_q <= (PtrW + 1)'(Depth);
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

  // ---- the order of dispatch --------------------------------------------------------------------------------------
  logic [Places-1:0]           order_q, order_d;  // of what the two queues hold, the oldest first: whether it is in to_i
  logic [$clog2(Places+1)-1:0] length_q, length_d;
  logic                        same;

  assign same = from_i == to_i;

  always_comb begin
    order_d  = order_q;
    length_d = length_q;
    for (int unsigned in_to = 0; in_to < 2; in_to++) begin
      logic leaves, gone;
      leaves = in_to == 1 ? pop[to_i] : pop[from_i] && !same;
      gone   = 1'b0;
      for (int unsigned i = 0; i < Places; i++) begin
        if (leaves && order_d[i] == 1'(in_to)) gone = 1'b1;
        if (gone) order_d[i] = i + 1 < Places ? order_d[i+1] : 1'b0;
      end
      if (leaves) length_d = length_d - 1'b1;
    end
    if (push[to_i] || push[from_i]) begin
      for (int unsigned i = 0; i < Places; i++) begin
        if (32'(length_d) == i) order_d[i] = push[to_i];
      end
      length_d = length_d + 1'b1;
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      order_q  <= '0;
      length_q <= '0;
    end else begin
      order_q  <= order_d;
      length_q <= length_d;
    end
  end

  // Runs what the two queues hold in that order.
  logic [CountW-1:0] on_hand, balance;
  logic              runs;

  assign on_hand = CountW'(u_tokens.count_q[from_i][to_i]);
  assign balance = balance_q[from_i][to_i];

  always_comb begin
    logic [CountW-1:0]           there;
    logic [Depth-1:0]            takes, gives;  // of the entries of to_i and from_i
    logic [$clog2(Places+1)-1:0] taken, given;  // entries that ran

    for (int unsigned k = 0; k < Depth; k++) begin
      takes[k] = entries[to_i][k][from_i];
      gives[k] = entries[from_i][k][Queues+32'(to_i)];
    end
    runs  = 1'b1;
    there = on_hand + CountW'(flies_q[from_i] && flying_q[from_i][to_i]);
    taken = '0;
    given = '0;
    for (int unsigned i = 0; i < Places; i++) begin
      if (i < 32'(length_q)) begin
        if (order_q[i]) begin
          if (takes[PtrW'(taken)] && there == '0) runs = 1'b0;
          there = there - CountW'(takes[PtrW'(taken)]);
          taken = taken + 1'b1;
        end
        if (!order_q[i] || same) begin
          there = there + CountW'(gives[PtrW'(given)]);
          given = given + 1'b1;
        end
      end
    end
    if (there != balance || 32'(taken) != 32'(queued[to_i]) || 32'(given) != 32'(queued[from_i])) runs = 1'b0;
  end

  // ---- what holds ---------------------------------------------------------------------------------------------------
  logic started_q = 1'b0;
  logic [1:0] to_q;

  always_ff @(posedge clk_i) begin
    to_q      <= to_i;
    started_q <= 1'b1;
    assume (rst_ni == started_q);
    assume (from_i == '0 && to_i <= 2'd1);  // nothing tells one queue from another: to itself, and to a second one
    assume (!started_q || to_i == to_q);
    if (rst_ni) begin
      assume (!dispatch_i || legal);
      InPlace_A: assert (in_place == '1 && 32'(length_q) <= Places);
      Runs_A: assert (runs);
      Bounded_A: assert (balance <= CountW'(MaxBalance));
      OldestGoesOn_A: assert (flies_q != '0 || length_q == '0 || !order_q[0] || !waits[to_i][from_i] || on_hand != '0);
      NothingLost_A: assert (flies_q != '0 || head_valid != '0 || on_hand == balance);
      NoOverflow_A: assert (!sent[from_i][to_i] || on_hand != CountW'(TokenMax) || (pop[to_i] && waits[to_i][from_i]));
      // Three queues wait for tokens, the fourth alone can go on.
      Chain_C: cover (flies_q == '0 && head_valid == '1 && $countones(ready) == 1);
      Done_C: cover (flies_q == '0 && head_valid == '0 && index[0] != '0 && index[3] != '0 && balance_q == '0);
    end
  end

endmodule
