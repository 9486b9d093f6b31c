#include "tetrarch/devices/npu/vector_ops.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "tetrarch/devices/npu/float_math.h"
#include "tetrarch/devices/npu/legality.h"
#include "tetrarch/devices/npu/matmul.h"

namespace tetrarch::npu {
namespace {

using Row = std::array<uint32_t, kMaxSide>;

// ---- one lane, int8 kind -------------------------------------------------------------------------

int64_t clip(int64_t x, const VectorParameters& p) { return std::min(std::max(x, p.lo), p.hi); }

int64_t scaled(int32_t a, int lane, const VectorParameters& p) {
  const int64_t sum = static_cast<int64_t>(a) + static_cast<int32_t>(p.bias[lane]);
  const auto multiplier = static_cast<int16_t>(p.scale[lane]);
  return roundShift(sum * multiplier, p.scale[lane] >> 16 & 63);
}

// t * 2^(imm - e)
uint32_t scaleEntry(int16_t entry, int64_t imm, int64_t e) {
  if (imm < e) return static_cast<uint32_t>(roundShift(entry, e - imm));
  return static_cast<uint32_t>(static_cast<int32_t>(entry)) << (imm - e);
}

// Where the leading one is, and the bits below it at the top of a word.
struct Normal {
  int exponent;
  uint32_t below;
};
Normal normalise(int32_t a) {
  const auto value = static_cast<uint32_t>(std::max(a, 1));
  const int zeros = std::countl_zero(value);
  return {31 - zeros, value << zeros << 1};
}

uint32_t reciprocal(int32_t a, int64_t imm, const std::vector<uint16_t>& table) {
  const Normal n = normalise(a);
  return scaleEntry(static_cast<int16_t>(table[n.below >> 24]), imm, n.exponent);
}
uint32_t inverseRoot(int32_t a, int64_t imm, const std::vector<uint16_t>& table) {
  const Normal n = normalise(a);
  const uint32_t index = static_cast<uint32_t>(n.exponent % 2) * 128 + (n.below >> 25);
  return scaleEntry(static_cast<int16_t>(table[index]), imm, n.exponent / 2);
}

int32_t saturate8(int32_t x) { return std::clamp(x, -128, 127); }

// ---- one lane, bf16 kind -------------------------------------------------------------------------

bool lessFloat(uint32_t a, uint32_t b) {  // -0 before +0
  const auto key = [](uint32_t x) { return x & kFloatSign ? ~x : x | kFloatSign; };
  return key(a) < key(b);
}
uint32_t maxFloat(uint32_t a, uint32_t b) {
  if (isNan(a) || isNan(b)) return kFloatNan;
  return lessFloat(flush(a), flush(b)) ? flush(b) : flush(a);
}
uint32_t minFloat(uint32_t a, uint32_t b) {
  if (isNan(a) || isNan(b)) return kFloatNan;
  return lessFloat(flush(b), flush(a)) ? flush(b) : flush(a);
}
uint32_t reluFloat(uint32_t a) {
  if (isNan(a)) return kFloatNan;
  return a & kFloatSign ? 0 : flush(a);
}
uint32_t affineFloat(uint32_t a, int lane, const VectorParameters& p) {
  return addFloat(multiplyFloat(a, p.scale[lane]), p.bias[lane]);
}
uint32_t lookUpFloat(uint32_t index_bits, const std::vector<uint16_t>& table) {
  const auto index = std::bit_cast<float>(index_bits);
  if (!(index > 0)) return widenBf16(table[0]);
  // nearbyint rounds to even in the default mode.
  return widenBf16(table[index >= 255 ? 255 : static_cast<size_t>(std::nearbyint(index))]);
}

// table entry times 2^exponent
uint32_t scaleFloat(uint16_t entry, int exponent) {
  return settle(std::ldexp(operand(widenBf16(entry)), exponent));
}
int exponentOf(uint32_t a) { return static_cast<int>(a >> 23 & 255) - 127; }

uint32_t reciprocalFloat(uint32_t a, const std::vector<uint16_t>& table) {
  if (isNan(a)) return kFloatNan;
  const uint32_t sign = a & kFloatSign, magnitude = flush(a) & ~kFloatSign;
  if (magnitude == 0) return sign | kFloatInfinity;
  if (magnitude == kFloatInfinity) return sign;
  const uint32_t result = scaleFloat(table[a >> 15 & 255], -exponentOf(a));
  return isNan(result) ? result : result ^ sign;
}
uint32_t inverseRootFloat(uint32_t a, const std::vector<uint16_t>& table) {
  const uint32_t value = flush(a);
  if (isNan(a)) return kFloatNan;
  if ((value & ~kFloatSign) == 0) return kFloatInfinity;
  if (value & kFloatSign) return kFloatNan;
  if (value == kFloatInfinity) return 0;
  const int e = exponentOf(value);
  const uint32_t index = (static_cast<uint32_t>(e) & 1) * 128 + (value >> 16 & 127);
  return scaleFloat(table[index], -(e >> 1));
}

// ---- rows ----------------------------------------------------------------------------------------

class VectorUnit {
 public:
  VectorUnit(const Config& config, State& state, const Vop& vop)
      : config_(config),
        state_(state),
        parameters_(state.parameters),
        vop_(vop),
        op_(*vectorOpInfo(vop.op)),
        side_(static_cast<int>(config.side)) {}

