// How many zeros are above the highest bit that is set; `Width` of them for 0. A tree of halves, a register behind it.
module fpga_clz #(
  parameter int unsigned Width = 32,
  localparam int unsigned CountW = $clog2(Width + 1)
) (
  input  logic              clk_i,
  input  logic              en_i,
  input  logic [Width-1:0]  x_i,
  output logic [CountW-1:0] zeros_o  // one enabled cycle later
);

  localparam int unsigned Leaves = 1 << CountW;

  logic [Leaves-1:0]             any;    // of each part: whether a bit is set
  logic [Leaves-1:0][CountW-1:0] zeros;  // ... and those above it

  always_comb begin
    any   = {x_i, {(Leaves - Width) {1'b1}}};  // a one below all: there is always a highest
    zeros = '0;
    for (int unsigned k = 0; k < CountW; k++) begin
      for (int unsigned i = 0; i < Leaves >> (k + 1); i++) begin
        zeros[i] = any[2*i+1] ? zeros[2*i+1] : zeros[2*i] | CountW'(1 << k);
        any[i]   = any[2*i+1] || any[2*i];
      end
    end
  end

  always_ff @(posedge clk_i) begin
    if (en_i) zeros_o <= zeros[0];
  end

endmodule
