// Quotient and remainder of integers, rounded to zero, a bit of the quotient a cycle. x / 0 has all bits set and leaves x; the
// most negative number / -1 is itself.
//
// Latency: Width + 2.
module fpga_div #(
  parameter int unsigned Width = 32,
  parameter bit Signed = 1'b0
) (
  input  logic             clk_i,
  input  logic             en_i,
  input  logic [Width-1:0] a_i,
  input  logic [Width-1:0] b_i,
  output logic [Width-1:0] quotient_o,
  output logic [Width-1:0] remainder_o
);

  typedef struct packed {
    logic [Width-1:0] rest;       // below the divisor, but for a divisor of 0
    logic [Width-1:0] bits;       // of the dividend to come, above those of the quotient that are there
    logic [Width-1:0] divisor;
    logic             negate_quotient;
    logic             negate_remainder;
  } step_t;

  function automatic logic [Width-1:0] negate_if(logic negate, logic [Width-1:0] x);
    return negate ? -x : x;
  endfunction

  logic  a_negative, b_negative;
  step_t step_q[Width+1];

  assign a_negative = Signed && a_i[Width-1];
  assign b_negative = Signed && b_i[Width-1];

  always_ff @(posedge clk_i) begin
    if (en_i) begin
      step_q[0].rest             <= '0;
      step_q[0].bits             <= negate_if(a_negative, a_i);
      step_q[0].divisor          <= negate_if(b_negative, b_i);
      step_q[0].negate_quotient  <= a_negative != b_negative && b_i != '0;
      step_q[0].negate_remainder <= a_negative;
    end
  end

  for (genvar i = 0; i < Width; i++) begin : gen_step
    step_t          now;
    logic [Width:0] shifted, difference;

    assign now        = step_q[i];
    assign shifted    = {now.rest, now.bits[Width-1]};
    assign difference = shifted - {1'b0, now.divisor};

    always_ff @(posedge clk_i) begin
      if (en_i) begin
        step_q[i+1]      <= now;
        step_q[i+1].rest <= difference[Width] ? shifted[Width-1:0] : difference[Width-1:0];
        step_q[i+1].bits <= Width'({now.bits, !difference[Width]});
      end
    end
  end

  step_t last;
  assign last = step_q[Width];

  always_ff @(posedge clk_i) begin
    if (en_i) begin
      quotient_o  <= negate_if(last.negate_quotient, last.bits);
      remainder_o <= negate_if(last.negate_remainder, last.rest);
    end
  end

  logic unused_divisor;
  assign unused_divisor = ^last.divisor;

endmodule
