// A value `Stages` enabled cycles later, as fpga_pipe, but in RAM of LUTs: lines of 16 words with a register behind each. All of
// a pipeline share the number of the word that is written.
module fpga_wait #(
  parameter int unsigned Width = 8,
  parameter int unsigned Stages = 8  // at least 2
) (
  input  logic             clk_i,
  input  logic             en_i,
  input  logic [3:0]       word_i,  // goes on by one in each enabled cycle
  input  logic [Width-1:0] d_i,
  output logic [Width-1:0] q_o
);

  localparam int unsigned Longest = 17, Least = 6;
  localparam int unsigned Lines = Stages / Longest, Rest = Stages % Longest;

  logic [Lines:0][Width-1:0] line;

  assign line[0] = d_i;

  for (genvar i = 0; i < Lines; i++) begin : gen_line
    fpga_line #(.Width(Width), .Stages(Longest)) u_line (.clk_i, .en_i, .word_i, .d_i(line[i]), .q_o(line[i+1]));
  end

  if (Rest < Least) begin : gen_pipe
    fpga_pipe #(.Width(Width), .Stages(Rest)) u_rest (.clk_i, .en_i, .d_i(line[Lines]), .q_o);

    logic unused_word;
    assign unused_word = ^word_i;
  end else begin : gen_rest
    fpga_line #(.Width(Width), .Stages(Rest)) u_rest (.clk_i, .en_i, .word_i, .d_i(line[Lines]), .q_o);
  end

endmodule
