// One lane of the vector unit, bf16 kind: every op but those across lanes. An operand pair that arrives in cycle 1 has
// its result on result_o in cycle 11 (cycle 0 is that of the last read request):
//
//   1 arrive   2 choose factors and addend   3, 4 multiply   5, 6, 7 add   8 index   9 look up   10 scale, choose
//   11 result_o
//
// Every op but the move is factor * factor + addend, with factor 1 and addend -0 where it has none: those leave any
// float as it is, but for NaNs and subnormals, which become the one NaN and zeros. The op and the parameters stay the
// same while operands are under way.
module npu_bf16_lane
  import npu_isa_pkg::*;
#(
  parameter int unsigned S = 16
) (
  input  logic                    clk_i,
  input  logic                    rst_ni,
  input  vector_op_e              op_i,
  input  logic [31:0]             bias_i,
  input  logic [31:0]             scale_i,
  input  logic [10:1]             valid_i,   // operands are in cycle k
  input  logic [31:0]             a_i,       // cycle 1
  input  logic [31:0]             b_i,
  output logic [31:0]             a_o,       // the operand in cycle 2
  output logic [31:0]             result_o,  // cycle 11
  // TABLE: S entries of this lane's copy of the table
  input  logic                    table_we_i,
  input  logic [8-$clog2(S)-1:0]  table_row_i,
  input  logic [S-1:0][15:0]      table_data_i
);

  localparam int unsigned PlaceW = $clog2(S);
  localparam logic [31:0] One = 32'h3f80_0000;
  localparam logic [31:0] NegativeZero = 32'h8000_0000;
  localparam logic [31:0] Sign = 32'h8000_0000;

  // ---- cycle 1 --------------------------------------------------------------------------------------------------
  logic [31:0] a_q, b_q;

  always_ff @(posedge clk_i) begin
    if (valid_i[1]) a_q <= a_i;
    if (valid_i[1]) b_q <= b_i;
  end

  assign a_o = a_q;

  // ---- cycle 2: factors and addend ------------------------------------------------------------------------------
  logic [31:0] chosen, factor_d, factor_q, other_d, other_q, addend_d, addend3_q, addend4_q, addend5_q;
  logic        a_nan;

  assign a_nan = a_q[30:23] == '1 && a_q[22:0] != '0;

  npu_fp_max u_max (
    .min_i   (op_i == VopFmin),
    .a_i     (a_q),
    .b_i     (b_q),
    .result_o(chosen)
  );

  always_comb begin
    factor_d = a_q;
    other_d  = One;
    addend_d = NegativeZero;
    unique case (op_i)
      VopFadd:          addend_d = b_q;
      VopFsub:          addend_d = b_q ^ Sign;
      VopFmul:          other_d  = b_q;
      VopFmax, VopFmin: factor_d = chosen;
      VopFrelu:         factor_d = a_q[31] && !a_nan ? '0 : a_q;
      VopFaffine, VopFlut: begin
        other_d  = scale_i;
        addend_d = bias_i;
      end
      default: ;
    endcase
  end

  always_ff @(posedge clk_i) begin
    if (valid_i[2]) begin
      factor_q  <= factor_d;
      other_q   <= other_d;
      addend3_q <= addend_d;
    end
    if (valid_i[3]) addend4_q <= addend3_q;
    if (valid_i[4]) addend5_q <= addend4_q;
  end

  // ---- cycles 3 to 7: multiply and add --------------------------------------------------------------------------
  logic [31:0] product_d, product_q, y;

  npu_fp_mul #(
    .Middle(1'b1)
  ) u_mul (
    .clk_i,
    .en_i     (valid_i[3]),
    .a_i      (factor_q),
    .b_i      (other_q),
    .product_o(product_d)
  );

  always_ff @(posedge clk_i) begin
    if (valid_i[4]) product_q <= product_d;
  end

  npu_fp_add u_add (
    .clk_i,
    .en_i (valid_i[7:5]),
    .a_i  (product_q),
    .b_i  (addend5_q),
    .sum_o(y)
  );

  // ---- cycle 8: the index of the table --------------------------------------------------------------------------
  logic [31:0] y9_q, y10_q, fixed;
  logic [8:0]  nearest;   // of y, if that lies within 0.5 and 256
  logic [7:0]  lut_index, index_d, index_q;

  // Eight bits before the point when the exponent is that of 128 to 255.
  localparam logic [7:0] ExponentOfHalf = 8'd126;
  localparam logic [7:0] ExponentOf128 = 8'd134;
  assign fixed   = {1'b1, y[22:0], 8'b0} >> (ExponentOf128 - y[30:23]);
  assign nearest = {1'b0, fixed[31:24]} + 9'(fixed[23] && (fixed[22:0] != '0 || fixed[24]));

  always_comb begin
    lut_index = nearest[8] ? 8'd255 : nearest[7:0];
    if (y[30:23] > ExponentOf128) lut_index = 8'd255;
    if (y[31] || y[30:23] < ExponentOfHalf || (y[30:23] == '1 && y[22:0] != '0)) lut_index = '0;
  end

  always_comb begin
    unique case (op_i)
      VopFrecipLut: index_d = y[22:15];
      // The exponent of y is biased by an odd number.
      VopFrsqrtLut: index_d = {!y[23], y[22:16]};
      default:      index_d = lut_index;
    endcase
  end

  always_ff @(posedge clk_i) begin
    if (valid_i[8]) y9_q <= y;
    if (valid_i[8]) index_q <= index_d;
    if (valid_i[9]) y10_q <= y9_q;
  end

  // ---- cycle 9: the table ---------------------------------------------------------------------------------------
  logic               is_norm;
  logic [S-1:0][15:0] table_row;
  logic [PlaceW-1:0]  place_q;

  assign is_norm = op_i == VopFrecipLut || op_i == VopFrsqrtLut;

  npu_ram #(
    .Width(16 * S),
    .Depth(TableEntries / S)
  ) u_table (
    .clk_i,
    .re_i   (valid_i[9] && (is_norm || op_i == VopFlut)),
    .raddr_i(index_q[7:PlaceW]),
    .rdata_o(table_row),
    .we_i   (table_we_i),
    .waddr_i(table_row_i),
    .wdata_i(table_data_i)
  );

  always_ff @(posedge clk_i) begin
    if (valid_i[9]) place_q <= index_q[PlaceW-1:0];
  end

  // ---- cycle 10: scale the entry, choose ------------------------------------------------------------------------
  logic [15:0] entry;
  logic [31:0] scaled, result_d, result_q, raw;

  assign entry = table_row[place_q];

  npu_bf16_scale u_scale (
    .root_i  (op_i == VopFrsqrtLut),
    .y_i     (y10_q),
    .entry_i (entry),
    .result_o(scaled)
  );

  // The move passes every bit.
  npu_delay #(
    .Width (32),
    .Stages(8)
  ) u_raw (
    .clk_i,
    .rst_ni,
    .d_i(op_i == VopMove ? a_q : '0),
    .q_o(raw)
  );

  always_comb begin
    unique case (op_i)
      VopMove:                    result_d = raw;
      VopFlut:                    result_d = {entry, 16'b0};
      VopFrecipLut, VopFrsqrtLut: result_d = scaled;
      default:                    result_d = y10_q;
    endcase
  end

  always_ff @(posedge clk_i) begin
    if (valid_i[10]) result_q <= result_d;
  end

  assign result_o = result_q;

endmodule
