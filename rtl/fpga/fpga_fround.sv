// A float rounded to an integer, which is a float still. Latency: 3.
//
//   0 where the point is   1 what lies behind it   2 result_o <= rounded
module fpga_fround #(
  parameter int unsigned ExpW = 8,
  parameter int unsigned ManW = 23,
  parameter int unsigned Mode = 2  // 0 down, 1 up, 2 to zero, 3 to nearest, ties away from zero, 4 to nearest, ties to even
) (
  input  logic               clk_i,
  input  logic               en_i,
  input  logic [ExpW+ManW:0] a_i,
  output logic [ExpW+ManW:0] result_o
);

  localparam int unsigned MagW = ExpW + ManW;
  localparam logic [ExpW-1:0] Bias = ExpW'((1 << (ExpW - 1)) - 1);
  localparam logic [MagW-1:0] One = {Bias, {ManW{1'b0}}};
  localparam logic [MagW-1:0] Infinity = {{ExpW{1'b1}}, {ManW{1'b0}}};
  localparam logic [MagW-1:0] Nan = {{ExpW{1'b1}}, 1'b1, {(ManW - 1) {1'b0}}};

  // ---- cycle 0: ones where bits of the mantissa are behind the point --------------------------------------------
  logic [ExpW-1:0] exponent;
  logic [ManW-1:0] behind_q;
  logic [MagW-1:0] magnitude1_q;
  logic            sign1_q, small_q, half_q, zero_q, nan1_q;

  assign exponent = a_i[MagW-1:ManW];

  always_ff @(posedge clk_i) begin
    if (en_i) begin
      behind_q     <= {ManW{1'b1}} >> ExpW'(exponent - Bias);
      magnitude1_q <= a_i[MagW-1:0];
      sign1_q      <= a_i[MagW];
      small_q      <= exponent < Bias;
      half_q       <= exponent == Bias - 1'b1;
      zero_q       <= a_i[MagW-1:0] == '0;
      nan1_q       <= a_i[MagW-1:0] > Infinity;
    end
  end

  // ---- cycle 1: the next integers and which it is ---------------------------------------------------------------
  logic [ManW:0]   unit;       // the last bit before the point; the highest is the hidden one
  logic [ManW-1:0] first;      // the first behind it
  logic            guard, sticky, odd, up;
  logic [MagW-1:0] down_q, step_q;
  logic            sign2_q;

  assign unit  = {1'b0, behind_q} + 1'b1;
  assign first = behind_q & ~(behind_q >> 1);

  always_comb begin
    guard  = (magnitude1_q[ManW-1:0] & first) != '0;
    sticky = (magnitude1_q[ManW-1:0] & behind_q & ~first) != '0;
    odd    = unit[ManW] || (magnitude1_q[ManW-1:0] & unit[ManW-1:0]) != '0;
    if (small_q) begin
      guard  = half_q;
      sticky = half_q ? magnitude1_q[ManW-1:0] != '0 : !zero_q;
      odd    = 1'b0;
    end
    unique case (Mode)
      0: up = sign1_q && (guard || sticky);
      1: up = !sign1_q && (guard || sticky);
      2: up = 1'b0;
      3: up = guard;
      default: up = guard && (sticky || odd);
    endcase
  end

  always_ff @(posedge clk_i) begin
    if (en_i) begin
      sign2_q <= sign1_q && !nan1_q;
      down_q  <= nan1_q ? Nan : small_q ? '0 : magnitude1_q & ~MagW'(behind_q);
      step_q  <= nan1_q || !up ? '0 : small_q ? One : MagW'(unit);
    end
  end

  // ---- cycle 2 --------------------------------------------------------------------------------------------------
  always_ff @(posedge clk_i) begin
    if (en_i) result_o <= {sign2_q, down_q + step_q};
  end

endmodule
