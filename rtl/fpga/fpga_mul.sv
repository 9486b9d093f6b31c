// The low `WidthP` bits of the product of two unsigned numbers; those of WidthA = WidthB = WidthP bits may be signed as well.
// Multiplier blocks take pieces of 18 bits, adders sum what they give, two by two, with a register behind each.
//
// Latency: 2, and one for each level of adders: ceil(log2(number of blocks)).
module fpga_mul #(
  parameter int unsigned WidthA = 18,
  parameter int unsigned WidthB = 18,
  parameter int unsigned WidthP = 18
) (
  input  logic              clk_i,
  input  logic              en_i,
  input  logic [WidthA-1:0] a_i,
  input  logic [WidthB-1:0] b_i,
  output logic [WidthP-1:0] p_o
);

  localparam int unsigned Piece = 18;
  localparam int unsigned PiecesA = (WidthA + Piece - 1) / Piece;
  localparam int unsigned PiecesB = (WidthB + Piece - 1) / Piece;

  // Products of pieces that reach into the result.
  function automatic int unsigned blocks();
    int unsigned n = 0;
    for (int unsigned i = 0; i < PiecesA; i++) begin
      for (int unsigned j = 0; j < PiecesB; j++) n += 32'(Piece * (i + j) < WidthP);
    end
    return n;
  endfunction

  // How many of them come before those of piece i.
  function automatic int unsigned blocks_before(int unsigned i);
    int unsigned n = 0;
    for (int unsigned k = 0; k < i; k++) begin
      for (int unsigned j = 0; j < PiecesB; j++) n += 32'(Piece * (k + j) < WidthP);
    end
    return n;
  endfunction

  localparam int unsigned Blocks = blocks();
  localparam int unsigned Levels = $clog2(Blocks);
  localparam int unsigned Leaves = 1 << Levels;

  logic [PiecesA*Piece-1:0]       a;
  logic [PiecesB*Piece-1:0]       b;
  logic [Leaves-1:0][WidthP-1:0]  products;

  assign a = (PiecesA * Piece)'(a_i);
  assign b = (PiecesB * Piece)'(b_i);

  for (genvar i = 0; i < PiecesA; i++) begin : gen_a
    for (genvar j = 0; j < PiecesB; j++) begin : gen_b
      if (Piece * (i + j) < WidthP) begin : gen_block
        logic [2*Piece-1:0] product;

        fpga_dsp u_dsp (
          .clk_i,
          .en_i,
          .a_i(a[Piece*i+:Piece]),
          .b_i(b[Piece*j+:Piece]),
          .p_o(product)
        );
        assign products[blocks_before(i)+j] = WidthP'({{WidthP{1'b0}}, product} << (Piece * (i + j)));
      end
    end
  end
  if (Leaves > Blocks) begin : gen_no_blocks
    assign products[Leaves-1:Blocks] = '0;
  end

  // Level k of the tree has Leaves >> k sums, in the low places of its row.
  logic [Levels:0][Leaves-1:0][WidthP-1:0] sums;

  assign sums[0] = products;
  for (genvar k = 0; k < Levels; k++) begin : gen_level
    localparam int unsigned Pairs = Leaves >> (k + 1);
    logic [Pairs-1:0][WidthP-1:0] sum_q;

    always_ff @(posedge clk_i) begin
      if (en_i) begin
        for (int unsigned i = 0; i < Pairs; i++) sum_q[i] <= sums[k][2*i] + sums[k][2*i+1];
      end
    end

    assign sums[k+1] = {{(Leaves - Pairs) * WidthP{1'b0}}, sum_q};
  end

  assign p_o = sums[Levels][0];

endmodule
