// A float as an integer, rounded to zero; beyond the integers their nearest end; 0 for a NaN. Latency: 3.
//
//   0 where the point is   1 shift   2 int_o <= sign
module fpga_float_to_int #(
  parameter int unsigned ExpW = 8,
  parameter int unsigned ManW = 23,
  parameter int unsigned IntW = 32,
  parameter bit Signed = 1'b0
) (
  input  logic               clk_i,
  input  logic               en_i,
  input  logic [ExpW+ManW:0] float_i,
  output logic [IntW-1:0]    int_o
);

  localparam int unsigned SigW = ManW + 1;
  localparam int unsigned FullW = IntW > SigW ? IntW : SigW;
  localparam int unsigned DigitsW = $clog2(IntW + 1);
  localparam int unsigned WideW = (ExpW > DigitsW ? ExpW : DigitsW) + 2;
  // Of a significand whose top bit has the weight of the integer's top bit.
  localparam logic signed [WideW-1:0] Exponent = WideW'((1 << (ExpW - 1)) - 1 + IntW - 1);
  localparam logic [IntW-1:0] Lowest = Signed ? {1'b1, {(IntW - 1) {1'b0}}} : '0;

  logic [ExpW-1:0]         field;
  logic [ManW-1:0]         mantissa;
  logic signed [WideW-1:0] right;

  assign {field, mantissa} = float_i[ExpW+ManW-1:0];
  // A subnormal number is below one: where exactly does not matter.
  assign right = Exponent - signed'(WideW'(field));

  logic              sign1_q, sign2_q, nan1_q, nan2_q, beyond1_q, beyond2_q;
  logic [WideW-1:0]  right_q;
  logic [FullW-1:0]  full_q;
  logic [IntW-1:0]   magnitude_q;

  always_ff @(posedge clk_i) begin
    if (en_i) begin
      sign1_q   <= float_i[ExpW+ManW];
      nan1_q    <= field == '1 && mantissa != '0;
      beyond1_q <= field == '1 || right < signed'(WideW'(Signed));
      right_q   <= WideW'(right);
      full_q    <= FullW'({field != '0, mantissa}) << (FullW - SigW);

      sign2_q     <= sign1_q;
      nan2_q      <= nan1_q;
      beyond2_q   <= beyond1_q;
      magnitude_q <= IntW'((full_q >> right_q) >> (FullW - IntW));

      if (nan2_q) int_o <= '0;
      else if (!sign2_q) int_o <= beyond2_q ? ~Lowest : magnitude_q;
      else if (!Signed) int_o <= '0;
      else int_o <= beyond2_q ? Lowest : -magnitude_q;
    end
  end

endmodule
