#include "tetrarch/compile/target/npu/pool.h"

#include <algorithm>

namespace tetrarch::npu {
namespace {

constexpr int64_t kMostFolds = 1023, kMostTaps = 2047, kMostTapStride = 255, kMostStride = 4095;

// Banks: of the scratchpad two slots of inputs, maxima along lines and two slots of outputs; of the
// accumulator memory sums along lines, sums and parameters. Inputs of 32 bits lie in the accumulator memory,
// too: a bank for each slot, one for sums along lines, one for the rest.
constexpr int64_t kInputBanks = 5, kLineBanks = 2, kOutputBanks = 2, kSumLineBanks = 2;
static_assert(2 * kInputBanks + kLineBanks + 2 * kOutputBanks == kSpBanks);

struct Places {
  int64_t inputs, lines, outputs;     // first rows; inputs, outputs: of two slots each
  int64_t input_rows, output_rows;    // of a slot
  int64_t line_rows, sums, sum_rows;  // sums: where they end, in the accumulator memory
  int64_t parameters, parameter_rows;

  Places(const Config& config, const Pool& pool) {
    const int64_t bank = config.sp_rows / kSpBanks, acc_bank = config.acc_rows / kAccBanks;
    inputs = 0;
    input_rows = kInputBanks * bank;
    outputs = 2 * input_rows;
    output_rows = kOutputBanks * bank;
    lines = pool.sums ? accAddress(0) : outputs + 2 * output_rows;
    line_rows = pool.sums ? kSumLineBanks * acc_bank : kLineBanks * bank;
    sums = accAddress(kSumLineBanks * acc_bank);
    sum_rows = parameter_rows = acc_bank;
    if (pool.input_element != 1) {
      inputs = accAddress(0), input_rows = acc_bank;
      lines = accAddress(2 * acc_bank), line_rows = acc_bank;
      sums = accAddress(3 * acc_bank), sum_rows = parameter_rows = acc_bank / 2;
    }
    parameters = config.acc_rows - parameter_rows;
  }
};

bool fits(const Places& places, const PoolPlan& plan) {
  const Pool& p = plan.work;
  const int64_t outputs = plan.outputRows(), lines = plan.inputLines() * plan.pitch();
  const bool on_chip = plan.blocks * plan.inputRows() <= places.input_rows && lines <= places.line_rows &&
                       plan.blocks * outputs <= places.output_rows &&
                       (!p.sums || (outputs <= places.sum_rows && (p.requantizes() || plan.blocks == 1)));
  return on_chip && plan.pitch() * p.h.dilation <= kMostTapStride && plan.pitch() <= kMostFolds &&
         outputs <= kMostTaps;
}

int64_t smaller(int64_t all, int64_t size) {
  int64_t parts = (all + size - 1) / size + 1;
  while ((all + parts - 1) / parts == size) ++parts;
  return (all + parts - 1) / parts;
}

class Emitter {
 public:
  Emitter(const Config& config, const PoolPlan& plan, StreamBuilder& builder)
      : config_(config), plan_(plan), p_(plan.work), places_(config, p_), out_(builder) {}

  void run(int64_t begin, int64_t end) {
    if (p_.requantizes()) setParameters();
    for (int64_t step = begin; step < end; ++step) compute(stepAt(step), step % 2);
  }

 private:
  // Outputs y0 <= y < y1, x0 <= x < x1 of blocks [block, block + blocks).
  struct Step {
    int64_t input, output;  // addresses of the plane's first channel
    int64_t y0, y1, x0, x1, block, blocks;

    int64_t lines() const { return y1 - y0; }
    int64_t pixels() const { return x1 - x0; }
  };
  // Along one axis the inputs begin … end - 1 exist, of which `first` is the index of the first read.
  struct Window {
    int64_t first, count, begin, end;
  };

  Step stepAt(int64_t index) const {
    const auto next = [&](int64_t count) {
      const int64_t i = index % count;
      index /= count;
      return i;
    };
    Step step{.input = p_.input, .output = p_.output};
    step.x0 = next(plan_.pixelTiles()) * plan_.pixels;
    step.y0 = next(plan_.lineTiles()) * plan_.lines;
    step.block = next(plan_.groups()) * plan_.blocks;
    step.x1 = std::min(p_.w.out, step.x0 + plan_.pixels);
    step.y1 = std::min(p_.h.out, step.y0 + plan_.lines);
    step.blocks = std::min(plan_.blocks, plan_.all_blocks - step.block);
    for (size_t i = p_.outer.size(); i-- > 0;) {
      const int64_t at = next(p_.outer[i].count);
      step.input += at * p_.outer[i].input;
      step.output += at * p_.outer[i].output;
    }
    return step;
  }

