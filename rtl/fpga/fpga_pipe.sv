// A value `Stages` enabled cycles later.
module fpga_pipe #(
  parameter int unsigned Width = 8,
  parameter int unsigned Stages = 1
) (
  input  logic             clk_i,
  input  logic             en_i,
  input  logic [Width-1:0] d_i,
  output logic [Width-1:0] q_o
);

  if (Stages == 0) begin : gen_wire
    logic unused_clocks;
    assign unused_clocks = clk_i ^ en_i;
    assign q_o = d_i;
  end else begin : gen_stages
    logic [Stages-1:0][Width-1:0] stage_q;

    always_ff @(posedge clk_i) begin
      if (en_i) begin
        stage_q[0] <= d_i;
        for (int unsigned i = 1; i < Stages; i++) stage_q[i] <= stage_q[i-1];
      end
    end

    assign q_o = stage_q[Stages-1];
  end

endmodule
