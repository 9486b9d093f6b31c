// The sum or the difference of two floats.
//
//   0 swap, distance of the exponents   1 align   2 add   3-5 fpga_fnormal   6 sum_o
module fpga_fadd #(
  parameter int unsigned ExpW = 8,
  parameter int unsigned ManW = 23,
  parameter bit Subtract = 1'b0
) (
  input  logic               clk_i,
  input  logic               en_i,
  input  logic [ExpW+ManW:0] a_i,
  input  logic [ExpW+ManW:0] b_i,
  output logic [ExpW+ManW:0] sum_o
);

  // Significands have three bits below them: guard, round, sticky. Their sum has a carry above.
  localparam int unsigned SigW = ManW + 4;
  localparam int unsigned SumW = SigW + 1;
  localparam int unsigned ZerosW = $clog2(SumW + 1);
  localparam int unsigned WideW = (ExpW > ZerosW ? ExpW : ZerosW) + 2;

  typedef struct packed {
    logic            sign;
    logic [ExpW-1:0] exponent;
    logic [ManW-1:0] mantissa;
  } float_t;

  typedef struct packed {
    logic            infinite;
    logic            nan;
    logic            sign;       // of the larger operand
    logic            zero_sign;  // of a sum that is zero
    logic            subtract;
    logic [ExpW-1:0] exponent;   // of the larger operand
  } aside_t;

  // The exponent that its bits have: that of a subnormal number is 1.
  function automatic logic [ExpW-1:0] exponent_of(logic [ExpW-1:0] field);
    return {field[ExpW-1:1], field[0] || field == '0};
  endfunction

  // ---- cycle 0 --------------------------------------------------------------------------------------------------
  float_t          a, b, larger, smaller;
  logic            swap, differ;
  logic [ExpW-1:0] a_above, b_above, distance_q;
  logic [SigW-1:0] larger1_q, smaller_q;
  aside_t          aside_d, aside1_q, aside2_q;

  assign a       = a_i;
  assign b       = {b_i[ExpW+ManW] ^ Subtract, b_i[ExpW+ManW-1:0]};
  assign swap    = b_i[ExpW+ManW-1:0] > a_i[ExpW+ManW-1:0];
  assign larger  = swap ? b : a;
  assign smaller = swap ? a : b;
  assign differ  = a.sign != b.sign;
  assign a_above = exponent_of(a.exponent) - exponent_of(b.exponent);
  assign b_above = exponent_of(b.exponent) - exponent_of(a.exponent);

  always_comb begin
    aside_d = '{
        infinite: larger.exponent == '1,
        // A NaN is larger than an infinity. Two infinities of different signs have no sum.
        nan: larger.exponent == '1 && (larger.mantissa != '0 || (smaller.exponent == '1 && differ)),
        sign: larger.sign,
        zero_sign: a.sign && b.sign,
        subtract: differ,
        exponent: exponent_of(larger.exponent)
    };
  end

  always_ff @(posedge clk_i) begin
    if (en_i) begin
      aside1_q   <= aside_d;
      distance_q <= swap ? b_above : a_above;
      larger1_q  <= {larger.exponent != '0, larger.mantissa, 3'b0};
      smaller_q  <= {smaller.exponent != '0, smaller.mantissa, 3'b0};
    end
  end

  // ---- cycle 1 --------------------------------------------------------------------------------------------------
  logic [SigW-1:0] shifted, kept, larger2_q, aligned_q;

  assign shifted = smaller_q >> distance_q;
  assign kept    = {SigW{1'b1}} << distance_q;

  always_ff @(posedge clk_i) begin
    if (en_i) begin
      aside2_q  <= aside1_q;
      larger2_q <= larger1_q;
      aligned_q <= {shifted[SigW-1:1], shifted[0] || (smaller_q & ~kept) != '0};
    end
  end

  // ---- cycle 2 --------------------------------------------------------------------------------------------------
  logic [SumW-1:0]         sum_q;
  logic                    infinite_q, nan_q, sign_q, zero_sign_q, is_zero;
  logic signed [WideW-1:0] exponent;

  // Its top bit is the carry.
  assign exponent = signed'(WideW'(aside2_q.exponent)) + signed'(WideW'(1));

  always_ff @(posedge clk_i) begin
    if (en_i) begin
      sum_q <= aside2_q.subtract ? {1'b0, larger2_q} - {1'b0, aligned_q} : {1'b0, larger2_q} + {1'b0, aligned_q};
      infinite_q  <= aside2_q.infinite;
      nan_q       <= aside2_q.nan;
      sign_q      <= aside2_q.sign;
      zero_sign_q <= aside2_q.zero_sign;
    end
  end

  // ---- cycles 3 to 5 --------------------------------------------------------------------------------------------
  assign is_zero = sum_q == '0 && !infinite_q;

  fpga_fnormal #(
    .ExpW (ExpW),
    .ManW (ManW),
    .SigW (SumW),
    .WideW(WideW),
    .Tiny (1'b0)
  ) u_normal (
    .clk_i,
    .en_i,
    .exponent_i   (exponent),
    .infinite_i   (infinite_q),
    .nan_i        (nan_q),
    .sign_i       (is_zero ? zero_sign_q : sign_q),
    .significand_i(sum_q),
    .float_o      (sum_o)
  );

  logic unused_sign;
  assign unused_sign = smaller.sign;

endmodule
