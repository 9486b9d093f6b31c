// All operators on floats of one format, for the tests.
module fpga_floats #(
  parameter int unsigned ExpW = 8,
  parameter int unsigned ManW = 23,
  localparam int unsigned Width = 1 + ExpW + ManW
) (
  input  logic                  clk_i,
  input  logic                  en_i,
  input  logic [Width-1:0]      a_i,
  input  logic [Width-1:0]      b_i,
  input  logic [63:0]           int_i,
  output logic [Width-1:0]      fadd_o,
  output logic [Width-1:0]      fsub_o,
  output logic [Width-1:0]      fmul_o,
  output logic [Width-1:0]      fdiv_o,
  output logic [Width-1:0]      fsqrt_o,
  output logic [Width-1:0]      fmin_o,
  output logic [Width-1:0]      fmax_o,
  output logic                  less_o,
  output logic                  equal_o,
  output logic                  unordered_o,
  output logic [Width-1:0]      ffloor_o,
  output logic [Width-1:0]      fceil_o,
  output logic [Width-1:0]      ftrunc_o,
  output logic [Width-1:0]      fround_o,
  output logic [Width-1:0]      froundeven_o,
  output logic [Width-1:0]      from_s64_o,
  output logic [Width-1:0]      from_u64_o,
  output logic [Width-1:0]      from_s9_o,
  output logic [Width-1:0]      from_s1_o,
  output logic [63:0]           to_s64_o,
  output logic [63:0]           to_u64_o,
  output logic [31:0]           to_s32_o,
  output logic [7:0]            to_s8_o,
  output logic [7:0]            to_u8_o,
  output logic                  to_s1_o,
  output logic [31:0]           to_f32_o,
  output logic [15:0]           to_f16_o,
  output logic [15:0]           to_bf16_o
);

  fpga_fadd #(.ExpW(ExpW), .ManW(ManW), .Subtract(1'b0)) u_fadd (.clk_i, .en_i, .a_i, .b_i, .sum_o(fadd_o));
  fpga_fadd #(.ExpW(ExpW), .ManW(ManW), .Subtract(1'b1)) u_fsub (.clk_i, .en_i, .a_i, .b_i, .sum_o(fsub_o));
  fpga_fmul #(.ExpW(ExpW), .ManW(ManW)) u_fmul (.clk_i, .en_i, .a_i, .b_i, .product_o(fmul_o));
  fpga_fdiv #(.ExpW(ExpW), .ManW(ManW)) u_fdiv (.clk_i, .en_i, .a_i, .b_i, .quotient_o(fdiv_o));
  fpga_fsqrt #(.ExpW(ExpW), .ManW(ManW)) u_fsqrt (.clk_i, .en_i, .a_i, .root_o(fsqrt_o));
  fpga_fminmax #(.ExpW(ExpW), .ManW(ManW), .Max(1'b0)) u_fmin (.clk_i, .en_i, .a_i, .b_i, .result_o(fmin_o));
  fpga_fminmax #(.ExpW(ExpW), .ManW(ManW), .Max(1'b1)) u_fmax (.clk_i, .en_i, .a_i, .b_i, .result_o(fmax_o));
  fpga_fcompare #(.ExpW(ExpW), .ManW(ManW)) u_fcompare (
    .clk_i, .en_i, .a_i, .b_i, .less_o, .equal_o, .unordered_o
  );
  fpga_fround #(.ExpW(ExpW), .ManW(ManW), .Mode(0)) u_ffloor (.clk_i, .en_i, .a_i, .result_o(ffloor_o));
  fpga_fround #(.ExpW(ExpW), .ManW(ManW), .Mode(1)) u_fceil (.clk_i, .en_i, .a_i, .result_o(fceil_o));
  fpga_fround #(.ExpW(ExpW), .ManW(ManW), .Mode(2)) u_ftrunc (.clk_i, .en_i, .a_i, .result_o(ftrunc_o));
  fpga_fround #(.ExpW(ExpW), .ManW(ManW), .Mode(3)) u_fround (.clk_i, .en_i, .a_i, .result_o(fround_o));
  fpga_fround #(.ExpW(ExpW), .ManW(ManW), .Mode(4)) u_froundeven (.clk_i, .en_i, .a_i, .result_o(froundeven_o));

  fpga_int_to_float #(.IntW(64), .ExpW(ExpW), .ManW(ManW), .Signed(1'b1)) u_from_s64 (
    .clk_i, .en_i, .int_i, .float_o(from_s64_o)
  );
  fpga_int_to_float #(.IntW(64), .ExpW(ExpW), .ManW(ManW), .Signed(1'b0)) u_from_u64 (
    .clk_i, .en_i, .int_i, .float_o(from_u64_o)
  );
  fpga_int_to_float #(.IntW(9), .ExpW(ExpW), .ManW(ManW), .Signed(1'b1)) u_from_s9 (
    .clk_i, .en_i, .int_i(int_i[8:0]), .float_o(from_s9_o)
  );
  fpga_int_to_float #(.IntW(1), .ExpW(ExpW), .ManW(ManW), .Signed(1'b1)) u_from_s1 (
    .clk_i, .en_i, .int_i(int_i[0]), .float_o(from_s1_o)
  );
  fpga_float_to_int #(.ExpW(ExpW), .ManW(ManW), .IntW(64), .Signed(1'b1)) u_to_s64 (
    .clk_i, .en_i, .float_i(a_i), .int_o(to_s64_o)
  );
  fpga_float_to_int #(.ExpW(ExpW), .ManW(ManW), .IntW(64), .Signed(1'b0)) u_to_u64 (
    .clk_i, .en_i, .float_i(a_i), .int_o(to_u64_o)
  );
  fpga_float_to_int #(.ExpW(ExpW), .ManW(ManW), .IntW(32), .Signed(1'b1)) u_to_s32 (
    .clk_i, .en_i, .float_i(a_i), .int_o(to_s32_o)
  );
  fpga_float_to_int #(.ExpW(ExpW), .ManW(ManW), .IntW(8), .Signed(1'b1)) u_to_s8 (
    .clk_i, .en_i, .float_i(a_i), .int_o(to_s8_o)
  );
  fpga_float_to_int #(.ExpW(ExpW), .ManW(ManW), .IntW(8), .Signed(1'b0)) u_to_u8 (
    .clk_i, .en_i, .float_i(a_i), .int_o(to_u8_o)
  );
  fpga_float_to_int #(.ExpW(ExpW), .ManW(ManW), .IntW(1), .Signed(1'b1)) u_to_s1 (
    .clk_i, .en_i, .float_i(a_i), .int_o(to_s1_o)
  );
  fpga_float_to_float #(.InExpW(ExpW), .InManW(ManW), .OutExpW(8), .OutManW(23)) u_to_f32 (
    .clk_i, .en_i, .float_i(a_i), .float_o(to_f32_o)
  );
  fpga_float_to_float #(.InExpW(ExpW), .InManW(ManW), .OutExpW(5), .OutManW(10)) u_to_f16 (
    .clk_i, .en_i, .float_i(a_i), .float_o(to_f16_o)
  );
  fpga_float_to_float #(.InExpW(ExpW), .InManW(ManW), .OutExpW(8), .OutManW(7)) u_to_bf16 (
    .clk_i, .en_i, .float_i(a_i), .float_o(to_bf16_o)
  );

endmodule
