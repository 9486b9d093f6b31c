// A float from a sign, an exponent and a significand with two bits below it (the next one, and whether any is set below that):
// rounds to nearest even. Infinite when it is too large; not a number, with one pattern, when it is none. Latency: 1.
module fpga_fpack #(
  parameter int unsigned ExpW = 8,
  parameter int unsigned ManW = 23,
  parameter int unsigned WideW = 10
) (
  input  logic                    clk_i,
  input  logic                    en_i,
  input  logic                    infinite_i,
  input  logic                    nan_i,
  input  logic                    sign_i,
  input  logic signed [WideW-1:0] exponent_i,     // biased; what it is without a top bit does not matter
  input  logic [ManW+2:0]         significand_i,  // without a top bit it is subnormal
  output logic [ExpW+ManW:0]      float_o         // a cycle later
);

  localparam logic [ExpW-1:0] AllOnes = '1;

  logic                 normal, infinite, up;
  logic [ExpW+ManW-1:0] below, rounded_q;
  logic                 sign_q;

  assign normal   = significand_i[ManW+2];
  assign infinite = infinite_i || (normal && exponent_i >= signed'(WideW'(AllOnes)));

  always_comb begin
    // A carry out of the mantissa is the next exponent, be it the first or that of infinity.
    below = {normal ? exponent_i[ExpW-1:0] : {ExpW{1'b0}}, significand_i[ManW+1:2]};
    up    = significand_i[1] && (significand_i[0] || significand_i[2]);
    if (nan_i || infinite) begin
      below = {AllOnes, nan_i, {(ManW - 1) {1'b0}}};
      up    = 1'b0;
    end
  end

  always_ff @(posedge clk_i) begin
    if (en_i) begin
      rounded_q <= below + (ExpW + ManW)'(up);
      sign_q    <= sign_i && !nan_i;
    end
  end

  assign float_o = {sign_q, rounded_q};

endmodule
