// One memory bank: one read and one write port, read data one cycle after the request and held until the next one.
// What a read of the row returns that is written in the same cycle is undefined, as in the memories of FPGAs and in
// macros of two ports: the issue rules keep clients apart, and who reads behind its own writes forwards them. Simulation
// returns the row's complement, so that no test passes that depends on it.
module npu_ram #(
  parameter int unsigned Width = 128,
  parameter int unsigned Depth = 1024,
  localparam int unsigned AddrW = $clog2(Depth)
) (
  input  logic             clk_i,
  input  logic             re_i,
  input  logic [AddrW-1:0] raddr_i,
  output logic [Width-1:0] rdata_o,
  input  logic             we_i,
  input  logic [AddrW-1:0] waddr_i,
  input  logic [Width-1:0] wdata_i
);

  logic [Width-1:0] mem[Depth]  /*verilator public_flat_rw*/;
  logic [Width-1:0] rdata_q;

  always_ff @(posedge clk_i) begin
`ifdef SYNTHESIS
    if (re_i) rdata_q <= mem[raddr_i];
`else
    if (re_i) rdata_q <= we_i && waddr_i == raddr_i ? ~mem[raddr_i] : mem[raddr_i];
`endif
    if (we_i) mem[waddr_i] <= wdata_i;
  end

  assign rdata_o = rdata_q;

endmodule
