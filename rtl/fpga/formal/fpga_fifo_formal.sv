// A shallow FIFO of three places and a deep one of six: what goes in comes out, once, in order, in the cycle in which it should,
// and they are full and empty when they should be. By induction, so for runs of any length.
module fpga_fifo_formal (
  input logic       clk_i,
  input logic       rst_ni,
  input logic       wvalid_i,
  input logic       rready_i,
  input logic [1:0] wdata_i,
  input logic [7:0] watched_i  // the number of the beat to follow, any
);

  localparam int unsigned Shallow = 3;
  localparam int unsigned Deep = 6;
  localparam int unsigned Words = Deep - 2;  // of the deep one's RAM

  logic       shallow_wready, shallow_rvalid, deep_wready, deep_rvalid;
  logic [1:0] shallow_rdata, deep_rdata;

  fpga_fifo #(
    .Width  (2),
    .Depth  (Shallow),
    .Shallow(Shallow)
  ) u_shallow (
    .clk_i,
    .rst_ni,
    .wvalid_i,
    .wready_o(shallow_wready),
    .wdata_i,
    .rvalid_o(shallow_rvalid),
    .rready_i,
    .rdata_o (shallow_rdata)
  );

  fpga_fifo #(
    .Width  (2),
    .Depth  (Deep),
    .Shallow(Shallow)
  ) u_deep (
    .clk_i,
    .rst_ni,
    .wvalid_i,
    .wready_o(deep_wready),
    .wdata_i,
    .rvalid_o(deep_rvalid),
    .rready_i,
    .rdata_o (deep_rdata)
  );

  // How many beats went in and out, and what the watched one is.
  typedef struct packed {
    logic [7:0] in;
    logic [7:0] out;
    logic [1:0] data;
  } run_t;

  function automatic run_t after(run_t run, logic push, logic pop, logic [1:0] data, logic [7:0] watched);
    after = run;
    if (push && run.in == watched) after.data = data;
    after.in  = run.in + 8'(push);
    after.out = run.out + 8'(pop);
  endfunction

  logic       started_q = 1'b0;
  logic [7:0] watched_q;
  run_t       shallow_q = '0, deep_q = '0;

  always_ff @(posedge clk_i) begin
    started_q <= 1'b1;
    watched_q <= watched_i;
    assume (rst_ni == started_q);
    if (started_q) assume (watched_i == watched_q);
    if (rst_ni) begin
      shallow_q <= after(shallow_q, wvalid_i && shallow_wready, rready_i && shallow_rvalid, wdata_i, watched_i);
      deep_q    <= after(deep_q, wvalid_i && deep_wready, rready_i && deep_rvalid, wdata_i, watched_i);
    end
  end

  // How many each holds, and how many leave before the watched one.
  logic [7:0] shallow_held, shallow_place, deep_held, deep_place;
  assign shallow_held  = shallow_q.in - shallow_q.out;
  assign shallow_place = watched_i - shallow_q.out;
  assign deep_held     = deep_q.in - deep_q.out;
  assign deep_place    = watched_i - deep_q.out;

  // A place that is `by` after another, in a ring of `size`.
  function automatic logic [2:0] ring(logic [2:0] from, logic [2:0] by, logic [2:0] size);
    logic [3:0] sum;
    sum = 4'(from) + 4'(by);
    return sum >= 4'(size) ? 3'(sum - 4'(size)) : sum[2:0];
  endfunction

  always_ff @(posedge clk_i) begin
    if (rst_ni) begin
      ShallowReady_A: assert (shallow_wready == (shallow_held != 8'(Shallow)));
      ShallowValid_A: assert (shallow_rvalid == (shallow_held != '0));
      ShallowInOrder_A: assert (!(shallow_rvalid && shallow_place == '0) || shallow_rdata == shallow_q.data);
      // What makes it inductive: where beats lie.
      ShallowHeld_A: assert (shallow_held <= 8'(Shallow) && 8'(u_shallow.count_q) == shallow_held);
      ShallowPlaces_A: assert (u_shallow.gen_shallow.rptr_q < 2'd3 &&
          3'(u_shallow.gen_shallow.wptr_q) == ring(3'(u_shallow.gen_shallow.rptr_q), 3'(u_shallow.count_q), 3'd3));
      ShallowKept_A: assert (!(shallow_place < shallow_held) ||
          u_shallow.gen_shallow.mem[ring(3'(u_shallow.gen_shallow.rptr_q), shallow_place[2:0], 3'd3)] == shallow_q.data);
      ShallowWrapped_C: cover (!shallow_wready && shallow_q.out == 8'd2);
    end
  end

  logic [2:0] taken, words;
  assign taken = 3'(u_deep.gen_deep.taken_q);
  assign words = 3'(u_deep.gen_deep.words_q);

  always_ff @(posedge clk_i) begin
    if (rst_ni) begin
      DeepReady_A: assert (deep_wready == (deep_held != 8'(Deep)));
      DeepValid_A: assert (deep_rvalid == (deep_held != '0));
      DeepInOrder_A: assert (!(deep_rvalid && deep_place == '0) || deep_rdata == deep_q.data);
      // Two places of the front are taken while the RAM holds something or a beat of it is on its way to the last of them.
      DeepHeld_A: assert (deep_held <= 8'(Deep) && 8'(u_deep.count_q) == deep_held && deep_held == 8'(taken) + 8'(words));
      DeepAhead_A: assert (taken <= 3'd3 && (taken >= 3'd2 || (words == '0 && !u_deep.gen_deep.arrives_q)));
      DeepFront_A: assert (u_deep.gen_deep.head_q < 2'd3 &&
          3'(u_deep.gen_deep.tail_q) == ring(3'(u_deep.gen_deep.head_q), taken, 3'd3) &&
          (!u_deep.gen_deep.arrives_q ||
           3'(u_deep.gen_deep.arrives_at_q) == ring(3'(u_deep.gen_deep.head_q), taken - 3'd1, 3'd3)));
      DeepPlaces_A: assert (3'(u_deep.gen_deep.rptr_q) < 3'(Words) &&
          3'(u_deep.gen_deep.wptr_q) == ring(3'(u_deep.gen_deep.rptr_q), words, 3'(Words)));
      if (deep_place < 8'(taken)) begin
        DeepFrontKept_A: assert (deep_q.data == (u_deep.gen_deep.arrives_q && deep_place == 8'(taken) - 8'd1 ?
            u_deep.gen_deep.ram_q :
            u_deep.gen_deep.front_q[2'(ring(3'(u_deep.gen_deep.head_q), deep_place[2:0], 3'd3))]));
      end else if (deep_place < deep_held) begin
        DeepRamKept_A: assert (deep_q.data ==
            u_deep.gen_deep.mem[2'(ring(3'(u_deep.gen_deep.rptr_q), deep_place[2:0] - taken, 3'(Words)))]);
      end
      DeepWrapped_C: cover (!deep_wready && deep_q.out == 8'd3);
      PastTheRam_C: cover (u_deep.gen_deep.to_front && u_deep.gen_deep.arrives_q);
    end
  end

endmodule
