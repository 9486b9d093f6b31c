`include "npu_assert.svh"

// The store unit: STORE, and the DIM and SYNC of its queue. One beat (S bytes) a cycle goes to DRAM: the row is read in
// the first cycle of a beat, shifted in the second and written in the third. A row of several beats is read for each.
module npu_store
  import npu_isa_pkg::*, npu_pkg::*;
#(
  parameter int unsigned S = 16,
  parameter bit Bf16 = 1'b0,
  localparam int unsigned SpRowBytes = Bf16 ? 2 * S : S
) (
  input  logic                       clk_i,
  input  logic                       rst_ni,
  // queue and issue
  input  logic                       head_valid_i,
  input  entry_t                     head_i,
  input  logic [IndexW-1:0]          head_index_i,
  output issue_t                     request_o,
  input  logic                       issue_i,
  output banks_t                     hold_o,
  output finish_t                    finish_o,
  output error_t                     error_o,
  output logic                       idle_o,
  // local memories
  output logic                       sp_re_o,
  output logic                       acc_re_o,
  output logic [SpRowW-1:0]          row_o,
  input  logic [SpRowBytes-1:0][7:0] sp_data_i,
  input  logic [4*S-1:0][7:0]        acc_data_i,
  // DRAM
  input  logic [32:0]                dram_bytes_i,
  output logic                       dram_we_o,
  output logic [31:0]                dram_addr_o,
  output logic [S-1:0][7:0]          dram_data_o,
  output logic [S-1:0]               dram_strobe_o
);

  localparam int unsigned OffW = $clog2(S);

  // ---- issue ----------------------------------------------------------------------------------------------------
  store_t                 head;
  logic                   is_sync, is_dim, is_rows, takes;
  logic [Loops-1:0][15:0] count, row_stride;
  logic [Loops-1:0][31:0] dram_stride;

  assign head    = head_i.bits;
  assign is_sync = head.opcode == OpSync;
  assign is_dim  = head.opcode == OpDim;
  assign is_rows = head.opcode == OpStore;

  npu_loops u_loops (
    .clk_i,
    .rst_ni,
    .set_i        (issue_i && is_dim),
    .dim_i        (head_i.bits),
    .count_o      (count),
    .dram_stride_o(dram_stride),
    .row_stride_o (row_stride)
  );

  // ---- the pipeline: request, shift, write -----------------------------------------------------------------------
  // What an instruction carries along: the banks it holds until its last write, and its tokens.
  typedef struct packed {
    logic [7:0]        bytes;
    banks_t            banks;
    logic [Queues-1:0] signal;
    logic [IndexW-1:0] index;
  } flight_t;

  // One beat.
  typedef struct packed {
    logic            valid;
    logic            last;   // of its instruction
    logic            bad;    // it lies outside of DRAM
    logic            acc;
    logic [OffW-1:0] offset;
    logic [2:0]      beat;   // of its row
    logic [31:0]     addr;
    flight_t         flight;
  } beat_t;

  flight_t            flight_q;
  logic               active_q, start, beat, last_of_row, last_beat, walk_last, in_dram;
  logic [2:0]         beat_q, beats;
  logic signed [33:0] dram, beat_addr;
  logic [RowW-1:0]    row;
  beat_t              shift_q, write_q;

  assign takes     = is_sync ? idle_o : !active_q || last_beat;
  assign request_o = '{valid: head_valid_i && takes, rd: is_rows ? head_i.first : '0, wr: '0};

  assign start       = issue_i && is_rows;
  assign beats       = 3'((32'(dram[OffW-1:0]) + 32'(flight_q.bytes) + S - 1) >> OffW);
  assign last_of_row = beat_q + 3'd1 == beats;
  assign beat_addr   = {dram[33:OffW] + (34 - OffW)'(beat_q), OffW'(0)};
  assign in_dram     = beat_addr >= 0 && beat_addr < 34'(dram_bytes_i);
  assign beat        = active_q;
  assign last_beat   = beat && last_of_row && walk_last;

  npu_walker u_walker (
    .clk_i,
    .rst_ni,
    .start_i      (start),
    .loops_i      (head.loops),
    .count_i      (count),
    .dram_stride_i(dram_stride),
    .row_stride_i (row_stride),
    .dram_i       (head.dram),
    .row_i        (head.row),
    .step_i       (beat && last_of_row),
    .dram_o       (dram),
    .row_o        (row),
    .last_o       (walk_last)
  );

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      active_q <= 1'b0;
      beat_q   <= '0;
      flight_q <= '0;
      shift_q  <= '0;
      write_q  <= '0;
    end else begin
      if (start) active_q <= 1'b1;
      else if (last_beat) active_q <= 1'b0;
      if (start) begin
        flight_q <= '{bytes: head.bytes, banks: head_i.first, signal: head.signal, index: head_index_i};
      end
      if (beat) beat_q <= last_of_row ? '0 : beat_q + 3'd1;
      shift_q.valid <= beat;
      if (beat) begin
        shift_q <= '{valid: 1'b1, last: last_beat, bad: !in_dram, acc: row[RowW-1], offset: dram[OffW-1:0],
                     beat: beat_q, addr: beat_addr[31:0], flight: flight_q};
      end
      write_q.valid <= shift_q.valid;
      if (shift_q.valid) write_q <= shift_q;
    end
  end

  assign sp_re_o  = beat && !row[RowW-1];
  assign acc_re_o = beat && row[RowW-1];
  assign row_o    = row[SpRowW-1:0];

  // Byte lane i of the beat is byte `beat * S + i - offset` of the row.
  logic [4*S-1:0][7:0] row_data;
  logic [S-1:0][7:0]   data_d, data_q;
  logic [S-1:0]        strobe_d, strobe_q;

  assign row_data = shift_q.acc ? acc_data_i : {{(4 * S - SpRowBytes) {8'b0}}, sp_data_i};

  // Byte n of a beat's bytes, which lie in up to two of the row's S-byte pieces: those from `S - offset` on in the one
  // before. To choose the piece first and to turn then takes a fraction of choosing among all bytes of the row.
  logic [S-1:0][7:0] chosen;

  always_comb begin
    for (int unsigned n = 0; n < S; n++) begin
      logic [1:0] piece;
      piece     = 2'(shift_q.beat - 3'(n + 32'(shift_q.offset) >= S));
      chosen[n] = row_data[{piece, OffW'(n)}];
    end
  end

  always_comb begin
    for (int unsigned i = 0; i < S; i++) begin
      logic [OffW+2:0] from;
      from        = {shift_q.beat, OffW'(i)} - (OffW + 3)'(shift_q.offset);
      strobe_d[i] = {shift_q.beat, OffW'(i)} >= (OffW + 3)'(shift_q.offset) && 32'(from) < 32'(shift_q.flight.bytes);
      data_d[i]   = strobe_d[i] ? chosen[from[OffW-1:0]] : '0;
    end
  end

  always_ff @(posedge clk_i) begin
    if (shift_q.valid) begin
      data_q   <= data_d;
      strobe_q <= strobe_d;
    end
  end

  assign dram_we_o     = write_q.valid && !write_q.bad;
  assign dram_addr_o   = write_q.addr;
  assign dram_data_o   = data_q;
  assign dram_strobe_o = strobe_q;

  // ---- what the others see --------------------------------------------------------------------------------------
  always_comb begin
    hold_o = '0;
    if (active_q) hold_o |= flight_q.banks;
    if (shift_q.valid) hold_o |= shift_q.flight.banks;
    if (write_q.valid) hold_o |= write_q.flight.banks;
  end

  always_comb begin
    finish_o = '{valid: write_q.valid && write_q.last, signal: write_q.flight.signal, index: write_q.flight.index};
    if (issue_i && is_sync) finish_o = '{valid: 1'b1, signal: head.signal, index: head_index_i};
  end

  assign error_o = '{valid: write_q.valid && write_q.bad, cause: CauseDramRange, index: write_q.flight.index};
  assign idle_o = !active_q && !shift_q.valid && !write_q.valid;

  logic unused_bits;
  assign unused_bits = ^{head, head_i, write_q, beat_addr[33:32]};

  `NPU_ASSERT(SyncAlone_A, issue_i && is_sync -> idle_o)
  `NPU_ASSERT(OneMemory_A, !(sp_re_o && acc_re_o))

endmodule
