// value / 2^shift, to nearest, ties to even.
module npu_round_shift #(
  parameter int unsigned Width = 49,
  parameter int unsigned ShiftW = 6
) (
  input  logic signed [Width-1:0]  value_i,
  input  logic        [ShiftW-1:0] shift_i,
  output logic signed [Width-1:0]  result_o
);

  // The value with as many fraction bits below it as a shift can move there.
  localparam int unsigned MaxShift = (1 << ShiftW) - 1;
  localparam int unsigned FullW = Width + MaxShift;

  logic signed [FullW-1:0]    shifted;
  logic signed [Width-1:0]    floor;
  logic        [MaxShift-1:0] fraction;
  logic                       half, more;

  assign shifted  = signed'({value_i, {MaxShift{1'b0}}}) >>> shift_i;
  assign floor    = shifted[FullW-1:MaxShift];
  assign fraction = shifted[MaxShift-1:0];
  assign half     = fraction[MaxShift-1];
  assign more     = |fraction[MaxShift-2:0];
  assign result_o = floor + Width'(half && (more || floor[0]));

endmodule
