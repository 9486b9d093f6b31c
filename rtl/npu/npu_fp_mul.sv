// The product of two floats, to nearest even, with one NaN. Subnormal operands count as zeros of their sign and so do
// subnormal results. With `Middle` there is a register between the product of the significands and the rounding.
module npu_fp_mul
  import npu_pkg::*;
#(
  parameter int unsigned ExpW = 8,
  parameter int unsigned InManW = 23,   // mantissa bits of the operands
  parameter int unsigned OutManW = 23,  // ... and of the product
  parameter bit Middle = 1'b0
) (
  input  logic                    clk_i,
  input  logic                    en_i,
  input  logic [ExpW+InManW:0]    a_i,
  input  logic [ExpW+InManW:0]    b_i,
  output logic [ExpW+OutManW:0]   product_o  // one cycle later with `Middle`, else at once
);

  localparam int unsigned WideExpW = ExpW + 2;
  localparam int unsigned ProductW = 2 * InManW + 2;
  // The rounding wants two bits at least below the mantissa.
  localparam int unsigned SigW = ProductW >= OutManW + 3 ? ProductW : OutManW + 3;
  localparam logic signed [WideExpW-1:0] Bias = WideExpW'((1 << (ExpW - 1)) - 1);

  typedef struct packed {
    logic              sign;
    logic [ExpW-1:0]   exponent;
    logic [InManW-1:0] mantissa;
  } operand_t;

  typedef struct packed {
    fp_class_e                  kind;
    logic                       sign;
    logic signed [WideExpW-1:0] exponent;
    logic [ProductW-1:0]        product;  // two bits before the point
  } exact_t;

  operand_t a, b;
  logic     a_zero, b_zero, a_infinite, b_infinite, a_nan, b_nan;
  exact_t   exact_d, exact;

  assign a          = a_i;
  assign b          = b_i;
  assign a_zero     = a.exponent == '0;
  assign b_zero     = b.exponent == '0;
  assign a_infinite = a.exponent == '1 && a.mantissa == '0;
  assign b_infinite = b.exponent == '1 && b.mantissa == '0;
  assign a_nan      = a.exponent == '1 && a.mantissa != '0;
  assign b_nan      = b.exponent == '1 && b.mantissa != '0;

  always_comb begin
    exact_d.kind = FpFinite;
    if (a_infinite || b_infinite) exact_d.kind = FpInfinite;
    if (a_nan || b_nan || (a_infinite && b_zero) || (a_zero && b_infinite)) exact_d.kind = FpNan;
    exact_d.sign     = a.sign ^ b.sign;
    exact_d.exponent = signed'({2'b0, a.exponent}) + signed'({2'b0, b.exponent}) - Bias;
    exact_d.product  = a_zero || b_zero ? '0 : ProductW'({1'b1, a.mantissa}) * ProductW'({1'b1, b.mantissa});
  end

  if (Middle) begin : gen_middle
    exact_t exact_q;

    always_ff @(posedge clk_i) begin
      if (en_i) exact_q <= exact_d;
    end
    assign exact = exact_q;
  end else begin : gen_at_once
    logic unused_clock;
    assign unused_clock = clk_i ^ en_i;
    assign exact = exact_d;
  end

  logic [ProductW-1:0]        normal;
  logic signed [WideExpW-1:0] exponent;
  logic                       two;  // the product is 2 or more

  assign two      = exact.product[ProductW-1];
  assign normal   = two ? exact.product : exact.product << 1;
  assign exponent = exact.exponent + WideExpW'(signed'({1'b0, two}));

  npu_fp_pack #(
    .ExpW    (ExpW),
    .ManW    (OutManW),
    .SigW    (SigW),
    .WideExpW(WideExpW)
  ) u_pack (
    .class_i      (exact.kind),
    .sign_i       (exact.sign),
    .exponent_i   (exponent),
    .significand_i(SigW'(normal) << (SigW - ProductW)),
    .float_o      (product_o)
  );

endmodule
