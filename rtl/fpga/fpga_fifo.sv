// A FIFO with room for `Depth` beats. What is pushed in cycle t may leave in t + 1; a place that is freed in t is free in
// t + 1. A shallow one is a RAM of LUTs. A deep one is a block RAM behind three registers, from which beats leave: a beat
// goes past the RAM when there is none in it and a register is free.
module fpga_fifo #(
  parameter int unsigned Width = 8,
  parameter int unsigned Depth = 2,      // at least 2
  parameter int unsigned Shallow = 32    // up to this depth
) (
  input  logic             clk_i,
  input  logic             rst_ni,
  input  logic             wvalid_i,
  output logic             wready_o,
  input  logic [Width-1:0] wdata_i,
  output logic             rvalid_o,
  input  logic             rready_i,
  output logic [Width-1:0] rdata_o
);

  localparam int unsigned CountW = $clog2(Depth + 1);

  logic              push, pop, full_q, valid_q;
  logic [CountW-1:0] count_d, count_q;

  assign wready_o = !full_q;
  assign rvalid_o = valid_q;
  assign push     = wvalid_i && !full_q;
  assign pop      = rready_i && valid_q;
  assign count_d  = count_q + CountW'(push) - CountW'(pop);

  // Full and valid are registers, for whole pipelines are enabled by them.
  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      count_q <= '0;
      full_q  <= 1'b0;
      valid_q <= 1'b0;
    end else begin
      count_q <= count_d;
      full_q  <= count_d == CountW'(Depth);
      valid_q <= count_d != '0;
    end
  end

  if (Depth <= Shallow) begin : gen_shallow
    localparam int unsigned PtrW = $clog2(Depth);

    (* no_rw_check *) logic [Width-1:0] mem[Depth];
    logic [PtrW-1:0]  wptr_q, rptr_q;

    always_ff @(posedge clk_i) begin
      if (!rst_ni) begin
        wptr_q <= '0;
        rptr_q <= '0;
      end else begin
        if (push) wptr_q <= wptr_q == PtrW'(Depth - 1) ? '0 : wptr_q + 1'b1;
        if (pop) rptr_q <= rptr_q == PtrW'(Depth - 1) ? '0 : rptr_q + 1'b1;
      end
    end

    always_ff @(posedge clk_i) begin
      if (push) mem[wptr_q] <= wdata_i;
    end

    assign rdata_o = mem[rptr_q];
  end else begin : gen_deep
    localparam int unsigned Front = 3;
    localparam int unsigned Words = Depth - Front + 1;  // one more: none is written as it is read
    localparam int unsigned PtrW = $clog2(Words);

    // Places of the front are taken in turn: by a beat that goes past the RAM, or when one is read from it, which then
    // arrives a cycle later. Since three are taken whenever the RAM holds something, a beat of it arrives in time.
    (* no_rw_check *) logic [Width-1:0]            mem[Words];
    logic [Width-1:0]            ram_q;
    logic [Front-1:0][Width-1:0] front_q;
    logic [1:0]                  taken_q, tail_q, head_q, arrives_at_q;
    logic [PtrW-1:0]             wptr_q, rptr_q;
    logic [CountW-1:0]           words_q;
    logic                        ram_empty, room, to_ram, to_front, fetch, arrives_q;

    function automatic logic [1:0] next(logic [1:0] place);
      return place == 2'(Front - 1) ? 2'd0 : place + 2'd1;
    endfunction

    assign ram_empty = words_q == '0;
    assign room      = taken_q != 2'(Front);
    assign to_front  = push && ram_empty && room;
    assign to_ram    = push && !to_front;
    assign fetch     = !ram_empty && room;

    always_ff @(posedge clk_i) begin
      if (!rst_ni) begin
        taken_q   <= '0;
        tail_q    <= '0;
        head_q    <= '0;
        wptr_q    <= '0;
        rptr_q    <= '0;
        words_q   <= '0;
        arrives_q <= 1'b0;
      end else begin
        taken_q   <= taken_q + 2'(to_front || fetch) - 2'(pop);
        words_q   <= words_q + CountW'(to_ram) - CountW'(fetch);
        arrives_q <= fetch;
        if (to_front || fetch) tail_q <= next(tail_q);
        if (pop) head_q <= next(head_q);
        if (to_ram) wptr_q <= wptr_q == PtrW'(Words - 1) ? '0 : wptr_q + 1'b1;
        if (fetch) rptr_q <= rptr_q == PtrW'(Words - 1) ? '0 : rptr_q + 1'b1;
      end
    end

    always_ff @(posedge clk_i) begin
      arrives_at_q <= tail_q;
      if (to_ram) mem[wptr_q] <= wdata_i;
      if (fetch) ram_q <= mem[rptr_q];
      for (int unsigned i = 0; i < Front; i++) begin
        if (arrives_q && arrives_at_q == 2'(i)) front_q[i] <= ram_q;
        else if (to_front && tail_q == 2'(i)) front_q[i] <= wdata_i;
      end
    end

    assign rdata_o = front_q[head_q];
  end

endmodule
