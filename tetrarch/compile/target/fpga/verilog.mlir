// The SystemVerilog of a nest and of a machine: AXI-stream ports, a FIFO for each stream, a pipeline that stalls as one, states.
// RUN: tetrarch-kernel %s --emit verilog --only double | FileCheck %s --check-prefix=NEST
// RUN: tetrarch-kernel %s --emit verilog --only loop | FileCheck %s --check-prefix=MACHINE

// NEST:       module fpga_fifo #(
// NEST-LABEL: module double_nest_0 (
// NEST:         assign issue = en && start_i && active_q && (s0_valid_i || !s0_take);
// NEST:         assign n0 = s0_box0 ? s0_data_i[7:0] : '0;
// NEST:         fpga_pipe #(.Width(8), .Stages(1)) u_n1 (.clk_i, .en_i(en), .d_i(n0 + n0), .q_o(n1));
// NEST:         assign blocked = (valid_q[1] && !s1_ready_i);
// NEST:         assign en = !blocked;
// NEST-LABEL: module double (
// NEST:         input  logic s_axis_0_tvalid,
// NEST-NEXT:    output logic s_axis_0_tready,
// NEST-NEXT:    input  logic [55:0] s_axis_0_tdata,
// NEST-NEXT:    output logic m_axis_1_tvalid,
// NEST-NEXT:    input  logic m_axis_1_tready,
// NEST-NEXT:    output logic [55:0] m_axis_1_tdata,
// NEST-NEXT:    output logic m_axis_1_tlast,
// NEST-NEXT:    output logic done_o
// NEST:         fpga_fifo #(.Width(56), .Depth(4)) u_s0 (
// NEST:         double_nest_0
func.func @double(%x: tensor<7xi8>) -> tensor<7xi8> {
  %e = tensor.empty() : tensor<7xi8>
  %y = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
      ins(%x : tensor<7xi8>) outs(%e : tensor<7xi8>) {
  ^bb0(%v: i8, %o: i8):
    %a = arith.addi %v, %v : i8
    linalg.yield %a : i8
  } -> tensor<7xi8>
  return %y : tensor<7xi8>
}

// MACHINE-LABEL: module loop_load_0 (
// MACHINE-LABEL: module loop_machine (
// MACHINE:         assign active = start_i && !ended_o;
// MACHINE:         assign x[[READ:[0-9]+]] = r0_data_i;
// MACHINE:         assign x{{[0-9]+}} = r{{[0-9]+}} ^ x[[READ]];
// MACHINE:         assign m0_we_o = active && (state_q ==
// MACHINE:           case (state_q)
// MACHINE:             {{.*}}: ended_o <= 1'b1;
// MACHINE-LABEL: module loop_send_{{[0-9]}} (
// MACHINE-LABEL: module loop (
func.func @loop(%x: tensor<4xi32>) -> tensor<1xi32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %e = tensor.empty() : tensor<1xi32>
  %z = arith.constant 0 : i32
  %s = scf.for %i = %c0 to %c4 step %c1 iter_args(%a = %z) -> i32 {
    %v = tensor.extract %x[%i] : tensor<4xi32>
    %b = arith.xori %a, %v : i32
    scf.yield %b : i32
  }
  %y = tensor.insert %s into %e[%c0] : tensor<1xi32>
  return %y : tensor<1xi32>
}
