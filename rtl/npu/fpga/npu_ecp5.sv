// The processor as a bitstream for a part with few pins: a shell that moves everything but clock and reset through two
// shift registers. It is there to place and route the processor, all of it and nothing that a synthesiser could drop;
// a board with memory has its controller in this place.
//
// While shift_i is high, serial_i fills the inputs, bit by bit, and the outputs leave by serial_o; while it is low the
// inputs stand still and the outputs are taken in every cycle.
module npu_ecp5
  import npu_isa_pkg::*, npu_pkg::*;
#(
  parameter int unsigned S = 8,
  parameter int unsigned SpRows = 16384,
  parameter int unsigned AccRows = 2048
) (
  input  logic clk_i,
  input  logic rst_ni,
  input  logic shift_i,
  input  logic serial_i,
  output logic serial_o
);

  typedef struct packed {
    logic              run;
    logic [31:0]       first;
    logic [IndexW-1:0] length;
    logic [32:0]       dram_bytes;
    logic              fetch_valid;
    logic [127:0]      fetch_data;
    logic              read_valid;
    logic [S-1:0][7:0] read_data;
  } in_t;

  typedef struct packed {
    logic                      done;
    cause_e                    cause;
    logic [$clog2(Queues)-1:0] of_queue;
    logic [IndexW-1:0]         index;
    logic [63:0]               cycles;
    logic                      fetch_req;
    logic [31:0]               fetch_addr;
    logic                      read_req;
    logic                      read_empty;
    logic [31:0]               read_addr;
    logic                      write_req;
    logic [31:0]               write_addr;
    logic [S-1:0][7:0]         write_data;
    logic [S-1:0]              write_strobe;
  } out_t;

  in_t  in_q;
  out_t out, out_q;

  // A third of all flip-flops has the reset: it goes to them by a clock network, and leaves the wires to data.
  logic rst_n;
`ifdef SYNTHESIS
  logic reset;

  DCCA u_reset (
    .CLKI(!rst_ni),
    .CE  (),
    .CLKO(reset)
  );

  assign rst_n = !reset;
`else
  assign rst_n = rst_ni;
`endif

  npu #(
    .S      (S),
    .SpRows (SpRows),
    .AccRows(AccRows)
  ) u_npu (
    .clk_i,
    .rst_ni        (rst_n),
    .run_i         (in_q.run),
    .program_i     (in_q.first),
    .length_i      (in_q.length),
    .dram_bytes_i  (in_q.dram_bytes),
    .done_o        (out.done),
    .cause_o       (out.cause),
    .cause_queue_o (out.of_queue),
    .cause_index_o (out.index),
    .cycles_o      (out.cycles),
    .fetch_req_o   (out.fetch_req),
    .fetch_addr_o  (out.fetch_addr),
    .fetch_valid_i (in_q.fetch_valid),
    .fetch_data_i  (in_q.fetch_data),
    .read_req_o    (out.read_req),
    .read_empty_o  (out.read_empty),
    .read_addr_o   (out.read_addr),
    .read_valid_i  (in_q.read_valid),
    .read_data_i   (in_q.read_data),
    .write_req_o   (out.write_req),
    .write_addr_o  (out.write_addr),
    .write_data_o  (out.write_data),
    .write_strobe_o(out.write_strobe)
  );

  always_ff @(posedge clk_i or negedge rst_n) begin
    if (!rst_n) begin
      in_q  <= '0;
      out_q <= '0;
    end else if (shift_i) begin
      in_q  <= {serial_i, in_q[$bits(in_t)-1:1]};
      out_q <= {in_q[0], out_q[$bits(out_t)-1:1]};
    end else begin
      out_q <= out;
    end
  end

  assign serial_o = out_q[0];

endmodule
