// A memory with one port to read and one to write. A word is there two enabled cycles after its address: the RAM's own
// register and one behind it. From `Depth` on words read as 0 and what is written to them is lost. A word that is written in
// the cycle in which it is read may come old or new. With `HasData` it begins with `Data`, word 0 in the low bits; tie we_i to
// 0 for a ROM.
module fpga_memory #(
  parameter int unsigned Width = 8,
  parameter int unsigned Depth = 16,
  parameter int unsigned AddrW = 4,
  parameter bit HasData = 1'b0,
  parameter logic [(HasData ? Depth * Width : 1)-1:0] Data = '0
) (
  input  logic             clk_i,
  input  logic             en_i,     // of the read port
  input  logic [AddrW-1:0] raddr_i,
  output logic [Width-1:0] rdata_o,  // two enabled cycles later
  input  logic             we_i,
  input  logic [AddrW-1:0] waddr_i,
  input  logic [Width-1:0] wdata_i
);

  localparam int unsigned IndexW = Depth > 1 ? $clog2(Depth) : 1;
  localparam bit Reaches = AddrW < IndexW || (64'd1 << AddrW) <= 64'(Depth);  // no address lies beyond

  (* no_rw_check *) logic [Width-1:0]  mem[Depth];
  logic [Width-1:0]  ram_q, data_q;
  logic [IndexW-1:0] rindex, windex;
  logic              rinside, rinside_q, winside;

  assign rindex  = IndexW'(raddr_i);
  assign windex  = IndexW'(waddr_i);
  assign rinside = Reaches || 64'(raddr_i) < 64'(Depth);
  assign winside = Reaches || 64'(waddr_i) < 64'(Depth);

  if (HasData) begin : gen_data
    initial begin
      for (int unsigned i = 0; i < Depth; i++) mem[i] = Data[i*Width+:Width];
    end
  end

  always_ff @(posedge clk_i) begin
    if (we_i && winside) mem[windex] <= wdata_i;
    if (en_i) begin
      ram_q     <= mem[rindex];
      rinside_q <= rinside;
      data_q    <= rinside_q ? ram_q : '0;
    end
  end

  assign rdata_o = data_q;

endmodule
