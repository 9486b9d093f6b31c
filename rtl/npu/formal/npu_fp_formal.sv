// The float units at three exponent and two mantissa bits, for all operands, against what they should mean: operands are
// integers of a unit that is small enough, sum and product are exact, and one rounding makes a float of them.
module npu_fp_formal (
  input logic       clk_i,
  input logic       rst_ni,
  input logic [5:0] a_i,
  input logic [5:0] b_i
);

  localparam int unsigned ExpW = 3;
  localparam int unsigned ManW = 2;
  localparam int unsigned ExactW = 18;  // of a product, in units of the square of the smallest distance of two numbers
  localparam int unsigned ShiftW = 6;
  localparam logic signed [ShiftW-1:0] Bias = 6'sd3;
  localparam logic signed [ShiftW-1:0] Man = 6'sd2;
  localparam logic [5:0] Nan = 6'b0_111_10;

  typedef struct packed {
    logic            sign;
    logic [ExpW-1:0] exponent;
    logic [ManW-1:0] mantissa;
  } float_t;

  typedef logic [ExactW-1:0] exact_t;

  logic [5:0] sum, product, larger, smaller;

  npu_fp_add #(
    .ExpW(ExpW),
    .ManW(ManW)
  ) u_add (
    .clk_i,
    .en_i (3'b111),
    .a_i,
    .b_i,
    .sum_o(sum)
  );

  npu_fp_mul #(
    .ExpW   (ExpW),
    .InManW (ManW),
    .OutManW(ManW)
  ) u_mul (
    .clk_i,
    .en_i     (1'b1),
    .a_i,
    .b_i,
    .product_o(product)
  );

  npu_fp_max #(
    .ExpW(ExpW),
    .ManW(ManW)
  ) u_max (
    .min_i   (1'b0),
    .a_i,
    .b_i,
    .result_o(larger)
  );

  npu_fp_max #(
    .ExpW(ExpW),
    .ManW(ManW)
  ) u_min (
    .min_i   (1'b1),
    .a_i,
    .b_i,
    .result_o(smaller)
  );

  function automatic logic is_nan(float_t x);
    return x.exponent == '1 && x.mantissa != '0;
  endfunction

  function automatic logic is_infinite(float_t x);
    return x.exponent == '1 && x.mantissa == '0;
  endfunction

  // In units of the distance between the smallest normal numbers; a subnormal is zero.
  function automatic exact_t magnitude(float_t x);
    return x.exponent == '0 ? '0 : exact_t'({1'b1, x.mantissa}) << (x.exponent - 3'd1);
  endfunction

  // The float of sign and n * 2^scale of those units.
  function automatic logic [5:0] rounded(logic sign, exact_t n, logic signed [ShiftW-1:0] scale);
    logic signed [ShiftW-1:0] top, exponent;
    exact_t                   kept, rest, half;

    top = '0;
    for (int i = 0; i < ExactW; i++) begin
      if (n[i]) top = ShiftW'(i);
    end
    if (top <= Man) begin  // few bits: nothing to round away
      kept = n << (Man - top);
    end else begin
      kept = n >> (top - Man);
      rest = n - (kept << (top - Man));
      half = exact_t'(1) << (top - Man - 6'sd1);
      if (rest > half || (rest == half && kept[0])) kept = kept + 1'b1;
    end
    exponent = top - Man + 6'sd1 + scale;
    if (kept[ManW+1]) begin
      kept     = kept >> 1;
      exponent = exponent + 6'sd1;
    end
    if (n == '0 || exponent <= 0) return {sign, 5'b0};
    if (exponent >= 6'sd7) return {sign, 3'b111, 2'b0};
    return {sign, exponent[2:0], kept[1:0]};
  endfunction

  // ---- what the sum, the product and the order should be --------------------------------------------------------
  float_t     a, b;
  exact_t     x, y;
  logic [5:0] golden_sum, golden_product;
  logic       a_less;

  assign a = a_i;
  assign b = b_i;
  assign x = magnitude(a);
  assign y = magnitude(b);

  always_comb begin
    if (a.sign == b.sign) golden_sum = rounded(a.sign, x + y, '0);
    else if (x == y) golden_sum = '0;
    else if (x > y) golden_sum = rounded(a.sign, x - y, '0);
    else golden_sum = rounded(b.sign, y - x, '0);
    if (is_infinite(a)) golden_sum = a;
    if (is_infinite(b)) golden_sum = b;
    if (is_nan(a) || is_nan(b) || (is_infinite(a) && is_infinite(b) && a.sign != b.sign)) golden_sum = Nan;
  end

  // Exact: 3 bits by 3 bits, then the powers of two.
  exact_t xy;

  always_comb begin
    xy = exact_t'({3'b0, 1'b1, a.mantissa} * {3'b0, 1'b1, b.mantissa});
    xy = xy << (4'(a.exponent) + 4'(b.exponent) - 4'd2);
    if (x == '0 || y == '0) xy = '0;
    golden_product = rounded(a.sign ^ b.sign, xy, 6'sd1 - Bias - Man);
    if (is_infinite(a) || is_infinite(b)) golden_product = {a.sign ^ b.sign, 3'b111, 2'b0};
    if (is_nan(a) || is_nan(b) || (is_infinite(a) && y == '0) || (is_infinite(b) && x == '0)) begin
      golden_product = Nan;
    end
  end

  assign a_less = a.sign ? (!b.sign || x > y) : (!b.sign && x < y);

  // ---- proof ----------------------------------------------------------------------------------------------------
  logic [2:0][5:0] sums_q;
  logic [2:0]      valid_q = '0, rounds_q;

  always_ff @(posedge clk_i) begin
    sums_q   <= {sums_q[1:0], golden_sum};
    valid_q  <= {valid_q[1:0], 1'b1};
    rounds_q <= {rounds_q[1:0], a.exponent == 3'd6 && b.exponent == 3'd2 && a.sign != b.sign};
  end

  always_ff @(posedge clk_i) begin
    Sum_A: assert (!valid_q[2] || sum == sums_q[2]);
    Product_A: assert (product == golden_product);
    if (!is_nan(a) && !is_nan(b)) begin
      Larger_A: assert (larger == (a_less ? rounded(b.sign, y, '0) : rounded(a.sign, x, '0)));
      Smaller_A: assert (smaller == (a_less ? rounded(a.sign, x, '0) : rounded(b.sign, y, '0)));
    end else begin
      NoOrder_A: assert (larger == Nan && smaller == Nan);
    end
    FarApart_C: cover (valid_q[2] && rounds_q[2] && sum[4:2] == 3'd5);
    Cancels_C: cover (valid_q[2] && sum == '0 && rst_ni);
    RoundsUpToNormal_C: cover (product == 6'b0_001_00 && a.mantissa == 2'd2 && b.mantissa == 2'd1);
    Overflows_C: cover (product[4:0] == 5'b111_00 && a.exponent != '1 && b.exponent != '1);
  end

endmodule
