// Instruction streams of vector programs.
#pragma once

#include <map>

#include "tetrarch/compile/target/npu/stream.h"
#include "tetrarch/compile/target/npu/vector_program.h"

namespace tetrarch::npu {

// How a program is cut and where its values lie. A block of rows lies on the chip one tile of S columns after
// the other. A program without rows and columns of its own is computed as rows of S elements, and the rest.
struct VectorPlan {
  VectorProgram program;
  int64_t rest = 0;        // elements behind the rows
  int64_t block_rows = 1;  // at most
  int64_t tiles = 1;       // of a row

  // First rows. In the scratchpad values of a block are relative to one of two areas, used in turn.
  std::vector<int64_t> places;           // local addresses, by node; -1: no result needs it
  std::map<int, int64_t> tables;         // scratchpad rows, by buffer
  std::map<int64_t, int64_t> constants;  // accumulator rows, by value
  std::map<int, int64_t> pairs;          // accumulator rows of VPARAM pairs, by node
  int64_t mask = -1;                     // scratchpad row: 1 in the columns of the last tile, else 0
  int64_t pads = -1;                     // accumulator row: 0 in the columns of the last tile, else -128
  int64_t scratch = -1;                  // accumulator rows for the preparation of columns
  int64_t area = 0, area_rows = 0;

  int64_t blocks() const { return (program.rows + block_rows - 1) / block_rows + (rest > 0 ? 1 : 0); }
};

// Unimplemented, with the reason, when the processor cannot compute the program or a row does not fit.
Result<VectorPlan> planVector(const Config& config, VectorProgram program);

// Addresses in DRAM, dense and row-major; a table has 256 numbers of 16 bits.
struct VectorAddresses {
  std::span<const int64_t> operands, results;
};

// Adds blocks [begin, end) to a stream that has nothing before.
void emitVector(const Config& config, const VectorPlan& plan, const VectorAddresses& addresses, int64_t begin,
                int64_t end, StreamBuilder& builder);

}  // namespace tetrarch::npu
