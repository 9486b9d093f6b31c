#include "tetrarch/compile/target/npu/column_sums.h"

#include <algorithm>

namespace tetrarch::npu {
namespace {

constexpr int64_t kSlots = 2;  // of chunks, so that one is loaded while the other is added

int64_t countOf(const std::vector<OuterLoop>& loops) {
  int64_t count = 1;
  for (const OuterLoop& loop : loops) count *= loop.count;
  return count;
}

class Emitter {
 public:
  Emitter(const Config& config, const ColumnSumsPlan& plan, StreamBuilder& builder)
      : config_(config), plan_(plan), work_(plan.work), out_(builder) {
    chunks_ = Ring(accAddress(1), plan.chunk_rows, kSlots);
    narrow_ = Ring(0, plan.chunk_rows, kSlots);
    if (!plan.program) return;
    program_plan_ = relocated(*plan.program, kSlots * plan.chunk_rows);
    program_.emplace(
        config, program_plan_,
        VectorAddresses{
            .operands = work_.epilogue.operands, .results = {}, .constants = work_.epilogue.constants},
        builder);
    program_->setColumns(0);
  }

  void emit(int64_t begin, int64_t end) {
    for (int64_t step = begin; step < end; ++step) add(step);
  }

 private:
  void add(int64_t step) {
    const int64_t tiles = (work_.columns + config_.side - 1) / config_.side;
    const int64_t tile = step % tiles, column = tile * config_.side;
    int64_t input = work_.input + column * work_.element, output = work_.output, rest = step / tiles;
    for (size_t i = work_.outer.size(); i-- > 0;) {
      const OuterLoop& loop = work_.outer[i];
      input += rest % loop.count * loop.input, output += rest % loop.count * loop.output;
      rest /= loop.count;
    }
    const int64_t columns = std::min(config_.side, work_.columns - column);
    sumRows(input, columns);
    store(tile, columns, output + column * work_.outputElementBytes());
  }

  // The innermost loop of rows is cut into chunks; for each iteration of the others.
  void sumRows(int64_t input, int64_t columns) {
    const OuterLoop& inner = work_.rows.back();
    bool is_first = true;
    for (int64_t outer = 0; outer < countOf(work_.rows) / inner.count; ++outer) {
      int64_t address = input, rest = outer;
      for (size_t i = work_.rows.size() - 1; i-- > 0;) {
        address += rest % work_.rows[i].count * work_.rows[i].input;
        rest /= work_.rows[i].count;
      }
      for (int64_t first = 0; first < inner.count; first += plan_.chunk_rows) {
        const int64_t rows = std::min(plan_.chunk_rows, inner.count - first);
        const int64_t sum = sumChunk(address + first * inner.input, inner.input, rows, columns);
        is_first ? vop(VectorOp::MOVE, sum, 0, kSum, 1) : vop(VectorOp::FADD, kSum, sum, kSum, 1);
        is_first = false;
      }
    }
  }

  // Row i and row i + half, until one is left.
  int64_t sumChunk(int64_t address, int64_t stride, int64_t rows, int64_t columns) {
    const int64_t chunk = chunks_.next();
    const Loop loops[] = {{rows, 1, stride}};
    if (work_.element == 4) {
      out_.load(chunk, columns * 4, address, loops);
    } else {
      const int64_t narrow = narrow_.next();
      out_.load(narrow, columns * 2, address, loops);
      vop(VectorOp::MOVE, narrow, 0, chunk, rows);
    }
    while (rows > 1) {
      const int64_t half = rows / 2;
      vop(VectorOp::FADD, chunk, chunk + rows - half, chunk, half);
      rows -= half;
    }
    return chunk;
  }

  void store(int64_t tile, int64_t columns, int64_t output) {
    const int64_t bytes = work_.outputElementBytes();
    int64_t row = kSum;
    if (program_) {
      const int64_t element = (output - work_.epilogue.result) / bytes;
      row = program_->compute(
          {.sums = kSum, .rows = 1, .tile = tile}, [&](int operand, int64_t local, int64_t each) {
            out_.load(local, columns * each, work_.epilogue.operands[operand] + element * each, {});
          });
    }
    out_.store(row, columns * bytes, output, {});
  }

  void vop(VectorOp op, int64_t a, int64_t b, int64_t d, int64_t rows) {
    out_.add(Vop{.op = static_cast<int64_t>(op), .a = a, .b = b, .n0 = rows, .n1 = 1, .s0 = 1, .d = d});
  }

  static constexpr int64_t kSum = kAccBit;  // the accumulator row of the sums so far

  const Config config_;
  const ColumnSumsPlan& plan_;
  const ColumnSums& work_;
  StreamBuilder& out_;
  Ring chunks_, narrow_;
  VectorPlan program_plan_;
  std::optional<SumsProgram> program_;
};

}  // namespace

int64_t ColumnSumsPlan::steps(int64_t side) const {
  return countOf(work.outer) * ((work.columns + side - 1) / side);
}

Result<ColumnSumsPlan> planColumnSums(const Config& config, const ColumnSums& sums) {
  ColumnSumsPlan plan{.work = sums};
  const int64_t first = config.acc_rows / kAccBanks * (kAccBanks - kProgramBanks);
  plan.chunk_rows = std::min((first - 1) / kSlots, sums.rows.back().count);
  if (sums.epilogue.kind != Epilogue::Kind::Program) return plan;
  TET_ASSIGN_OR_RETURN(plan.program, planOnSums(config, sums.epilogue.program, 1, first));
  return plan;
}

Status emitColumnSums(const Config& config, const ColumnSumsPlan& plan, int64_t begin, int64_t end,
                      StreamBuilder& builder) {
  Emitter(config, plan, builder).emit(begin, end);
  return {};
}

}  // namespace tetrarch::npu
