`include "npu_assert.svh"

// The instruction that fetch is about to dispatch: its queue, the banks that it touches, and whether it is legal. It
// follows the DIMs that pass, because the rows of a LOAD, FILL or STORE depend on the loops.
module npu_decode
  import npu_isa_pkg::*, npu_pkg::*;
#(
  parameter int unsigned S = 16,
  parameter bit Bf16 = 1'b0,
  parameter int unsigned SpRows = 16384,
  parameter int unsigned AccRows = 1024
) (
  input  logic                      clk_i,
  input  logic                      rst_ni,
  input  logic [127:0]              bits_i,
  input  logic                      dispatch_i,  // the instruction goes to its queue in this cycle
  output logic                      halt_o,      // it is HALT
  output logic [$clog2(Queues)-1:0] queue_o,
  output entry_t                    entry_o,
  output logic                      legal_o,
  output cause_e                    cause_o      // why not
);

  localparam int unsigned SpRowBytes = Bf16 ? 2 * S : S;
  localparam logic [31:0] VopsOfKind = Bf16 ? VopsOfBf16 : VopsOfInt8;
  localparam int unsigned QueueW = $clog2(Queues);
  localparam int unsigned LastW = 36;

  sync_t   sync_bits;
  dim_t    dim_bits;
  load_t   dma_bits;     // LOAD, FILL and STORE lie alike as far as this goes
  matmul_t matmul_bits;
  vparam_t vparam_bits;
  table_t  table_bits;
  vop_t    vop_bits;

  assign sync_bits   = bits_i;
  assign dim_bits    = bits_i;
  assign dma_bits    = bits_i;
  assign matmul_bits = bits_i;
  assign vparam_bits = bits_i;
  assign table_bits  = bits_i;
  assign vop_bits    = bits_i;

  // ---- values ---------------------------------------------------------------------------------------------------
  logic known, no_tokens, values_ok;
  logic dma_ok, matmul_ok, vparam_ok, vop_ok;
  logic two, with_imm;
  logic [127:0] unused;   // bits that must be zero

  assign no_tokens = bits_i[11:4] == '0;
  assign dma_ok    = dma_bits.bytes != '0 && 32'(dma_bits.bytes) <= (dma_bits.row[RowW-1] ? 4 * S : SpRowBytes);
  assign matmul_ok = matmul_bits.n0 != '0 && matmul_bits.n1 != '0 && matmul_bits.k != '0 && 32'(matmul_bits.k) <= S &&
                     !(matmul_bits.keep && (matmul_bits.w_addr != '0 || matmul_bits.ternary)) &&
                     !(Bf16 && matmul_bits.ternary);
  assign vparam_ok = (vparam_bits.rows || vparam_bits.p_addr == '0) &&
                     (vparam_bits.scalars || {vparam_bits.hi, vparam_bits.lo, vparam_bits.zp, vparam_bits.zp_b,
                                              vparam_bits.mult_b, vparam_bits.shift_b} == '0);
  assign two       = VopsOfTwoOperands[vop_bits.op];
  assign with_imm  = VopsWithImm[vop_bits.op];
  assign vop_ok    = vop_bits.n0 != '0 && vop_bits.n1 != '0 && VopsOfKind[vop_bits.op] &&
                     (two || (!vop_bits.broadcast && vop_bits.b == '0)) && (with_imm || vop_bits.imm == '0) &&
                     !(vop_bits.op == VopRequantAdd && vop_bits.b[RowW-1]);

  always_comb begin
    known     = 1'b1;
    halt_o    = 1'b0;
    queue_o   = '0;
    unused    = '0;
    values_ok = 1'b1;
    unique case (bits_i[3:0])
      OpHalt: begin
        halt_o    = 1'b1;
        unused    = HaltUnused;
        values_ok = no_tokens;
      end
      OpSync: begin
        queue_o = sync_bits.queue;
        unused  = SyncUnused;
      end
      OpDim: begin
        queue_o   = dim_bits.of_store ? QueueW'(QStore) : QueueW'(QLoad);
        unused    = DimUnused;
        values_ok = no_tokens && dim_bits.count != '0;
      end
      OpLoad: begin
        queue_o   = QueueW'(QLoad);
        unused    = LoadUnused;
        values_ok = dma_ok;
      end
      OpFill: begin
        queue_o   = QueueW'(QLoad);
        unused    = FillUnused;
        values_ok = dma_ok;
      end
      OpStore: begin
        queue_o   = QueueW'(QStore);
        unused    = StoreUnused;
        values_ok = dma_ok;
      end
      OpMatmul: begin
        queue_o   = QueueW'(QMatrix);
        unused    = MatmulUnused;
        values_ok = matmul_ok;
      end
      OpVparam: begin
        queue_o   = QueueW'(QVector);
        unused    = VparamUnused;
        values_ok = vparam_ok;
      end
      OpTable: begin
        queue_o = QueueW'(QVector);
        unused  = TableUnused;
      end
      OpVop: begin
        queue_o   = QueueW'(QVector);
        unused    = VopUnused;
        values_ok = vop_ok;
      end
      default: known = 1'b0;
    endcase
  end

  // ---- rows -----------------------------------------------------------------------------------------------------
  // The extent of a loop: the rows from its first to its last iteration. [0] of the load queue, [1] of the store queue.
  logic [1:0][Loops-1:0][31:0] extent_q  /*verilator public_flat_rw*/;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      extent_q <= '0;
    end else if (dispatch_i && bits_i[3:0] == OpDim) begin
      extent_q[dim_bits.of_store][dim_bits.loop] <= (32'(dim_bits.count) - 32'd1) * 32'(dim_bits.row_stride);
    end
  end

  localparam int unsigned TableRows = 2 * TableEntries / SpRowBytes;
  localparam logic [LastW-1:0] WLast = {4'b0, S} - 1;
  localparam logic [LastW-1:0] WLastTernary = {4'b0, S / 4} - 1;
  localparam logic [LastW-1:0] TableLast = {4'b0, TableRows} - 1;

  // Up to three ranges: the rows of a DMA or activations or A or parameters or table; weights or B; sums or D.
  localparam int unsigned Ranges = 3;
  logic   [Ranges-1:0]             acc, in_range;
  logic   [Ranges-1:0][SpRowW-1:0] first;
  logic   [Ranges-1:0][LastW-1:0]  last;
  logic   [Ranges-1:0]             used;
  banks_t [Ranges-1:0]             range_banks, banks;
  logic   [20:0]                   matmul_rows;

  assign matmul_rows = 21'(matmul_bits.n0) * 21'(matmul_bits.n1);

  // MATMUL's activations and VOP's A are laid out alike.
  logic [LastW-1:0] strided, pitched;
  assign strided = LastW'(vop_bits.n1 - 10'd1) * LastW'(vop_bits.s1) +
                   LastW'(vop_bits.n0 - 11'd1) * LastW'(vop_bits.s0);
  assign pitched = LastW'(vop_bits.n1 - 10'd1) * LastW'(vop_bits.pitch);

  always_comb begin
    logic [LastW-1:0] dma_last;

    dma_last = LastW'(dma_bits.row[SpRowW-1:0]);
    for (int unsigned k = 0; k < Loops; k++) begin
      if (dma_bits.loops[k]) dma_last = dma_last + LastW'(extent_q[bits_i[3:0]==OpStore][k]);
    end

    used  = '0;
    acc   = '0;
    first = '0;
    last  = '0;
    unique case (bits_i[3:0])
      OpLoad, OpFill, OpStore: begin
        used     = 3'b001;
        acc[0]   = dma_bits.row[RowW-1];
        first[0] = dma_bits.row[SpRowW-1:0];
        last[0]  = dma_last;
      end
      OpMatmul: begin
        used     = matmul_bits.keep ? 3'b101 : 3'b111;
        first[0] = matmul_bits.a_addr;
        last[0]  = LastW'(matmul_bits.a_addr) + strided;
        first[1] = matmul_bits.w_addr;
        last[1]  = LastW'(matmul_bits.w_addr) + (matmul_bits.ternary ? WLastTernary : WLast);
        acc[2]   = 1'b1;
        first[2] = SpRowW'(matmul_bits.c_addr);
        last[2]  = LastW'(matmul_bits.c_addr) + LastW'(matmul_rows) - LastW'(1);
      end
      OpVparam: begin
        used     = vparam_bits.rows ? 3'b001 : 3'b000;
        acc[0]   = 1'b1;
        first[0] = SpRowW'(vparam_bits.p_addr);
        last[0]  = LastW'(vparam_bits.p_addr) + LastW'(VparamReads - 1);
      end
      OpTable: begin
        used     = 3'b001;
        first[0] = table_bits.addr;
        last[0]  = LastW'(table_bits.addr) + TableLast;
      end
      OpVop: begin
        used     = two ? 3'b111 : 3'b101;
        acc[0]   = vop_bits.a[RowW-1];
        first[0] = vop_bits.a[SpRowW-1:0];
        last[0]  = LastW'(vop_bits.a[SpRowW-1:0]) + strided;
        acc[1]   = vop_bits.b[RowW-1];
        first[1] = vop_bits.b[SpRowW-1:0];
        last[1]  = LastW'(vop_bits.b[SpRowW-1:0]) +
                   (vop_bits.broadcast ? '0 : pitched + LastW'(vop_bits.n0 - 11'd1));
        acc[2]   = vop_bits.d[RowW-1];
        first[2] = vop_bits.d[SpRowW-1:0];
        last[2]  = LastW'(vop_bits.d[SpRowW-1:0]) + pitched +
                   (VopsThatFold[vop_bits.op] ? '0 : LastW'(vop_bits.n0 - 11'd1));
      end
      default: used = '0;
    endcase
  end

  for (genvar i = 0; i < Ranges; i++) begin : gen_range
    npu_ranges #(
      .SpRows (SpRows),
      .AccRows(AccRows),
      .LastW  (LastW)
    ) u_range (
      .acc_i     (acc[i]),
      .first_i   (first[i]),
      .last_i    (last[i]),
      .banks_o   (range_banks[i]),
      .in_range_o(in_range[i])
    );
    assign banks[i] = used[i] ? range_banks[i] : '0;
  end

  always_comb begin
    entry_o = '{bits: bits_i, first: banks[0], second: banks[1], meet: 1'b0};
    if (bits_i[3:0] == OpMatmul) entry_o.first = banks[0] | banks[2];
    if (bits_i[3:0] == OpVop) begin
      entry_o.first  = banks[0] | banks[1];
      entry_o.second = banks[2];
      entry_o.meet   = (banks[0] & banks[1]) != '0;
    end
  end

  // ---- verdict --------------------------------------------------------------------------------------------------
  logic fields_ok, rows_ok;

  assign fields_ok = values_ok && (bits_i & unused) == '0;
  assign rows_ok   = (used & ~in_range) == '0;
  assign legal_o   = known && fields_ok && rows_ok;

  always_comb begin
    cause_o = CauseLocalRange;
    if (!fields_ok) cause_o = CauseIllegalField;
    if (!known) cause_o = CauseIllegalOpcode;
  end

  logic unused_bits;
  assign unused_bits = ^{sync_bits, dim_bits, dma_bits, matmul_bits, vparam_bits, table_bits, vop_bits};

  `NPU_ASSERT(DispatchesTheLegal_A, dispatch_i -> legal_o)

endmodule
