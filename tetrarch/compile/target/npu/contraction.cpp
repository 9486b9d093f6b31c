#include "tetrarch/compile/target/npu/contraction.h"

#include <algorithm>

namespace tetrarch::npu {
namespace {

// Pieces of weights that are asked for before they are used, so that their latency is hidden.
constexpr int64_t kWeightsAhead = 2;
constexpr int64_t kNothing = -1;
// From one line to the next, as a VOP can say it.
constexpr int64_t kMaxPitch = 511;

// Outputs y0 <= y < y1, x0 <= x < x1 of one plane, whose tensors begin at these addresses.
struct Tile {
  int64_t plane = 0;
  int64_t input = 0, source = 0, weights = 0, output = 0, parameters = 0;
  int64_t y0 = 0, y1 = 0, x0 = 0, x1 = 0;

  int64_t lines() const { return y1 - y0; }
  int64_t pixels() const { return x1 - x0; }
  int64_t rows() const { return lines() * pixels(); }
};

// Lines of rows on the chip.
struct Place {
  int64_t row = 0, pitch = 0;
};

// Inputs first … first + count - 1 along one axis, of which those from begin to end exist.
struct Window {
  int64_t first, count, begin, end;
  bool isEmpty() const { return begin >= end; }
};

Window windowOf(const Axis& axis, int64_t out0, int64_t out1) {
  Window w{.first = out0 * axis.stride - axis.low, .count = axis.span(out1 - out0)};
  w.begin = std::clamp<int64_t>(0, w.first, w.first + w.count);
  w.end = std::clamp(axis.in, w.first, w.first + w.count);
  return w;
}

class Emitter {
 public:
  Emitter(const Config& config, const ContractionPlan& plan, StreamBuilder& builder)
      : config_(config), side_(config.side), plan_(plan), c_(plan.work), out_(builder), banks_(config) {}

  void emit(int64_t begin, int64_t end) {
    allocate();
    begin_ = begin, end_ = end;
    if (begin == 0) padOutput();
    for (int64_t t = begin; t < end; ++t) tile(t);
  }

 private:
  void allocate();
  Tile tileAt(int64_t index) const;

  // What is loaded.
  void inputsUpTo(int64_t tile, int64_t block);
  void loadInput(const Tile& tile, int64_t slot, int64_t block);
  void fillBorders(const Tile& tile, int64_t slot);
  void padLines(const Tile& tile, int64_t end);
  void padSides(const Tile& tile, int64_t first, int64_t count);
  void weightsUpTo(int64_t piece);
  void loadWeights(int64_t address, int64_t slot, int64_t piece, int64_t columns);
  void loadParameters(const Tile& tile);
  void setScalars();

  // What is computed.
  void tile(int64_t index);
  void multiply(int64_t index, const Tile& tile, int64_t panel, int64_t sums);
  void finish(const Tile& tile, int64_t panel, int64_t sums);
  Place outputPlace(const Tile& tile, int64_t panel);
  Place otherPlace(const Tile& tile, int64_t panel);
  Place round(const Tile& tile, int64_t panel, int64_t sums);
  void apply(VectorOp op, const Tile& tile, const Place& a, const Place* b, const Place& d);
  int64_t computeProgram(const Tile& tile, int64_t panel, int64_t sums);
  void store(const Tile& tile, int64_t panel, const Place& from);
  void padOutput();

  int64_t columnsOf(int64_t panel) const { return std::min(side_, c_.columns - panel * side_); }
  int64_t channelsOf(int64_t block) const { return std::min(side_, c_.channels - block * side_); }
  // The row that the tile's first output reads with its first tap.
  int64_t inputRow(int64_t index, const Tile& tile, int64_t block) const {
    if (const auto& chip = c_.chip.input)
      return chip->at(block, tile.y0 * c_.h.stride - c_.h.low, tile.x0 * c_.w.stride - c_.w.low);
    return inputSlot(index) + block * plan_.blockRows();
  }
  int64_t inputSlot(int64_t tile) const {
    return plan_.areas.inputs + (tile - begin_) % plan_.input_slots * plan_.inputRows();
  }
  int64_t weightSlot(int64_t piece) const {
    return plan_.areas.weights + piece % plan_.weight_slots * plan_.piece_blocks * c_.taps() * side_;
  }
  int64_t rowBytes() const { return side_ * c_.element; }
  int64_t piecesOfTile() const { return plan_.panels * plan_.pieces; }

