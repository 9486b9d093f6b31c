// The larger or the smaller of two floats: NaN if one is NaN, subnormals count as zeros of their sign, -0 lies before +0.
module npu_fp_max #(
  parameter int unsigned ExpW = 8,
  parameter int unsigned ManW = 23
) (
  input  logic               min_i,
  input  logic [ExpW+ManW:0] a_i,
  input  logic [ExpW+ManW:0] b_i,
  output logic [ExpW+ManW:0] result_o
);

  localparam int unsigned SignBit = ExpW + ManW;
  localparam logic [ExpW-1:0] AllOnes = '1;

  function automatic logic [SignBit:0] flush(logic [SignBit:0] x);
    return x[SignBit-1:ManW] == '0 ? {x[SignBit], {SignBit{1'b0}}} : x;
  endfunction

  function automatic logic is_nan(logic [SignBit-1:0] x);
    return x[SignBit-1:ManW] == AllOnes && x[ManW-1:0] != '0;
  endfunction

  // Integers in the order of the floats.
  function automatic logic [SignBit:0] key(logic [SignBit:0] x);
    return x[SignBit] ? ~x : {1'b1, x[SignBit-1:0]};
  endfunction

  logic [SignBit:0] a, b;
  logic             a_smaller;

  assign a         = flush(a_i);
  assign b         = flush(b_i);
  assign a_smaller = key(a) < key(b);

  always_comb begin
    result_o = a_smaller == min_i ? a : b;
    if (is_nan(a_i[SignBit-1:0]) || is_nan(b_i[SignBit-1:0])) result_o = {1'b0, AllOnes, 1'b1, {(ManW - 1) {1'b0}}};
  end

endmodule
