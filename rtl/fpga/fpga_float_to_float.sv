// A float in another format. Latency: 4.
//
//   0 exponent   1-3 fpga_fnormal   4 float_o
//
// One with more bits of the same exponents has all of its values as they are: they only wait as long.
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

  logic [InExpW-1:0] field;
  logic [InManW-1:0] mantissa;
  logic              sign, infinite, nan;

  assign {sign, field, mantissa} = float_i;
  assign infinite                = field == '1 && mantissa == '0;
  assign nan                     = field == '1 && mantissa != '0;

  if (InExpW == OutExpW && InManW <= OutManW) begin : gen_longer
    localparam logic [OutExpW+OutManW:0] Nan = {1'b0, {OutExpW{1'b1}}, 1'b1, {(OutManW - 1) {1'b0}}};

    logic [OutExpW+OutManW:0] longer;
    assign longer = nan ? Nan : {sign, field, mantissa, {(OutManW - InManW) {1'b0}}};

    fpga_pipe #(
      .Width (1 + OutExpW + OutManW),
      .Stages(4)
    ) u_pipe (
      .clk_i,
      .en_i,
      .d_i(longer),
      .q_o(float_o)
    );

    logic unused_infinite;
    assign unused_infinite = infinite;
  end else begin : gen_normal
    localparam int unsigned ZerosW = $clog2(InManW + 2);
    localparam int unsigned ExpW = InExpW > OutExpW ? InExpW : OutExpW;
    localparam int unsigned WideW = (ExpW > ZerosW ? ExpW : ZerosW) + 2;
    localparam logic signed [WideW-1:0] Rebias = WideW'((1 << (OutExpW - 1)) - (1 << (InExpW - 1)));

    logic signed [WideW-1:0] exponent;
    logic                    sign_q, infinite_q, nan_q;
    logic [InManW:0]         significand_q;

    assign exponent = signed'(WideW'({field[InExpW-1:1], field[0] || field == '0})) + Rebias;

    always_ff @(posedge clk_i) begin
      if (en_i) begin
        sign_q        <= sign;
        infinite_q    <= infinite;
        nan_q         <= nan;
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
  end

endmodule
