// The product of two floats. Subnormal operands come as they are: what is missing at the top is shifted in behind the product.
//
//   0 exponents, multiplier   N fpga_fnormal   N + 3 product_o      N = 2 + ceil(log2(blocks of fpga_mul))
module fpga_fmul #(
  parameter int unsigned ExpW = 8,
  parameter int unsigned ManW = 23
) (
  input  logic               clk_i,
  input  logic               en_i,
  input  logic [ExpW+ManW:0] a_i,
  input  logic [ExpW+ManW:0] b_i,
  output logic [ExpW+ManW:0] product_o
);

  localparam int unsigned Pieces = (ManW + 18) / 18;
  localparam int unsigned MulLatency = 2 + $clog2(Pieces * Pieces);
  localparam int unsigned SigW = 2 * (ManW + 1);
  localparam int unsigned ZerosW = $clog2(SigW + 1);
  localparam int unsigned WideW = (ExpW > ZerosW ? ExpW : ZerosW) + 2;
  localparam logic signed [WideW-1:0] Bias = WideW'((1 << (ExpW - 1)) - 1);

  typedef struct packed {
    logic            sign;
    logic [ExpW-1:0] exponent;
    logic [ManW-1:0] mantissa;
  } float_t;

  typedef struct packed {
    logic infinite;
    logic nan;
    logic sign;
  } aside_t;

  float_t                  a, b;
  logic                    a_zero, b_zero, a_infinite, b_infinite, a_nan, b_nan;
  logic signed [WideW-1:0] exponent_q, exponent;
  aside_t                  aside_d, aside_q, aside;
  logic [SigW-1:0]         significand;

  assign a          = a_i;
  assign b          = b_i;
  assign a_zero     = a.exponent == '0 && a.mantissa == '0;
  assign b_zero     = b.exponent == '0 && b.mantissa == '0;
  assign a_infinite = a.exponent == '1 && a.mantissa == '0;
  assign b_infinite = b.exponent == '1 && b.mantissa == '0;
  assign a_nan      = a.exponent == '1 && a.mantissa != '0;
  assign b_nan      = b.exponent == '1 && b.mantissa != '0;
  assign aside_d    = '{
      infinite: a_infinite || b_infinite,
      nan: a_nan || b_nan || (a_infinite && b_zero) || (a_zero && b_infinite),
      sign: a.sign ^ b.sign
  };

  // The exponent that its bits have: that of a subnormal number is 1.
  function automatic logic signed [WideW-1:0] exponent_of(logic [ExpW-1:0] field);
    return signed'(WideW'({field[ExpW-1:1], field[0] || field == '0}));
  endfunction

  always_ff @(posedge clk_i) begin
    if (en_i) begin
      aside_q    <= aside_d;
      exponent_q <= exponent_of(a.exponent) + exponent_of(b.exponent) - (Bias - WideW'(1));  // the product has two bits before the point
    end
  end

  fpga_mul #(
    .WidthA(ManW + 1),
    .WidthB(ManW + 1),
    .WidthP(SigW)
  ) u_mul (
    .clk_i,
    .en_i,
    .a_i({a.exponent != '0, a.mantissa}),
    .b_i({b.exponent != '0, b.mantissa}),
    .p_o(significand)
  );

  fpga_pipe #(
    .Width (WideW),
    .Stages(MulLatency - 2)
  ) u_exponent (
    .clk_i,
    .en_i,
    .d_i(exponent_q),
    .q_o(exponent)
  );

  fpga_pipe #(
    .Width ($bits(aside_t)),
    .Stages(MulLatency - 1)
  ) u_aside (
    .clk_i,
    .en_i,
    .d_i(aside_q),
    .q_o(aside)
  );

  fpga_fnormal #(
    .ExpW (ExpW),
    .ManW (ManW),
    .SigW (SigW),
    .WideW(WideW)
  ) u_normal (
    .clk_i,
    .en_i,
    .exponent_i   (exponent),
    .infinite_i   (aside.infinite),
    .nan_i        (aside.nan),
    .sign_i       (aside.sign),
    .significand_i(significand),
    .float_o      (product_o)
  );

endmodule
