// Drives the systolic array as gates, and as the RTL that it was made from, with the same stimulus; ends with an error
// when their sums differ. What toggles in the gates is written as SAIF.
module activity #(
  parameter int unsigned S      = 8,
  parameter int unsigned Cycles = 2000,
  parameter int unsigned Level  = 0,  // 0: uniform random, 1: half zeros and small positives, 2: idle
  parameter int unsigned Seed   = 1
);

  localparam int unsigned Rows = 4 * S;  // of a tile of weights

  logic                 clk = 1'b0, rst_n = 1'b0;
  logic                 w_load, w_tern, a_valid, a_swap;
  logic [$clog2(S)-1:0] w_index;
  logic [S-1:0][7:0]    w_row, a_row;
  logic [S-1:0]         a_live;
  logic                 gates_valid, rtl_valid;
  logic [S-1:0][31:0]   gates_row, rtl_row;

  gates u_gates (
    .clk_i(clk), .rst_ni(rst_n), .w_load_i(w_load), .w_tern_i(w_tern), .w_index_i(w_index), .w_row_i(w_row),
    .a_valid_i(a_valid), .a_swap_i(a_swap), .a_live_i(a_live), .a_row_i(a_row),
    .c_valid_o(gates_valid), .c_row_o(gates_row)
  );
  npu_array #(.S(S)) u_rtl (
    .clk_i(clk), .rst_ni(rst_n), .w_load_i(w_load), .w_tern_i(w_tern), .w_index_i(w_index), .w_row_i(w_row),
    .a_valid_i(a_valid), .a_swap_i(a_swap), .a_live_i(a_live), .a_row_i(a_row),
    .c_valid_o(rtl_valid), .c_row_o(rtl_row)
  );

  function automatic logic [7:0] activation();
    if (Level == 1) return ($urandom & 1) != 0 ? 8'd0 : 8'($urandom % 40);
    return 8'($urandom);
  endfunction

  int unsigned drawn;

  initial begin
    drawn = $urandom(Seed);
    {w_load, w_tern, a_valid, a_swap, w_index, w_row, a_row} = '0;
    a_live = '1;
    for (int unsigned i = 0; i < 4; i++) #5 clk = ~clk;
    rst_n = 1'b1;
    // The first tile fills the pipeline; counting starts after it.
    for (int unsigned cycle = 0; cycle < Cycles + 2 * Rows; cycle++) begin
      if (cycle == 2 * Rows) begin
        $dumpfile("activity.saif");
        $dumpvars(0, u_gates);
      end
      if (Level != 2 || cycle < Rows) begin
        w_load  = cycle % Rows < S;
        w_index = $clog2(S)'(cycle % Rows);
        a_valid = cycle >= Rows;
        a_swap  = a_valid && cycle % Rows == S;
        for (int unsigned i = 0; i < S; i++) begin
          if (w_load) w_row[i] = 8'($urandom);
          a_row[i] = activation();
        end
      end else begin
        {w_load, a_valid, a_swap} = '0;
      end
      #5 clk = 1'b1;
      #5 clk = 1'b0;
      if (gates_valid !== rtl_valid || (rtl_valid && gates_row !== rtl_row)) begin
        $fatal(1, "cycle %0d: the gates say %h, the RTL %h", cycle, gates_row, rtl_row);
      end
    end
    $finish;
  end

endmodule
