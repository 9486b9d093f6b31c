`include "npu_assert.svh"

// A memory of equal banks, each a contiguous range of rows with one read and one write port, and the clients that share
// them. The issue rules keep two clients off one port of one bank, so requests are merged, not arbitrated.
module npu_banks #(
  parameter int unsigned Banks = 16,
  parameter int unsigned Rows = 16384,
  parameter int unsigned Width = 128,
  parameter int unsigned Readers = 4,
  parameter int unsigned Writers = 2,
  parameter int unsigned RowW = 15
) (
  input  logic                            clk_i,
  input  logic                            rst_ni,
  input  logic [Readers-1:0]              re_i,
  input  logic [Readers-1:0][RowW-1:0]    raddr_i,
  output logic [Readers-1:0][Width-1:0]   rdata_o,  // one cycle later, until the client's next read
  input  logic [Writers-1:0]              we_i,
  input  logic [Writers-1:0][RowW-1:0]    waddr_i,
  input  logic [Writers-1:0][Width-1:0]   wdata_i
);

  localparam int unsigned Depth = Rows / Banks;
  localparam int unsigned InW = $clog2(Depth);
  localparam int unsigned BankW = $clog2(Banks);

  logic [Banks-1:0][Width-1:0]   bank_rdata;
  logic [Readers-1:0][BankW-1:0] rbank_q;

  for (genvar b = 0; b < Banks; b++) begin : gen_bank
    logic [Readers-1:0] re;
    logic [Writers-1:0] we;
    logic [InW-1:0]     raddr, waddr;
    logic [Width-1:0]   wdata;

    always_comb begin
      raddr = '0;
      waddr = '0;
      wdata = '0;
      for (int unsigned i = 0; i < Readers; i++) begin
        re[i] = re_i[i] && raddr_i[i][InW+:BankW] == BankW'(b);
        if (re[i]) raddr |= raddr_i[i][InW-1:0];
      end
      for (int unsigned i = 0; i < Writers; i++) begin
        we[i] = we_i[i] && waddr_i[i][InW+:BankW] == BankW'(b);
        if (we[i]) waddr |= waddr_i[i][InW-1:0];
        if (we[i]) wdata |= wdata_i[i];
      end
    end

    npu_ram #(
      .Width(Width),
      .Depth(Depth)
    ) u_ram (
      .clk_i,
      .re_i   (|re),
      .raddr_i(raddr),
      .rdata_o(bank_rdata[b]),
      .we_i   (|we),
      .waddr_i(waddr),
      .wdata_i(wdata)
    );

    `NPU_ASSERT(OneReader_A, $onehot0(re))
    `NPU_ASSERT(OneWriter_A, $onehot0(we))
  end

  for (genvar i = 0; i < Readers; i++) begin : gen_reader
    always_ff @(posedge clk_i or negedge rst_ni) begin
      if (!rst_ni) rbank_q[i] <= '0;
      else if (re_i[i]) rbank_q[i] <= raddr_i[i][InW+:BankW];
    end
    assign rdata_o[i] = bank_rdata[rbank_q[i]];
    `NPU_ASSERT(ReadInRange_A, re_i[i] -> 32'(raddr_i[i]) < Rows)
  end

  for (genvar i = 0; i < Writers; i++) begin : gen_writer
    `NPU_ASSERT(WriteInRange_A, we_i[i] -> 32'(waddr_i[i]) < Rows)
  end

  if (RowW > InW + BankW) begin : gen_unused
    logic unused_rows;
    assign unused_rows = ^{raddr_i, waddr_i};
  end

endmodule
