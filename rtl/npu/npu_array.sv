// The systolic array: S x S weight-stationary elements with skewed edges.
//
// Weights: in the cycle of `w_load_i`, `w_row_i` holds the weights of array row `w_index_i`, one byte a column. Ternary
// weights come four array rows to one such row, two bits each. They land in the shadow registers.
// Activations: one row a cycle, element r for array row r. `a_swap_i` with a row makes the shadow weights current, from
// this row on; the change travels with the row. Rows are independent, gaps between them are allowed.
// Sums: `c_row_o` is the product of an activation row, straightened, 2 S + 1 cycles after it entered.
//
// The flags of a row and its loads enter array row r with r cycles of delay, as the activations do, so the weights of
// row r may be loaded in the very cycle in which the rows before swap: a load for the next tile may start with the
// first row of the current one.
module npu_array
  import npu_pkg::*;
#(
  parameter int unsigned S = 16
) (
  input  logic                 clk_i,
  input  logic                 rst_ni,
  input  logic                 w_load_i,
  input  logic                 w_tern_i,
  input  logic [$clog2(S)-1:0] w_index_i,
  input  logic [S-1:0][7:0]    w_row_i,
  input  logic                 a_valid_i,
  input  logic                 a_swap_i,
  input  logic [S-1:0]         a_live_i,  // array rows in use; the others keep their clocks still
  input  logic [S-1:0][7:0]    a_row_i,
  output logic                 c_valid_o,
  output logic [S-1:0][31:0]   c_row_o
);

  // Indexed [row][column] at the inputs of an element; one more column or row for the outputs of the last.
  wave_t       wave[S][S+1];
  logic [7:0]  act [S][S+1];
  logic [31:0] psum[S+1][S];
  logic [7:0]  wcol[S];

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
      .Stages(r)
    ) u_skew_wave (
      .clk_i,
      .rst_ni,
      .d_i(entering),
      .q_o(skewed)
    );

    npu_delay #(
      .Width (8),
      .Stages(r)
    ) u_skew_act (
      .clk_i,
      .rst_ni,
      .d_i(a_row_i[r]),
      .q_o(act[r][0])
    );

    // Loads need no delay: row r is loaded r cycles after row 0 already.
    always_comb begin
      wave[r][0]      = skewed;
      wave[r][0].load = w_load_i && 32'(w_index_i) == r;
      wave[r][0].tern = w_tern_i;
    end
  end

  for (genvar c = 0; c < S; c++) begin : gen_column_edge
    npu_delay #(
      .Width (8),
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

  for (genvar r = 0; r < S; r++) begin : gen_row
    for (genvar c = 0; c < S; c++) begin : gen_column
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

    logic unused_right;
    assign unused_right = ^{wave[r][S].live, wave[r][S].swap, wave[r][S].load, wave[r][S].tern, act[r][S]};
  end

  // The last element sees a row's flag one cycle after it entered it, and its sum is out two cycles later.
  npu_delay #(
    .Width (1),
    .Stages(2)
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