  const Config config_;
  const int64_t side_;
  const ContractionPlan& plan_;
  const Contraction& c_;
  StreamBuilder& out_;
  Banks banks_;

  int64_t begin_ = 0, end_ = 0;
  int64_t parameters_ = 0;  // first row
  Ring outputs_, others_, bytes_, sums_, line_ring_;
  bool all_parameters_ = true;  // lie in the accumulator memory at once

  int64_t inputs_loaded_ = 0;                     // blocks of all tiles since begin_
  int64_t weights_loaded_ = 0;                    // pieces
  std::vector<int64_t> in_slot_;                  // address of the piece that each slot of weights holds
  int64_t parameters_loaded_ = kNothing;          // their address
  int64_t padded_plane_ = kNothing, padded_ = 0;  // lines of that plane in the workspace

  VectorPlan program_plan_;
  std::optional<SumsProgram> program_;
};

// ---- places -----------------------------------------------------------------------------------------------

void Emitter::allocate() {
  const ContractionAreas& a = plan_.areas;
  const int64_t tile = plan_.lines * plan_.tilePitch(plan_.pixels);
  outputs_ = Ring(a.outputs, tile, kTileSlots);
  others_ = Ring(a.others, tile, kTileSlots);
  bytes_ = Ring(a.bytes, tile, 2);
  line_ring_ = Ring(a.lines + 1, banks_.scratchpadBankRows() / 2, 2);
  in_slot_.assign(plan_.weight_slots, kNothing);
  const int64_t bank = banks_.accumulatorBankRows();
  sums_ = Ring(accAddress(0), bank, kAccBanks - (plan_.program ? kProgramBanks : 1));
  parameters_ = bank * (kAccBanks - 1);
  all_parameters_ = 2 * plan_.panels <= bank;
  if (!plan_.program) return;
  program_plan_ = relocated(*plan_.program, a.program);
  program_.emplace(
      config_, program_plan_,
      VectorAddresses{.operands = c_.epilogue.operands, .results = {}, .constants = c_.epilogue.constants},
      out_);
}

Tile Emitter::tileAt(int64_t index) const {
  const int64_t across = plan_.pixelTiles(), down = plan_.lineTiles();
  Tile tile{.plane = index / (across * down),
            .input = c_.input,
            .source = plan_.source.input,
            .weights = c_.weights,
            .output = c_.output,
            .parameters = c_.epilogue.parameters};
  int64_t rest = tile.plane;
  for (size_t i = c_.outer.size(); i-- > 0;) {
    const OuterLoop& loop = c_.outer[i];
    const int64_t at = rest % loop.count;
    rest /= loop.count;
    tile.input += at * loop.input, tile.source += at * plan_.source.outer[i].input;
    tile.weights += at * loop.weights, tile.output += at * loop.output;
    tile.parameters += at * loop.parameters;
  }
  tile.y0 = index / across % down * plan_.lines;
  tile.x0 = index % across * plan_.pixels;
  tile.y1 = std::min(c_.h.out, tile.y0 + plan_.lines);
  tile.x1 = std::min(c_.w.out, tile.x0 + plan_.pixels);
  return tile;
}

// ---- inputs -----------------------------------------------------------------------------------------------

// Loads what is not there yet, up to that block of that tile.
void Emitter::inputsUpTo(int64_t tile, int64_t block) {
  if (c_.chip.input) return;
  const int64_t end = (tile - begin_) * plan_.blocks + block + 1;
  for (; inputs_loaded_ < end; ++inputs_loaded_) {
    const int64_t index = begin_ + inputs_loaded_ / plan_.blocks;
    const Tile of = tileAt(index);
    if (inputs_loaded_ % plan_.blocks == 0) {
      fillBorders(of, inputSlot(index));
      if (plan_.pads_lines) padLines(of, windowOf(c_.h, of.y0, of.y1).end);
    }
    loadInput(of, inputSlot(index), inputs_loaded_ % plan_.blocks);
  }
}

void Emitter::loadInput(const Tile& tile, int64_t slot, int64_t block) {
  const Window y = windowOf(c_.h, tile.y0, tile.y1), x = windowOf(c_.w, tile.x0, tile.x1);
  if (y.isEmpty() || x.isEmpty()) return;
  const Loop loops[] = {{x.end - x.begin, 1, c_.input_w}, {y.end - y.begin, plan_.inputPixels(), c_.input_h}};
  out_.load(slot + block * plan_.blockRows() + (y.begin - y.first) * plan_.inputPixels() + x.begin - x.first,
            channelsOf(block) * c_.element,
            tile.input + y.begin * c_.input_h + x.begin * c_.input_w + block * rowBytes(), loops);
}

void Emitter::fillBorders(const Tile& tile, int64_t slot) {
  const Window y = windowOf(c_.h, tile.y0, tile.y1), x = windowOf(c_.w, tile.x0, tile.x1);
  const int64_t line = plan_.inputPixels();
  const auto fill = [&](int64_t line0, int64_t lines, int64_t pixel0, int64_t pixels) {
    if (lines <= 0 || pixels <= 0) return;
    const Loop loops[] = {{pixels, 1, 0}, {lines, line, 0}, {plan_.blocks, plan_.blockRows(), 0}};
    out_.fill(slot + line0 * line + pixel0, rowBytes(), c_.padding, loops);
  };
  const int64_t above = y.begin - y.first, left = x.begin - x.first;
  fill(0, above, 0, x.count);
  fill(y.end - y.first, y.first + y.count - y.end, 0, x.count);
  fill(above, y.end - y.begin, 0, left);
  fill(above, y.end - y.begin, x.end - x.first, x.first + x.count - x.end);
}

// Copies lines of the input up to `end` into the workspace, with their padding, as far as they are not there.
void Emitter::padLines(const Tile& tile, int64_t end) {
  const Contraction& s = plan_.source;
  if (padded_plane_ != tile.plane) {
    padded_plane_ = tile.plane;
    padded_ = windowOf(c_.h, tile.y0, tile.y1).begin;
    out_.fill(plan_.areas.lines, rowBytes(), c_.padding, {});
  }
  const int64_t row_bytes = rowBytes(), pixel = s.channels * s.element;
  const int64_t whole = s.w.in * pixel / row_bytes, tail = s.w.in * pixel % row_bytes;
  const int64_t line_rows = whole + (tail > 0), most = line_ring_.slotRows() / line_rows;
  while (padded_ < end) {
    const int64_t count = std::min(most, end - padded_), row = line_ring_.next();
    const int64_t from = tile.source + padded_ * s.input_h;
    const int64_t to = tile.input + padded_ * c_.input_h + s.w.low * pixel;
    if (whole > 0) {
      const Loop in[] = {{whole, 1, row_bytes}, {count, line_rows, s.input_h}};
      const Loop out[] = {{whole, 1, row_bytes}, {count, line_rows, c_.input_h}};
      out_.load(row, row_bytes, from, in);
      out_.store(row, row_bytes, to, out);
    }
    if (tail > 0) {
      const Loop in[] = {{count, line_rows, s.input_h}}, out[] = {{count, line_rows, c_.input_h}};
      out_.load(row + whole, tail, from + whole * row_bytes, in);
      out_.store(row + whole, tail, to + whole * row_bytes, out);
    }
    padSides(tile, padded_, count);
    padded_ += count;
  }
}

void Emitter::padSides(const Tile& tile, int64_t first, int64_t count) {
  const Contraction& s = plan_.source;
  const int64_t begin = tile.input + first * c_.input_h;
  const auto pad = [&](int64_t from, int64_t to) {
    for (; from < to; from += rowBytes()) {
      const Loop loops[] = {{count, 0, c_.input_h}};
      out_.store(plan_.areas.lines, std::min(rowBytes(), to - from), begin + from, loops);
    }
  };
  const int64_t pixel = s.channels * s.element;
  const int64_t left = s.w.low * pixel, right = left + s.w.in * pixel;
  pad(0, left);
  pad(right, s.w.span(s.w.out) * pixel);
}

// ---- weights and parameters -------------------------------------------------------------------------------

// Loads pieces up to that one, counted over all tiles, unless their slot holds them already.
void Emitter::weightsUpTo(int64_t piece) {
  for (; weights_loaded_ <= piece; ++weights_loaded_) {
    const int64_t in_tile = weights_loaded_ % piecesOfTile(), slot = weights_loaded_ % plan_.weight_slots;
    const int64_t panel = in_tile / plan_.pieces, part = in_tile % plan_.pieces;
    const int64_t address = tileAt(begin_ + weights_loaded_ / piecesOfTile()).weights +
                            panel * c_.weight_panel + part * plan_.piece_blocks * side_ * c_.weight_channel;
    if (in_slot_[slot] == address) continue;
    in_slot_[slot] = address;
    loadWeights(address, weightSlot(weights_loaded_), part, columnsOf(panel));
  }
}

// A block's taps follow one another, each with S rows; the last block may have fewer.
void Emitter::loadWeights(int64_t address, int64_t slot, int64_t piece, int64_t columns) {
  const int64_t first = piece * plan_.piece_blocks;
  const int64_t blocks = std::min(plan_.piece_blocks, plan_.blocks - first);
  const int64_t tail = channelsOf(first + blocks - 1) % side_, whole = blocks - (tail > 0);
  const auto load = [&](int64_t at, int64_t rows, int64_t count) {
    const Loop loops[] = {{rows, 1, c_.weight_channel},
                          {c_.w.taps, side_, c_.weight_tap_w},
                          {c_.h.taps, side_ * c_.w.taps, c_.weight_tap_h},
                          {count, side_ * c_.taps(), side_ * c_.weight_channel}};
    out_.load(slot + at * side_ * c_.taps(), columns * c_.element, address + at * side_ * c_.weight_channel,
              loops);
  };
  if (whole > 0) load(0, side_, whole);
  if (tail > 0) load(whole, tail, 1);
}

void Emitter::loadParameters(const Tile& tile) {
  if (c_.epilogue.kind == Epilogue::Kind::Sums) return;
  if (parameters_loaded_ == kNothing) setScalars();
  if (!all_parameters_ || parameters_loaded_ == tile.parameters) return;
  parameters_loaded_ = tile.parameters;
  const Loop loops[] = {{2 * plan_.panels, 1, config_.accRowBytes()}};
  out_.load(accAddress(parameters_), config_.accRowBytes(), tile.parameters, loops);
}

void Emitter::setScalars() {
  const Epilogue& e = c_.epilogue;
  parameters_loaded_ = kNothing - 1;
  out_.add(Vparam{.scalars = 1,
                  .shift_b = e.other_shift,
                  .mult_b = e.other_multiplier,
                  .zp_b = e.other_zero_point,
                  .zp = e.zero_point,
                  .lo = e.low,
                  .hi = e.high});
  if (!e.table) return;
  const Loop loops[] = {{config_.tableRows(), 1, config_.spRowBytes()}};
  out_.load(plan_.areas.table, config_.spRowBytes(), *e.table, loops);
  out_.add(Table{.addr = plan_.areas.table});
}

// ---- computation ------------------------------------------------------------------------------------------

void Emitter::tile(int64_t index) {
  const Tile now = tileAt(index);
  for (int64_t panel = 0; panel < plan_.panels; ++panel) {
    const int64_t sums = sums_.next();
    multiply(index, now, panel, sums);
    finish(now, panel, sums);
  }
}

// The sums of one panel. What the next tile reads is loaded meanwhile, some with each panel.
void Emitter::multiply(int64_t index, const Tile& tile, int64_t panel, int64_t sums) {
  const int64_t tiles = end_ - begin_;
  for (int64_t block = 0; block < plan_.blocks; ++block) {
    const int64_t piece =
        ((index - begin_) * plan_.panels + panel) * plan_.pieces + block / plan_.piece_blocks;
    if (block % plan_.piece_blocks == 0) {
      weightsUpTo(
          std::min({piece + std::min(kWeightsAhead, plan_.weight_slots - 1), tiles * piecesOfTile() - 1}));
    }
    inputsUpTo(index, block);
    if (plan_.input_slots > 1 && index + 1 < end_) {
      const int64_t share =
          ((panel * plan_.blocks + block + 1) * plan_.blocks) / (plan_.panels * plan_.blocks);
      if (share > 0) inputsUpTo(index + 1, share - 1);
    }
    const int64_t weights = weightSlot(piece) + block % plan_.piece_blocks * c_.taps() * side_;
    const int64_t input = inputRow(index, tile, block), line = plan_.inputPitch();
    for (int64_t y = 0; y < c_.h.taps; ++y) {
      for (int64_t x = 0; x < c_.w.taps; ++x) {
        out_.add(Matmul{.accumulate = block + y + x > 0,
                        .w_addr = weights + (y * c_.w.taps + x) * side_,
                        .a_addr = input + y * c_.h.dilation * line + x * c_.w.dilation,
                        .c_addr = rowOf(sums),
                        .n0 = tile.pixels(),
                        .n1 = tile.lines(),
                        .s0 = tile.pixels() > 1 ? c_.w.stride : 0,
                        .s1 = tile.lines() > 1 ? c_.h.stride * line : 0,
                        .k = channelsOf(block)});
      }
    }
  }
}

void Emitter::finish(const Tile& tile, int64_t panel, int64_t sums) {
  if (program_) return store(tile, panel, {computeProgram(tile, panel, sums), tile.pixels()});
  loadParameters(tile);
  const Place made = c_.epilogue.makesBytes() ? round(tile, panel, sums) : Place{sums, tile.pixels()};
  if (c_.chip.stores) store(tile, panel, made);
}

int64_t Emitter::computeProgram(const Tile& tile, int64_t panel, int64_t sums) {
  const int64_t element = c_.outputElementBytes();
  const int64_t first = (tile.output - c_.epilogue.result) / element + panel * side_;
  program_->setColumns(tile.parameters);
  return program_->compute(
      {.sums = sums, .rows = tile.rows(), .tile = panel}, [&](int operand, int64_t local, int64_t bytes) {
        const int64_t w = c_.output_w / element * bytes;
        const int64_t h = c_.output_h / element * bytes;
        const Loop loops[] = {{tile.pixels(), 1, w}, {tile.lines(), tile.pixels(), h}};
        out_.load(local, columnsOf(panel) * bytes,
                  c_.epilogue.operands[operand] + first * bytes + tile.y0 * h + tile.x0 * w, loops);
      });
}

// Where a tile's bytes are, and the rows from one of its lines to the next.
Place Emitter::outputPlace(const Tile& tile, int64_t panel) {
  if (const auto& chip = c_.chip.output) return {chip->at(panel, tile.y0, tile.x0), chip->pitch()};
  return {outputs_.next(), plan_.tilePitch(tile.pixels())};
}

Place Emitter::otherPlace(const Tile& tile, int64_t panel) {
  if (const auto& chip = c_.chip.other) return {chip->at(panel, tile.y0, tile.x0), chip->pitch()};
  const Place place{others_.next(), plan_.tilePitch(tile.pixels())};
  const Loop loops[] = {{tile.pixels(), 1, c_.output_w}, {tile.lines(), place.pitch, c_.output_h}};
  out_.load(place.row, columnsOf(panel),
            tile.output - c_.output + c_.epilogue.other + tile.y0 * c_.output_h + tile.x0 * c_.output_w +
                panel * side_,
            loops);
  return place;
}

// The tile's bytes.
Place Emitter::round(const Tile& tile, int64_t panel, int64_t sums) {
  const bool adds = c_.epilogue.kind == Epilogue::Kind::RequantizeAdd,
             looks_up = c_.epilogue.table.has_value();
  const int64_t bank = banks_.accumulatorBankRows();
  const int64_t row = parameters_ + 2 * panel % (bank - bank % 2);
  if (!all_parameters_) {
    const Loop loops[] = {{2, 1, config_.accRowBytes()}};
    out_.load(accAddress(row), config_.accRowBytes(), tile.parameters + 2 * panel * config_.accRowBytes(),
              loops);
  }
  const Place other = adds ? otherPlace(tile, panel) : Place{};
  const Place output = outputPlace(tile, panel);
  const Place rounded = looks_up ? Place{bytes_.next(), output.pitch} : output;
  out_.add(Vparam{.rows = 1, .p_addr = row});
  apply(adds ? VectorOp::REQUANT_ADD : VectorOp::REQUANT, tile, {sums, tile.pixels()},
        adds ? &other : nullptr, rounded);
  if (looks_up) apply(VectorOp::LUT, tile, rounded, nullptr, output);
  return output;
}

// One op over the lines of a tile: together where one instruction can say where they are.
void Emitter::apply(VectorOp op, const Tile& tile, const Place& a, const Place* b, const Place& d) {
  const bool dense = a.pitch == tile.pixels() && d.pitch == a.pitch && (!b || b->pitch == a.pitch);
  const bool together = dense || tile.lines() == 1 || ((!b || b->pitch == d.pitch) && d.pitch <= kMaxPitch);
  const int64_t steps = together ? 1 : tile.lines();
  const int64_t lines = dense || !together ? 1 : tile.lines();
  for (int64_t step = 0; step < steps; ++step) {
    out_.add(Vop{.op = static_cast<int64_t>(op),
                 .pitch = lines > 1 ? d.pitch : 0,
                 .a = a.row + step * a.pitch,
                 .b = b ? b->row + step * b->pitch : 0,
                 .n0 = dense ? tile.rows() : tile.pixels(),
                 .n1 = lines,
                 .s0 = 1,
                 .s1 = lines > 1 ? a.pitch : 0,
                 .d = d.row + step * d.pitch});
  }
}

void Emitter::store(const Tile& tile, int64_t panel, const Place& from) {
  const int64_t element = c_.outputElementBytes();
  const Loop loops[] = {{tile.pixels(), 1, c_.output_w}, {tile.lines(), from.pitch, c_.output_h}};
  out_.store(from.row, columnsOf(panel) * element,
             tile.output + tile.y0 * c_.output_h + tile.x0 * c_.output_w + panel * side_ * element, loops);
}

// The padding that readers of an output on the chip find around it.
void Emitter::padOutput() {
  const auto& chip = c_.chip.output;
  if (!chip) return;
  const auto fill = [&](int64_t line, int64_t lines, int64_t pixel, int64_t pixels) {
    if (lines <= 0 || pixels <= 0) return;
    const Loop loops[] = {
        {pixels, 1, 0}, {lines, chip->pitch(), 0}, {chip->blocks(side_), chip->blockRows(), 0}};
    out_.fill(chip->at(0, line, pixel), side_, chip->padding, loops);
  };
  fill(-chip->above, chip->above, -chip->left, chip->pitch());
  fill(chip->lines, chip->below, -chip->left, chip->pitch());
  fill(0, chip->lines, -chip->left, chip->left);
  fill(0, chip->lines, chip->pixels, chip->right);
}

}  // namespace

void emitContraction(const Config& config, const ContractionPlan& plan, int64_t begin, int64_t end,
                     StreamBuilder& builder) {
  Emitter(config, plan, builder).emit(begin, end);
}

}  // namespace tetrarch::npu
