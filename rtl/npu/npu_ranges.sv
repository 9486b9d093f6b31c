// The banks of the rows from `first_i` to `last_i` of a local memory, and whether all those rows exist. `last_i` is
// wider than a row, so that a sum of strides cannot wrap into a legal one.
module npu_ranges
  import npu_isa_pkg::*, npu_pkg::*;
#(
  parameter int unsigned SpRows = 16384,
  parameter int unsigned AccRows = 1024,
  parameter int unsigned LastW = 36
) (
  input  logic              acc_i,       // rows of the accumulator memory, else of the scratchpad
  input  logic [SpRowW-1:0] first_i,
  input  logic [LastW-1:0]  last_i,
  output banks_t            banks_o,
  output logic              in_range_o
);

  localparam int unsigned SpShift = $clog2(SpRows / SpBanks);
  localparam int unsigned AccShift = $clog2(AccRows / AccBanks);
  localparam int unsigned SpBankW = $clog2(SpBanks);
  localparam int unsigned AccBankW = $clog2(AccBanks);

  logic [SpBankW-1:0]  sp_first, sp_last;
  logic [AccBankW-1:0] acc_first, acc_last;

  assign sp_first  = SpBankW'(first_i >> SpShift);
  assign sp_last   = SpBankW'(last_i >> SpShift);
  assign acc_first = AccBankW'(first_i >> AccShift);
  assign acc_last  = AccBankW'(last_i >> AccShift);

  always_comb begin
    banks_o = '0;
    for (int unsigned b = 0; b < SpBanks; b++) begin
      banks_o.sp[b] = !acc_i && b >= 32'(sp_first) && b <= 32'(sp_last);
    end
    for (int unsigned b = 0; b < AccBanks; b++) begin
      banks_o.acc[b] = acc_i && b >= 32'(acc_first) && b <= 32'(acc_last);
    end
  end

  assign in_range_o = acc_i ? last_i < LastW'(AccRows) : last_i < LastW'(SpRows);

endmodule
