// Runs a program in the core's RTL with the memory system of rtl/npu/README.md around it, and says how many cycles it took.
//
// +program= +dram= files of $readmemh (128-bit words; bytes), +length= instructions, +after= DRAM as it is left.
module core_run
  import npu_isa_pkg::*;
#(
  parameter int unsigned S = 8,
  parameter bit Bf16 = 1'b0,
  parameter int unsigned SpRows = SpBytes / S,
  parameter int unsigned AccRows = AccBytes / (4 * S),
  parameter int unsigned Latency = DramLatency
);

  localparam int unsigned DramBytes = 65536;
  localparam int unsigned ProgramWords = 4096;
  localparam int unsigned MaxCycles = 200000;

  logic              clk = 1'b0, rst_n = 1'b1, run = 1'b0;
  logic [27:0]       length;
  logic              done, fetch_req, read_req, read_empty, write_req;
  logic              fetch_valid = 1'b0, read_valid = 1'b0;
  cause_e            cause;
  logic [1:0]        of_queue;
  logic [27:0]       index;
  logic [63:0]       cycles;
  logic [31:0]       fetch_addr, read_addr, write_addr;
  logic [127:0]      fetch_data = '0;
  logic [S-1:0][7:0] read_data = '0, write_data;
  logic [S-1:0]      write_strobe;

  npu #(
    .S      (S),
    .Bf16   (Bf16),
    .SpRows (SpRows),
    .AccRows(AccRows)
  ) u_npu (
    .clk_i         (clk),
    .rst_ni        (rst_n),
    .run_i         (run),
    .program_i     (32'd0),
    .length_i      (length),
    .dram_bytes_i  (33'(DramBytes)),
    .done_o        (done),
    .cause_o       (cause),
    .cause_queue_o (of_queue),
    .cause_index_o (index),
    .cycles_o      (cycles),
    .fetch_req_o   (fetch_req),
    .fetch_addr_o  (fetch_addr),
    .fetch_valid_i (fetch_valid),
    .fetch_data_i  (fetch_data),
    .read_req_o    (read_req),
    .read_empty_o  (read_empty),
    .read_addr_o   (read_addr),
    .read_valid_i  (read_valid),
    .read_data_i   (read_data),
    .write_req_o   (write_req),
    .write_addr_o  (write_addr),
    .write_data_o  (write_data),
    .write_strobe_o(write_strobe)
  );

  logic [127:0] words[ProgramWords];
  logic [7:0]   dram [DramBytes];
  // Answers on their way, that of cycle c at c modulo the latency.
  logic              fetch_there[Latency], read_there[Latency];
  logic [127:0]      fetch_way[Latency];
  logic [S-1:0][7:0] read_way[Latency];

  string path;

  initial begin
    if (!$value$plusargs("program=%s", path)) $fatal(1, "+program= is missing");
    $readmemh(path, words);
    if (!$value$plusargs("dram=%s", path)) $fatal(1, "+dram= is missing");
    $readmemh(path, dram);
    if (!$value$plusargs("length=%d", length)) $fatal(1, "+length= is missing");
    for (int unsigned i = 0; i < Latency; i++) {fetch_there[i], read_there[i]} = '0;
    #1 rst_n = 1'b0;
    for (int unsigned i = 0; i < 4; i++) #5 clk = ~clk;
    #5 rst_n = 1'b1;
    #5 clk = 1'b1;
    #5 clk = 1'b0;
    run = 1'b1;
    for (int unsigned cycle = 0; cycle < MaxCycles && !done; cycle++) begin
      fetch_valid = fetch_there[cycle%Latency];
      read_valid  = read_there[cycle%Latency];
      fetch_data  = fetch_way[cycle%Latency];
      read_data   = read_way[cycle%Latency];
      #5;
      fetch_there[cycle%Latency] = fetch_req;
      fetch_way[cycle%Latency]   = words[fetch_addr[4+:$clog2(ProgramWords)]];
      read_there[cycle%Latency]  = read_req;
      for (int unsigned i = 0; i < S; i++) begin
        read_way[cycle%Latency][i] = dram[(32'(read_addr) + i) % DramBytes];
        if (write_req && write_strobe[i]) dram[(32'(write_addr) + i) % DramBytes] = write_data[i];
      end
      clk = 1'b1;
      #5 clk = 1'b0;
    end
    if (!done) $fatal(1, "the program does not end");
    if (cause != CauseDone) $fatal(1, "the program ends with cause %0d, queue %0d, index %0d", cause, of_queue, index);
    $display("cycles %0d", cycles);
    if ($value$plusargs("after=%s", path)) $writememh(path, dram);
    $finish;
  end

  logic unused_bits;
  assign unused_bits = ^{read_empty, fetch_addr};

endmodule
