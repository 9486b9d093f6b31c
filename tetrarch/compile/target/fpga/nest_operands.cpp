// How a stage gets what it reads: from streams, and from memories that stages before it fill.
#include <numeric>

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "tetrarch/compile/target/fpga/clone_body.h"
#include "tetrarch/compile/target/fpga/nest_kernel.h"

namespace tetrarch::fpga {
namespace {

namespace arith = mlir::arith;
using compile::TileAccess;
using compile::TileBuffer;
using compile::TileInput;
using llvm::ArrayRef;
using llvm::SmallVector;
using mlir::Value;
using Role = Dim::Role;

// An operand stays on the chip when it is read at least so often...
constexpr int64_t kReuse = 4;
// ...and takes no more of the chip's RAM than this share.
constexpr int64_t kReuseShare = 4;
// What a port brings of it in a cycle.
constexpr int64_t kBeatBits = 256;

int64_t productOf(ArrayRef<int64_t> factors) {
  return std::accumulate(factors.begin(), factors.end(), int64_t{1}, std::multiplies<>());
}

// In how many beats a word comes.
int64_t partsOf(int64_t lanes, mlir::Type element) {
  int64_t parts = 1;
  while (lanes % parts != 0 || lanes / parts * element.getIntOrFloatBitWidth() > kBeatBits) ++parts;
  return parts;
}

}  // namespace

// --- streams and memories
// ----------------------------------------------------------------------------------------------

mlir::Type NestKernel::elementOf(unsigned buffer) const { return scalarType(plan_.buffers[buffer].element); }

Value NestKernel::stream(int64_t lanes, mlir::Type element) {
  return flow::StreamOp::create(b_, loc_, flow::StreamType::get(b_.getContext(), lanes, element),
                                /*depth=*/4);
}

Value NestKernel::port(bool is_output, unsigned buffer, int64_t lanes, int64_t offset,
                       ArrayRef<int64_t> unit_strides, ArrayRef<int64_t> extents, ArrayRef<int64_t> strides) {
  const TileBuffer& tensor = plan_.buffers[buffer];
  const mlir::Type element = elementOf(buffer);
  const int64_t bytes = std::max<int64_t>(1, element.getIntOrFloatBitWidth() / 8);
  const int64_t number = tensor.index + (is_output ? plan_.operands : 0);
  mlir::OpBuilder::InsertionGuard guard(b_);
  b_.restoreInsertionPoint(network_);
  Value beats = stream(lanes, element);
  flow::PortOp::create(b_, loc_, beats, is_output, number, bytes, offset, unit_strides, extents, strides);
  return beats;
}

// A stage that pops a beat, or several of them, for each word of a new memory, but outside of the box.
OnChip NestKernel::fill(Value stream, ArrayRef<int64_t> words, llvm::function_ref<Value(Value)> value,
                        ArrayRef<int64_t> box, std::string_view name, int64_t parts) {
  const auto type = mlir::cast<flow::StreamType>(stream.getType());
  mlir::OpBuilder::InsertionGuard guard(b_);
  b_.restoreInsertionPoint(network_);
  OnChip place;
  place.memory = flow::MemoryOp::create(
      b_, loc_,
      flow::MemoryType::get(b_.getContext(), productOf(words), parts * type.getLanes(), type.getElement()),
      nullptr);
  SmallVector<int64_t> extents(words);
  if (parts > 1) extents.push_back(parts);
  auto nest = flow::NestOp::create(b_, loc_, flow::EndType::get(b_.getContext()),
                                   fmt::format("{}_{}", name, fills_++), extents,
                                   SmallVector<bool>(extents.size(), false), mlir::ValueRange());
  b_.setInsertionPointToStart(&nest.getBody().emplaceBlock());
  const mlir::DenseI64ArrayAttr where = box.empty() ? nullptr : b_.getDenseI64ArrayAttr(box);
  SmallVector<Value> beat, lanes;
  for (int64_t lane = 0; lane < type.getLanes(); ++lane)
    beat.push_back(value(flow::PopOp::create(b_, loc_, type.getElement(), stream, lane, where)));
  for (int64_t part = parts; part-- > 0;) {  // the first beats are the longest there
    for (Value lane : beat)
      lanes.push_back(part == 0 ? lane
                                : flow::DelayOp::create(b_, loc_, lane.getType(), lane, part).getResult());
  }
  SmallVector<int64_t> strides(extents.size(), 1), last;
  for (size_t d = words.size() - 1; d-- > 0;) strides[d] = strides[d + 1] * words[d + 1];
  if (parts > 1) strides.back() = 0;
  for (int64_t extent : words) last.append({0, extent});
  last.append({parts - 1, parts});
  Value address = flow::AffineOp::create(b_, loc_, b_.getI32Type(), 0, strides);
  flow::StoreOp::create(b_, loc_, place.memory, address, lanes, Value(), false,
                        parts > 1 ? b_.getDenseI64ArrayAttr(last) : nullptr);
  place.written.push_back(nest.getEnd());
  return place;
}

// All of an operand, or of what a stage of this kernel computes.
OnChip& NestKernel::whole(unsigned buffer) {
  auto [entry, is_new] = on_chip_.try_emplace(buffer);
  if (!is_new) return entry->second;
  const TileBuffer& tensor = plan_.buffers[buffer];
  if (tensor.kind == TileBuffer::Kind::kOperand) {
    Value beats = port(false, buffer, 1, 0, SmallVector<int64_t>(units_.size(), 0), {tensor.count}, {1});
    OnChip place = fill(beats, {tensor.count}, [](Value popped) { return popped; }, {}, "load");
    return on_chip_[buffer] = place;
  }
  mlir::OpBuilder::InsertionGuard guard(b_);
  b_.restoreInsertionPoint(network_);
  const auto type = flow::MemoryType::get(b_.getContext(), tensor.count, 1, elementOf(buffer));
  entry->second.memory = flow::MemoryOp::create(b_, loc_, type, nullptr);
  return entry->second;
}

// Elements of a padded operand that lie side by side in a word: as many as all stages step over at once. Then
// one load brings the copies of a stage their elements, however many they are.
int64_t NestKernel::wordOf(const compile::TilePadding& pad) const {
  if (pad.shape.back() != pad.source_shape.back()) return 1;
  int64_t word = pad.shape.back();
  for (const StageLoops& loops : stages_) {
    loops.nest.forEachAccess([&](const TileAccess& access) {
      if (access.buffer != pad.buffer) return;
      for (size_t d = 0; d < loops.dims.size(); ++d) {
        if (loops.dims[d].role != Role::Copy && loops.dims[d].extent > 1)
          word = std::gcd(word, access.strides[d]);
      }
    });
  }
  return word;
}

// A padded operand, without the dims that units run over.
OnChip& NestKernel::padded(unsigned buffer, const StageLoops& loops, const TileAccess& access) {
  if (auto known = on_chip_.find(buffer); known != on_chip_.end()) return known->second;
  const compile::TilePadding& pad = plan_.pads[plan_.buffers[buffer].index];
  SmallVector<int64_t> extents, strides, box, beats, unit_strides(units_.size(), 0);
  int64_t padded_stride = pad.lines * pad.line, stride = productOf(pad.source_shape);
  for (size_t j = 0; j < pad.shape.size(); ++j) {
    padded_stride /= pad.shape[j];
    stride /= pad.source_shape[j];
    bool is_unit = false;
    size_t unit = 0;
    for (size_t d = 0; d < loops.dims.size(); ++d) {
      if (loops.dims[d].role != Role::Unit) continue;
      if (access.strides[d] == padded_stride && pad.shape[j] > 1) {
        is_unit = true;
        unit_strides[unit] = stride;
      }
      ++unit;
    }
    if (is_unit) continue;
    extents.push_back(pad.shape[j]);
    box.append({pad.low[j], pad.low[j] + pad.source_shape[j]});
    beats.push_back(pad.source_shape[j]);
    strides.push_back(stride);
  }
  const int64_t word = wordOf(pad), parts = partsOf(word, elementOf(buffer));
  if (word > 1) extents.back() /= word, box.back() /= word;
  if (parts > 1) box.append({0, parts});
  Value source = port(false, pad.source, word / parts, 0, unit_strides, beats, strides);
  const OnChip place = fill(
      source, extents,
      [&](Value popped) -> Value {
        Value inside = flow::InsideOp::create(b_, loc_, b_.getI1Type(), box);
        return arith::SelectOp::create(b_, loc_, inside, popped,
                                       arith::ConstantOp::create(b_, loc_, pad.value));
      },
      box, "pad", parts);
  return on_chip_[buffer] = place;
}

// --- operands
// ------------------------------------------------------------------------------------------------------------

SmallVector<int64_t> NestKernel::unitStrides(const TileAccess& access, const StageLoops& loops) const {
  SmallVector<int64_t> strides;
  for (size_t d = 0; d < loops.dims.size(); ++d) {
    if (loops.dims[d].role == Role::Unit) strides.push_back(access.strides[d]);
  }
  strides.resize(units_.size(), 0);
  return strides;
}

// Where the reduced loops stand at that time, after the windows are whole; nothing for all iterations.
std::optional<SmallVector<int64_t>> NestKernel::box(const StageLoops& loops, When when) const {
  SmallVector<int64_t> box;
  bool narrows = false;
  for (const Dim& dim : loops.dims) {
    if (dim.role != Role::Loop) continue;
    const bool one = dim.is_reduction && when != When::Each && dim.extent > 1;
    const int64_t low = one && when == When::Last ? dim.extent - 1 : 0;
    const int64_t lead = dim.lead / dim.stride, phase = dim.lead % dim.stride;
    box.append({lead + low, lead + (one && when == When::First ? 1 : dim.extent)});
    if (dim.stride > 1) box.append({phase, phase + 1});
    narrows |= one || dim.lead > 0;
  }
  if (!narrows) return std::nullopt;
  return box;
}

NestKernel::Source NestKernel::popped(const TileAccess& access, const StageLoops& loops, When when) {
  SmallVector<int64_t> extents, strides;
  SmallVector<size_t> lane_dims;
  int64_t lanes = 1;
  for (size_t d = 0; d < loops.dims.size(); ++d) {
    const Dim& dim = loops.dims[d];
    if (dim.role == Role::Copy && access.strides[d] != 0) {
      lane_dims.push_back(d);
      lanes *= dim.extent;
    } else if (dim.role == Role::Loop && !(dim.is_reduction && when != When::Each)) {
      extents.push_back(dim.extent);
      strides.push_back(access.strides[d]);
    }
  }
  for (size_t d : lane_dims) {
    extents.push_back(loops.dims[d].extent);
    strides.push_back(access.strides[d]);
  }
  Value beats =
      port(false, access.buffer, lanes, access.offset, unitStrides(access, loops), extents, strides);
  const auto where = box(loops, when);
  const mlir::DenseI64ArrayAttr attribute = where ? b_.getDenseI64ArrayAttr(*where) : nullptr;
  return [this, beats, lane_dims, attribute, &loops,
          element = elementOf(access.buffer)](ArrayRef<int64_t> copy) -> Value {
    int64_t lane = 0;
    for (size_t d : lane_dims) lane = lane * loops.dims[d].extent + copy[d];
    return flow::PopOp::create(b_, loc_, element, beats, lane, attribute);
  };
}

// Whether an operand that all of a run reads again and again fits on the chip.
bool NestKernel::keeps(const TileAccess& access, const StageLoops& loops) const {
  int64_t times = 1, bits = elementOf(access.buffer).getIntOrFloatBitWidth();
  for (size_t d = 0; d < loops.dims.size(); ++d) {
    if (loops.dims[d].role == Role::Unit) continue;
    (access.strides[d] == 0 && loops.dims[d].role == Role::Loop ? times : bits) *=
        access.strides[d] == 0 && loops.dims[d].role == Role::Copy ? 1 : loops.dims[d].extent;
  }
  return times >= kReuse && bits <= part_.has.block_rams * part_.block_ram_bits / kReuseShare;
}

Words NestKernel::wordsOf(const TileAccess& access, const StageLoops& loops) const {
  Words words;
  words.access.strides.assign(loops.dims.size(), 0);
  for (Role role : {Role::Loop, Role::Copy}) {
    for (size_t d = 0; d < loops.dims.size(); ++d) {
      if (loops.dims[d].role != role || access.strides[d] == 0) continue;
      if (role == Role::Copy) words.lane_dims.push_back(d);
      (role == Role::Copy ? words.lanes : words.words) *= loops.dims[d].extent;
      words.extents.push_back(loops.dims[d].extent);
      words.strides.push_back(access.strides[d]);
    }
  }
  int64_t stride = 1;
  for (size_t d = loops.dims.size(); d-- > 0;) {
    if (access.strides[d] == 0 || loops.dims[d].role != Role::Loop) continue;
    words.access.strides[d] = stride;
    stride *= loops.dims[d].extent;
  }
  return words;
}

int64_t Words::laneOf(const StageLoops& loops, ArrayRef<int64_t> copy) const {
  int64_t lane = 0;
  for (size_t d : lane_dims) lane = lane * loops.dims[d].extent + copy[d];
  return lane;
}

int64_t Words::placeOf(int64_t i) const {
  int64_t place = 0;
  for (size_t d = extents.size(); d-- > 0; i /= extents[d]) place += i % extents[d] * strides[d];
  return place;
}

// The operand in a memory of its own; a word comes in as many beats as a port needs.
NestKernel::Source NestKernel::kept(const TileAccess& access, const StageLoops& loops) {
  Words words = wordsOf(access, loops);
  const mlir::Type element = elementOf(access.buffer);
  const int64_t parts = partsOf(words.lanes, element);
  if (words.extents.empty()) words.extents.push_back(1), words.strides.push_back(0);
  Value beats = port(false, access.buffer, words.lanes / parts, access.offset, unitStrides(access, loops),
                     words.extents, words.strides);
  const OnChip place = fill(beats, {words.words}, [](Value popped) { return popped; }, {}, "load", parts);
  await(place);
  return [this, place, words, element, &loops](ArrayRef<int64_t> copy) -> Value {
    const SmallVector<int64_t> nowhere(loops.dims.size(), 0);
    return flow::LoadOp::create(b_, loc_, element, place.memory,
                                affine(words.access, loops, nowhere, b_.getI32Type()),
                                words.laneOf(loops, copy));
  };
}

NestKernel::Source NestKernel::loaded(const OnChip& place, const TileAccess& access,
                                      const StageLoops& loops) {
  await(place);
  return [this, memory = place.memory, access, &loops](ArrayRef<int64_t> copy) -> Value {
    const auto type = mlir::cast<flow::MemoryType>(memory.getType());
    TileAccess word = access;  // the loops go from word to word, copies also within one
    for (size_t d = 0; d < copy.size(); ++d) word.offset += copy[d] * access.strides[d];
    const int64_t lane = word.offset % type.getLanes();
    word.offset /= type.getLanes();
    for (size_t d = 0; d < copy.size(); ++d)
      word.strides[d] = loops.dims[d].role == Role::Loop ? access.strides[d] / type.getLanes() : 0;
    const SmallVector<int64_t> nowhere(copy.size(), 0);
    return flow::LoadOp::create(b_, loc_, type.getElement(), memory,
                                affine(word, loops, nowhere, b_.getI32Type()), lane);
  };
}

NestKernel::Source NestKernel::source(const TileInput& input, const StageLoops& loops, When when) {
  if (auto* constant = std::get_if<mlir::TypedAttr>(&input))
    return [this, constant](ArrayRef<int64_t>) -> Value {
      return arith::ConstantOp::create(b_, loc_, *constant);
    };
  auto* access = std::get_if<TileAccess>(&input);
  if (!access) return {};
  for (size_t w = 0; w < windows_.size(); ++w) {
    if (windows_[w].window.buffer != access->buffer || when != When::Each) continue;
    return [this, w, access](ArrayRef<int64_t> copy) -> Value {
      int64_t tap = access->offset;
      for (size_t d = 0; d < copy.size(); ++d) tap += copy[d] * access->strides[d];
      return windows_[w].taps.at(tap);
    };
  }
  switch (plan_.buffers[access->buffer].kind) {
    case TileBuffer::Kind::kOperand:
      if (isResident(*access, loops)) return resident(*access, loops);
      return when == When::Each && keeps(*access, loops) ? kept(*access, loops)
                                                         : popped(*access, loops, when);
    case TileBuffer::Kind::kPadded:
      return loaded(padded(access->buffer, loops, *access), *access, loops);
    default:
      return loaded(whole(access->buffer), *access, loops);
  }
}

// The place in the loops of the stage; units are elsewhere.
Value NestKernel::affine(const TileAccess& access, const StageLoops& loops, ArrayRef<int64_t> copy,
                         mlir::Type type) {
  int64_t offset = access.offset;
  SmallVector<int64_t> strides;
  for (size_t d = 0; d < loops.dims.size(); ++d) {
    const Dim& dim = loops.dims[d];
    offset += (copy[d] - dim.lead / dim.stride) * access.strides[d];
    if (dim.role != Role::Loop) continue;
    strides.push_back(access.strides[d]);
    if (dim.stride > 1) strides.push_back(0);
  }
  return flow::AffineOp::create(b_, loc_, type, offset, strides);
}

}  // namespace tetrarch::fpga
