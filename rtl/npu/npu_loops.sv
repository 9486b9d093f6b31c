// The four loops of a DMA queue, as DIM sets them.
module npu_loops
  import npu_isa_pkg::*;
(
  input  logic                   clk_i,
  input  logic                   rst_ni,
  input  logic                   set_i,
  input  dim_t                   dim_i,
  output logic [Loops-1:0][15:0] count_o,
  output logic [Loops-1:0][31:0] dram_stride_o,
  output logic [Loops-1:0][15:0] row_stride_o
);

  logic [15:0] count_q[Loops]  /*verilator public_flat_rw*/;
  logic [31:0] dram_stride_q[Loops]  /*verilator public_flat_rw*/;
  logic [15:0] row_stride_q[Loops]  /*verilator public_flat_rw*/;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      for (int unsigned k = 0; k < Loops; k++) begin
        count_q[k]       <= 16'd1;
        dram_stride_q[k] <= '0;
        row_stride_q[k]  <= '0;
      end
    end else if (set_i) begin
      count_q[dim_i.loop]       <= dim_i.count;
      dram_stride_q[dim_i.loop] <= dim_i.dram_stride;
      row_stride_q[dim_i.loop]  <= dim_i.row_stride;
    end
  end

  for (genvar k = 0; k < Loops; k++) begin : gen_out
    assign count_o[k]       = count_q[k];
    assign dram_stride_o[k] = dram_stride_q[k];
    assign row_stride_o[k]  = row_stride_q[k];
  end

  logic unused_dim;
  assign unused_dim = ^dim_i;

endmodule
