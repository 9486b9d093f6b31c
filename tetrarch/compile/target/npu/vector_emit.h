// Instruction streams of vector programs.
#pragma once

#include <functional>
#include <map>
#include <memory>

#include "tetrarch/compile/target/npu/stream.h"
#include "tetrarch/compile/target/npu/vector_program.h"

namespace tetrarch::npu {

// A row of a constant that a program of floats loads, bits of fp32: `tail` stands in the lanes that the last
// tile of a row has no columns for.
struct NumberRow {
  uint32_t value = 0, tail = 0;
  auto operator<=>(const NumberRow&) const = default;
};

// What a program of floats computes with, as it lies in DRAM: its constant rows, then its tables. Empty for
// integers, whose constants the vector unit makes.
std::vector<std::byte> constantsOf(const VectorProgram& program, int64_t side);
std::vector<NumberRow> numberRows(const VectorProgram& program);
// Between the first two lies any number, and in other lanes 0; below the third any number, but minus
// infinity.
inline constexpr NumberRow kLeast = {0xff800000, 0}, kMost = {0x7f800000, 0},
                           kNone = {0x7f800000, 0xff800000};

// Where the sums of a contraction lie: at another place for each tile.
inline constexpr int64_t kSumsPlace = kAccBit | int64_t{1} << 20;

// How a program is cut and where its values lie. A block of rows lies on the chip one tile of S columns after
// the other. A program without rows and columns of its own is computed as rows of S elements, and the rest.
struct VectorPlan {
  VectorProgram program;
  int64_t rest = 0;        // elements behind the rows
  int64_t block_rows = 1;  // at most
  int64_t tiles = 1;       // of a row
  bool of_sums = false;    // a block has one tile of each row: it is computed on sums of a contraction

  // First rows. In the scratchpad values of a block are relative to one of two areas, used in turn.
  std::vector<int64_t> places;           // local addresses, by node, or kSumsPlace; -1: no result needs it
  std::map<int, int64_t> tables;         // scratchpad rows, by buffer (of floats: by table of the program)
  std::map<int64_t, int64_t> constants;  // accumulator rows, by value
  std::map<int, int64_t> pairs;          // accumulator rows of VPARAM pairs, by node
  int64_t mask = -1;                     // scratchpad row: 1 in the columns of the last tile, else 0
  int64_t pads = -1;                     // accumulator row: 0 in the columns of the last tile, else -128
  int64_t scratch = -1;                  // accumulator rows for the preparation of columns
  int64_t area = 0, area_rows = 0;
  int64_t constant_rows = -1;  // of floats: the accumulator row of the first constant row

  int64_t scratchpadRows() const { return area + 2 * area_rows; }
  int64_t blocks() const { return (program.rows + block_rows - 1) / block_rows + (rest > 0 ? 1 : 0); }
};

// Unimplemented, with the reason, when the processor cannot compute the program or a row does not fit.
Result<VectorPlan> planVector(const Config& config, VectorProgram program);

// The same for a program of elements whose sums (kSumsBuffer) are on the chip already, up to `block_rows`
// rows of one tile at a time: in the accumulator rows from `first` on. Unimplemented also when it does not
// fit there. What lies in the scratchpad counts from row 0, until relocated() moves it.
Result<VectorPlan> planOnSums(const Config& config, const VectorProgram& program, int64_t block_rows,
                              int64_t first);
VectorPlan relocated(VectorPlan plan, int64_t scratchpad_row);

// Addresses in DRAM, dense and row-major; a table has 256 numbers of 16 bits. `constants` is where
// constantsOf() the program lie.
struct VectorAddresses {
  std::span<const int64_t> operands, results;
  int64_t constants = 0;
};

// Adds blocks [begin, end) to a stream that has nothing before.
void emitVector(const Config& config, const VectorPlan& plan, const VectorAddresses& addresses, int64_t begin,
                int64_t end, StreamBuilder& builder);

// Computes a plan of planOnSums() in the middle of a stream.
class SumsProgram {
 public:
  // What is computed on: `rows` rows of sums at this local address, of tile `tile` of their columns.
  struct Tile {
    int64_t sums = 0, rows = 1, tile = 0;
  };
  // Asked to load an operand into the rows at a local address.
  using Load = std::function<void(int operand, int64_t local, int64_t bytes)>;

  SumsProgram(const Config& config, const VectorPlan& plan, const VectorAddresses& addresses,
              StreamBuilder& builder);
  ~SumsProgram();
  // Columns are read from so many of them on; loads and computes all that is the same for every tile.
  void setColumns(int64_t first);
  // The local address of the result.
  int64_t compute(const Tile& tile, const Load& load);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tetrarch::npu
