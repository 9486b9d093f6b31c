// An element of the array against its golden form: sum plus activation times weight, where a ternary weight is just a
// small number, and the shadow weight comes in force with the activation that carries `swap`.
module npu_pe_formal
  import npu_pkg::*;
(
  input logic        clk_i,
  input logic        rst_ni,
  input wave_t       wave_i,
  input logic [7:0]  a_i,
  input logic [7:0]  w_i,
  input logic [1:0]  w_tern_i,
  input logic [31:0] psum_i
);

  wave_t       wave_o;
  logic [7:0]  a_o;
  logic [31:0] psum_o;

  npu_pe u_dut (
    .clk_i,
    .rst_ni,
    .wave_i,
    .a_i,
    .w_i,
    .w_tern_i,
    .psum_i,
    .wave_o,
    .a_o,
    .psum_o
  );

  logic started_q = 1'b0;
  always_ff @(posedge clk_i) begin
    started_q <= 1'b1;
    assume (rst_ni == started_q);
  end

  // What a loaded weight means.
  logic signed [7:0] loaded;
  assign loaded = !wave_i.tern ? w_i : (!w_tern_i[0] ? '0 : (w_tern_i[1] ? -8'sd1 : 8'sd1));

  // Golden registers, and whether the weights were ever set.
  logic signed [7:0]  shadow_q, weight_q, a_q;
  logic               shadow_set_q = 1'b0, weight_set_q = 1'b0;
  logic signed [15:0] product_q;
  logic               live1_q = 1'b0, en1_q = 1'b0, live2_q = 1'b0, en2_q = 1'b0, en3_q = 1'b0;
  logic               known2_q = 1'b0, known3_q = 1'b0;
  logic [31:0]        sum_q;
  wave_t              wave_q = '0;

  always_ff @(posedge clk_i) begin
    if (rst_ni) begin
      wave_q <= wave_i;
      if (wave_i.load) shadow_q <= loaded;
      if (wave_i.load) shadow_set_q <= 1'b1;
      if (wave_i.swap) weight_q <= shadow_q;
      if (wave_i.swap) weight_set_q <= shadow_set_q;
      a_q       <= a_i;
      live1_q   <= wave_i.live;
      en1_q     <= wave_i.en;
      product_q <= a_q * weight_q;
      live2_q   <= live1_q;
      en2_q     <= en1_q;
      known2_q  <= !live1_q || weight_set_q;
      sum_q     <= psum_i + (live2_q ? 32'(product_q) : '0);
      en3_q     <= en2_q;
      known3_q  <= known2_q;
    end
  end

  always_ff @(posedge clk_i) begin
    if (rst_ni) begin
      Sum_A: assert (!(en3_q && known3_q) || psum_o == sum_q);
      Wave_A: assert (wave_o == wave_q);
      Activation_A: assert (!wave_q.live || a_o == a_q);
      TernaryMinus_C: cover (en3_q && known3_q && live2_q && weight_q == -8'sd1 && sum_q == 32'hffff_ff80);
      SwapWithLoad_C: cover (en3_q && known3_q && wave_q.swap && wave_q.load && sum_q != '0);
    end
  end

endmodule
