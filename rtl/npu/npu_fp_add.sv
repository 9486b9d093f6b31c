// The sum of two floats, to nearest even, with one NaN. Subnormal operands count as zeros of their sign and so do
// subnormal results. Operands that are here in cycle 0 have their sum on sum_o in cycle 3:
//
//   0 swap and align   1 add, count leading zeros   2 normalise and round   3 sum_o
module npu_fp_add
  import npu_pkg::*;
#(
  parameter int unsigned ExpW = 8,
  parameter int unsigned ManW = 23
) (
  input  logic               clk_i,
  input  logic [2:0]         en_i,   // bit k: operands are in cycle k
  input  logic [ExpW+ManW:0] a_i,    // cycle 0
  input  logic [ExpW+ManW:0] b_i,
  output logic [ExpW+ManW:0] sum_o   // cycle 3
);

  // Significands have three bits below them: guard, round, sticky. Their sum has a carry above.
  localparam int unsigned SigW = ManW + 4;
  localparam int unsigned SumW = SigW + 1;
  localparam int unsigned ZerosW = $clog2(SumW + 1);
  localparam int unsigned WideExpW = (ExpW > ZerosW ? ExpW : ZerosW) + 2;

  typedef struct packed {
    logic            sign;
    logic [ExpW-1:0] exponent;
    logic [ManW-1:0] mantissa;
  } float_t;

  // What passes beside the significands.
  typedef struct packed {
    fp_class_e       kind;
    logic            sign;       // of the larger operand
    logic            zero_sign;  // of a sum that is zero
    logic [ExpW-1:0] exponent;   // of the larger operand
  } aside_t;

  // ---- cycle 0: swap and align ----------------------------------------------------------------------------------
  float_t          a, b, larger, smaller;
  logic            swap, larger_zero, differ;
  logic [SigW-1:0] larger_sig, smaller_sig, shifted, kept;
  logic [ExpW-1:0] distance;
  aside_t          aside_d, aside1_q, aside2_q;

  assign a           = a_i;
  assign b           = b_i;
  assign swap        = b_i[ExpW+ManW-1:0] > a_i[ExpW+ManW-1:0];
  assign larger      = swap ? b : a;
  assign smaller     = swap ? a : b;
  assign differ      = a.sign != b.sign;
  assign larger_zero = larger.exponent == '0;
  assign larger_sig  = larger_zero ? '0 : {1'b1, larger.mantissa, 3'b0};
  assign smaller_sig = smaller.exponent == '0 ? '0 : {1'b1, smaller.mantissa, 3'b0};
  assign distance    = larger.exponent - smaller.exponent;
  assign shifted     = smaller_sig >> distance;
  assign kept        = {SigW{1'b1}} << distance;

  always_comb begin
    aside_d = '{kind: FpFinite, sign: larger.sign, zero_sign: larger_zero && a.sign && b.sign,
                exponent: larger.exponent};
    if (larger.exponent == '1) begin
      aside_d.kind = FpInfinite;
      // A NaN is larger than an infinity. Two infinities of different signs have no sum.
      if (larger.mantissa != '0 || (smaller.exponent == '1 && differ)) aside_d.kind = FpNan;
    end
  end

  logic            subtract_q;
  logic [SigW-1:0] larger_q, aligned_q;

  always_ff @(posedge clk_i) begin
    if (en_i[0]) begin
      aside1_q   <= aside_d;
      subtract_q <= differ;
      larger_q   <= larger_sig;
      aligned_q  <= {shifted[SigW-1:1], shifted[0] || (smaller_sig & ~kept) != '0};
    end
  end

  // ---- cycle 1: add ---------------------------------------------------------------------------------------------
  logic [SumW-1:0]   sum_d, sum_q;
  logic [ZerosW-1:0] zeros_d, zeros_q;

  assign sum_d = subtract_q ? {1'b0, larger_q} - {1'b0, aligned_q} : {1'b0, larger_q} + {1'b0, aligned_q};

  always_comb begin
    zeros_d = '0;
    for (int unsigned i = 0; i < SumW; i++) begin
      if (sum_d[i]) zeros_d = ZerosW'(SumW - 1 - i);
    end
  end

  always_ff @(posedge clk_i) begin
    if (en_i[1]) begin
      aside2_q <= aside1_q;
      sum_q    <= sum_d;
      zeros_q  <= zeros_d;
    end
  end

  // ---- cycle 2: normalise and round -----------------------------------------------------------------------------
  logic signed [WideExpW-1:0] exponent;
  logic [ExpW+ManW:0]         float_d, float_q;

  assign exponent = signed'(WideExpW'(aside2_q.exponent)) + signed'(WideExpW'(1)) - signed'(WideExpW'(zeros_q));

  npu_fp_pack #(
    .ExpW    (ExpW),
    .ManW    (ManW),
    .SigW    (SumW),
    .WideExpW(WideExpW)
  ) u_pack (
    .class_i      (aside2_q.kind),
    .sign_i       (sum_q == '0 && aside2_q.kind == FpFinite ? aside2_q.zero_sign : aside2_q.sign),
    .exponent_i   (exponent),
    .significand_i(sum_q << zeros_q),
    .float_o      (float_d)
  );

  always_ff @(posedge clk_i) begin
    if (en_i[2]) float_q <= float_d;
  end

  assign sum_o = float_q;

  logic unused_sign;
  assign unused_sign = smaller.sign;

endmodule