  void run() {
    for (int64_t i1 = 0; i1 < vop_.n1; ++i1) {
      for (int64_t i0 = 0; i0 < vop_.n0; ++i0) row(i1, i0);
    }
  }

 private:
  void row(int64_t i1, int64_t i0) {
    const Row a = read(vop_.a, i1 * vop_.s1 + i0 * vop_.s0);
    if (op_.fold) return fold(a, i1, i0);
    Row b = {};
    if (op_.two_operands) b = read(vop_.b, vop_.broadcast ? 0 : i1 * vop_.pitch + i0);
    Row d;
    if (!combineLanes(a, d)) {
      for (int lane = 0; lane < side_; ++lane) d[lane] = compute(a[lane], b[lane], lane);
    }
    write(i1 * vop_.pitch + i0, d);
  }

  void fold(const Row& a, int64_t i1, int64_t i0) {
    for (int lane = 0; lane < side_; ++lane) {
      folded_[lane] = i0 == 0 ? firstOfFold(a[lane]) : combine(folded_[lane], a[lane]);
    }
    if (i0 + 1 == vop_.n0) write(i1 * vop_.pitch, folded_);
  }
  uint32_t firstOfFold(uint32_t a) const { return op_.op == VectorOp::FFOLD_MAX ? maxFloat(a, a) : a; }
  uint32_t combine(uint32_t x, uint32_t y) const {
    if (op_.op == VectorOp::FOLD_SUM || op_.op == VectorOp::LANE_SUM) return x + y;
    if (op_.op == VectorOp::FFOLD_MAX || op_.op == VectorOp::FLANE_MAX) return maxFloat(x, y);
    return static_cast<uint32_t>(std::max(static_cast<int32_t>(x), static_cast<int32_t>(y)));
  }

  // The ops over lanes; false for the others.
  bool combineLanes(const Row& a, Row& d) const {
    switch (op_.op) {
      case VectorOp::LANE_SUM:
      case VectorOp::LANE_MAX:
      case VectorOp::FLANE_MAX: {
        uint32_t all = op_.op == VectorOp::FLANE_MAX ? maxFloat(a[0], a[0]) : a[0];
        for (int lane = 1; lane < side_; ++lane) all = combine(all, a[lane]);
        d.fill(all);
        return true;
      }
      case VectorOp::FLANE_SUM: {
        Row sums = a;
        for (int half = side_ / 2; half > 0; half /= 2) {
          for (int i = 0; i < half; ++i) sums[i] = addFloat(sums[i], sums[i + half]);
        }
        d.fill(sums[0]);
        return true;
      }
      default:
        return false;
    }
  }

