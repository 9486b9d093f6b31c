// What division and square root begin with: the float's kind, and its significand with the top bit set, also of a subnormal
// number. Latency: 2.
module fpga_fprepare #(
  parameter int unsigned ExpW = 8,
  parameter int unsigned ManW = 23,
  parameter int unsigned WideW = 10
) (
  input  logic                    clk_i,
  input  logic                    en_i,
  input  logic [ExpW+ManW:0]      float_i,
  output logic                    sign_o,
  output logic                    zero_o,
  output logic                    infinite_o,
  output logic                    nan_o,
  output logic signed [WideW-1:0] exponent_o,    // biased, of the top bit
  output logic [ManW:0]           significand_o
);

  localparam int unsigned ZerosW = $clog2(ManW + 2);

  logic [ExpW-1:0]   field;
  logic [ManW-1:0]   mantissa;
  logic [ManW:0]     significand, significand_q;
  logic [ExpW-1:0]   exponent_q;
  logic [ZerosW-1:0] zeros;
  logic              sign_q, zero_q, infinite_q, nan_q;

  assign {field, mantissa} = float_i[ExpW+ManW-1:0];
  assign significand       = {field != '0, mantissa};

  fpga_clz #(
    .Width(ManW + 1)
  ) u_clz (
    .clk_i,
    .en_i,
    .x_i    (significand),
    .zeros_o(zeros)
  );

  always_ff @(posedge clk_i) begin
    if (en_i) begin
      significand_q <= significand;
      exponent_q    <= {field[ExpW-1:1], field[0] || field == '0};
      sign_q        <= float_i[ExpW+ManW];
      zero_q        <= field == '0 && mantissa == '0;
      infinite_q    <= field == '1 && mantissa == '0;
      nan_q         <= field == '1 && mantissa != '0;
      significand_o <= significand_q << zeros;
      exponent_o    <= signed'(WideW'(exponent_q)) - signed'(WideW'(zeros));
      sign_o        <= sign_q;
      zero_o        <= zero_q;
      infinite_o    <= infinite_q;
      nan_o         <= nan_q;
    end
  end

endmodule
