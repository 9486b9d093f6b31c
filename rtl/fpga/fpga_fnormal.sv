// The last steps of what makes a float: from sign, exponent and a significand anywhere in its bits to the float, rounded to
// nearest even, subnormal or infinite where it is so.
//
//   0 exponent_i           how far the significand may go left, or has to go right
//   1 the rest of them     leading zeros
//   2                      shift
//   3                      round
//   4 float_o
module fpga_fnormal #(
  parameter int unsigned ExpW = 8,
  parameter int unsigned ManW = 23,
  parameter int unsigned SigW = 28,
  parameter int unsigned WideW = 10,  // of exponents below and above those of a float
  parameter bit Tiny = 1'b1           // whether an exponent may be below 1
) (
  input  logic                    clk_i,
  input  logic                    en_i,
  input  logic signed [WideW-1:0] exponent_i,     // biased, of the top bit of the significand; a cycle before the others
  input  logic                    infinite_i,
  input  logic                    nan_i,
  input  logic                    sign_i,
  input  logic [SigW-1:0]         significand_i,
  output logic [ExpW+ManW:0]      float_o
);

  localparam int unsigned ZerosW = $clog2(SigW + 1);
  localparam int unsigned KeptW = ManW + 3;  // significand, guard, sticky
  localparam int unsigned FullW = SigW > KeptW ? SigW : KeptW;
  localparam int unsigned RightW = $clog2(FullW + 1);
  localparam int unsigned ShiftW = RightW > ZerosW ? RightW : ZerosW;
  localparam logic [SigW-1:0] Top = {1'b1, {(SigW - 1) {1'b0}}};

  typedef struct packed {
    logic                    infinite;
    logic                    nan;
    logic                    sign;
    logic signed [WideW-1:0] exponent;
  } aside_t;

  // ---- cycle 0 --------------------------------------------------------------------------------------------------
  // A one where the significand meets the smallest exponent: it stops the shift to the left there.
  logic signed [WideW-1:0] exponent_q;
  logic [WideW-1:0]        left, right;
  logic [RightW-1:0]       right1_q;
  logic [SigW-1:0]         stop_q;

  assign left  = WideW'(exponent_i - WideW'(1));
  assign right = WideW'(WideW'(1) - exponent_i);

  always_ff @(posedge clk_i) begin
    if (en_i) begin
      exponent_q <= exponent_i;
      stop_q     <= Top >> left;
      right1_q   <= !Tiny || exponent_i >= 1 ? '0 : right > WideW'(FullW) ? RightW'(FullW) : RightW'(right);
    end
  end

  // ---- cycle 1 --------------------------------------------------------------------------------------------------
  // One shifter serves both ways: what goes right is turned around before and behind it.
  function automatic logic [FullW-1:0] turned_if(logic turn, logic [FullW-1:0] x);
    for (int unsigned i = 0; i < FullW; i++) turned_if[i] = turn ? x[FullW-1-i] : x[i];
  endfunction

  aside_t            aside2_q, aside3_q;
  logic [FullW-1:0]  full, ahead, full_q;
  logic [RightW-1:0] right2_q;
  logic [ZerosW-1:0] zeros;
  logic              turn_d, turn_q, lost1_q;

  fpga_clz #(
    .Width(SigW)
  ) u_clz (
    .clk_i,
    .en_i,
    .x_i    (significand_i | stop_q),
    .zeros_o(zeros)
  );

  assign turn_d = right1_q != '0;
  assign full   = {significand_i, {(FullW - SigW) {1'b0}}};
  assign ahead  = {FullW{1'b1}} << right1_q;

  always_ff @(posedge clk_i) begin
    if (en_i) begin
      aside2_q <= '{infinite: infinite_i, nan: nan_i, sign: sign_i, exponent: exponent_q};
      right2_q <= right1_q;
      turn_q   <= turn_d;
      full_q   <= turned_if(turn_d, full);
      lost1_q  <= (full & ~ahead) != '0;
    end
  end

  // ---- cycle 2 --------------------------------------------------------------------------------------------------
  logic [ShiftW-1:0] shift;
  logic [FullW-1:0]  shifted_q;
  logic              lost2_q;

  assign shift = turn_q ? ShiftW'(right2_q) : ShiftW'(zeros);

  always_ff @(posedge clk_i) begin
    if (en_i) begin
      aside3_q          <= aside2_q;
      aside3_q.exponent <= aside2_q.exponent - signed'(WideW'(zeros));
      shifted_q         <= turned_if(turn_q, full_q << shift);
      lost2_q           <= lost1_q;
    end
  end

  // ---- cycle 3 --------------------------------------------------------------------------------------------------
  logic [KeptW-1:0] kept;

  assign kept = {shifted_q[FullW-1:FullW-KeptW+1], shifted_q[FullW-KeptW:0] != '0 || lost2_q};

  fpga_fpack #(
    .ExpW (ExpW),
    .ManW (ManW),
    .WideW(WideW)
  ) u_pack (
    .clk_i,
    .en_i,
    .infinite_i   (aside3_q.infinite),
    .nan_i        (aside3_q.nan),
    .sign_i       (aside3_q.sign),
    .exponent_i   (aside3_q.exponent),
    .significand_i(kept),
    .float_o
  );

endmodule
