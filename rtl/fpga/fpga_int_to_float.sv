// An integer as a float. Latency: 4.
//
//   0 magnitude   1-3 fpga_fnormal   4 float_o
module fpga_int_to_float #(
  parameter int unsigned IntW = 32,
  parameter int unsigned ExpW = 8,
  parameter int unsigned ManW = 23,
  parameter bit Signed = 1'b0
) (
  input  logic               clk_i,
  input  logic               en_i,
  input  logic [IntW-1:0]    int_i,
  output logic [ExpW+ManW:0] float_o
);

  localparam int unsigned ZerosW = $clog2(IntW + 1);
  localparam int unsigned WideW = (ExpW > ZerosW ? ExpW : ZerosW) + 2;
  localparam logic signed [WideW-1:0] Exponent = WideW'((1 << (ExpW - 1)) - 1 + IntW - 1);

  logic            negative, sign_q;
  logic [IntW-1:0] magnitude_q;

  assign negative = Signed && int_i[IntW-1];

  always_ff @(posedge clk_i) begin
    if (en_i) begin
      sign_q      <= negative;
      magnitude_q <= negative ? -int_i : int_i;
    end
  end

  fpga_fnormal #(
    .ExpW (ExpW),
    .ManW (ManW),
    .SigW (IntW),
    .WideW(WideW)
  ) u_normal (
    .clk_i,
    .en_i,
    .exponent_i   (Exponent),
    .infinite_i   (1'b0),
    .nan_i        (1'b0),
    .sign_i       (sign_q),
    .significand_i(magnitude_q),
    .float_o
  );

endmodule
