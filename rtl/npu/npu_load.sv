`include "npu_assert.svh"

// The load unit: LOAD and FILL, and the DIM and SYNC of its queue. The request side walks the rows and asks DRAM for
// one beat (S bytes) a cycle; the response side shifts the beats, which come back in order, into rows and writes them.
// Up to LoadsInFlight instructions are between the two. A FILL asks for beats without data, one a row: they keep its
// rows in order with those of the loads around it.
module npu_load
  import npu_isa_pkg::*, npu_pkg::*;
#(
  parameter int unsigned S = 16,
  parameter int unsigned RowsInFlight = 128  // rows asked for and not yet there: more than DRAM's latency
) (
  input  logic                  clk_i,
  input  logic                  rst_ni,
  // queue and issue
  input  logic                  head_valid_i,
  input  entry_t                head_i,
  input  logic [IndexW-1:0]     head_index_i,
  output issue_t                request_o,
  input  logic                  issue_i,
  output banks_t                hold_o,
  output finish_t               finish_o,
  output error_t                error_o,
  output logic                  idle_o,
  // DRAM
  input  logic [32:0]           dram_bytes_i,
  output logic                  dram_req_o,
  output logic                  dram_empty_o,  // answer in turn, with anything
  output logic [31:0]           dram_addr_o,
  input  logic                  dram_valid_i,
  input  logic [S-1:0][7:0]     dram_data_i,
  // local memories
  output logic                  sp_we_o,
  output logic                  acc_we_o,
  output logic [SpRowW-1:0]     row_o,
  output logic [4*S-1:0][7:0]   row_data_o
);

  localparam int unsigned OffW = $clog2(S);
  localparam int unsigned FlightW = $clog2(LoadsInFlight);
  localparam int unsigned RowPtrW = $clog2(RowsInFlight);

  // What an instruction carries from issue to completion.
  typedef struct packed {
    logic              fill;
    logic [7:0]        value;
    logic [7:0]        bytes;
    banks_t            banks;
    logic [Queues-1:0] signal;
    logic [IndexW-1:0] index;
  } flight_t;

  // A row that was asked for.
  typedef struct packed {
    logic            last;    // of its instruction
    logic [OffW-1:0] offset;  // of its first byte in its first beat
    logic [RowW-1:0] row;
  } row_t;

  // ---- issue ----------------------------------------------------------------------------------------------------
  load_t   head;
  fill_t   head_fill;
  flight_t head_flight;
  logic    is_sync, is_dim, is_rows, free, takes, start;
  logic    active_q, last_beat;
  logic [FlightW:0] flight_count_q;

  assign head      = head_i.bits;
  assign head_fill = head_i.bits;
  assign is_sync   = head.opcode == OpSync;
  assign is_dim    = head.opcode == OpDim;
  assign is_rows   = head.opcode == OpLoad || head.opcode == OpFill;
  assign free      = !active_q || last_beat;
  assign start     = issue_i && is_rows;

  assign head_flight = '{fill: head.opcode == OpFill, value: head_fill.value, bytes: head.bytes,
                         banks: head_i.first, signal: head.signal, index: head_index_i};

  always_comb begin
    takes = free;
    if (is_sync) takes = flight_count_q == '0;
    else if (is_rows) takes = free && flight_count_q != (FlightW + 1)'(LoadsInFlight);
  end

  assign request_o = '{valid: head_valid_i && takes, rd: '0, wr: is_rows ? head_i.first : '0};

  logic [Loops-1:0][15:0] count, row_stride;
  logic [Loops-1:0][31:0] dram_stride;

  npu_loops u_loops (
    .clk_i,
    .rst_ni,
    .set_i        (issue_i && is_dim),
    .dim_i        (head_i.bits),
    .count_o      (count),
    .dram_stride_o(dram_stride),
    .row_stride_o (row_stride)
  );

  // ---- request side ---------------------------------------------------------------------------------------------
  flight_t            walk_q;
  logic        [2:0]  beat_q, beats;
  logic signed [33:0] walk_dram, beat_addr;
  logic [RowW-1:0]    walk_row;
  logic               walk_last, last_of_row, in_dram, beat;

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
    .dram_o       (walk_dram),
    .row_o        (walk_row),
    .last_o       (walk_last)
  );

  assign beats       = 3'((32'(walk_dram[OffW-1:0]) + 32'(walk_q.bytes) + S - 1) >> OffW);
  assign last_of_row = walk_q.fill || beat_q + 3'd1 == beats;
  assign beat_addr   = {walk_dram[33:OffW] + (34 - OffW)'(beat_q), OffW'(0)};
  assign in_dram     = walk_q.fill || (beat_addr >= 0 && beat_addr < 34'(dram_bytes_i));
  assign beat        = active_q && in_dram;
  // Also of one outside of DRAM, with which all ends: who asks whether the unit is free need not wait for that verdict.
  assign last_beat   = active_q && last_of_row && walk_last;

  assign dram_req_o   = beat;
  assign dram_empty_o = walk_q.fill;
  assign dram_addr_o  = beat_addr[31:0];

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      active_q <= 1'b0;
      beat_q   <= '0;
      walk_q   <= '0;
    end else begin
      if (start) active_q <= 1'b1;
      else if (last_beat) active_q <= 1'b0;
      if (start) walk_q <= head_flight;
      if (beat) beat_q <= last_of_row ? '0 : beat_q + 3'd1;
    end
  end

  // ---- between the sides: rows asked for, instructions in flight ------------------------------------------------
  row_t                     rows_q[RowsInFlight];
  row_t                     row;          // the oldest
  logic [RowPtrW-1:0]       row_wptr_q, row_rptr_q;
  logic [RowPtrW:0]         row_count_q;
  logic                     row_push, row_pop;

  flight_t                  flights_q[LoadsInFlight];
  logic [LoadsInFlight-1:0] flights_valid_q;
  flight_t                  flight;       // the one whose row is the oldest
  flight_t                  finishing;    // the oldest
  logic [FlightW-1:0]       flight_wptr_q, flight_cptr_q, flight_rptr_q;
  logic                     finish;

  assign row       = rows_q[row_rptr_q];
  assign row_push  = beat && beat_q == '0;  // its first beat may be back before its last is asked for
  assign flight    = flights_q[flight_cptr_q];
  assign finishing = flights_q[flight_rptr_q];

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      row_wptr_q      <= '0;
      row_rptr_q      <= '0;
      row_count_q     <= '0;
      flight_wptr_q   <= '0;
      flight_cptr_q   <= '0;
      flight_rptr_q   <= '0;
      flight_count_q  <= '0;
      flights_valid_q <= '0;
    end else begin
      if (row_push) row_wptr_q <= row_wptr_q + 1'b1;
      if (row_pop) row_rptr_q <= row_rptr_q + 1'b1;
      row_count_q <= row_count_q + (RowPtrW + 1)'(row_push) - (RowPtrW + 1)'(row_pop);
      if (start) flight_wptr_q <= flight_wptr_q + 1'b1;
      if (row_pop && row.last) flight_cptr_q <= flight_cptr_q + 1'b1;
      if (finish) flight_rptr_q <= flight_rptr_q + 1'b1;
      flight_count_q <= flight_count_q + (FlightW + 1)'(start) - (FlightW + 1)'(finish);
      if (finish) flights_valid_q[flight_rptr_q] <= 1'b0;
      if (start) flights_valid_q[flight_wptr_q] <= 1'b1;
    end
  end

  always_ff @(posedge clk_i) begin
    if (row_push) begin
      rows_q[row_wptr_q] <= '{last: walk_last, offset: walk_q.fill ? '0 : walk_dram[OffW-1:0], row: walk_row};
    end
    if (start) flights_q[flight_wptr_q] <= head_flight;
  end

  // ---- response side --------------------------------------------------------------------------------------------
  logic [2:0]          rsp_beat_q, rsp_beats;
  logic [S-1:0][7:0]   turned;  // the beat, rotated by the offset of the row
  logic [4*S-1:0][7:0] row_d, row_q;
  logic                write_q, write_last_q;
  logic [RowW-1:0]     write_row_q;

  assign rsp_beats = 3'((32'(row.offset) + 32'(flight.bytes) + S - 1) >> OffW);
  assign row_pop   = dram_valid_i && (flight.fill || rsp_beat_q + 3'd1 == rsp_beats);

  always_comb begin
    for (int unsigned i = 0; i < S; i++) turned[i] = dram_data_i[OffW'(i)+row.offset];
  end

  // Byte p of the row is in beat (p + offset) / S; behind `bytes` are zeros.
  always_comb begin
    for (int unsigned p = 0; p < 4 * S; p++) begin
      row_d[p] = rsp_beat_q == '0 ? '0 : row_q[p];
      if (p < 32'(flight.bytes)) begin
        if (flight.fill) row_d[p] = flight.value;
        else if ((p + 32'(row.offset)) >> OffW == 32'(rsp_beat_q)) row_d[p] = turned[p%S];
      end
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      rsp_beat_q   <= '0;
      write_q      <= 1'b0;
      write_last_q <= 1'b0;
      write_row_q  <= '0;
    end else begin
      if (dram_valid_i) rsp_beat_q <= row_pop ? '0 : rsp_beat_q + 3'd1;
      write_q <= row_pop;
      if (row_pop) write_last_q <= row.last;
      if (row_pop) write_row_q <= row.row;
    end
  end

  always_ff @(posedge clk_i) begin
    if (dram_valid_i) row_q <= row_d;
  end

  assign finish     = write_q && write_last_q;
  assign sp_we_o    = write_q && !write_row_q[RowW-1];
  assign acc_we_o   = write_q && write_row_q[RowW-1];
  assign row_o      = write_row_q[SpRowW-1:0];
  assign row_data_o = row_q;

  // ---- what the others see --------------------------------------------------------------------------------------
  always_comb begin
    hold_o = '0;
    for (int unsigned i = 0; i < LoadsInFlight; i++) begin
      if (flights_valid_q[i]) hold_o |= flights_q[i].banks;
    end
  end

  always_comb begin
    finish_o = '{valid: finish, signal: finishing.signal, index: finishing.index};
    if (issue_i && is_sync) finish_o = '{valid: 1'b1, signal: head.signal, index: head_index_i};
  end

  assign error_o = '{valid: active_q && !in_dram, cause: CauseDramRange, index: walk_q.index};
  assign idle_o  = flight_count_q == '0;

  logic unused_bits;
  assign unused_bits = ^{head, head_fill, head_i, flight, finishing, walk_q, beat_addr[33:32]};

  `NPU_ASSERT(RowsFit_A, row_push -> row_count_q != (RowPtrW + 1)'(RowsInFlight))
  `NPU_ASSERT(ResponsesHaveRows_A, dram_valid_i -> row_count_q != '0)
  `NPU_ASSERT(SyncAlone_A, issue_i && is_sync -> !finish && !active_q)

endmodule
