`include "npu_assert.svh"

// The matrix unit: MATMUL and the SYNC of its queue. PREPARE loads the weights of one tile while STREAM feeds the rows
// of the tile before it to the array; the sums follow at a fixed distance.
//
// Distances from the cycle u in which an activation row is read, with Out = u + S * Step + S: u + 2 it enters the array,
// Out + 2 the old accumulator row is read, Out + 3 the sums come out, Out + MatrixTail the new accumulator row is written.
module npu_matrix
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
  output issue_t                  prepare_request_o,
  output logic                    prepare_taken_o,
  input  logic                    prepare_issue_i,
  output banks_t                  prepare_hold_o,  // read ports
  output issue_t                  stream_request_o,
  input  logic                    stream_issue_i,
  output banks_t                  stream_hold_rd_o,
  output banks_t                  stream_hold_wr_o,
  output finish_t                 finish_o,
  output logic                    idle_o,
  // scratchpad: weights and activations
  output logic                    w_re_o,
  output logic [SpRowW-1:0]       w_row_o,
  input  logic [S-1:0][ElemW-1:0] w_data_i,
  output logic                    a_re_o,
  output logic [SpRowW-1:0]       a_row_o,
  input  logic [S-1:0][ElemW-1:0] a_data_i,
  // accumulator
  output logic                    c_re_o,
  output logic [AccRowW-1:0]      c_raddr_o,
  input  logic [S-1:0][31:0]      c_data_i,
  output logic                    c_we_o,
  output logic [AccRowW-1:0]      c_waddr_o,
  output logic [S-1:0][31:0]      c_data_o
);

  localparam int unsigned Step = Bf16 ? MatrixStepBf16 : MatrixStepInt8;

  // A tile in flight, from the start of its stream to its last write: one in the stage, and what fits between the first
  // row of a tile and its sums when each takes MatrixMinRows.
  localparam int unsigned Flights = 16;
  localparam int unsigned FlightW = $clog2(Flights);

  typedef struct packed {
    logic [AccBanks-1:0] banks;
    logic [Queues-1:0]   signal;
    logic [IndexW-1:0]   index;
  } flight_t;

  // ---- issue ----------------------------------------------------------------------------------------------------
  matmul_t            head, tile_q;
  logic               is_sync, is_matmul, start;
  banks_t             tile_first_q, tile_second_q;
  logic [IndexW-1:0]  tile_index_q;
  logic               prepare_full, prepare_reading, prepare_ready, stream_free, stream_reading, finish;
  logic [Flights-1:0] flights_valid_q;

  assign head      = head_i.bits;
  assign is_sync   = head.opcode == OpSync;
  assign is_matmul = head.opcode == OpMatmul;
  assign start     = prepare_issue_i && is_matmul;

  assign prepare_taken_o   = prepare_full;
  assign prepare_request_o = '{valid: head_valid_i && (is_matmul || idle_o), rd: is_matmul ? head_i.second : '0,
                               wr: '0};
  assign stream_request_o  = '{valid: prepare_ready && stream_free, rd: tile_first_q,
                               wr: '{acc: tile_first_q.acc, sp: '0}};

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      tile_q        <= '0;
      tile_first_q  <= '0;
      tile_second_q <= '0;
      tile_index_q  <= '0;
    end else if (start) begin
      tile_q        <= head;
      tile_first_q  <= head_i.first;
      tile_second_q <= head_i.second;
      tile_index_q  <= head_index_i;
    end
  end

  // ---- the stages and the array ---------------------------------------------------------------------------------
  logic                    load, load_tern, enter, enter_swap, c_valid;
  logic [$clog2(S)-1:0]    load_index;
  logic [S-1:0][ElemW-1:0] load_row, enter_row;
  logic [S-1:0]            enter_live;
  logic [S-1:0][31:0]      c_row;

  npu_prepare #(
    .S   (S),
    .Bf16(Bf16)
  ) u_prepare (
    .clk_i,
    .rst_ni,
    .start_i     (start),
    .start_op_i  (head),
    .take_i      (stream_issue_i),
    .full_o      (prepare_full),
    .reading_o   (prepare_reading),
    .ready_o     (prepare_ready),
    .re_o        (w_re_o),
    .row_o       (w_row_o),
    .data_i      (w_data_i),
    .load_o      (load),
    .load_tern_o (load_tern),
    .load_index_o(load_index),
    .load_row_o  (load_row)
  );

  typedef struct packed {
    logic               valid;
    logic               add;
    logic               last;
    logic [AccRowW-1:0] row;
  } sum_t;

  sum_t sum_entering, sum_reading;

  npu_stream #(
    .S   (S),
    .Bf16(Bf16)
  ) u_stream (
    .clk_i,
    .rst_ni,
    .start_i     (stream_issue_i),
    .start_op_i  (tile_q),
    .free_o      (stream_free),
    .reading_o   (stream_reading),
    .re_o        (a_re_o),
    .row_o       (a_row_o),
    .data_i      (a_data_i),
    .enter_o     (enter),
    .enter_swap_o(enter_swap),
    .enter_live_o(enter_live),
    .enter_row_o (enter_row),
    .sum_add_o   (sum_entering.add),
    .sum_last_o  (sum_entering.last),
    .sum_row_o   (sum_entering.row)
  );

  assign sum_entering.valid = stream_reading;

  npu_array #(
    .S   (S),
    .Bf16(Bf16)
  ) u_array (
    .clk_i,
    .rst_ni,
    .w_load_i (load),
    .w_tern_i (load_tern),
    .w_index_i(load_index),
    .w_row_i  (load_row),
    .a_valid_i(enter),
    .a_swap_i (enter_swap),
    .a_live_i (enter_live),
    .a_row_i  (enter_row),
    .c_valid_o(c_valid),
    .c_row_o  (c_row)
  );

  npu_delay #(
    .Width ($bits(sum_t)),
    .Stages(S * Step + S + 2)
  ) u_follow (
    .clk_i,
    .rst_ni,
    .d_i(sum_entering),
    .q_o(sum_reading)
  );

  if (Bf16) begin : gen_bf16
    npu_bf16_accumulate #(
      .S(S)
    ) u_accumulate (
      .clk_i,
      .rst_ni,
      .row_valid_i(sum_reading.valid),
      .row_add_i  (sum_reading.add),
      .row_last_i (sum_reading.last),
      .row_i      (sum_reading.row),
      .c_valid_i  (c_valid),
      .c_row_i    (c_row),
      .finish_o   (finish),
      .re_o       (c_re_o),
      .raddr_o    (c_raddr_o),
      .rdata_i    (c_data_i),
      .we_o       (c_we_o),
      .waddr_o    (c_waddr_o),
      .wdata_o    (c_data_o)
    );
  end else begin : gen_int8
    npu_accumulate #(
      .S(S)
    ) u_accumulate (
      .clk_i,
      .rst_ni,
      .row_valid_i(sum_reading.valid),
      .row_add_i  (sum_reading.add),
      .row_last_i (sum_reading.last),
      .row_i      (sum_reading.row),
      .c_valid_i  (c_valid),
      .c_row_i    (c_row),
      .finish_o   (finish),
      .re_o       (c_re_o),
      .raddr_o    (c_raddr_o),
      .rdata_i    (c_data_i),
      .we_o       (c_we_o),
      .waddr_o    (c_waddr_o),
      .wdata_o    (c_data_o)
    );
  end

  // ---- tiles in flight ------------------------------------------------------------------------------------------
  flight_t            flights_q[Flights];
  flight_t            finishing;
  logic [FlightW-1:0] flight_wptr_q, flight_rptr_q;

  assign finishing = flights_q[flight_rptr_q];

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      flight_wptr_q   <= '0;
      flight_rptr_q   <= '0;
      flights_valid_q <= '0;
    end else begin
      if (stream_issue_i) flight_wptr_q <= flight_wptr_q + 1'b1;
      if (finish) flight_rptr_q <= flight_rptr_q + 1'b1;
      if (finish) flights_valid_q[flight_rptr_q] <= 1'b0;
      if (stream_issue_i) flights_valid_q[flight_wptr_q] <= 1'b1;
    end
  end

  always_ff @(posedge clk_i) begin
    if (stream_issue_i) begin
      flights_q[flight_wptr_q] <= '{banks: tile_first_q.acc, signal: tile_q.signal, index: tile_index_q};
    end
  end

  // ---- what the others see --------------------------------------------------------------------------------------
  banks_t streaming_q;  // banks of the tile in STREAM

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) streaming_q <= '0;
    else if (stream_issue_i) streaming_q <= tile_first_q;
  end

  always_comb begin
    stream_hold_wr_o = '0;
    for (int unsigned i = 0; i < Flights; i++) begin
      if (flights_valid_q[i]) stream_hold_wr_o.acc |= flights_q[i].banks;
    end
    stream_hold_rd_o = stream_hold_wr_o;
    if (stream_reading) stream_hold_rd_o.sp = streaming_q.sp;
  end

  assign prepare_hold_o = prepare_reading ? tile_second_q : '0;
  assign idle_o         = !prepare_full && flights_valid_q == '0;

  always_comb begin
    finish_o = '{valid: finish, signal: finishing.signal, index: finishing.index};
    if (prepare_issue_i && is_sync) finish_o = '{valid: 1'b1, signal: head.signal, index: head_index_i};
  end

  logic unused_bits;
  assign unused_bits = ^{head, head_i, finishing, streaming_q.acc, tile_first_q, tile_second_q};

  `NPU_ASSERT(FlightsFit_A, stream_issue_i -> !flights_valid_q[flight_wptr_q])
  `NPU_ASSERT(SyncAlone_A, prepare_issue_i && is_sync -> !finish)

endmodule
