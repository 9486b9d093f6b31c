// frecip_lut and frsqrt_lut behind their table: the entry times 2^-e or 2^-floor(e / 2), where e is the exponent of the
// operand y, with the sign of y for the reciprocal, and what becomes of an operand that is zero, infinite, negative or
// NaN. y is not subnormal.
module npu_bf16_scale (
  input  logic        root_i,    // of frsqrt_lut
  input  logic [31:0] y_i,
  input  logic [15:0] entry_i,   // bf16
  output logic [31:0] result_o
);

  localparam logic [7:0]  AllOnes = '1;
  localparam logic [31:0] Nan = 32'h7fc0_0000;

  typedef struct packed {
    logic       sign;
    logic [7:0] exponent;
    logic [6:0] mantissa;
  } bf16_t;

  bf16_t             entry;
  logic              y_sign, y_zero, y_infinite, y_nan, sign;
  logic signed [9:0] e, exponent;

  assign entry      = entry_i;
  assign y_sign     = y_i[31] && !root_i;  // of the result
  assign y_zero     = y_i[30:23] == '0;
  assign y_infinite = y_i[30:23] == AllOnes && y_i[22:0] == '0;
  assign y_nan      = y_i[30:23] == AllOnes && y_i[22:0] != '0;
  assign sign       = entry.sign ^ y_sign;
  assign e          = signed'({2'b0, y_i[30:23]}) - 10'sd127;
  assign exponent   = signed'({2'b0, entry.exponent}) - (root_i ? e >>> 1 : e);

  always_comb begin
    result_o = {sign, exponent[7:0], entry.mantissa, 16'b0};
    if (exponent >= 10'sd255) result_o = {sign, AllOnes, 23'b0};
    if (exponent <= 0 || entry.exponent == '0) result_o = {sign, 31'b0};
    if (entry.exponent == AllOnes) result_o = entry.mantissa == '0 ? {sign, AllOnes, 23'b0} : Nan;
    if (y_infinite) result_o = {y_sign, 31'b0};
    if (root_i && y_i[31]) result_o = Nan;
    if (y_zero) result_o = {y_sign, AllOnes, 23'b0};
    if (y_nan) result_o = Nan;
  end

endmodule
