// One int8 element of the systolic array. It holds one weight, and a second one in its shadow that the next tile loads
// while this one computes. Activations and their flags move right, partial sums move down, one element a cycle; the
// product has a register of its own.
//
//   cycle 0: a_i and wave_i arrive; shadow <- w_i (load), weight <- shadow (swap), a <- a_i (live)
//   cycle 1: product <- a * weight
//   cycle 2: psum <- psum_i + product, visible on psum_o in cycle 3
//
// Every data register is written under an enable that is low while the element idles: synthesis makes clock gates of
// them. `en` follows the rows of a tile through the whole array, `live` only through the array rows that the tile uses.
module npu_pe
  import npu_pkg::*;
(
  input  logic               clk_i,
  input  logic               rst_ni,
  input  wave_t              wave_i,
  input  logic        [7:0]  a_i,
  input  logic        [7:0]  w_i,       // int8 weight of this row and column
  input  logic        [1:0]  w_tern_i,  // ternary code of this row and column: {negative, nonzero}
  input  logic        [31:0] psum_i,
  output wave_t              wave_o,
  output logic        [7:0]  a_o,
  output logic        [31:0] psum_o
);

  typedef struct packed {
    logic       tern;
    logic [7:0] value;  // int8, or the ternary code in the low bits
  } weight_t;

  wave_t       wave_q;
  weight_t     shadow_q, weight_q;
  logic [7:0]  a_q;
  logic [15:0] prod_d, prod_q;
  logic        en_q, live_q;
  logic [31:0] psum_q;

  // The multiplier sees zeros while the weight is ternary, so that nothing toggles in it.
  logic signed [7:0]  mult_a, mult_w;
  logic signed [15:0] mult_p, tern_p;

  assign mult_a = weight_q.tern ? '0 : a_q;
  assign mult_w = weight_q.tern ? '0 : weight_q.value;
  assign mult_p = 16'(mult_a) * 16'(mult_w);

  always_comb begin
    tern_p = '0;
    if (weight_q.value[0]) begin
      tern_p = weight_q.value[1] ? -16'(signed'(a_q)) : 16'(signed'(a_q));
    end
  end

  assign prod_d = weight_q.tern ? tern_p : mult_p;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      wave_q <= '0;
      en_q   <= 1'b0;
      live_q <= 1'b0;
    end else begin
      wave_q <= wave_i;
      en_q   <= wave_q.en;
      live_q <= wave_q.live;
    end
  end

  always_ff @(posedge clk_i) begin
    if (wave_i.load) shadow_q <= wave_i.tern ? {1'b1, 6'b0, w_tern_i} : {1'b0, w_i};
    if (wave_i.swap) weight_q <= shadow_q;
    if (wave_i.live) a_q <= a_i;
    if (wave_q.live) prod_q <= prod_d;
    if (en_q) psum_q <= psum_i + (live_q ? 32'(signed'(prod_q)) : 32'b0);
  end

  assign wave_o = wave_q;
  assign a_o    = a_q;
  assign psum_o = psum_q;

endmodule
