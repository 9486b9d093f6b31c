// A float from a sign, an exponent and a significand of any length: rounds to nearest even, as if exponents had no end,
// then makes infinity of what is too large and a zero of what is smaller than the smallest normal number.
module npu_fp_pack
  import npu_pkg::*;
#(
  parameter int unsigned ExpW = 8,
  parameter int unsigned ManW = 23,
  parameter int unsigned SigW = 28,    // at least ManW + 3
  parameter int unsigned WideExpW = 10
) (
  input  fp_class_e                  class_i,
  input  logic                       sign_i,
  input  logic signed [WideExpW-1:0] exponent_i,     // biased, of the top bit of the significand
  input  logic [SigW-1:0]            significand_i,  // the top bit is set, or it is zero
  output logic [ExpW+ManW:0]         float_o
);

  localparam logic [ExpW-1:0] AllOnes = '1;
  localparam int unsigned RestW = SigW - ManW - 2;

  logic                       up, half, more;
  logic [ManW+1:0]            rounded;
  logic signed [WideExpW-1:0] exponent;

  assign half     = significand_i[RestW];
  assign more     = |significand_i[RestW-1:0];
  assign up       = half && (more || significand_i[RestW+1]);
  assign rounded  = {1'b0, significand_i[SigW-1:RestW+1]} + (ManW + 2)'(up);
  assign exponent = exponent_i + WideExpW'(signed'({1'b0, rounded[ManW+1]}));

  always_comb begin
    // When rounding carries into the next power of two, the bits below are zeros.
    float_o = {sign_i, exponent[ExpW-1:0], rounded[ManW-1:0]};
    if (exponent >= signed'(WideExpW'(AllOnes))) float_o = {sign_i, AllOnes, {ManW{1'b0}}};
    if (exponent <= 0 || !significand_i[SigW-1]) float_o = {sign_i, {(ExpW + ManW) {1'b0}}};
    if (class_i == FpInfinite) float_o = {sign_i, AllOnes, {ManW{1'b0}}};
    if (class_i == FpNan) float_o = {1'b0, AllOnes, 1'b1, {(ManW - 1) {1'b0}}};
  end

  logic unused_leading;
  assign unused_leading = rounded[ManW];

endmodule
