// What came in `Count` steps before; 0 before the first. A short one is a shift register, a long one (a line of an image) a
// block RAM with a register behind it.
module fpga_delay #(
  parameter int unsigned Width = 8,
  parameter int unsigned Count = 1,     // at least 1
  parameter int unsigned Short = 32     // up to this count
) (
  input  logic             clk_i,
  input  logic             rst_ni,
  input  logic             en_i,  // a step
  input  logic [Width-1:0] d_i,
  output logic [Width-1:0] q_o
);

  if (Count <= Short) begin : gen_short
    logic [Count-1:0][Width-1:0] stage_q;

    always_ff @(posedge clk_i) begin
      if (!rst_ni) begin
        stage_q <= '0;
      end else if (en_i) begin
        stage_q[0] <= d_i;
        for (int unsigned i = 1; i < Count; i++) stage_q[i] <= stage_q[i-1];
      end
    end

    assign q_o = stage_q[Count-1];
  end else begin : gen_long
    // A word is read in the step before the one that writes its place again: Words - 1 steps in the RAM, two in registers.
    localparam int unsigned Words = Count - 1;
    localparam int unsigned PtrW = $clog2(Words);

    (* no_rw_check *) logic [Width-1:0] mem[Words];
    logic [Width-1:0] ram_q, q_q;
    logic [PtrW-1:0]  wptr_q, rptr_q;
    logic             filled_q, read_q;  // all places were written; ram_q is a word that was

    always_ff @(posedge clk_i) begin
      if (!rst_ni) begin
        wptr_q   <= '0;
        rptr_q   <= PtrW'(1);
        filled_q <= 1'b0;
        read_q   <= 1'b0;
        q_q      <= '0;
      end else if (en_i) begin
        wptr_q <= rptr_q;
        rptr_q <= rptr_q == PtrW'(Words - 1) ? '0 : rptr_q + 1'b1;
        if (rptr_q == '0) filled_q <= 1'b1;
        read_q <= filled_q || rptr_q == '0;
        q_q    <= read_q ? ram_q : '0;
      end
    end

    always_ff @(posedge clk_i) begin
      if (en_i) begin
        mem[wptr_q] <= d_i;
        ram_q       <= mem[rptr_q];
      end
    end

    assign q_o = q_q;
  end

endmodule
