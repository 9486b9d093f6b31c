// Convolutions and matrix products on the array, whatever the task looked like: a sum over taps and channels
// of activations times weights, for the pixels of one plane and the columns of the output.
#pragma once

#include <optional>
#include <vector>

#include "tetrarch/compile/target/npu/chip_tensor.h"
#include "tetrarch/compile/target/npu/regions.h"
#include "tetrarch/compile/target/npu/stream.h"
#include "tetrarch/compile/target/npu/vector_emit.h"

namespace tetrarch::npu {

// One of the two axes of a plane. Output o reads inputs o * stride + tap * dilation - low for its taps; an
// index outside 0 … in - 1 reads the padding value.
struct Axis {
  int64_t out = 1, in = 1;
  int64_t taps = 1, stride = 1, dilation = 1, low = 0;

  // Inputs from the first one that `outs` outputs read to the last.
  int64_t span(int64_t outs) const { return (outs - 1) * stride + (taps - 1) * dilation + 1; }
};

// What becomes of a sum. All but the raw sums end as bytes, or (Program, of the bf16 kind alone) as what a
// vector program makes of them.
struct Epilogue {
  enum class Kind { Sums, Requantize, RequantizeAdd, Program };
  Kind kind = Kind::Sums;
  // Rows in DRAM: two for each S columns, biases and multipliers | shifts << 16, 4 S bytes each. Of a Program
  // the first column of what it reads by column.
  int64_t parameters = 0;
  int64_t zero_point = 0, low = -128, high = 127;
  // RequantizeAdd: bytes laid out like the output, at this address.
  int64_t other = 0, other_zero_point = 0, other_multiplier = 0, other_shift = 0;
  std::optional<int64_t> table;  // address of 256 16-bit entries: each byte is looked up at the end

  bool makesBytes() const { return kind == Kind::Requantize || kind == Kind::RequantizeAdd; }

  VectorProgram program;              // one result; its sums are an Input of kSumsBuffer
  std::vector<int64_t> operands;      // its addresses; tensors read by element are laid out like the result
  int64_t constants = 0, result = 0;  // addresses: its constantsOf(), the whole result
};

// A loop around the planes: images, groups, batches. Strides in bytes of each tensor (of the other operand of
// RequantizeAdd like the output's).
struct OuterLoop {
  int64_t count = 1, input = 0, weights = 0, output = 0, parameters = 0;
};

// Tensors of a contraction that lie on the chip, and not, or not only, in DRAM. There is one plane then.
struct ChipTensors {
  std::optional<ChipTensor> input, other, output;
  bool stores = true;    // the output goes to DRAM too
  int64_t sp_rows = -1;  // of the scratchpad, those before this row are the contraction's own; -1: all
};

// Addresses and strides in bytes.
struct Contraction {
  Axis h, w;
  int64_t element = 1;   // bytes of an input and of a weight
  int64_t channels = 1;  // inputs side by side for each tap
  int64_t columns = 1;   // of the output
  int64_t joined = 1;    // groups side by side in them, whose weights are blocks on a diagonal of zeros
  int64_t padding = 0;   // the value

  int64_t input = 0, input_h = 0, input_w = 0;  // strides of one index of `in`
  // The row of S columns p, tap (y, x), channel c: weights + p * panel + y * tap_h + x * tap_w + c * channel.
  int64_t weights = 0, weight_panel = 0, weight_tap_h = 0, weight_tap_w = 0, weight_channel = 0;
  int64_t output = 0, output_h = 0, output_w = 0;  // strides of one pixel; columns are side by side
  std::vector<OuterLoop> outer;                    // outermost first
  Epilogue epilogue;

  // Where the input with padding along w may be put, when the plan asks for it; set beforehand.
  int64_t workspace = 0;
  ChipTensors chip;

  int64_t taps() const { return h.taps * w.taps; }
  int64_t outerCount() const;
  int64_t outputElementBytes() const {
    if (epilogue.kind == Epilogue::Kind::Program) return epilogue.program.results.front().bytes;
    return epilogue.kind == Epilogue::Kind::Sums ? 4 : 1;
  }
  // Multiplications that the result needs; those with padding count.
  int64_t multiplications() const;
};

// Slots for outputs on their way to DRAM, and for the other operands of RequantizeAdd.
inline constexpr int64_t kTileSlots = 4;
// Banks of the accumulator memory that a Program has for itself: the others hold sums.
inline constexpr int64_t kProgramBanks = kAccBanks / 2;

// Where things lie in the scratchpad: first rows.
struct ContractionAreas {
  int64_t inputs = 0, outputs = 0, others = 0, bytes = 0, table = 0, lines = 0, program = 0, weights = 0;
  int64_t weight_rows = 0;  // the rest is for weights
};

// How a contraction is cut. Tiles of `lines` x `pixels` outputs; their inputs lie in the scratchpad a block
// of S channels after the other.
struct ContractionPlan {
  Contraction work;         // what is computed, perhaps with the taps along w seen as channels
  bool pads_lines = false;  // … of lines that are copied into the workspace with their padding
  Contraction source;       // as it was
  int64_t lines = 1, pixels = 1;
  int64_t blocks = 1;        // of S channels
  int64_t panels = 1;        // of S columns
  int64_t piece_blocks = 1;  // blocks of weights that are loaded together
  int64_t pieces = 1;        // of a panel
  int64_t input_slots = 2, weight_slots = 2;
  std::optional<VectorPlan> program;  // of the epilogue
  ContractionAreas areas;

  int64_t inputLines() const { return work.h.span(lines); }
  int64_t inputPixels() const { return work.w.span(pixels); }
  // Rows from one line of inputs to the next.
  int64_t inputPitch() const { return work.chip.input ? work.chip.input->pitch() : inputPixels(); }
  // The same of a tile's outputs and other operands, which the vector unit takes in one step.
  int64_t tilePitch(int64_t tile_pixels) const {
    if (work.chip.output) return work.chip.output->pitch();
    return work.chip.other ? work.chip.other->pitch() : tile_pixels;
  }
  int64_t blockRows() const { return inputLines() * inputPixels(); }
  int64_t inputRows() const { return blocks * blockRows(); }
  int64_t workspaceBytes() const;
  // Units that can be computed apart: tiles along the outermost axis that has several, or planes.
  int64_t lineTiles() const { return (work.h.out + lines - 1) / lines; }
  int64_t pixelTiles() const { return (work.w.out + pixels - 1) / pixels; }
  int64_t tiles() const { return work.outerCount() * lineTiles() * pixelTiles(); }
};

// Unimplemented when no tile fits into the memories.
Result<ContractionPlan> planContraction(const Config& config, const Contraction& contraction);

// Adds tiles [begin, end) to a stream, in the order outer loops, lines, pixels. What was in the accumulator
// memory and in the contraction's own rows of the scratchpad is lost.
void emitContraction(const Config& config, const ContractionPlan& plan, int64_t begin, int64_t end,
                     StreamBuilder& builder);

}  // namespace tetrarch::npu
