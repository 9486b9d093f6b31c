// A short delay and a long one, a line buffer of a RAM, give what came so many steps before, and zeros before that.
module fpga_delay_formal (
  input logic       clk_i,
  input logic       rst_ni,
  input logic       en_i,
  input logic [1:0] d_i
);

  localparam int unsigned Short = 2;
  localparam int unsigned Long = 5;

  logic [1:0] short_q, long_q;

  fpga_delay #(
    .Width(2),
    .Count(Short),
    .Short(Short)
  ) u_short (
    .clk_i,
    .rst_ni,
    .en_i,
    .d_i,
    .q_o(short_q)
  );

  fpga_delay #(
    .Width(2),
    .Count(Long),
    .Short(Short)
  ) u_long (
    .clk_i,
    .rst_ni,
    .en_i,
    .d_i,
    .q_o(long_q)
  );

  logic                 started_q = 1'b0;
  logic [3:0]           steps_q = '0;
  logic [Long-1:0][1:0] past_q = '0;  // the latest in the low bits

  always_ff @(posedge clk_i) begin
    started_q <= 1'b1;
    assume (rst_ni == started_q);
    if (rst_ni && en_i) begin
      past_q  <= {past_q[Long-2:0], d_i};
      steps_q <= steps_q == '1 ? steps_q : steps_q + 1'b1;
    end
  end

  always_ff @(posedge clk_i) begin
    if (rst_ni) begin
      Short_A: assert (short_q == past_q[Short-1]);
      Long_A: assert (long_q == past_q[Long-1]);
      // All places of the RAM were written twice.
      Around_C: cover (steps_q == 4'd11 && long_q == 2'd2 && !en_i);
    end
  end

endmodule
