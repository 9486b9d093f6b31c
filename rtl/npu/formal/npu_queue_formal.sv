// A queue of four places: what goes in comes out, once, in order; it is full and empty when it should be. By induction,
// so for runs of any length.
module npu_queue_formal (
  input logic       clk_i,
  input logic       rst_ni,
  input logic       want_push_i,
  input logic       want_pop_i,
  input logic [3:0] data_i,
  input logic [7:0] watched_i     // the number of the item to follow, any
);

  localparam int unsigned Depth = 4;

  logic       full, valid, push, pop;
  logic [3:0] head;
  logic [7:0] index;

  assign push = want_push_i && !full;
  assign pop  = want_pop_i && valid;

  npu_queue #(
    .Width (4),
    .Depth (Depth),
    .IndexW(8)
  ) u_dut (
    .clk_i,
    .rst_ni,
    .push_i (push),
    .data_i,
    .full_o (full),
    .valid_o(valid),
    .head_o (head),
    .index_o(index),
    .pop_i  (pop)
  );

  logic       started_q = 1'b0;
  logic [7:0] watched_q, in_q = '0, out_q = '0;
  logic [3:0] data_q;

  always_ff @(posedge clk_i) begin
    started_q <= 1'b1;
    watched_q <= watched_i;
    assume (rst_ni == started_q);
    if (started_q) assume (watched_i == watched_q);
    if (rst_ni) begin
      if (push) in_q <= in_q + 8'd1;
      if (pop) out_q <= out_q + 8'd1;
      if (push && in_q == watched_i) data_q <= data_i;
    end
  end

  logic [7:0] held, place;  // how many are in it, and how many leave before the item that is followed
  assign held = in_q - out_q;
  assign place  = watched_i - out_q;

  always_ff @(posedge clk_i) begin
    if (rst_ni) begin
      // What makes the rest inductive: where the queue keeps its items.
      Counts_A: assert (held <= 8'(Depth) && 8'(u_dut.count_q) == held);
      Places_A: assert (u_dut.wptr_q == in_q[1:0] && u_dut.rptr_q == out_q[1:0]);
      Kept_A: assert (!(place < held) || u_dut.mem[watched_i[1:0]] == data_q);
      InOrder_A: assert (!(pop && out_q == watched_i) || head == data_q);
      Index_A: assert (index == out_q);
      NotLost_A: assert (valid == (in_q != out_q));
      Full_A: assert (full == (held == 8'(Depth)));
      Wrapped_C: cover (full && out_q == 8'd3 && pop);
    end
  end

endmodule
