`include "npu_assert.svh"

// The vector unit: VPARAM, TABLE, VOP and the SYNC of its queue, one at a time. All but those that read nothing go down
// one pipeline: rows are read in cycle 0 and arrive in cycle 1; the instruction is over VectorTail cycles after its last
// read. In the int8 kind that is also when results are written; in the bf16 kind each op writes as soon as it can.
module npu_vector
  import npu_isa_pkg::*, npu_pkg::*;
#(
  parameter int unsigned S = 16,
  parameter bit Bf16 = 1'b0,
  localparam int unsigned ElemW = Bf16 ? 16 : 8
) (
  input  logic                    clk_i,
  input  logic                    rst_ni,
  // queue and issue
  input  logic                    head_valid_i,
  input  entry_t                  head_i,
  input  logic [IndexW-1:0]       head_index_i,
  output issue_t                  request_o,
  input  logic                    issue_i,
  output banks_t                  hold_rd_o,
  output banks_t                  hold_wr_o,
  output finish_t                 finish_o,
  output logic                    idle_o,
  // local memories: operands A and B, result D
  output logic                    sp_a_re_o,
  output logic                    sp_b_re_o,
  output logic                    acc_a_re_o,
  output logic                    acc_b_re_o,
  output logic [SpRowW-1:0]       a_row_o,
  output logic [SpRowW-1:0]       b_row_o,
  input  logic [S-1:0][ElemW-1:0] sp_a_data_i,
  input  logic [S-1:0][ElemW-1:0] sp_b_data_i,
  input  logic [S-1:0][31:0]      acc_a_data_i,
  input  logic [S-1:0][31:0]      acc_b_data_i,
  output logic                    sp_we_o,
  output logic                    acc_we_o,
  output logic [SpRowW-1:0]       d_row_o,
  output logic [S-1:0][ElemW-1:0] sp_data_o,
  output logic [S-1:0][31:0]      acc_data_o
);

  localparam int unsigned Tail = Bf16 ? VectorTailBf16 : VectorTailInt8;
  localparam int unsigned RowsW = 21;
  localparam int unsigned RowEntries = S * ElemW / 16;  // of the table, in a scratchpad row
  localparam int unsigned TableRowW = $clog2(TableEntries / RowEntries);

  // ---- issue ----------------------------------------------------------------------------------------------------
  vop_t    head;
  vparam_t head_vparam;
  table_t  head_table;
  logic    is_sync, is_vparam, is_table, is_vop, reads, start;

  assign head        = head_i.bits;
  assign head_vparam = head_i.bits;
  assign head_table  = head_i.bits;
  assign is_sync     = head.opcode == OpSync;
  assign is_vparam   = head.opcode == OpVparam;
  assign is_table    = head.opcode == OpTable;
  assign is_vop      = head.opcode == OpVop;
  assign reads       = is_vop || is_table || (is_vparam && head_vparam.rows);
  assign start       = issue_i && reads;

  logic busy_q;
  assign request_o = '{valid: head_valid_i && !busy_q, rd: head_i.first, wr: head_i.second};

  // ---- the instruction in the pipeline --------------------------------------------------------------------------
  typedef struct packed {
    vop_t              vop;
    logic              is_vop;
    logic              is_table;
    logic              meet;
    banks_t            rd;
    banks_t            wr;
    logic [IndexW-1:0] index;
  } work_t;

  work_t            work_q;
  vector_op_e       op;
  logic             two, fold;
  logic [RowsW-1:0] left_q;  // rows still to read
  logic [10:0]      i0_q;
  logic             turn_q;  // meet: A was read, now B
  logic             reading, row_read, outer, finish;
  logic [RowsW-1:0] start_rows;

  assign op       = vector_op_e'(work_q.vop.op);
  assign two      = work_q.is_vop && VopsOfTwoOperands[op];
  assign fold     = work_q.is_vop && VopsThatFold[op];
  assign reading  = left_q != '0;
  assign row_read = reading && (!work_q.meet || turn_q);
  assign outer    = i0_q + 11'd1 == work_q.vop.n0;

  always_comb begin
    start_rows = RowsW'(head.n1) * RowsW'(head.n0);
    if (is_table) start_rows = RowsW'(TableEntries / RowEntries);
    if (is_vparam) start_rows = RowsW'(VparamReads);
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      busy_q <= 1'b0;
      work_q <= '0;
      left_q <= '0;
      i0_q   <= '0;
      turn_q <= 1'b0;
    end else begin
      if (start) busy_q <= 1'b1;
      else if (finish) busy_q <= 1'b0;
      if (start) begin
        work_q <= '{vop: head, is_vop: is_vop, is_table: is_table, meet: head_i.meet, rd: head_i.first,
                    wr: head_i.second, index: head_index_i};
        left_q <= start_rows;
        i0_q   <= '0;
        turn_q <= 1'b0;
      end else if (reading) begin
        turn_q <= work_q.meet && !turn_q;
        if (row_read) left_q <= left_q - 1'b1;
        if (row_read) i0_q <= outer ? '0 : i0_q + 1'b1;
      end
    end
  end

  // ---- cycle 0: addresses ---------------------------------------------------------------------------------------
  logic [SpRowW-1:0] a_first, d_row;

  always_comb begin
    a_first = head.a[SpRowW-1:0];
    if (is_table) a_first = head_table.addr;
    if (is_vparam) a_first = SpRowW'(head_vparam.p_addr);
  end

  npu_grid u_a (
    .clk_i,
    .rst_ni,
    .start_i(start),
    .first_i(a_first),
    .step_i (row_read),
    .outer_i(outer && work_q.is_vop),
    .s0_i   (work_q.is_vop ? SpRowW'(work_q.vop.s0) : SpRowW'(1)),
    .s1_i   (SpRowW'(work_q.vop.s1)),
    .row_o  (a_row_o)
  );

  npu_grid u_b (
    .clk_i,
    .rst_ni,
    .start_i(start),
    .first_i(head.b[SpRowW-1:0]),
    .step_i (row_read && !work_q.vop.broadcast),
    .outer_i(outer),
    .s0_i   (SpRowW'(1)),
    .s1_i   (SpRowW'(work_q.vop.pitch)),
    .row_o  (b_row_o)
  );

  npu_grid u_d (
    .clk_i,
    .rst_ni,
    .start_i(start),
    .first_i(head.d[SpRowW-1:0]),
    .step_i (row_read),
    .outer_i(outer),
    .s0_i   (fold ? '0 : SpRowW'(1)),
    .s1_i   (SpRowW'(work_q.vop.pitch)),
    .row_o  (d_row)
  );

  logic a_acc, b_acc, a_re, b_re;

  // VPARAM reads the accumulator, TABLE the scratchpad.
  assign a_acc      = work_q.is_vop ? work_q.vop.a[RowW-1] : !work_q.is_table;
  assign b_acc      = work_q.vop.b[RowW-1];
  assign a_re       = reading && !turn_q;
  assign b_re       = two && row_read;
  assign sp_a_re_o  = a_re && !a_acc;
  assign acc_a_re_o = a_re && a_acc;
  assign sp_b_re_o  = b_re && !b_acc;
  assign acc_b_re_o = b_re && b_acc;

  // ---- what goes along ------------------------------------------------------------------------------------------
  typedef struct packed {
    logic              valid;
    logic              last;        // of the instruction
    logic              fold_first;
    logic              write;
    logic [SpRowW-1:0] d_row;
  } row_t;

  row_t [Tail:0] row;  // row[k]: the row whose last read was k cycles ago

  assign row[0] = '{valid: row_read, last: left_q == RowsW'(1), fold_first: i0_q == '0 || !fold,
                    write: work_q.is_vop && (!fold || outer), d_row: d_row};

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      row[Tail:1] <= '0;
    end else begin
      row[Tail:1] <= row[Tail-1:0];
    end
  end

  // ---- cycle 1: operands ----------------------------------------------------------------------------------------
  logic signed [S-1:0][31:0] a_now, a_before_q, a_row, b_row;

  function automatic logic [31:0] widen(logic [ElemW-1:0] element);
    return Bf16 ? 32'(element) << 16 : 32'(signed'(element));
  endfunction

  for (genvar i = 0; i < S; i++) begin : gen_operands
    assign a_now[i] = a_acc ? acc_a_data_i[i] : widen(sp_a_data_i[i]);
    assign b_row[i] = b_acc ? acc_b_data_i[i] : widen(sp_b_data_i[i]);
  end

  // A that was read before B has arrived a cycle before it.
  always_ff @(posedge clk_i) begin
    if (work_q.meet && turn_q) a_before_q <= a_now;
  end

  assign a_row = work_q.meet ? a_before_q : a_now;

  // ---- parameters -----------------------------------------------------------------------------------------------
  localparam int unsigned ScaleW = Bf16 ? 32 : 22;  // fp32, or {shift, mult}
  logic [31:0]               bias_q[S]  /*verilator public_flat_rw*/;
  logic [ScaleW-1:0]         scale_q[S]  /*verilator public_flat_rw*/;
  logic [76:0]               scalars_q  /*verilator public_flat_rw*/;  // scalars_t
  logic signed [S-1:0][31:0] a_lanes;                                  // cycle 2

  logic is_params;
  assign is_params = busy_q && !work_q.is_vop && !work_q.is_table;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      scalars_q <= '0;
      for (int unsigned i = 0; i < S; i++) begin
        bias_q[i]  <= '0;
        scale_q[i] <= '0;
      end
    end else begin
      if (issue_i && is_vparam && head_vparam.scalars) begin
        scalars_q <= {head_vparam.hi, head_vparam.lo, head_vparam.zp, head_vparam.zp_b, head_vparam.mult_b,
                      head_vparam.shift_b};
      end
      if (is_params && row[2].valid) begin
        for (int unsigned i = 0; i < S; i++) begin
          if (row[2].last) scale_q[i] <= a_lanes[i][ScaleW-1:0];
          else bias_q[i] <= a_lanes[i];
        end
      end
    end
  end

  // ---- the table ------------------------------------------------------------------------------------------------
  logic [TableRowW-1:0]        table_row_q;
  logic [RowEntries-1:0][15:0] table_data;
  logic                        table_we;

  assign table_we = busy_q && work_q.is_table && row[2].valid;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) table_row_q <= '0;
    else if (start) table_row_q <= '0;
    else if (table_we) table_row_q <= table_row_q + 1'b1;
  end

  // ---- the lanes ------------------------------------------------------------------------------------------------
  logic [Tail:1]             row_valid;
  logic signed [S-1:0][31:0] results, written;
  row_t                      leaving;  // the row that is written

  for (genvar k = 1; k <= Tail; k++) begin : gen_valid
    assign row_valid[k] = row[k].valid;
  end

  if (Bf16) begin : gen_kind
    localparam int unsigned MaxExit = 2 + $clog2(S);
    localparam int unsigned SumExit = 2 + 3 * $clog2(S);
    localparam int unsigned LaneExit = 12;

    for (genvar i = 0; i < S; i++) begin : gen_lane
      npu_bf16_lane #(
        .S(S)
      ) u_lane (
        .clk_i,
        .rst_ni,
        .op_i        (op),
        .bias_i      (bias_q[i]),
        .scale_i     (scale_q[i]),
        .valid_i     (row_valid[10:1]),
        .a_i         (a_row[i]),
        .b_i         (b_row[i]),
        .a_o         (a_lanes[i]),
        .result_o    (results[i]),
        .table_we_i  (table_we),
        .table_row_i (table_row_q),
        .table_data_i(table_data)
      );
      assign table_data[i] = a_lanes[i][31:16];
    end

    npu_bf16_across #(
      .S(S)
    ) u_across (
      .clk_i,
      .op_i     (op),
      .valid_i  (row_valid[SumExit:2]),
      .valid11_i(row[11].valid),
      .first11_i(row[11].fold_first),
      .a_row_i  (a_lanes),
      .row_i    (results),
      .row_o    (written)
    );

    always_comb begin
      unique case (op)
        VopFlaneSum: leaving = row[SumExit];
        VopFlaneMax: leaving = row[MaxExit];
        default:     leaving = row[LaneExit];
      endcase
    end

    // To nearest even, a subnormal to zero, a NaN to the one NaN.
    for (genvar i = 0; i < S; i++) begin : gen_narrow
      logic [31:0] word;
      assign word = written[i];
      always_comb begin
        sp_data_o[i] = word[31:16] + 16'(word[15] && (word[14:0] != '0 || word[16]));
        if (word[30:23] == '0) sp_data_o[i] = {word[31], 15'b0};
        if (word[30:23] == '1 && word[22:0] != '0) sp_data_o[i] = 16'h7fc0;
      end
    end

    if (Tail < SumExit || Tail < LaneExit) begin : gen_table_row
      $error("VectorTailBf16 is too short");
    end
  end else begin : gen_kind
    scalars_t scalars;
    assign scalars = scalars_q;

    for (genvar i = 0; i < S; i++) begin : gen_lane
      lane_params_t params;
      assign params = '{bias: bias_q[i], mult: scale_q[i][15:0], shift: scale_q[i][21:16]};

      npu_lane #(
        .S(S)
      ) u_lane (
        .clk_i,
        .op_i        (op),
        .imm_i       (work_q.vop.imm),
        .scalars_i   (scalars),
        .params_i    (params),
        .valid_i     (row_valid[5:1]),
        .a_i         (a_row[i]),
        .b_i         (b_row[i]),
        .a_o         (a_lanes[i]),
        .result_o    (results[i]),
        .table_we_i  (table_we),
        .table_row_i (table_row_q),
        .table_data_i(table_data)
      );
    end

    for (genvar i = 0; i < RowEntries; i++) begin : gen_entries
      assign table_data[i] = {a_lanes[2*i+1][7:0], a_lanes[2*i][7:0]};
    end

    npu_across #(
      .S(S)
    ) u_across (
      .clk_i,
      .op_i    (op),
      .valid6_i(row[6].valid),
      .valid7_i(row[7].valid),
      .first7_i(row[7].fold_first),
      .row_i   (results),
      .row_o   (written)
    );

    assign leaving = row[Tail];

    always_comb begin
      for (int unsigned i = 0; i < S; i++) begin
        sp_data_o[i] = written[i][7:0];
        if ($signed(written[i]) > 127) sp_data_o[i] = 8'h7f;
        if ($signed(written[i]) < -128) sp_data_o[i] = 8'h80;
      end
    end
  end

  // ---- write ----------------------------------------------------------------------------------------------------
  assign sp_we_o    = leaving.valid && leaving.write && !work_q.vop.d[RowW-1];
  assign acc_we_o   = leaving.valid && leaving.write && work_q.vop.d[RowW-1];
  assign d_row_o    = leaving.d_row;
  assign acc_data_o = written;
  assign finish     = row[Tail].valid && row[Tail].last;

  // ---- what the others see --------------------------------------------------------------------------------------
  assign hold_rd_o = busy_q ? work_q.rd : '0;
  assign hold_wr_o = busy_q ? work_q.wr : '0;
  assign idle_o    = !busy_q;

  always_comb begin
    finish_o = '{valid: finish, signal: work_q.vop.signal, index: work_q.index};
    if (issue_i && !reads) finish_o = '{valid: 1'b1, signal: head.signal, index: head_index_i};
  end

  logic unused_bits;
  assign unused_bits = ^{head, head_vparam, head_table, head_i, work_q, is_sync, row_valid, leaving};

  `NPU_ASSERT(OneAtATime_A, issue_i -> !busy_q)
  `NPU_ASSERT(OneWrite_A, !(sp_we_o && acc_we_o))

endmodule
