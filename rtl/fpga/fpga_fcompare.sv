// How two floats compare. At most one of the three holds; latency: 1.
module fpga_fcompare #(
  parameter int unsigned ExpW = 8,
  parameter int unsigned ManW = 23
) (
  input  logic               clk_i,
  input  logic               en_i,
  input  logic [ExpW+ManW:0] a_i,
  input  logic [ExpW+ManW:0] b_i,
  output logic               less_o,      // a < b
  output logic               equal_o,     // a = b; -0 = +0
  output logic               unordered_o  // one is a NaN
);

  localparam int unsigned SignBit = ExpW + ManW;
  localparam logic [SignBit-1:0] Infinity = {{ExpW{1'b1}}, {ManW{1'b0}}};

  logic [SignBit-1:0] a, b;
  logic               unordered, zeros, same, below, less;

  assign a         = a_i[SignBit-1:0];
  assign b         = b_i[SignBit-1:0];
  assign unordered = a > Infinity || b > Infinity;
  assign zeros     = a == '0 && b == '0;
  assign same      = a_i == b_i;
  assign below     = a < b;

  always_comb begin
    unique case ({a_i[SignBit], b_i[SignBit]})
      2'b00:   less = below;
      2'b01:   less = 1'b0;
      2'b10:   less = !zeros;
      default: less = !below && !same;
    endcase
  end

  always_ff @(posedge clk_i) begin
    if (en_i) begin
      less_o      <= less && !unordered;
      equal_o     <= (same || zeros) && !unordered;
      unordered_o <= unordered;
    end
  end

endmodule
