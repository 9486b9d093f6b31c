// The issue rules, for any state of the units: what begins never meets a port in use or another that begins; who is
// held up is held up by somebody; and when nothing is in use, something begins. As every use ends, none waits for ever
// on ports.
module npu_issue_formal
  import npu_isa_pkg::*, npu_pkg::*;
(
  input logic                 clk_i,
  input logic                 rst_ni,
  input issue_t [Clients-1:0] request_i,
  input logic                 prepare_taken_i,
  input banks_t [Clients-1:0] hold_rd_i,
  input banks_t [Clients-1:0] hold_wr_i,
  input logic [2:0]           one_i,       // two different clients, any
  input logic [2:0]           other_i
);

  logic [Clients-1:0] issue, asks;
  logic               all_free;

  npu_issue u_dut (
    .clk_i,
    .rst_ni,
    .stop_i         (1'b0),
    .request_i,
    .prepare_taken_i,
    .hold_rd_i,
    .hold_wr_i,
    .issue_o        (issue)
  );

  assign all_free = hold_rd_i == '0 && hold_wr_i == '0;

  for (genvar c = 0; c < Clients; c++) begin : gen_asks
    assign asks[c] = request_i[c].valid && !(c == CPrepare && prepare_taken_i && !request_i[CStream].valid);
  end

  logic apart;
  assign apart = (request_i[one_i].rd & request_i[other_i].rd) == '0 &&
                 (request_i[one_i].wr & request_i[other_i].wr) == '0 &&
                 (request_i[one_i].rd & hold_rd_i[other_i]) == '0 && (request_i[one_i].wr & hold_wr_i[other_i]) == '0;

  always_ff @(posedge clk_i) begin
    assume (rst_ni);
    assume (one_i < 3'(Clients) && other_i < 3'(Clients) && one_i != other_i);
    // The ports in use are apart: the assertion of the module itself, which holds while what begins is apart from them.
    for (int c = 0; c < Clients; c++) begin
      for (int d = 0; d < c; d++) begin
        assume ((hold_rd_i[c] & hold_rd_i[d]) == '0 && (hold_wr_i[c] & hold_wr_i[d]) == '0);
      end
    end
    OnlyWhoAsks_A: assert ((issue & ~asks) == '0);
    Apart_A: assert (!(issue[one_i] && issue[other_i]) || apart);
    NotHeld_A: assert (!issue[one_i] || ((request_i[one_i].rd & hold_rd_i[other_i]) == '0 &&
                                         (request_i[one_i].wr & hold_wr_i[other_i]) == '0));
    Progress_A: assert (!(all_free && asks != '0) || issue != '0);
    FirstWins_A: assert (!(all_free && asks[CLoad]) || issue[CLoad]);
    AllAtOnce_C: cover (&issue && prepare_taken_i && request_i[CStream].rd.acc != '0);
  end

endmodule
