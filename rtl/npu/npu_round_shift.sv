// value / 2^shift, to nearest, ties to even.
module npu_round_shift #(
  parameter int unsigned Width = 49,
  parameter int unsigned ShiftW = 6
) (
  input  logic signed [Width-1:0]  value_i,
  input  logic        [ShiftW-1:0] shift_i,
  output logic signed [Width-1:0]  result_o
);

  // The value with one fraction bit below it; bits further down only say whether there was anything.
  logic signed [Width:0]   shifted;
  logic signed [Width-1:0] floor;
  logic        [Width-1:0] below;
  logic                    half, more;

  assign shifted = signed'({value_i, 1'b0}) >>> shift_i;
  assign floor   = shifted[Width:1];
  assign half    = shifted[0];

  for (genvar i = 0; i < Width; i++) begin : gen_below
    assign below[i] = i + 1 < 32'(shift_i);
  end

  assign more     = (value_i & below) != '0;
  assign result_o = floor + Width'(half && (more || floor[0]));

endmodule
