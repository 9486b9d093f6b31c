// How a contraction is cut into tiles.
#include <algorithm>
#include <ranges>

#include "tetrarch/compile/target/npu/contraction.h"

namespace tetrarch::npu {
namespace {

// Of the largest tiles, in order: lines and pixels of a MATMUL and its strides have few bits.
constexpr int64_t kMaxPixels = 2047, kMaxLines = 1023, kMaxPixelStride = 255, kMaxLineStride = 4095;
// Rows of weights that are worth one LOAD.
constexpr int64_t kPieceRows = 256;
constexpr int64_t kLineAlignment = 64;

int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Cycles of matrix and load unit of one line of outputs, for the choice between two views of it.
int64_t lineCycles(const Contraction& c, int64_t side, bool aligned) {
  const int64_t blocks = ceilDiv(c.channels, side);
  const int64_t matrix = c.w.out * c.taps() * blocks * ceilDiv(c.columns, side);
  const int64_t load = c.h.stride * c.w.span(c.w.out) * blocks * (aligned ? 1 : 2);
  return std::max(matrix, load);
}

// A single tap reads every stride-th input: those alone are loaded.
void foldStride(Axis& axis, int64_t& input_stride) {
  if (axis.taps != 1 || axis.low != 0 || axis.stride == 1 || axis.span(axis.out) > axis.in) return;
  input_stride *= axis.stride;
  axis.in = axis.out;
  axis.stride = 1;
}

// The taps along w of neighbouring pixels are neighbours in memory: w.taps * channels bytes are one long row
// of channels, if weights agree and padding lies in memory.
std::optional<Contraction> tapsAsChannels(const Contraction& c) {
  const bool is_dense = c.input_w == c.channels * c.element && c.w.dilation == 1 && c.w.taps > 1 &&
                        c.weight_tap_w == c.channels * c.weight_channel;
  if (!is_dense) return std::nullopt;
  Contraction rows = c;
  rows.channels = c.w.taps * c.channels;
  rows.input_w = c.w.stride * c.channels * c.element;
  rows.w = {.out = c.w.out, .in = c.w.out};
  return rows;
}

bool needsPaddedLines(const Contraction& c) { return c.w.low != 0 || c.w.span(c.w.out) > c.w.in + c.w.low; }

// The next smaller size of equal parts of an axis.
int64_t smaller(int64_t out, int64_t size) {
  int64_t parts = ceilDiv(out, size) + 1;
  while (ceilDiv(out, parts) == size) ++parts;
  return ceilDiv(out, parts);
}

void shrink(ContractionPlan& plan) {
  int64_t& size = plan.lines > 1 ? plan.lines : plan.pixels;
  size = smaller(plan.lines > 1 ? plan.work.h.out : plan.work.w.out, size);
}

// The largest tile that the accumulator banks and the fields of MATMUL take.
void chooseTile(const Config& config, ContractionPlan& plan) {
  const Contraction& c = plan.work;
  const int64_t most = config.acc_rows / kAccBanks;
  plan.pixels = ceilDiv(c.w.out, ceilDiv(c.w.out, std::min(most, kMaxPixels)));
  while (plan.inputPitch() * c.h.stride > kMaxLineStride && plan.pixels > 1)
    plan.pixels = ceilDiv(plan.pixels, 2);
  const int64_t lines = plan.pixels == c.w.out ? std::clamp<int64_t>(most / plan.pixels, 1, kMaxLines) : 1;
  plan.lines = ceilDiv(c.h.out, ceilDiv(c.h.out, lines));
}

// Gives away the scratchpad; nothing when it is too small. What is on the chip anyway needs no place.
std::optional<ContractionAreas> areasOf(const Config& config, const ContractionPlan& plan) {
  Banks banks(config, plan.work.chip.sp_rows);
  const Epilogue& e = plan.work.epilogue;
  const ChipTensors& chip = plan.work.chip;
  const int64_t tile = plan.lines * plan.tilePitch(plan.pixels);
  ContractionAreas areas;
  bool fits = true;
  const auto take = [&](int64_t& area, int64_t rows) {
    const auto row = banks.scratchpad(rows);
    fits = fits && row.has_value();
    area = row.value_or(0);
  };
  take(areas.inputs, plan.input_slots * plan.inputRows());
  if (e.makesBytes() && !chip.output) take(areas.outputs, kTileSlots * tile);
  if (e.kind == Epilogue::Kind::RequantizeAdd && !chip.other) take(areas.others, kTileSlots * tile);
  if (e.table) {
    take(areas.table, config.tableRows() + 2 * tile);
    areas.bytes = areas.table + config.tableRows();
  }
  if (plan.pads_lines) take(areas.lines, banks.scratchpadBankRows() + 1);
  if (plan.program) take(areas.program, plan.program->scratchpadRows());
  areas.weight_rows = banks.freeScratchpadRows();
  take(areas.weights, 0);
  return fits ? std::optional(areas) : std::nullopt;
}

// Whether the rest of the plan fits, with weights in as many slots as there is room for.
bool chooseWeights(const Config& config, ContractionPlan& plan) {
  const auto areas = areasOf(config, plan);
  if (!areas) return false;
  plan.areas = *areas;
  const int64_t block_rows = plan.work.taps() * config.side;
  plan.piece_blocks = std::clamp<int64_t>(kPieceRows / block_rows, 1, plan.blocks);
  plan.pieces = ceilDiv(plan.blocks, plan.piece_blocks);
  const int64_t piece_rows = plan.piece_blocks * block_rows;
  plan.weight_slots = std::min(areas->weight_rows / piece_rows, plan.pieces * plan.panels);
  return plan.weight_slots >= std::min<int64_t>(2, plan.pieces * plan.panels);
}

// Lines lie in the workspace one after the other, those of all planes, with the padding that they need.
void padInWorkspace(ContractionPlan& plan) {
  Contraction& c = plan.work;
  c.input = plan.source.workspace;
  const int64_t line = plan.source.w.span(c.w.out) * plan.source.channels * c.element;
  c.input_h = ceilDiv(line, kLineAlignment) * kLineAlignment;
  int64_t plane = plan.source.h.in * c.input_h;
  for (OuterLoop& loop : std::views::reverse(c.outer)) {
    loop.input = plane;
    plane *= loop.count;
  }
}

void seeTapsAsChannels(const Config& config, ContractionPlan& plan) {
  const auto rows = tapsAsChannels(plan.work);
  if (!rows || lineCycles(*rows, config.side, false) >= lineCycles(plan.work, config.side, true)) return;
  const bool pads = needsPaddedLines(plan.work);
  const int64_t line_rows = ceilDiv(plan.work.w.in * plan.work.channels, config.side);
  if (pads && (plan.work.h.in != plan.source.h.in || line_rows > Banks(config).scratchpadBankRows() / 2))
    return;
  plan.work = *rows;
  plan.pads_lines = pads;
  if (pads) padInWorkspace(plan);
}

// Nothing when it does not fit beside a tile of this size, an error when it never will.
Status planProgram(const Config& config, ContractionPlan& plan) {
  plan.program.reset();
  const Epilogue& e = plan.work.epilogue;
  if (e.kind != Epilogue::Kind::Program) return {};
  const int64_t first = config.acc_rows / kAccBanks * (kAccBanks - kProgramBanks);
  auto program = planOnSums(config, e.program, plan.lines * plan.pixels, first);
  if (program) plan.program = std::move(*program);
  return program || plan.lines * plan.pixels > 1 ? Status() : Status(program.error());
}

}  // namespace

int64_t Contraction::outerCount() const {
  int64_t count = 1;
  for (const OuterLoop& loop : outer) count *= loop.count;
  return count;
}

int64_t Contraction::multiplications() const {
  return outerCount() * h.out * w.out * columns * channels * taps() / joined;
}

int64_t ContractionPlan::workspaceBytes() const {
  return pads_lines ? source.outerCount() * source.h.in * work.input_h : 0;
}

Result<ContractionPlan> planContraction(const Config& config, const Contraction& contraction) {
  ContractionPlan plan{.work = contraction, .source = contraction};
  const bool on_chip = contraction.chip.input.has_value();
  if (!on_chip) {
    foldStride(plan.work.w, plan.work.input_w);
    foldStride(plan.work.h, plan.work.input_h);
    seeTapsAsChannels(config, plan);
  }
  plan.blocks = ceilDiv(plan.work.channels, config.side);
  plan.panels = ceilDiv(plan.work.columns, config.side);
  chooseTile(config, plan);
  while (true) {
    TET_RETURN_IF_ERROR(planProgram(config, plan));
    plan.input_slots = on_chip ? 0 : plan.tiles() > 1 ? 2 : 1;
    const bool has_program = contraction.epilogue.kind != Epilogue::Kind::Program || plan.program;
    if (has_program && plan.work.w.stride <= kMaxPixelStride &&
        plan.inputPitch() * plan.work.h.stride <= kMaxLineStride && chooseWeights(config, plan)) {
      return plan;
    }
    if (plan.lines * plan.pixels == 1) break;
    shrink(plan);
  }
  return unimplemented("a sum of {} products does not fit into a scratchpad of {} rows",
                       plan.work.channels * plan.work.taps(), config.sp_rows);
}

}  // namespace tetrarch::npu
