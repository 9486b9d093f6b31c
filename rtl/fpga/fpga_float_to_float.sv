// A float in another format. Latency: 4.
//
//   0 exponent   1-3 fpga_fnormal   4 float_o
module fpga_float_to_float #(
  parameter int unsigned InExpW = 8,
  parameter int unsigned InManW = 23,
  parameter int unsigned OutExpW = 5,
  parameter int unsigned OutManW = 10
) (
  input  logic                     clk_i,
  input  logic                     en_i,
  input  logic [InExpW+InManW:0]   float_i,
  output logic [OutExpW+OutManW:0] float_o
);

  localparam int unsigned ZerosW = $clog2(InManW + 2);
  localparam int unsigned ExpW = InExpW > OutExpW ? InExpW : OutExpW;
  localparam int unsigned WideW = (ExpW > ZerosW ? ExpW : ZerosW) + 2;
  localparam logic signed [WideW-1:0] Rebias = WideW'((1 << (OutExpW - 1)) - (1 << (InExpW - 1)));

  logic [InExpW-1:0]       field;
  logic [InManW-1:0]       mantissa;
  logic signed [WideW-1:0] exponent;
  logic                    sign_q, infinite_q, nan_q;
  logic [InManW:0]         significand_q;

  assign {field, mantissa} = float_i[InExpW+InManW-1:0];
  assign exponent          = signed'(WideW'({field[InExpW-1:1], field[0] || field == '0})) + Rebias;

  always_ff @(posedge clk_i) begin
    if (en_i) begin
      sign_q        <= float_i[InExpW+InManW];
      infinite_q    <= field == '1 && mantissa == '0;
      nan_q         <= field == '1 && mantissa != '0;
      significand_q <= {field != '0, mantissa};
    end
  end

  fpga_fnormal #(
    .ExpW (OutExpW),
    .ManW (OutManW),
    .SigW (InManW + 1),
    .WideW(WideW)
  ) u_normal (
    .clk_i,
    .en_i,
    .exponent_i   (exponent),
    .infinite_i   (infinite_q),
    .nan_i        (nan_q),
    .sign_i       (sign_q),
    .significand_i(significand_q),
    .float_o
  );

endmodule
