`ifdef ECP5
// As the part has it, as far as it is used here.
(* blackbox *)
module MULT18X18D #(
  parameter REG_INPUTA_CLK = "NONE",
  parameter REG_INPUTA_CE = "CE0",
  parameter REG_INPUTB_CLK = "NONE",
  parameter REG_INPUTB_CE = "CE0",
  parameter REG_OUTPUT_CLK = "NONE",
  parameter REG_OUTPUT_CE = "CE0",
  parameter CLK0_DIV = "ENABLED",
  parameter MULT_BYPASS = "DISABLED",
  parameter GSR = "ENABLED",
  parameter RESETMODE = "SYNC"
) (
  input A0, A1, A2, A3, A4, A5, A6, A7, A8, A9, A10, A11, A12, A13, A14, A15, A16, A17,
  input B0, B1, B2, B3, B4, B5, B6, B7, B8, B9, B10, B11, B12, B13, B14, B15, B16, B17,
  input SIGNEDA, SIGNEDB, SOURCEA, SOURCEB, CLK0, CLK1, CLK2, CLK3, CE0, CE1, CE2, CE3, RST0, RST1, RST2, RST3,
  output P0, P1, P2, P3, P4, P5, P6, P7, P8, P9, P10, P11, P12, P13, P14, P15, P16, P17, P18, P19, P20, P21, P22, P23,
    P24, P25, P26, P27, P28, P29, P30, P31, P32, P33, P34, P35
);
endmodule
`endif

// The product of two unsigned numbers of 18 bits, two enabled cycles later: a multiplier block with registers at its
// operands and its product. With ECP5 it is the part's own block by name, else what a synthesiser takes for one.
module fpga_dsp (
  input  logic        clk_i,
  input  logic        en_i,
  input  logic [17:0] a_i,
  input  logic [17:0] b_i,
  output logic [35:0] p_o
);

`ifdef ECP5
  MULT18X18D #(
    .REG_INPUTA_CLK ("CLK0"),
    .REG_INPUTA_CE  ("CE0"),
    .REG_INPUTB_CLK ("CLK0"),
    .REG_INPUTB_CE  ("CE0"),
    .REG_OUTPUT_CLK ("CLK0"),
    .REG_OUTPUT_CE  ("CE0"),
    .CLK0_DIV       ("ENABLED"),
    .MULT_BYPASS    ("DISABLED"),
    .GSR            ("DISABLED"),
    .RESETMODE      ("SYNC")
  ) u_mult (
    .A0(a_i[0]), .A1(a_i[1]), .A2(a_i[2]), .A3(a_i[3]), .A4(a_i[4]), .A5(a_i[5]), .A6(a_i[6]), .A7(a_i[7]),
    .A8(a_i[8]), .A9(a_i[9]), .A10(a_i[10]), .A11(a_i[11]), .A12(a_i[12]), .A13(a_i[13]), .A14(a_i[14]),
    .A15(a_i[15]), .A16(a_i[16]), .A17(a_i[17]),
    .B0(b_i[0]), .B1(b_i[1]), .B2(b_i[2]), .B3(b_i[3]), .B4(b_i[4]), .B5(b_i[5]), .B6(b_i[6]), .B7(b_i[7]),
    .B8(b_i[8]), .B9(b_i[9]), .B10(b_i[10]), .B11(b_i[11]), .B12(b_i[12]), .B13(b_i[13]), .B14(b_i[14]),
    .B15(b_i[15]), .B16(b_i[16]), .B17(b_i[17]),
    .SIGNEDA(1'b0), .SIGNEDB(1'b0), .SOURCEA(1'b0), .SOURCEB(1'b0),
    .CLK0(clk_i), .CLK1(1'b0), .CLK2(1'b0), .CLK3(1'b0),
    .CE0(en_i), .CE1(1'b1), .CE2(1'b1), .CE3(1'b1),
    .RST0(1'b0), .RST1(1'b0), .RST2(1'b0), .RST3(1'b0),
    .P0(p_o[0]), .P1(p_o[1]), .P2(p_o[2]), .P3(p_o[3]), .P4(p_o[4]), .P5(p_o[5]), .P6(p_o[6]), .P7(p_o[7]),
    .P8(p_o[8]), .P9(p_o[9]), .P10(p_o[10]), .P11(p_o[11]), .P12(p_o[12]), .P13(p_o[13]), .P14(p_o[14]),
    .P15(p_o[15]), .P16(p_o[16]), .P17(p_o[17]), .P18(p_o[18]), .P19(p_o[19]), .P20(p_o[20]), .P21(p_o[21]),
    .P22(p_o[22]), .P23(p_o[23]), .P24(p_o[24]), .P25(p_o[25]), .P26(p_o[26]), .P27(p_o[27]), .P28(p_o[28]),
    .P29(p_o[29]), .P30(p_o[30]), .P31(p_o[31]), .P32(p_o[32]), .P33(p_o[33]), .P34(p_o[34]), .P35(p_o[35])
  );
`else
  logic [17:0] a_q, b_q;
  logic [35:0] p_q;

  always_ff @(posedge clk_i) begin
    if (en_i) begin
      a_q <= a_i;
      b_q <= b_i;
      p_q <= 36'(a_q) * 36'(b_q);
    end
  end

  assign p_o = p_q;
`endif

endmodule
