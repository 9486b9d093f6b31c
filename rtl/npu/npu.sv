`include "npu_assert.svh"

// The processor: fetch, four queues with their units, the issue rules and tokens between them, the local memories. See
// README.md for what it does and in which cycle.
//
// A run begins when run_i rises after reset, and lasts until done_o: run_i stays high. DRAM is outside: three channels
// that never stall and answer reads in order, with fetch and load each their own.
module npu
  import npu_isa_pkg::*, npu_pkg::*;
#(
  parameter int unsigned S = 16,                       // side of the array: 8, 16 or 32
  parameter bit Bf16 = 1'b0,                           // the kind: bf16, else int8
  parameter int unsigned SpRows = SpBytes / (Bf16 ? 2 * S : S),  // powers of two
  parameter int unsigned AccRows = AccBytes / (4 * S),
  parameter int unsigned RowsInFlight = 128            // more than the latency of DRAM
) (
  input  logic                      clk_i,
  input  logic                      rst_ni,
  // control
  input  logic                      run_i,
  input  logic [31:0]               program_i,         // byte address, a multiple of 16
  input  logic [IndexW-1:0]         length_i,          // instructions
  input  logic [32:0]               dram_bytes_i,      // a multiple of 64
  output logic                      done_o,
  output cause_e                    cause_o,
  output logic [$clog2(Queues)-1:0] cause_queue_o,     // of a cause found after dispatch
  output logic [IndexW-1:0]         cause_index_o,     // in the program, or in that queue
  output logic [63:0]               cycles_o,
  // DRAM: fetch
  output logic                      fetch_req_o,
  output logic [31:0]               fetch_addr_o,
  input  logic                      fetch_valid_i,
  input  logic [127:0]              fetch_data_i,
  // DRAM: read
  output logic                      read_req_o,
  output logic                      read_empty_o,      // a beat without data: answered in turn, with anything
  output logic [31:0]               read_addr_o,
  input  logic                      read_valid_i,
  input  logic [S-1:0][7:0]         read_data_i,
  // DRAM: write
  output logic                      write_req_o,
  output logic [31:0]               write_addr_o,
  output logic [S-1:0][7:0]         write_data_o,
  output logic [S-1:0]              write_strobe_o
);

  localparam int unsigned ElemW = Bf16 ? 16 : 8;  // bits of a scratchpad element
  localparam int unsigned SpRowBytes = S * ElemW / 8;

  // ---- run and stop ---------------------------------------------------------------------------------------------
  logic   running, stopped_q, ended, blocked, dispatched;
  logic [63:0] cycles_q;

  assign running = run_i && !done_o;

  // ---- queues ---------------------------------------------------------------------------------------------------
  logic   [Queues-1:0]             push, full, head_valid, pop;
  entry_t                          entry;
  entry_t [Queues-1:0]             head;
  logic   [Queues-1:0][IndexW-1:0] head_index;
  error_t                          fetch_error;

  npu_fetch #(
    .S      (S),
    .Bf16   (Bf16),
    .SpRows (SpRows),
    .AccRows(AccRows)
  ) u_fetch (
    .clk_i,
    .rst_ni,
    .run_i       (running),
    .program_i,
    .length_i,
    .dram_req_o  (fetch_req_o),
    .dram_addr_o (fetch_addr_o),
    .dram_valid_i(fetch_valid_i),
    .dram_data_i (fetch_data_i),
    .queue_full_i(full),
    .queue_push_o(push),
    .entry_o     (entry),
    .error_o     (fetch_error),
    .ended_o     (ended),
    .blocked_o   (blocked)
  );

  assign dispatched = |push;

  for (genvar q = 0; q < Queues; q++) begin : gen_queue
    npu_queue #(
      .Width ($bits(entry_t)),
      .Depth (QueueDepth),
      .IndexW(IndexW)
    ) u_queue (
      .clk_i,
      .rst_ni,
      .push_i (push[q]),
      .data_i (entry),
      .full_o (full[q]),
      .valid_o(head_valid[q]),
      .head_o (head[q]),
      .index_o(head_index[q]),
      .pop_i  (pop[q])
    );
  end

  // ---- tokens and issue -----------------------------------------------------------------------------------------
  logic    [Queues-1:0][Queues-1:0] waits, signals;
  logic    [Queues-1:0]             tokens_there, overflow;
  finish_t [Queues-1:0]             finish;
  issue_t  [Clients-1:0]            request, gated_request;
  banks_t  [Clients-1:0]            hold_rd, hold_wr;
  logic    [Clients-1:0]            issue;
  logic                             prepare_taken;

  // The matrix queue issues into PREPARE; STREAM needs no tokens.
  assign pop = {issue[CStore], issue[CVector], issue[CPrepare], issue[CLoad]};

  always_comb begin
    for (int unsigned q = 0; q < Queues; q++) begin
      waits[q]   = head[q].bits[7:4];
      signals[q] = finish[q].valid && running ? finish[q].signal : '0;
    end
    gated_request                 = request;
    gated_request[CLoad].valid    = request[CLoad].valid && tokens_there[QLoad];
    gated_request[CPrepare].valid = request[CPrepare].valid && tokens_there[QMatrix];
    gated_request[CVector].valid  = request[CVector].valid && tokens_there[QVector];
    gated_request[CStore].valid   = request[CStore].valid && tokens_there[QStore];
  end

  npu_tokens u_tokens (
    .clk_i,
    .rst_ni,
    .wait_i    (waits),
    .ready_o   (tokens_there),
    .take_i    (pop),
    .signal_i  (signals),
    .overflow_o(overflow)
  );

  npu_issue u_issue (
    .clk_i,
    .rst_ni,
    .stop_i         (!running),
    .request_i      (gated_request),
    .prepare_taken_i(prepare_taken),
    .hold_rd_i      (hold_rd),
    .hold_wr_i      (hold_wr),
    .issue_o        (issue)
  );

  // ---- units ----------------------------------------------------------------------------------------------------
  localparam int unsigned SpReaders = 5;
  localparam int unsigned AccReaders = 4;
  localparam int unsigned SpWriters = 2;
  localparam int unsigned AccWriters = 3;

  // Scratchpad readers: 0 weights, 1 activations, 2 vector A, 3 vector B, 4 store. Writers: 0 load, 1 vector.
  logic [SpReaders-1:0]               sp_re;
  logic [SpReaders-1:0][SpRowW-1:0]   sp_raddr;
  logic [SpReaders-1:0][S-1:0][ElemW-1:0] sp_rdata;
  logic [SpWriters-1:0]               sp_we;
  logic [SpWriters-1:0][SpRowW-1:0]   sp_waddr;
  logic [SpWriters-1:0][S-1:0][ElemW-1:0] sp_wdata;
  // Accumulator readers: 0 sums, 1 vector A, 2 vector B, 3 store. Writers: 0 load, 1 vector, 2 sums.
  logic [AccReaders-1:0]              acc_re;
  logic [AccReaders-1:0][AccRowW-1:0] acc_raddr;
  logic [AccReaders-1:0][S-1:0][31:0] acc_rdata;
  logic [AccWriters-1:0]              acc_we;
  logic [AccWriters-1:0][AccRowW-1:0] acc_waddr;
  logic [AccWriters-1:0][S-1:0][31:0] acc_wdata;

  logic   [Queues-1:0] idle;
  error_t [Queues-1:0] error;
  logic [SpRowW-1:0]   load_row, vector_a_row, vector_b_row, vector_d_row, store_row;
  logic [4*S-1:0][7:0] load_data;

  npu_load #(
    .S           (S),
    .RowsInFlight(RowsInFlight)
  ) u_load (
    .clk_i,
    .rst_ni,
    .head_valid_i(head_valid[QLoad]),
    .head_i      (head[QLoad]),
    .head_index_i(head_index[QLoad]),
    .request_o   (request[CLoad]),
    .issue_i     (issue[CLoad]),
    .hold_o      (hold_wr[CLoad]),
    .finish_o    (finish[QLoad]),
    .error_o     (error[QLoad]),
    .idle_o      (idle[QLoad]),
    .dram_bytes_i,
    .dram_req_o  (read_req_o),
    .dram_empty_o(read_empty_o),
    .dram_addr_o (read_addr_o),
    .dram_valid_i(read_valid_i),
    .dram_data_i (read_data_i),
    .sp_we_o     (sp_we[0]),
    .acc_we_o    (acc_we[0]),
    .row_o       (load_row),
    .row_data_o  (load_data)
  );

  assign hold_rd[CLoad] = '0;
  assign sp_waddr[0]    = load_row;
  assign sp_wdata[0]    = load_data[SpRowBytes-1:0];
  assign acc_waddr[0]   = load_row[AccRowW-1:0];
  assign acc_wdata[0]   = load_data;

  npu_matrix #(
    .S   (S),
    .Bf16(Bf16)
  ) u_matrix (
    .clk_i,
    .rst_ni,
    .head_valid_i     (head_valid[QMatrix]),
    .head_i           (head[QMatrix]),
    .head_index_i     (head_index[QMatrix]),
    .prepare_request_o(request[CPrepare]),
    .prepare_taken_o  (prepare_taken),
    .prepare_issue_i  (issue[CPrepare]),
    .prepare_hold_o   (hold_rd[CPrepare]),
    .stream_request_o (request[CStream]),
    .stream_issue_i   (issue[CStream]),
    .stream_hold_rd_o (hold_rd[CStream]),
    .stream_hold_wr_o (hold_wr[CStream]),
    .finish_o         (finish[QMatrix]),
    .idle_o           (idle[QMatrix]),
    .w_re_o           (sp_re[0]),
    .w_row_o          (sp_raddr[0]),
    .w_data_i         (sp_rdata[0]),
    .a_re_o           (sp_re[1]),
    .a_row_o          (sp_raddr[1]),
    .a_data_i         (sp_rdata[1]),
    .c_re_o           (acc_re[0]),
    .c_raddr_o        (acc_raddr[0]),
    .c_data_i         (acc_rdata[0]),
    .c_we_o           (acc_we[2]),
    .c_waddr_o        (acc_waddr[2]),
    .c_data_o         (acc_wdata[2])
  );

  assign hold_wr[CPrepare] = '0;
  assign error[QMatrix]    = '0;

  npu_vector #(
    .S   (S),
    .Bf16(Bf16)
  ) u_vector (
    .clk_i,
    .rst_ni,
    .head_valid_i(head_valid[QVector]),
    .head_i      (head[QVector]),
    .head_index_i(head_index[QVector]),
    .request_o   (request[CVector]),
    .issue_i     (issue[CVector]),
    .hold_rd_o   (hold_rd[CVector]),
    .hold_wr_o   (hold_wr[CVector]),
    .finish_o    (finish[QVector]),
    .idle_o      (idle[QVector]),
    .sp_a_re_o   (sp_re[2]),
    .sp_b_re_o   (sp_re[3]),
    .acc_a_re_o  (acc_re[1]),
    .acc_b_re_o  (acc_re[2]),
    .a_row_o     (vector_a_row),
    .b_row_o     (vector_b_row),
    .sp_a_data_i (sp_rdata[2]),
    .sp_b_data_i (sp_rdata[3]),
    .acc_a_data_i(acc_rdata[1]),
    .acc_b_data_i(acc_rdata[2]),
    .sp_we_o     (sp_we[1]),
    .acc_we_o    (acc_we[1]),
    .d_row_o     (vector_d_row),
    .sp_data_o   (sp_wdata[1]),
    .acc_data_o  (acc_wdata[1])
  );

  assign error[QVector] = '0;
  assign sp_raddr[2]    = vector_a_row;
  assign sp_raddr[3]    = vector_b_row;
  assign acc_raddr[1]   = vector_a_row[AccRowW-1:0];
  assign acc_raddr[2]   = vector_b_row[AccRowW-1:0];
  assign sp_waddr[1]    = vector_d_row;
  assign acc_waddr[1]   = vector_d_row[AccRowW-1:0];

  npu_store #(
    .S   (S),
    .Bf16(Bf16)
  ) u_store (
    .clk_i,
    .rst_ni,
    .head_valid_i (head_valid[QStore]),
    .head_i       (head[QStore]),
    .head_index_i (head_index[QStore]),
    .request_o    (request[CStore]),
    .issue_i      (issue[CStore]),
    .hold_o       (hold_rd[CStore]),
    .finish_o     (finish[QStore]),
    .error_o      (error[QStore]),
    .idle_o       (idle[QStore]),
    .sp_re_o      (sp_re[4]),
    .acc_re_o     (acc_re[3]),
    .row_o        (store_row),
    .sp_data_i    (sp_rdata[4]),
    .acc_data_i   (acc_rdata[3]),
    .dram_bytes_i,
    .dram_we_o    (write_req_o),
    .dram_addr_o  (write_addr_o),
    .dram_data_o  (write_data_o),
    .dram_strobe_o(write_strobe_o)
  );

  assign hold_wr[CStore] = '0;
  assign sp_raddr[4]     = store_row;
  assign acc_raddr[3]    = store_row[AccRowW-1:0];

  // ---- local memories -------------------------------------------------------------------------------------------
  npu_banks #(
    .Banks  (SpBanks),
    .Rows   (SpRows),
    .Width  (ElemW * S),
    .Readers(SpReaders),
    .Writers(SpWriters),
    .RowW   (SpRowW)
  ) u_scratchpad (
    .clk_i,
    .rst_ni,
    .re_i   (sp_re),
    .raddr_i(sp_raddr),
    .rdata_o(sp_rdata),
    .we_i   (sp_we),
    .waddr_i(sp_waddr),
    .wdata_i(sp_wdata)
  );

  npu_banks #(
    .Banks  (AccBanks),
    .Rows   (AccRows),
    .Width  (32 * S),
    .Readers(AccReaders),
    .Writers(AccWriters),
    .RowW   (AccRowW)
  ) u_accumulator (
    .clk_i,
    .rst_ni,
    .re_i   (acc_re),
    .raddr_i(acc_raddr),
    .rdata_o(acc_rdata),
    .we_i   (acc_we),
    .waddr_i(acc_waddr),
    .wdata_i(acc_wdata)
  );

  // ---- end and faults -------------------------------------------------------------------------------------------
  typedef struct packed {
    cause_e                    cause;
    logic [$clog2(Queues)-1:0] of_queue;
    logic [IndexW-1:0]         index;
  } stop_t;

  logic  fault, nothing_flies, queues_empty, stuck;
  stop_t stop_d, stop_q;

  assign nothing_flies = &idle;
  assign queues_empty  = head_valid == '0;
  // When nothing flies, no port is held and each unit takes what it is given: a head that has its tokens, or one of
  // several, issues.
  assign stuck         = nothing_flies && !queues_empty && (head_valid & tokens_there) == '0 && !dispatched &&
                         (ended || blocked);

  // What is reported, the first of: fetch, then the queues, for each its memory access before its tokens.
  always_comb begin
    fault  = 1'b0;
    stop_d = '0;
    for (int q = Queues - 1; q >= 0; q--) begin
      if (stuck && head_valid[q]) begin
        fault  = 1'b1;
        stop_d = '{cause: CauseDeadlock, of_queue: 2'(q), index: head_index[q]};
      end
    end
    for (int q = Queues - 1; q >= 0; q--) begin
      if (overflow[q]) begin
        fault  = 1'b1;
        stop_d = '{cause: CauseTokenOverflow, of_queue: 2'(q), index: finish[q].index};
      end
      if (error[q].valid) begin
        fault  = 1'b1;
        stop_d = '{cause: error[q].cause, of_queue: 2'(q), index: error[q].index};
      end
    end
    if (fetch_error.valid) begin
      fault  = 1'b1;
      stop_d = '{cause: fetch_error.cause, of_queue: '0, index: fetch_error.index};
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      stopped_q <= 1'b0;
      stop_q    <= '0;
      cycles_q  <= '0;
    end else if (running) begin
      cycles_q <= cycles_q + 64'd1;
      if (fault) stopped_q <= 1'b1;
      stop_q   <= stop_d;
    end
  end

  assign done_o        = stopped_q || (ended && queues_empty && nothing_flies);
  assign cause_o       = stop_q.cause;
  assign cause_queue_o = stop_q.of_queue;
  assign cause_index_o = stop_q.index;
  assign cycles_o      = cycles_q;

  `NPU_ASSERT(StuckIsStill_A, stuck && running -> issue == '0)
  `NPU_ASSERT(StillIsStuck_A,
              running && nothing_flies && !queues_empty && issue == '0 && !dispatched && (ended || blocked) -> stuck)
  `NPU_ASSERT(IdleBeforeRun_A, !run_i -> nothing_flies && queues_empty)

endmodule
