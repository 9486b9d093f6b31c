// The systolic array: S x S weight-stationary elements with skewed edges, of the int8 or of the bf16 kind. A row of
// activations reaches each array row Step cycles after the one above it.
//
// Weights: in the cycle of `w_load_i`, `w_row_i` holds the weights of array row `w_index_i`, one element a column.
// Ternary weights come four array rows to one such row, two bits each. They land in the shadow registers.
// Activations: one row a cycle, element r for array row r. `a_swap_i` with a row makes the shadow weights current, from
// this row on; the change travels with the row. Rows are independent, gaps between them are allowed.
// Sums: `c_row_o` is the product of an activation row, straightened, S * Step + S + 1 cycles after it entered.
//
// The flags of a row enter array row r with r * Step cycles of delay, as the activations do. When the weights of row r
// are loaded no earlier than that after those of row 0, each may be loaded in the very cycle in which its row swaps: a
// load for the next tile may start with the first row of the current one.
module npu_array
  import npu_isa_pkg::*, npu_pkg::*;
#(
  parameter int unsigned S = 16,
  parameter bit Bf16 = 1'b0,                   // the kind
  localparam int unsigned ElemW = Bf16 ? 16 : 8
) (
  input  logic                    clk_i,
  input  logic                    rst_ni,
  input  logic                    w_load_i,
  input  logic                    w_tern_i,
  input  logic [$clog2(S)-1:0]    w_index_i,
  input  logic [S-1:0][ElemW-1:0] w_row_i,
  input  logic                    a_valid_i,
  input  logic                    a_swap_i,
  input  logic [S-1:0]            a_live_i,  // array rows in use; the others keep their clocks still
  input  logic [S-1:0][ElemW-1:0] a_row_i,
  output logic                    c_valid_o,
  output logic [S-1:0][31:0]      c_row_o
);

  localparam int unsigned Step = Bf16 ? MatrixStepBf16 : MatrixStepInt8;

  // Indexed [row][column] at the inputs of an element; one more column or row for the outputs of the last.
  wave_t            wave[S][S+1];
  logic [ElemW-1:0] act [S][S+1];
  logic [31:0]      psum[S+1][S];
  logic [ElemW-1:0] wcol[S];

  for (genvar r = 0; r < S; r++) begin : gen_row_edge
    wave_t entering, skewed;

    always_comb begin
      entering      = '0;
      entering.en   = a_valid_i;
      entering.live = a_valid_i & a_live_i[r];
      entering.swap = a_valid_i & a_swap_i;
    end

    npu_delay #(
      .Width ($bits(wave_t)),
      .Stages(r * Step)
    ) u_skew_wave (
      .clk_i,
      .rst_ni,
      .d_i(entering),
      .q_o(skewed)
    );

    npu_delay #(
      .Width (ElemW),
      .Stages(r * Step)
    ) u_skew_act (
      .clk_i,
      .rst_ni,
      .d_i(a_row_i[r]),
      .q_o(act[r][0])
    );

    // Loads need no delay: whoever loads takes Step cycles for a row.
    always_comb begin
      wave[r][0]      = skewed;
      wave[r][0].load = w_load_i && 32'(w_index_i) == r;
      wave[r][0].tern = w_tern_i;
    end
  end

  for (genvar c = 0; c < S; c++) begin : gen_column_edge
    npu_delay #(
      .Width (ElemW),
      .Stages(c)
    ) u_skew_weight (
      .clk_i,
      .rst_ni,
      .d_i(w_row_i[c]),
      .q_o(wcol[c])
    );

    assign psum[0][c] = '0;

    npu_delay #(
      .Width (32),
      .Stages(S - 1 - c)
    ) u_straighten (
      .clk_i,
      .rst_ni,
      .d_i(psum[S][c]),
      .q_o(c_row_o[c])
    );
  end

  if (Bf16) begin : gen_weights
    // The weights in force, [row][column].
    logic [15:0] weights[S][S]  /*verilator public_flat_rd*/;
  end

  for (genvar r = 0; r < S; r++) begin : gen_row
    for (genvar c = 0; c < S; c++) begin : gen_column
      if (Bf16) begin : gen_bf16
        npu_bf16_pe u_pe (
          .clk_i,
          .rst_ni,
          .wave_i  (wave[r][c]),
          .a_i     (act[r][c]),
          .w_i     (wcol[c]),
          .psum_i  (psum[r][c]),
          .wave_o  (wave[r][c+1]),
          .a_o     (act[r][c+1]),
          .psum_o  (psum[r+1][c]),
          .weight_o(gen_weights.weights[r][c])
        );
      end else begin : gen_int8
        npu_pe u_pe (
          .clk_i,
          .rst_ni,
          .wave_i  (wave[r][c]),
          .a_i     (act[r][c]),
          .w_i     (wcol[c]),
          .w_tern_i(wcol[c][2*(r%4)+:2]),
          .psum_i  (psum[r][c]),
          .wave_o  (wave[r][c+1]),
          .a_o     (act[r][c+1]),
          .psum_o  (psum[r+1][c])
        );
      end
    end

    logic unused_right;
    assign unused_right = ^{wave[r][S].live, wave[r][S].swap, wave[r][S].load, wave[r][S].tern, act[r][S]};
  end

  // The last element passes a row's flag on in cycle 1, and has its sum out in cycle Step + 2.
  npu_delay #(
    .Width (1),
    .Stages(Step + 1)
  ) u_valid (
    .clk_i,
    .rst_ni,
    .d_i(wave[S-1][S].en),
    .q_o(c_valid_o)
  );

  for (genvar r = 0; r < S - 1; r++) begin : gen_unused_en
    logic unused_en;
    assign unused_en = wave[r][S].en;
  end

endmodule
