// What holds values and what computes on integers, in several sizes, for the tests.
module fpga_parts (
  input  logic             clk_i,
  input  logic             rst_ni,
  input  logic             en_i,
  // FIFOs with room for 2, 5, 33 and 100 beats
  input  logic [3:0]       wvalid_i,
  output logic [3:0]       wready_o,
  input  logic [15:0]      wdata_i,
  output logic [3:0]       rvalid_o,
  input  logic [3:0]       rready_i,
  output logic [3:0][15:0] rdata_o,
  // delays of 1, 5, 33 and 100 steps
  output logic [3:0][15:0] delayed_o,
  // waits of 2, 6, 17 and 40 steps
  output logic [3:0][15:0] waited_o,
  // 1, 30 and 100 cells of accumulators
  input  logic             we_i,
  input  logic [6:0]       raddr_i,
  input  logic [6:0]       waddr_i,
  output logic [2:0][15:0] cells_o,
  // memories of 100 and 128 words, and a ROM of 5
  input  logic [8:0]       ram_raddr_i,
  input  logic [8:0]       ram_waddr_i,
  output logic [2:0][15:0] words_o,
  // integers
  input  logic [63:0]      a_i,
  input  logic [63:0]      b_i,
  output logic [7:0]       mul8_o,
  output logic [17:0]      mul18_o,
  output logic [31:0]      mul32_o,
  output logic [63:0]      mul64_o,
  output logic [47:0]      mul24_o,
  output logic             div1_o,
  output logic             rem1_o,
  output logic [7:0]       divu8_o,
  output logic [7:0]       remu8_o,
  output logic [7:0]       divs8_o,
  output logic [7:0]       rems8_o,
  output logic [31:0]      divs32_o,
  output logic [31:0]      rems32_o,
  output logic [63:0]      divu64_o,
  output logic [63:0]      remu64_o,
  output logic             clz1_o,
  output logic [3:0]       clz8_o,
  output logic [6:0]       clz64_o,
  output logic             popcount1_o,
  output logic [10:0]      popcount11_o,
  output logic [63:0]      popcount64_o
);

  localparam int unsigned Sizes[4] = '{2, 5, 33, 100};
  localparam int unsigned Delays[4] = '{1, 5, 33, 100};
  localparam int unsigned Waits[4] = '{2, 6, 17, 40};
  localparam int unsigned Cells[3] = '{1, 30, 100};

  for (genvar i = 0; i < 4; i++) begin : gen_fifo
    fpga_fifo #(
      .Width(16),
      .Depth(Sizes[i])
    ) u_fifo (
      .clk_i,
      .rst_ni,
      .wvalid_i(wvalid_i[i]),
      .wready_o(wready_o[i]),
      .wdata_i,
      .rvalid_o(rvalid_o[i]),
      .rready_i(rready_i[i]),
      .rdata_o (rdata_o[i])
    );
  end

  for (genvar i = 0; i < 4; i++) begin : gen_delay
    fpga_delay #(
      .Width(16),
      .Count(Delays[i])
    ) u_delay (
      .clk_i,
      .rst_ni,
      .en_i,
      .d_i(wdata_i),
      .q_o(delayed_o[i])
    );
  end

  logic [3:0] word_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) word_q <= '0;
    else if (en_i) word_q <= word_q + 1'b1;
  end

  for (genvar i = 0; i < 4; i++) begin : gen_wait
    fpga_wait #(
      .Width (16),
      .Stages(Waits[i])
    ) u_wait (
      .clk_i,
      .en_i,
      .word_i(word_q),
      .d_i(wdata_i),
      .q_o(waited_o[i])
    );
  end

  for (genvar i = 0; i < 3; i++) begin : gen_cells
    localparam int unsigned AddrW = Cells[i] > 1 ? $clog2(Cells[i]) : 1;

    fpga_cells #(
      .Width(16),
      .Cells(Cells[i])
    ) u_cells (
      .clk_i,
      .en_i,
      .raddr_i(AddrW'(raddr_i)),
      .rdata_o(cells_o[i]),
      .we_i,
      .waddr_i(AddrW'(waddr_i)),
      .wdata_i
    );
  end

  fpga_memory #(
    .Width(16),
    .Depth(100),
    .AddrW(9)
  ) u_ram (
    .clk_i,
    .en_i,
    .raddr_i(ram_raddr_i),
    .rdata_o(words_o[0]),
    .we_i,
    .waddr_i(ram_waddr_i),
    .wdata_i
  );

  fpga_memory #(
    .Width(16),
    .Depth(128),
    .AddrW(7)
  ) u_whole (
    .clk_i,
    .en_i,
    .raddr_i(ram_raddr_i[6:0]),
    .rdata_o(words_o[1]),
    .we_i,
    .waddr_i(ram_waddr_i[6:0]),
    .wdata_i
  );

  fpga_memory #(
    .Width  (16),
    .Depth  (5),
    .AddrW  (9),
    .HasData(1'b1),
    .Data   ({16'd104, 16'd103, 16'd102, 16'd101, 16'd100})
  ) u_rom (
    .clk_i,
    .en_i,
    .raddr_i(ram_raddr_i),
    .rdata_o(words_o[2]),
    .we_i   (1'b0),
    .waddr_i('0),
    .wdata_i('0)
  );

  fpga_mul #(.WidthA(8), .WidthB(8), .WidthP(8)) u_mul8 (
    .clk_i, .en_i, .a_i(a_i[7:0]), .b_i(b_i[7:0]), .p_o(mul8_o)
  );
  fpga_mul #(.WidthA(18), .WidthB(18), .WidthP(18)) u_mul18 (
    .clk_i, .en_i, .a_i(a_i[17:0]), .b_i(b_i[17:0]), .p_o(mul18_o)
  );
  fpga_mul #(.WidthA(32), .WidthB(32), .WidthP(32)) u_mul32 (
    .clk_i, .en_i, .a_i(a_i[31:0]), .b_i(b_i[31:0]), .p_o(mul32_o)
  );
  fpga_mul #(.WidthA(64), .WidthB(64), .WidthP(64)) u_mul64 (.clk_i, .en_i, .a_i, .b_i, .p_o(mul64_o));
  fpga_mul #(.WidthA(24), .WidthB(24), .WidthP(48)) u_mul24 (
    .clk_i, .en_i, .a_i(a_i[23:0]), .b_i(b_i[23:0]), .p_o(mul24_o)
  );

  fpga_div #(.Width(1), .Signed(1'b1)) u_div1 (
    .clk_i, .en_i, .a_i(a_i[0]), .b_i(b_i[0]), .quotient_o(div1_o), .remainder_o(rem1_o)
  );
  fpga_div #(.Width(8), .Signed(1'b0)) u_divu8 (
    .clk_i, .en_i, .a_i(a_i[7:0]), .b_i(b_i[7:0]), .quotient_o(divu8_o), .remainder_o(remu8_o)
  );
  fpga_div #(.Width(8), .Signed(1'b1)) u_divs8 (
    .clk_i, .en_i, .a_i(a_i[7:0]), .b_i(b_i[7:0]), .quotient_o(divs8_o), .remainder_o(rems8_o)
  );
  fpga_div #(.Width(32), .Signed(1'b1)) u_divs32 (
    .clk_i, .en_i, .a_i(a_i[31:0]), .b_i(b_i[31:0]), .quotient_o(divs32_o), .remainder_o(rems32_o)
  );
  fpga_div #(.Width(64), .Signed(1'b0)) u_divu64 (
    .clk_i, .en_i, .a_i, .b_i, .quotient_o(divu64_o), .remainder_o(remu64_o)
  );

  fpga_clz #(.Width(1)) u_clz1 (.clk_i, .en_i, .x_i(a_i[0]), .zeros_o(clz1_o));
  fpga_clz #(.Width(8)) u_clz8 (.clk_i, .en_i, .x_i(a_i[7:0]), .zeros_o(clz8_o));
  fpga_clz #(.Width(64)) u_clz64 (.clk_i, .en_i, .x_i(a_i), .zeros_o(clz64_o));
  fpga_popcount #(.Width(1)) u_popcount1 (.clk_i, .en_i, .x_i(a_i[0]), .count_o(popcount1_o));
  fpga_popcount #(.Width(11)) u_popcount11 (.clk_i, .en_i, .x_i(a_i[10:0]), .count_o(popcount11_o));
  fpga_popcount #(.Width(64)) u_popcount64 (.clk_i, .en_i, .x_i(a_i), .count_o(popcount64_o));

endmodule
