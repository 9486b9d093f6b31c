`include "npu_assert.svh"

// Which clients begin in this cycle: those that ask and whose memory ports no other client holds. Ties go to the lower
// number. What begins holds its ports until its last access, so no access ever waits later.
//
// PREPARE may begin when its stage is empty, or when STREAM takes over what is in it in this very cycle.
module npu_issue
  import npu_isa_pkg::*, npu_pkg::*;
(
  input  logic                 clk_i,
  input  logic                 rst_ni,
  input  logic                 stop_i,            // nothing may begin any more
  input  issue_t [Clients-1:0] request_i,
  input  logic                 prepare_taken_i,   // PREPARE is not empty
  input  banks_t [Clients-1:0] hold_rd_i,         // ports that are in use
  input  banks_t [Clients-1:0] hold_wr_i,
  output logic   [Clients-1:0] issue_o
);

  always_comb begin
    banks_t taken_rd, taken_wr;

    issue_o  = '0;
    taken_rd = '0;
    taken_wr = '0;
    for (int unsigned c = 0; c < Clients; c++) begin
      banks_t busy_rd, busy_wr;
      logic   can;

      busy_rd = taken_rd;
      busy_wr = taken_wr;
      for (int unsigned other = 0; other < Clients; other++) begin
        if (other != c) begin
          busy_rd |= hold_rd_i[other];
          busy_wr |= hold_wr_i[other];
        end
      end
      can = request_i[c].valid && !stop_i && (request_i[c].rd & busy_rd) == '0 && (request_i[c].wr & busy_wr) == '0;
      if (c == CPrepare && prepare_taken_i && !issue_o[CStream]) can = 1'b0;
      if (can) begin
        issue_o[c] = 1'b1;
        taken_rd |= request_i[c].rd;
        taken_wr |= request_i[c].wr;
      end
    end
  end

  for (genvar c = 0; c < Clients; c++) begin : gen_assert
    for (genvar other = 0; other < c; other++) begin : gen_pair
      `NPU_ASSERT(NoSharedReadPort_A, (hold_rd_i[c] & hold_rd_i[other]) == '0)
      `NPU_ASSERT(NoSharedWritePort_A, (hold_wr_i[c] & hold_wr_i[other]) == '0)
    end
  end

endmodule