  static Window windowOf(const Axis& axis, int64_t out0, int64_t out1) {
    Window w{.first = out0 * axis.stride - axis.low, .count = axis.span(out1 - out0)};
    w.begin = std::clamp<int64_t>(0, w.first, w.first + w.count);
    w.end = std::clamp(axis.in, w.begin, std::max(w.begin, w.first + w.count));
    return w;
  }

  void setParameters() {
    const Epilogue& e = p_.epilogue;
    const Loop rows[] = {{p_.same_parameters ? 2 : 2 * plan_.all_blocks, 1, config_.accRowBytes()}};
    out_.load(accAddress(places_.parameters), config_.accRowBytes(), e.parameters, rows);
    out_.add(Vparam{.scalars = 1, .zp = e.zero_point, .lo = e.low, .hi = e.high});
  }

  void compute(const Step& step, int64_t slot) {
    const int64_t inputs = places_.inputs + slot * places_.input_rows,
                  outputs = places_.outputs + slot * places_.output_rows;
    loadInputs(step, inputs);
    for (int64_t b = 0; b < step.blocks; ++b) {
      const int64_t ends = outputs + b * plan_.outputRows();
      foldLines(step, inputs + b * plan_.inputRows());
      foldAcross(step, p_.sums ? places_.sums : ends);
      if (p_.requantizes()) requantize(step, step.block + b, ends);
    }
    storeOutputs(step, p_.outputElementBytes() == 4 ? places_.sums : outputs);
  }

  // ---- what moves ----

  void loadInputs(const Step& step, int64_t slot) {
    const Window h = windowOf(p_.h, step.y0, step.y1), w = windowOf(p_.w, step.x0, step.x1);
    fillBorders(step, slot, h, w);
    if (h.begin >= h.end || w.begin >= w.end) return;
    const int64_t row = slot + (h.begin - h.first) * plan_.inputPitch() + (w.begin - w.first);
    const int64_t from = step.input + h.begin * p_.input_h + w.begin * p_.input_w;
    const Loop loops[] = {{h.end - h.begin, plan_.inputPitch(), p_.input_h},
                          {w.end - w.begin, 1, p_.input_w}};
    forBlocks(step, plan_.inputRows(), p_.input_element, loops,
              [&](int64_t rows, int64_t bytes, int64_t first, auto all) {
                out_.load(row + rows, bytes, from + first, all);
              });
  }

  // Above, below, on the left and on the right.
  void fillBorders(const Step& step, int64_t slot, const Window& h, const Window& w) {
    const int64_t top = h.begin - h.first, bottom = h.end - h.first;
    fill(step, slot, {0, top}, {0, w.count});
    fill(step, slot, {bottom, h.count}, {0, w.count});
    fill(step, slot, {top, bottom}, {0, w.begin - w.first});
    fill(step, slot, {top, bottom}, {w.end - w.first, w.count});
  }
  void fill(const Step& step, int64_t slot, std::pair<int64_t, int64_t> y, std::pair<int64_t, int64_t> x) {
    if (y.first >= y.second || x.first >= x.second) return;
    const Loop loops[] = {{step.blocks, plan_.inputRows(), 0},
                          {y.second - y.first, plan_.inputPitch(), 0},
                          {x.second - x.first, 1, 0}};
    out_.fill(slot + y.first * plan_.inputPitch() + x.first, config_.side * p_.input_element, p_.padding,
              loops);
  }

  void storeOutputs(const Step& step, int64_t rows) {
    const int64_t element = p_.outputElementBytes();
    const int64_t to = step.output + step.y0 * p_.output_h + step.x0 * p_.output_w;
    const Loop loops[] = {{step.lines(), plan_.pitch(), p_.output_h}, {step.pixels(), 1, p_.output_w}};
    forBlocks(step, plan_.outputRows(), element, loops,
              [&](int64_t first_row, int64_t bytes, int64_t first, auto all) {
                out_.store(rows + first_row, bytes, to + first, all);
              });
  }

  // Whole blocks at once, and the one with fewer channels. Gives rows behind the first block's, bytes of a
  // row, bytes behind the first channel's.
  template <typename Transfer>
  void forBlocks(const Step& step, int64_t rows, int64_t element, std::span<const Loop> plane,
                 Transfer transfer) {
    const int64_t side = config_.side, first = step.block * side;
    const int64_t channels = std::min(step.blocks * side, p_.channels - first);
    const int64_t whole = channels / side, tail = channels % side;
    std::vector<Loop> loops(plane.begin(), plane.end());
    if (tail > 0)
      transfer(whole * rows, tail * element, (first + whole * side) * element, std::span<const Loop>(loops));
    if (whole == 0) return;
    loops.insert(loops.begin(), {whole, rows, side * element});
    transfer(0, side * element, first * element, std::span<const Loop>(loops));
  }

