// The smaller or the larger of two floats: NaN if one is, -0 lies below +0. Latency: 1.
module fpga_fminmax #(
  parameter int unsigned ExpW = 8,
  parameter int unsigned ManW = 23,
  parameter bit Max = 1'b0
) (
  input  logic               clk_i,
  input  logic               en_i,
  input  logic [ExpW+ManW:0] a_i,
  input  logic [ExpW+ManW:0] b_i,
  output logic [ExpW+ManW:0] result_o
);

  localparam int unsigned SignBit = ExpW + ManW;
  localparam logic [SignBit-1:0] Infinity = {{ExpW{1'b1}}, {ManW{1'b0}}};
  localparam logic [SignBit:0] Nan = {2'b01, {(ExpW - 1) {1'b1}}, 1'b1, {(ManW - 1) {1'b0}}};

  // Integers in the order of the floats.
  function automatic logic [SignBit:0] key(logic [SignBit:0] x);
    return x[SignBit] ? ~x : {1'b1, x[SignBit-1:0]};
  endfunction

  logic nan, a_smaller;

  assign nan       = a_i[SignBit-1:0] > Infinity || b_i[SignBit-1:0] > Infinity;
  assign a_smaller = key(a_i) < key(b_i);

  always_ff @(posedge clk_i) begin
    if (en_i) result_o <= nan ? Nan : a_smaller != Max ? a_i : b_i;
  end

endmodule
