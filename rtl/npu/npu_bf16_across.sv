// The end of the vector unit, bf16 kind: what goes across lanes, by trees over the operands, and what goes across rows,
// behind the lanes. Each op has its own distance from the read to the result:
//
//   flane_max  a level of the tree is a cycle, from cycle 2 on
//   flane_sum  a level is the three cycles of an adder
//   others     the lanes' results of cycle 11 are there in cycle 12
module npu_bf16_across
  import npu_isa_pkg::*;
#(
  parameter int unsigned S = 16,
  localparam int unsigned Levels = $clog2(S),
  localparam int unsigned SumExit = 2 + 3 * Levels
) (
  input  logic               clk_i,
  input  vector_op_e         op_i,
  input  logic [SumExit:2]   valid_i,    // a row is in cycle k
  input  logic               valid11_i,
  input  logic               first11_i,  // of the rows that are folded into one
  input  logic [S-1:0][31:0] a_row_i,    // operands, cycle 2
  input  logic [S-1:0][31:0] row_i,      // results of the lanes, cycle 11
  output logic [S-1:0][31:0] row_o       // in the cycle that the op has its result in
);

  // ---- over the lanes: x[i] and x[i + half] meet, until one is left ----------------------------------------------
  logic [S-1:0][31:0] sums[Levels+1];
  logic [S-1:0][31:0] maxima[Levels+1];
  logic               is_sum, is_max;

  assign is_sum    = op_i == VopFlaneSum;
  assign is_max    = op_i == VopFlaneMax;
  assign sums[0]   = a_row_i;
  assign maxima[0] = a_row_i;

  for (genvar l = 0; l < Levels; l++) begin : gen_level
    localparam int unsigned Half = S >> (l + 1);

    for (genvar i = 0; i < Half; i++) begin : gen_pair
      logic [31:0] larger;

      npu_fp_add u_add (
        .clk_i,
        .en_i (is_sum ? valid_i[2+3*l+:3] : '0),
        .a_i  (sums[l][i]),
        .b_i  (sums[l][i+Half]),
        .sum_o(sums[l+1][i])
      );

      npu_fp_max u_max (
        .min_i   (1'b0),
        .a_i     (maxima[l][i]),
        .b_i     (maxima[l][i+Half]),
        .result_o(larger)
      );

      always_ff @(posedge clk_i) begin
        if (is_max && valid_i[2+l]) maxima[l+1][i] <= larger;
      end
    end

    assign sums[l+1][S-1:Half]   = '0;
    assign maxima[l+1][S-1:Half] = '0;
  end

  // ---- cycle 11: over the rows ----------------------------------------------------------------------------------
  logic [S-1:0][31:0] rows_d, rows_q, larger_rows;

  for (genvar i = 0; i < S; i++) begin : gen_fold
    npu_fp_max u_max (
      .min_i   (1'b0),
      .a_i     (rows_q[i]),
      .b_i     (row_i[i]),
      .result_o(larger_rows[i])
    );
  end

  assign rows_d = op_i == VopFfoldMax && !first11_i ? larger_rows : row_i;

  always_ff @(posedge clk_i) begin
    if (valid11_i) rows_q <= rows_d;
  end

  always_comb begin
    unique case (op_i)
      VopFlaneSum: row_o = {S{sums[Levels][0]}};
      VopFlaneMax: row_o = {S{maxima[Levels][0]}};
      default:     row_o = rows_q;
    endcase
  end

  logic unused_valid;
  assign unused_valid = ^valid_i;

endmodule
