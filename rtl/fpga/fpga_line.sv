// A value `Stages` enabled cycles later: Stages - 1 of them in a RAM of 16 words, one in the register behind it.
module fpga_line #(
  parameter int unsigned Width = 8,
  parameter int unsigned Stages = 8  // 2 to 17
) (
  input  logic             clk_i,
  input  logic             en_i,
  input  logic [3:0]       word_i,  // goes on by one in each enabled cycle
  input  logic [Width-1:0] d_i,
  output logic [Width-1:0] q_o
);

  (* ram_style = "distributed", no_rw_check *) logic [Width-1:0] mem[16];
  logic [Width-1:0] q_q;
  logic [3:0]       rword;

  assign rword = word_i - 4'(Stages - 1);  // with 17 stages the word that is written now: what it held

  always_ff @(posedge clk_i) begin
    if (en_i) begin
      mem[word_i] <= d_i;
      q_q         <= mem[rword];
    end
  end

  assign q_o = q_q;

endmodule
