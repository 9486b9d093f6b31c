// One lane of the vector unit, int8 kind: every op but those across lanes. An operand pair that arrives in cycle 1 has
// its result on result_o in cycle 6 (cycle 0 is that of the last read request):
//
//   1 arrive   2 add bias, normalise, look up   3 multiply   4 shift and round   5 add, clip, choose   6 result_o
//
// The op and the parameters stay the same while operands are under way.
module npu_lane
  import npu_isa_pkg::*, npu_pkg::*;
#(
  parameter int unsigned S = 16
) (
  input  logic                        clk_i,
  input  vector_op_e                  op_i,
  input  logic [4:0]                  imm_i,
  input  scalars_t                    scalars_i,
  input  lane_params_t                params_i,
  input  logic [5:1]                  valid_i,   // operands are in cycle k
  input  logic signed [31:0]          a_i,       // cycle 1
  input  logic signed [31:0]          b_i,
  output logic signed [31:0]          a_o,       // the operand in cycle 2
  output logic signed [31:0]          result_o,  // cycle 6
  // TABLE: S / 2 entries of this lane's copy of the table
  input  logic                        table_we_i,
  input  logic [8-$clog2(S/2)-1:0]    table_row_i,
  input  logic [S/2-1:0][15:0]        table_data_i
);

  localparam int unsigned PlaceW = $clog2(S / 2);

  // ---- cycle 1 --------------------------------------------------------------------------------------------------
  logic signed [31:0] a_q, b_q;

  always_ff @(posedge clk_i) begin
    if (valid_i[1]) a_q <= a_i;
    if (valid_i[1]) b_q <= b_i;
  end

  assign a_o = a_q;

  // ---- cycle 2: bias; normal form; table ------------------------------------------------------------------------
  logic               is_requant, is_table, is_norm;
  logic signed [32:0] sum_q;
  logic signed [15:0] factor_q;
  logic signed [8:0]  diff_q;
  logic signed [31:0] simple_d, simple_q;
  logic        [31:0] positive, normal;
  logic        [4:0]  log2, exponent_d, exponent_q;
  logic        [7:0]  entry_index;

  assign is_requant = op_i == VopRequant || op_i == VopRequantAdd;
  assign is_norm    = op_i == VopRecipLut || op_i == VopRsqrtLut;
  assign is_table   = is_norm || op_i == VopLut;

  assign positive = a_q <= 0 ? 32'd1 : a_q;

  always_comb begin
    log2 = '0;
    for (int unsigned i = 0; i < 32; i++) begin
      if (positive[i]) log2 = 5'(i);
    end
  end
  assign normal = positive << (5'd31 - log2);  // the leading one in bit 31

  always_comb begin
    unique case (op_i)
      VopRecipLut: begin
        entry_index = normal[30:23];
        exponent_d  = log2;
      end
      VopRsqrtLut: begin
        entry_index = {log2[0], normal[30:24]};
        exponent_d  = log2 >> 1;
      end
      default: begin
        entry_index = a_q[7:0];
        if (a_q > 127) entry_index = 8'h7f;
        if (a_q < -128) entry_index = 8'h80;
        exponent_d = imm_i;
      end
    endcase
  end

  always_comb begin
    unique case (op_i)
      VopAdd:  simple_d = a_q + b_q;
      VopSub:  simple_d = a_q - b_q;
      VopMax:  simple_d = a_q > b_q ? a_q : b_q;
      VopMin:  simple_d = a_q < b_q ? a_q : b_q;
      default: simple_d = a_q;
    endcase
  end

  always_ff @(posedge clk_i) begin
    if (valid_i[2]) begin
      sum_q <= is_requant ? 33'(a_q) + 33'(params_i.bias) : 33'(a_q);
      unique case (op_i)
        VopRequant, VopRequantAdd: factor_q <= params_i.mult;
        VopMul:                    factor_q <= b_q[15:0];
        default:                   factor_q <= 16'd1;
      endcase
      diff_q     <= 9'(signed'(b_q[7:0])) - 9'(scalars_i.zp_b);
      simple_q   <= simple_d;
      exponent_q <= exponent_d;
    end
  end

  logic [S/2-1:0][15:0] table_row;
  logic [PlaceW-1:0]    place_q;

  npu_ram #(
    .Width(8 * S),
    .Depth(512 / S)
  ) u_table (
    .clk_i,
    .re_i   (valid_i[2] && is_table),
    .raddr_i(entry_index[7:PlaceW]),
    .rdata_o(table_row),
    .we_i   (table_we_i),
    .waddr_i(table_row_i),
    .wdata_i(table_data_i)
  );

  always_ff @(posedge clk_i) begin
    if (valid_i[2]) place_q <= entry_index[PlaceW-1:0];
  end

  // ---- cycle 3: products; the table's entry ---------------------------------------------------------------------
  logic signed [48:0] main_d, main_q;       // what is shifted and rounded
  logic signed [24:0] b_product_q;
  logic signed [31:0] simple3_q;
  logic signed [15:0] entry;
  logic        [5:0]  shift_d, shift_q;
  logic        [31:0] scaled_up_q;
  logic               up, up_q;             // the entry is multiplied, not divided, by a power of two

  assign entry = table_row[place_q];
  assign up    = imm_i >= exponent_q;

  always_comb begin
    main_d = is_table ? 49'(entry) : 49'(sum_q) * 49'(factor_q);
    unique case (op_i)
      VopRequant, VopRequantAdd: shift_d = params_i.shift;
      VopRecipLut, VopRsqrtLut:  shift_d = up ? '0 : 6'(exponent_q - imm_i);
      VopMul, VopShr:            shift_d = 6'(imm_i);
      default:                   shift_d = '0;
    endcase
  end

  always_ff @(posedge clk_i) begin
    if (valid_i[3]) begin
      main_q      <= main_d;
      b_product_q <= 25'(diff_q) * 25'(scalars_i.mult_b);
      simple3_q   <= simple_q;
      shift_q     <= shift_d;
      up_q        <= is_norm && up;
      scaled_up_q <= 32'(entry) << (imm_i - exponent_q);
    end
  end

  // ---- cycle 4: shift and round ---------------------------------------------------------------------------------
  logic signed [48:0] rounded, rounded_q;
  logic signed [24:0] b_rounded, b_rounded_q;
  logic signed [31:0] simple4_q;

  npu_round_shift #(
    .Width (49),
    .ShiftW(6)
  ) u_round (
    .value_i (main_q),
    .shift_i (shift_q),
    .result_o(rounded)
  );

  npu_round_shift #(
    .Width (25),
    .ShiftW(5)
  ) u_round_b (
    .value_i (b_product_q),
    .shift_i (scalars_i.shift_b),
    .result_o(b_rounded)
  );

  always_ff @(posedge clk_i) begin
    if (valid_i[4]) begin
      rounded_q   <= rounded;
      b_rounded_q <= op_i == VopRequantAdd ? b_rounded : '0;
      simple4_q   <= up_q ? scaled_up_q : simple3_q;
    end
  end

  // ---- cycle 5: sum, clip, choice -------------------------------------------------------------------------------
  logic signed [50:0] total;
  logic signed [15:0] clipped;
  logic signed [31:0] result_q;
  logic               up5_q;

  assign total = 51'(rounded_q) + 51'(b_rounded_q) + 51'(scalars_i.zp);

  always_comb begin
    clipped = total[15:0];
    if (total < 51'(scalars_i.lo)) clipped = scalars_i.lo;
    if (total > 51'(scalars_i.hi)) clipped = scalars_i.hi;
    // min(max(x, lo), hi): with lo above hi it is hi.
    if (scalars_i.lo > scalars_i.hi) clipped = scalars_i.hi;
  end

  always_ff @(posedge clk_i) begin
    if (valid_i[4]) up5_q <= up_q;
    if (valid_i[5]) begin
      unique case (op_i)
        VopRequant, VopRequantAdd: result_q <= 32'(clipped);
        VopMul, VopShr, VopLut:    result_q <= rounded_q[31:0];
        VopRecipLut, VopRsqrtLut:  result_q <= up5_q ? simple4_q : rounded_q[31:0];
        default:                   result_q <= simple4_q;
      endcase
    end
  end

  assign result_o = result_q;

  logic unused_normal;
  assign unused_normal = ^normal;

endmodule
