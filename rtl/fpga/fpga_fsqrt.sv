// The square root of a float, a bit of it a cycle.
//
//   0 fpga_fprepare   2 a bit a cycle   2 + N sticky   3 + N round   4 + N root_o      N = ManW + 2
module fpga_fsqrt #(
  parameter int unsigned ExpW = 8,
  parameter int unsigned ManW = 23
) (
  input  logic               clk_i,
  input  logic               en_i,
  input  logic [ExpW+ManW:0] a_i,
  output logic [ExpW+ManW:0] root_o
);

  localparam int unsigned Steps = ManW + 2;
  localparam int unsigned RestW = Steps + 2;
  localparam int unsigned ZerosW = $clog2(ManW + 2);
  localparam int unsigned WideW = (ExpW > ZerosW ? ExpW : ZerosW) + 2;
  localparam logic signed [WideW-1:0] Bias = WideW'((1 << (ExpW - 1)) - 1);

  typedef struct packed {
    logic [RestW-1:0] rest;
    logic [ManW+1:0]  bits;  // of the radicand to come, two at a time; zeros follow
    logic [Steps-1:0] root;
  } step_t;

  typedef struct packed {
    logic                    infinite;
    logic                    nan;
    logic                    sign;
    logic signed [WideW-1:0] exponent;
  } aside_t;

  logic                    sign, zero, infinite, nan, odd;
  logic signed [WideW-1:0] exponent;
  logic [ManW:0]           significand;
  aside_t                  aside_d, aside;
  step_t                   steps[Steps+1];

  fpga_fprepare #(
    .ExpW (ExpW),
    .ManW (ManW),
    .WideW(WideW)
  ) u_prepare (
    .clk_i,
    .en_i,
    .float_i      (a_i),
    .sign_o       (sign),
    .zero_o       (zero),
    .infinite_o   (infinite),
    .nan_o        (nan),
    .exponent_o   (exponent),
    .significand_o(significand)
  );

  // The bias is odd: an even exponent stands for an odd power of two, half of which goes under the root.
  assign odd     = !exponent[0];
  assign aside_d = '{
      infinite: infinite,
      nan: nan || (sign && !zero),
      sign: sign,
      exponent: (exponent - signed'(WideW'(odd)) + Bias) >>> 1
  };
  assign steps[0] = '{
      rest: '0,
      bits: zero ? '0 : odd ? {significand, 1'b0} : {1'b0, significand},
      root: '0
  };

  for (genvar i = 0; i < Steps; i++) begin : gen_step
    step_t            step_q;
    logic [RestW-1:0] rest;
    logic [RestW:0]   difference;
    logic             bit_d;

    assign rest       = {steps[i].rest[RestW-3:0], steps[i].bits[ManW+1:ManW]};
    assign difference = {1'b0, rest} - {1'b0, steps[i].root, 2'b01};
    assign bit_d      = !difference[RestW];

    always_ff @(posedge clk_i) begin
      if (en_i) begin
        step_q.rest <= bit_d ? difference[RestW-1:0] : rest;
        step_q.bits <= {steps[i].bits[ManW-1:0], 2'b0};
        step_q.root <= {steps[i].root[Steps-2:0], bit_d};
      end
    end

    assign steps[i+1] = step_q;
  end

  logic [ManW+2:0] significand_q;

  always_ff @(posedge clk_i) begin
    if (en_i) significand_q <= {steps[Steps].root, steps[Steps].rest != '0};
  end

  fpga_pipe #(
    .Width ($bits(aside_t)),
    .Stages(Steps + 1)
  ) u_aside (
    .clk_i,
    .en_i,
    .d_i(aside_d),
    .q_o(aside)
  );

  fpga_fpack #(
    .ExpW (ExpW),
    .ManW (ManW),
    .WideW(WideW)
  ) u_pack (
    .clk_i,
    .en_i,
    .infinite_i   (aside.infinite),
    .nan_i        (aside.nan),
    .sign_i       (aside.sign),
    .exponent_i   (aside.exponent),
    .significand_i(significand_q),
    .float_o      (root_o)
  );

  logic unused_last;
  assign unused_last = ^steps[Steps].bits;

endmodule
