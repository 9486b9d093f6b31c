// The quotient of two floats, a bit of it a cycle.
//
//   0 fpga_fprepare   2 a bit a cycle   2 + N sticky   3 + N fpga_fnormal   6 + N quotient_o      N = ManW + 3
module fpga_fdiv #(
  parameter int unsigned ExpW = 8,
  parameter int unsigned ManW = 23
) (
  input  logic               clk_i,
  input  logic               en_i,
  input  logic [ExpW+ManW:0] a_i,
  input  logic [ExpW+ManW:0] b_i,
  output logic [ExpW+ManW:0] quotient_o
);

  localparam int unsigned Steps = ManW + 3;
  localparam int unsigned SigW = Steps + 1;  // and sticky
  localparam int unsigned ZerosW = $clog2(SigW + 1);
  localparam int unsigned WideW = (ExpW > ZerosW ? ExpW : ZerosW) + 2;
  localparam logic signed [WideW-1:0] Bias = WideW'((1 << (ExpW - 1)) - 1);

  typedef struct packed {
    logic [ManW+1:0]  rest;  // below twice the divisor
    logic [ManW:0]    divisor;
    logic [Steps-1:0] quotient;
  } step_t;

  typedef struct packed {
    logic infinite;
    logic nan;
    logic sign;
  } aside_t;

  logic                    a_sign, a_zero, a_infinite, a_nan, b_sign, b_zero, b_infinite, b_nan;
  logic signed [WideW-1:0] a_exponent, b_exponent, exponent_d, exponent;
  logic [ManW:0]           a_significand, b_significand;
  aside_t                  aside_d, aside;
  step_t                   steps[Steps+1];

  fpga_fprepare #(
    .ExpW (ExpW),
    .ManW (ManW),
    .WideW(WideW)
  ) u_a (
    .clk_i,
    .en_i,
    .float_i      (a_i),
    .sign_o       (a_sign),
    .zero_o       (a_zero),
    .infinite_o   (a_infinite),
    .nan_o        (a_nan),
    .exponent_o   (a_exponent),
    .significand_o(a_significand)
  );

  fpga_fprepare #(
    .ExpW (ExpW),
    .ManW (ManW),
    .WideW(WideW)
  ) u_b (
    .clk_i,
    .en_i,
    .float_i      (b_i),
    .sign_o       (b_sign),
    .zero_o       (b_zero),
    .infinite_o   (b_infinite),
    .nan_o        (b_nan),
    .exponent_o   (b_exponent),
    .significand_o(b_significand)
  );

  assign exponent_d = a_exponent - b_exponent + Bias;
  assign aside_d    = '{
      infinite: a_infinite || b_zero,
      nan: a_nan || b_nan || (a_zero && b_zero) || (a_infinite && b_infinite),
      sign: a_sign ^ b_sign
  };
  // What divides by infinity is zero.
  assign steps[0] = '{rest: {1'b0, a_zero || b_infinite ? '0 : a_significand}, divisor: b_significand, quotient: '0};

  for (genvar i = 0; i < Steps; i++) begin : gen_step
    step_t           step_q;
    logic [ManW+2:0] difference;
    logic            bit_d;

    assign difference = {1'b0, steps[i].rest} - {2'b0, steps[i].divisor};
    assign bit_d      = !difference[ManW+2];

    always_ff @(posedge clk_i) begin
      if (en_i) begin
        step_q.rest     <= {bit_d ? difference[ManW:0] : steps[i].rest[ManW:0], 1'b0};
        step_q.divisor  <= steps[i].divisor;
        step_q.quotient <= {steps[i].quotient[Steps-2:0], bit_d};
      end
    end

    assign steps[i+1] = step_q;
  end

  logic [SigW-1:0] significand_q;

  always_ff @(posedge clk_i) begin
    if (en_i) significand_q <= {steps[Steps].quotient, steps[Steps].rest != '0};
  end

  fpga_pipe #(
    .Width (WideW),
    .Stages(Steps)
  ) u_exponent (
    .clk_i,
    .en_i,
    .d_i(exponent_d),
    .q_o(exponent)
  );

  fpga_pipe #(
    .Width ($bits(aside_t)),
    .Stages(Steps + 1)
  ) u_aside (
    .clk_i,
    .en_i,
    .d_i(aside_d),
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
    .significand_i(significand_q),
    .float_o      (quotient_o)
  );

  logic unused_last;
  assign unused_last = ^steps[Steps].divisor;

endmodule
