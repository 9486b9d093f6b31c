// A sum of three: two adders whose carries run at the same time. Synthesis by itself would save half of one's delay and spend
// three LUTs a bit in place of two, so the sum between them is kept.
module fpga_add3 #(
  parameter int unsigned Width = 32
) (
  input  logic             clk_i,
  input  logic             en_i,
  input  logic [Width-1:0] x_i,
  input  logic [Width-1:0] y_i,
  input  logic [Width-1:0] z_i,
  output logic [Width-1:0] sum_o
);

  (* keep *) logic [Width-1:0] pair;
  logic [Width-1:0] sum_q;

  assign pair = x_i + y_i;

  always_ff @(posedge clk_i) begin
    if (en_i) sum_q <= pair + z_i;
  end

  assign sum_o = sum_q;

endmodule
