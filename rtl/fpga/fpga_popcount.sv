// How many bits are set, two enabled cycles later: counts of 8 bits, a register, their sum, a register.
module fpga_popcount #(
  parameter int unsigned Width = 32
) (
  input  logic             clk_i,
  input  logic             en_i,
  input  logic [Width-1:0] x_i,
  output logic [Width-1:0] count_o
);

  localparam int unsigned Bytes = (Width + 7) / 8;
  localparam int unsigned CountW = $clog2(Width + 1);

  logic [8*Bytes-1:0]     x;
  logic [Bytes-1:0][3:0]  part_d, part_q;
  logic [CountW-1:0]      sum_d, sum_q;

  assign x = (8 * Bytes)'(x_i);

  always_comb begin
    sum_d = '0;
    for (int unsigned i = 0; i < Bytes; i++) begin
      part_d[i] = 4'($countones(x[8*i+:8]));
      sum_d     = sum_d + CountW'(part_q[i]);
    end
  end

  always_ff @(posedge clk_i) begin
    if (en_i) begin
      part_q <= part_d;
      sum_q  <= sum_d;
    end
  end

  assign count_o = Width'(sum_q);

endmodule