  // ---- what is computed ----

  Vop foldOf() const {
    return {.op = static_cast<int64_t>(p_.sums ? VectorOp::FOLD_SUM : VectorOp::FOLD_MAX)};
  }

  // The taps along w, of as many lines at once as one instruction takes.
  void foldLines(const Step& step, int64_t inputs) {
    const int64_t lines = p_.h.span(step.lines()), most = kMostFolds / plan_.pitch();
    for (int64_t line = 0; line < lines; line += most) {
      Vop fold = foldOf();
      fold.a = inputs + line * plan_.inputPitch(), fold.d = places_.lines + line * plan_.pitch();
      fold.n1 = std::min(most, lines - line) * plan_.pitch(), fold.s1 = p_.w.stride, fold.pitch = 1;
      fold.n0 = p_.w.taps, fold.s0 = p_.w.dilation;
      out_.add(fold);
    }
  }

  // The taps along h: lines of outputs that follow one another where those of inputs do.
  void foldAcross(const Step& step, int64_t ends) {
    const int64_t most = p_.h.stride == 1 ? kMostFolds / plan_.pitch() : 1;
    for (int64_t line = 0; line < step.lines(); line += most) {
      Vop fold = foldOf();
      fold.a = places_.lines + line * p_.h.stride * plan_.pitch(), fold.d = ends + line * plan_.pitch();
      fold.n1 = std::min(most, step.lines() - line) * plan_.pitch(), fold.s1 = 1, fold.pitch = 1;
      fold.n0 = p_.h.taps, fold.s0 = p_.h.dilation * plan_.pitch();
      out_.add(fold);
    }
  }

  void requantize(const Step& step, int64_t block, int64_t ends) {
    out_.add(Vparam{.rows = 1, .p_addr = places_.parameters + (p_.same_parameters ? 0 : 2 * block)});
    Vop requant{.op = static_cast<int64_t>(VectorOp::REQUANT)};
    requant.a = places_.sums, requant.d = ends;
    requant.n1 = 1, requant.n0 = step.lines() * plan_.pitch(), requant.s0 = 1;
    out_.add(requant);
  }

  const Config config_;
  const PoolPlan& plan_;
  const Pool& p_;
  const Places places_;
  StreamBuilder& out_;
};

}  // namespace

int64_t PoolPlan::steps() const {
  int64_t count = groups() * lineTiles() * pixelTiles();
  for (const OuterLoop& loop : work.outer) count *= loop.count;
  return count;
}

Result<PoolPlan> planPool(const Config& config, const Pool& pool) {
  PoolPlan plan{.work = pool, .lines = pool.h.out, .pixels = pool.w.out};
  // The one output of a line is as far from the next line's as the line is long.
  if (pool.w.out == 1) plan.work.w.stride = pool.w.span(1);
  plan.all_blocks = (pool.channels + config.side - 1) / config.side;
  const Places places(config, pool);
  const bool has_bits = pool.h.taps <= kMostTaps && pool.w.taps <= kMostTaps &&
                        pool.w.dilation <= kMostTapStride && plan.work.w.stride <= kMostStride;
  if (!has_bits) return unimplemented("windows of {} x {} are too large to fold", pool.h.taps, pool.w.taps);
  if (pool.requantizes() && !pool.same_parameters && 2 * plan.all_blocks > places.parameter_rows)
    return unimplemented("sums of {} channels with parameters of their own", pool.channels);
  while (!fits(places, plan)) {
    int64_t& size = plan.lines > 1 ? plan.lines : plan.pixels;
    if (size == 1)
      return unimplemented("a window of {} x {} does not fit on the chip", pool.h.taps, pool.w.taps);
    size = smaller(plan.lines > 1 ? pool.h.out : pool.w.out, size);
  }
  while (plan.blocks < plan.all_blocks) {
    ++plan.blocks;
    if (fits(places, plan)) continue;
    --plan.blocks;
    break;
  }
  return plan;
}

void emitPool(const Config& config, const PoolPlan& plan, int64_t begin, int64_t end,
              StreamBuilder& builder) {
  Emitter(config, plan, builder).run(begin, end);
}

}  // namespace tetrarch::npu
