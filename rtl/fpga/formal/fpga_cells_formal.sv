// Cells of an accumulator, one, few and many: a read gives what came last for its cell, up to and in the cycle of the read,
// however the pipeline stalls.
module fpga_cells_formal (
  input logic       clk_i,
  input logic       rst_ni,
  input logic       en_i,
  input logic       we_i,
  input logic [1:0] raddr_i,
  input logic [1:0] waddr_i,
  input logic [1:0] wdata_i,
  input logic [1:0] watched_i  // the cell to follow, any
);

  logic [1:0] one, few, many;

  fpga_cells #(
    .Width(2),
    .Cells(1)
  ) u_one (
    .clk_i,
    .en_i,
    .raddr_i(raddr_i[0]),
    .rdata_o(one),
    .we_i,
    .waddr_i(waddr_i[0]),
    .wdata_i
  );

  fpga_cells #(
    .Width(2),
    .Cells(4),
    .Few  (4)
  ) u_few (
    .clk_i,
    .en_i,
    .raddr_i,
    .rdata_o(few),
    .we_i,
    .waddr_i,
    .wdata_i
  );

  fpga_cells #(
    .Width(2),
    .Cells(4),
    .Few  (2)
  ) u_many (
    .clk_i,
    .en_i,
    .raddr_i,
    .rdata_o(many),
    .we_i,
    .waddr_i,
    .wdata_i
  );

  logic            started_q = 1'b0, any_written_q = 1'b0, written_q = 1'b0;
  logic [1:0]      watched_q, any_q, cell_q;
  logic [1:0][1:0] raddr_q;         // of the last two enabled cycles
  logic [1:0]      reads_q = '0;    // whether there were some

  always_ff @(posedge clk_i) begin
    started_q <= 1'b1;
    watched_q <= watched_i;
    assume (rst_ni == started_q);
    if (started_q) assume (watched_i == watched_q);
    if (en_i) begin
      raddr_q <= {raddr_q[0], raddr_i};
      reads_q <= {reads_q[0], 1'b1};
      if (we_i) any_q <= wdata_i;
      if (we_i) any_written_q <= 1'b1;
      if (we_i && waddr_i == watched_i) cell_q <= wdata_i;
      if (we_i && waddr_i == watched_i) written_q <= 1'b1;
    end
  end

  logic       written;
  logic [1:0] expected;  // of the watched cell
  assign written  = written_q || (we_i && waddr_i == watched_i);
  assign expected = we_i && waddr_i == watched_i ? wdata_i : cell_q;

  always_ff @(posedge clk_i) begin
    if (rst_ni && en_i) begin
      One_A: assert (!(any_written_q || we_i) || one == (we_i ? wdata_i : any_q));
      Few_A: assert (!(written && raddr_i == watched_i) || few == expected);
      // Also what was written while the word was on its way.
      Many_A: assert (!(written && reads_q[1] && raddr_q[1] == watched_i) || many == expected);
      Overtakes_C: cover (written_q && reads_q[1] && raddr_q[1] == watched_i && we_i && waddr_i == watched_i && wdata_i != cell_q);
    end
  end

endmodule
