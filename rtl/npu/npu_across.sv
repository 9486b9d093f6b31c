// The end of the vector unit, int8 kind: what goes across lanes, then what goes across rows. Results of the lanes that
// are here in cycle 6 are on row_o in cycle 8.
module npu_across
  import npu_isa_pkg::*;
#(
  parameter int unsigned S = 16
) (
  input  logic                      clk_i,
  input  vector_op_e                op_i,
  input  logic                      valid6_i,
  input  logic                      valid7_i,
  input  logic                      first7_i,  // of the rows that are folded into one
  input  logic signed [S-1:0][31:0] row_i,     // cycle 6
  output logic signed [S-1:0][31:0] row_o      // cycle 8
);

  function automatic logic signed [31:0] larger(logic signed [31:0] x, logic signed [31:0] y);
    return x > y ? x : y;
  endfunction

  // ---- cycle 6: over the lanes, by a tree -----------------------------------------------------------------------
  logic signed [31:0] sum, max;

  always_comb begin
    logic signed [S-1:0][31:0] sums, maxima;

    sums   = row_i;
    maxima = row_i;
    for (int unsigned half = S / 2; half > 0; half /= 2) begin
      for (int unsigned i = 0; i < half; i++) begin
        sums[i]   = sums[i] + sums[i+half];
        maxima[i] = larger(maxima[i], maxima[i+half]);
      end
    end
    sum = sums[0];
    max = maxima[0];
  end

  logic signed [S-1:0][31:0] lanes_d, lanes_q;

  always_comb begin
    unique case (op_i)
      VopLaneSum: lanes_d = {S{sum}};
      VopLaneMax: lanes_d = {S{max}};
      default:    lanes_d = row_i;
    endcase
  end

  // ---- cycle 7: over the rows -----------------------------------------------------------------------------------
  logic signed [S-1:0][31:0] rows_d, rows_q;

  always_comb begin
    rows_d = lanes_q;
    if (!first7_i) begin
      for (int unsigned i = 0; i < S; i++) begin
        if (op_i == VopFoldSum) rows_d[i] = rows_q[i] + lanes_q[i];
        if (op_i == VopFoldMax) rows_d[i] = larger(rows_q[i], lanes_q[i]);
      end
    end
  end

  always_ff @(posedge clk_i) begin
    if (valid6_i) lanes_q <= lanes_d;
    if (valid7_i) rows_q <= rows_d;
  end

  assign row_o = rows_q;

endmodule
