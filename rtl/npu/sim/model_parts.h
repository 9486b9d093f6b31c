// What the wrapper touches inside a Verilated model of module npu, by the names that Verilator gives it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "tetrarch/devices/npu/config.h"

namespace tetrarch::npu {

struct ModelParts {
  std::array<std::byte*, kSpBanks> sp;
  std::array<std::byte*, kAccBanks> acc;
  std::byte* table;                                           // lane 0's copy
  const uint16_t* weights;                                    // bf16 kind: [row][column]; else null
  std::array<std::array<uint8_t*, kQueues>, kQueues> tokens;  // [from][to]
  std::array<uint16_t*, 2> counts, strides;  // of the load and of the store queue, a loop each
  std::array<uint32_t*, 2> dram_strides;
  uint32_t* extents;  // [queue][loop]
  uint32_t* bias;     // a lane each
  uint32_t* scale;
  uint32_t* scalars;  // three words
};

std::byte* bytesOf(auto& memory) { return reinterpret_cast<std::byte*>(&memory[0]); }

// Memories and registers by the names that Verilator gives them.
#define NPU_BANK(memory, i) \
  bytesOf(r.npu__DOT__##memory##__DOT__gen_bank__BRA__##i##__KET____DOT__u_ram__DOT__mem)
#define NPU_BANKS_4(memory, a, b, c, d) \
  NPU_BANK(memory, a), NPU_BANK(memory, b), NPU_BANK(memory, c), NPU_BANK(memory, d)
#define NPU_LOOPS(name) \
  {&r.npu__DOT__u_load__DOT__u_loops__DOT__##name[0], &r.npu__DOT__u_store__DOT__u_loops__DOT__##name[0]}

template <typename Model>
ModelParts partsOf(Model& model) {
  auto& r = *model.rootp;
  ModelParts parts = {
      .sp = {NPU_BANKS_4(u_scratchpad, 0, 1, 2, 3), NPU_BANKS_4(u_scratchpad, 4, 5, 6, 7),
             NPU_BANKS_4(u_scratchpad, 8, 9, 10, 11), NPU_BANKS_4(u_scratchpad, 12, 13, 14, 15)},
      .acc = {NPU_BANKS_4(u_accumulator, 0, 1, 2, 3)},
      .table = bytesOf(
          r.npu__DOT__u_vector__DOT__gen_kind__DOT__gen_lane__BRA__0__KET____DOT__u_lane__DOT__u_table__DOT__mem),
      .weights = nullptr,
      .tokens = {},
      .counts = NPU_LOOPS(count_q),
      .strides = NPU_LOOPS(row_stride_q),
      .dram_strides = NPU_LOOPS(dram_stride_q),
      .extents = &r.npu__DOT__u_fetch__DOT__u_decode__DOT__extent_q[0],
      .bias = &r.npu__DOT__u_vector__DOT__bias_q[0],
      .scale = &r.npu__DOT__u_vector__DOT__scale_q[0],
      .scalars = &r.npu__DOT__u_vector__DOT__scalars_q[0],
  };
  for (int from = 0; from < kQueues; ++from) {
    for (int to = 0; to < kQueues; ++to) {
      parts.tokens[from][to] = &r.npu__DOT__u_tokens__DOT__count_q[from][to];
    }
  }
  if constexpr (requires { r.npu__DOT__u_matrix__DOT__u_array__DOT__gen_weights__DOT__weights; }) {
    parts.weights = &r.npu__DOT__u_matrix__DOT__u_array__DOT__gen_weights__DOT__weights[0][0];
  }
  return parts;
}

#undef NPU_BANK
#undef NPU_BANKS_4
#undef NPU_LOOPS

}  // namespace tetrarch::npu
