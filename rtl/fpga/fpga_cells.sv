// The cells of an accumulator. A cell that is read in a cycle holds what came for it up to and in that cycle: an update that
// leaves an adder's register serves the next iteration at once. Few cells are registers or RAM of LUTs and are read in the same
// cycle. Many are a block RAM: their address comes two enabled cycles before.
module fpga_cells #(
  parameter int unsigned Width = 32,
  parameter int unsigned Cells = 1,
  parameter int unsigned Few = 64,  // up to this number
  localparam int unsigned AddrW = Cells > 1 ? $clog2(Cells) : 1
) (
  input  logic             clk_i,
  input  logic             en_i,
  input  logic [AddrW-1:0] raddr_i,  // with more than `Few` cells two enabled cycles before rdata_o
  output logic [Width-1:0] rdata_o,
  input  logic             we_i,     // an iteration brings its update
  input  logic [AddrW-1:0] waddr_i,
  input  logic [Width-1:0] wdata_i
);

  if (Cells == 1) begin : gen_one
    logic [Width-1:0] cell_q;

    always_ff @(posedge clk_i) begin
      if (en_i && we_i) cell_q <= wdata_i;
    end

    assign rdata_o = we_i ? wdata_i : cell_q;

    logic unused_addresses;
    assign unused_addresses = raddr_i ^ waddr_i;
  end else if (Cells <= Few) begin : gen_few
    (* no_rw_check *) logic [Width-1:0] mem[Cells];

    always_ff @(posedge clk_i) begin
      if (en_i && we_i) mem[waddr_i] <= wdata_i;
    end

    assign rdata_o = we_i && waddr_i == raddr_i ? wdata_i : mem[raddr_i];
  end else begin : gen_many
    // Updates that come while a cell is on its way out of the RAM overtake it.
    (* no_rw_check *) logic [Width-1:0] mem[Cells];
    logic [Width-1:0] ram_q, newer_q, data_d, data_q;
    logic [AddrW-1:0] addr1_q, addr2_q;
    logic             newer_valid_q;

    assign data_d = newer_valid_q ? newer_q : ram_q;

    always_ff @(posedge clk_i) begin
      if (en_i) begin
        if (we_i) mem[waddr_i] <= wdata_i;
        ram_q         <= mem[raddr_i];
        addr1_q       <= raddr_i;
        newer_valid_q <= we_i && waddr_i == raddr_i;
        newer_q       <= wdata_i;
        addr2_q       <= addr1_q;
        data_q        <= we_i && waddr_i == addr1_q ? wdata_i : data_d;
      end
    end

    assign rdata_o = we_i && waddr_i == addr2_q ? wdata_i : data_q;
  end

endmodule
