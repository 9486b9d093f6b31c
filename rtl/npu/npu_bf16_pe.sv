// One bf16 element of the systolic array: npu_pe with a float multiplier, whose product is exact, and a float adder of
// MatrixStepBf16 cycles. It has the weight and the shadow, the flags and the clock gating of npu_pe.
//
//   cycle 0: a_i and wave_i arrive; shadow <- w_i (load), weight <- shadow (swap), a <- a_i (live)
//   cycle 1: product <- a * weight
//   cycle 2: psum_i and product enter the adder; the sum is on psum_o in cycle 5
module npu_bf16_pe
  import npu_isa_pkg::*, npu_pkg::*;
(
  input  logic        clk_i,
  input  logic        rst_ni,
  input  wave_t       wave_i,
  input  logic [15:0] a_i,
  input  logic [15:0] w_i,
  input  logic [31:0] psum_i,
  output wave_t       wave_o,
  output logic [15:0] a_o,
  output logic [31:0] psum_o,
  output logic [15:0] weight_o  // for who looks into the array
);

  // Leaves every partial sum as it is: those are never subnormal, and have one NaN.
  localparam logic [31:0] NegativeZero = 32'h8000_0000;

  wave_t       wave_q;
  logic [15:0] shadow_q, weight_q, a_q;
  logic [31:0] prod_d, prod_q;
  logic        live_q;
  logic [2:0]  en_q;  // the row's partial sums are in the adder's cycle k

  npu_fp_mul #(
    .InManW(7)
  ) u_mul (
    .clk_i,
    .en_i     (1'b1),
    .a_i      (a_q),
    .b_i      (weight_q),
    .product_o(prod_d)
  );

  npu_fp_add u_add (
    .clk_i,
    .en_i (en_q),
    .a_i  (psum_i),
    .b_i  (live_q ? prod_q : NegativeZero),
    .sum_o(psum_o)
  );

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      wave_q <= '0;
      live_q <= 1'b0;
      en_q   <= '0;
    end else begin
      wave_q <= wave_i;
      live_q <= wave_q.live;
      en_q   <= {en_q[1:0], wave_q.en};
    end
  end

  always_ff @(posedge clk_i) begin
    if (wave_i.load) shadow_q <= w_i;
    if (wave_i.swap) weight_q <= shadow_q;
    if (wave_i.live) a_q <= a_i;
    if (wave_q.live) prod_q <= prod_d;
  end

  assign wave_o   = wave_q;
  assign a_o      = a_q;
  assign weight_o = weight_q;

  if (MatrixStepBf16 != 3) begin : gen_step
    $error("the adder of a bf16 element takes 3 cycles");
  end

endmodule