  // One lane of the ops that work lane by lane.
  uint32_t compute(uint32_t raw_a, uint32_t raw_b, int lane) const {
    const auto a = static_cast<int32_t>(raw_a), b = static_cast<int32_t>(raw_b);
    const VectorParameters& p = parameters_;
    switch (op_.op) {
      case VectorOp::REQUANT:
        return static_cast<uint32_t>(clip(scaled(a, lane, p) + p.zp, p));
      case VectorOp::REQUANT_ADD:
        return static_cast<uint32_t>(
            clip(scaled(a, lane, p) + roundShift((b - p.zp_b) * p.mult_b, p.shift_b) + p.zp, p));
      case VectorOp::ADD:
        return raw_a + raw_b;
      case VectorOp::SUB:
        return raw_a - raw_b;
      case VectorOp::MUL:
        return static_cast<uint32_t>(
            roundShift(static_cast<int64_t>(a) * static_cast<int16_t>(raw_b), vop_.imm));
      case VectorOp::MAX:
        return static_cast<uint32_t>(std::max(a, b));
      case VectorOp::MIN:
        return static_cast<uint32_t>(std::min(a, b));
      case VectorOp::SHR:
        return static_cast<uint32_t>(roundShift(a, vop_.imm));
      case VectorOp::LUT:
        return static_cast<uint32_t>(static_cast<int16_t>(state_.table[saturate8(a) & 255]));
      case VectorOp::RECIP_LUT:
        return reciprocal(a, vop_.imm, state_.table);
      case VectorOp::RSQRT_LUT:
        return inverseRoot(a, vop_.imm, state_.table);
      default:
        return computeFloat(raw_a, raw_b, lane);
    }
  }

  uint32_t computeFloat(uint32_t a, uint32_t b, int lane) const {
    switch (op_.op) {
      case VectorOp::FADD:
        return addFloat(a, b);
      case VectorOp::FSUB:
        return addFloat(a, b ^ kFloatSign);
      case VectorOp::FMUL:
        return multiplyFloat(a, b);
      case VectorOp::FMAX:
        return maxFloat(a, b);
      case VectorOp::FMIN:
        return minFloat(a, b);
      case VectorOp::FRELU:
        return reluFloat(a);
      case VectorOp::FAFFINE:
        return affineFloat(a, lane, parameters_);
      case VectorOp::FLUT:
        return lookUpFloat(affineFloat(a, lane, parameters_), state_.table);
      case VectorOp::FRECIP_LUT:
        return reciprocalFloat(a, state_.table);
      case VectorOp::FRSQRT_LUT:
        return inverseRootFloat(a, state_.table);
      default:  // move
        return a;
    }
  }

  Row read(int64_t local, int64_t offset) const {
    Row row = {};
    const int64_t first = (rowOf(local) + offset) * side_;
    if (isAcc(local)) {
      std::copy_n(state_.acc.begin() + first, side_, row.begin());
    } else if (config_.kind == Kind::Int8) {
      for (int i = 0; i < side_; ++i) row[i] = static_cast<uint32_t>(signedByte(state_.sp[first + i]));
    } else {
      for (int i = 0; i < side_; ++i) {
        uint16_t bits;
        std::memcpy(&bits, &state_.sp[(first + i) * 2], sizeof bits);
        row[i] = widenBf16(bits);
      }
    }
    return row;
  }

  void write(int64_t offset, const Row& row) {
    const int64_t first = (rowOf(vop_.d) + offset) * side_;
    if (isAcc(vop_.d)) {
      std::copy_n(row.begin(), side_, state_.acc.begin() + first);
    } else if (config_.kind == Kind::Int8) {
      for (int i = 0; i < side_; ++i)
        state_.sp[first + i] = static_cast<std::byte>(saturate8(static_cast<int32_t>(row[i])));
    } else {
      for (int i = 0; i < side_; ++i) {
        const uint16_t bits = narrowToBf16(row[i]);
        std::memcpy(&state_.sp[(first + i) * 2], &bits, sizeof bits);
      }
    }
  }

  const Config& config_;
  State& state_;
  const VectorParameters& parameters_;
  const Vop& vop_;
  const VectorOpInfo op_;
  const int side_;
  Row folded_ = {};
};

}  // namespace

void runVectorOp(const Config& config, State& state, const Vop& vop) { VectorUnit(config, state, vop).run(); }

}  // namespace tetrarch::npu
