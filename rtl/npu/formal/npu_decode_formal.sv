// The decoder, for any 128 bits: whatever it lets pass has a known opcode, no stray bits, rows that exist, and every row
// that it will touch lies in the banks that it will hold.
module npu_decode_formal
  import npu_isa_pkg::*, npu_pkg::*;
(
  input logic         clk_i,
  input logic         rst_ni,
  input logic [127:0] bits_i,
  input logic [10:0]  i0_i     // any row of the inner loop
);

  localparam int unsigned S = 8;
  localparam int unsigned SpRows = 256;
  localparam int unsigned AccRows = 64;

  logic       halt, legal;
  logic [1:0] to_queue;
  entry_t     entry;
  cause_e     cause;

  npu_decode #(
    .S      (S),
    .SpRows (SpRows),
    .AccRows(AccRows)
  ) u_dut (
    .clk_i,
    .rst_ni,
    .bits_i,
    .dispatch_i(1'b0),
    .halt_o    (halt),
    .queue_o   (to_queue),
    .entry_o   (entry),
    .legal_o   (legal),
    .cause_o   (cause)
  );

  matmul_t matmul;
  load_t   load;
  vop_t    vop;
  assign matmul = bits_i;
  assign load   = bits_i;
  assign vop    = bits_i;

  function automatic logic sp_held(banks_t banks, logic [24:0] row);
    return row < 25'(SpRows) && banks.sp[row[7:4]];
  endfunction
  function automatic logic acc_held(banks_t banks, logic [24:0] row);
    return row < 25'(AccRows) && banks.acc[row[5:4]];
  endfunction

  // Rows of an outer loop of one iteration and of strides up to 3: with wider products the solver would not come to an end.
  logic [24:0] a_row, d_row;
  assign a_row = 25'(vop.a[14:0]) + 25'(i0_i) * 25'(vop.s0);
  assign d_row = 25'(vop.d[14:0]) + (VopsThatFold[vop.op] ? '0 : 25'(i0_i));

  logic is_matmul, is_vop;
  assign is_matmul = bits_i[3:0] == OpMatmul && matmul.n1 == 10'd1 && matmul.s0 <= 8'd3 && i0_i < matmul.n0;
  assign is_vop    = bits_i[3:0] == OpVop && vop.n1 == 10'd1 && vop.s0 <= 8'd3 && i0_i < vop.n0;

  always_ff @(posedge clk_i) begin
    assume (rst_ni);
    if (legal) begin
      Known_A: assert (bits_i[3:0] inside {[OpHalt : OpVop]});
      Halt_A: assert (halt == (bits_i[3:0] == OpHalt));
      Sync_A: assert (bits_i[3:0] != OpSync || to_queue == bits_i[17:16]);
      Queue_A: assert (bits_i[3:0] != OpMatmul || to_queue == 2'(QMatrix));
      Bytes_A: assert (!(bits_i[3:0] inside {OpLoad, OpFill, OpStore}) ||
                       (load.bytes != '0 && 32'(load.bytes) <= (load.row[15] ? 4 * S : S)));
      ActivationsHeld_A: assert (!is_matmul || sp_held(entry.first, 25'(matmul.a_addr) + 25'(i0_i) * 25'(matmul.s0)));
      SumsHeld_A: assert (!is_matmul || acc_held(entry.first, 25'(matmul.c_addr) + 25'(i0_i)));
      WeightsHeld_A: assert (!is_matmul || matmul.keep || sp_held(entry.second, 25'(matmul.w_addr) +
                                                                  (matmul.ternary ? 25'd1 : 25'd7)));
      OperandHeld_A: assert (!is_vop || (vop.a[15] ? acc_held(entry.first, a_row) : sp_held(entry.first, a_row)));
      ResultHeld_A: assert (!is_vop || (vop.d[15] ? acc_held(entry.second, d_row) : sp_held(entry.second, d_row)));
      Wide_C: cover (is_matmul && i0_i == 11'd40 && matmul.s0 == 8'd3 && entry.second.sp != '0);
    end else begin
      Cause_A: assert (cause inside {CauseIllegalOpcode, CauseIllegalField, CauseLocalRange});
    end
  end

endmodule
