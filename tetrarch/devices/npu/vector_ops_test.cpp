// Each vector op against a model of its own, written from the README in other arithmetic (long double and
// __int128 for integers, double for floats).
#include "tetrarch/devices/npu/vector_ops.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <functional>
#include <map>

#include "tetrarch/base/element_type.h"
#include "tetrarch/devices/npu/float_math.h"
#include "tetrarch/devices/npu/legality.h"
#include "tetrarch/devices/npu/random_case.h"

namespace tetrarch::npu {
namespace {

// ---- the other model -----------------------------------------------------------------------------

// The quotient is exact in 64 bits of significand, and rintl rounds to even.
int64_t rne(int64_t x, int64_t s) { return std::llrintl(static_cast<long double>(x) / powl(2, s)); }
int64_t wrap(__int128 x) { return static_cast<int32_t>(static_cast<uint32_t>(x)); }
int64_t sat8(int64_t x) { return x < -128 ? -128 : x > 127 ? 127 : x; }

using Lanes = std::vector<int64_t>;
struct Inputs {
  const State& state;
  int64_t imm;
  int64_t side() const { return static_cast<int64_t>(state.parameters.bias.size()); }
  int64_t entry(int64_t i) const { return static_cast<int16_t>(state.table[i]); }
};

int64_t requantised(const Inputs& in, int64_t a, int64_t lane) {
  const auto bias = static_cast<int32_t>(in.state.parameters.bias[lane]);
  const auto mult = static_cast<int16_t>(in.state.parameters.scale[lane] % 65536);
  return rne((a + bias) * mult, in.state.parameters.scale[lane] / 65536 % 64);
}
int64_t clipped(const Inputs& in, int64_t x) {
  if (x < in.state.parameters.lo) x = in.state.parameters.lo;
  return x > in.state.parameters.hi ? in.state.parameters.hi : x;
}
int64_t scaledEntry(const Inputs& in, int64_t index, int64_t e) {
  return in.imm >= e ? wrap(static_cast<__int128>(in.entry(index)) * (int64_t{1} << (in.imm - e)))
                     : rne(in.entry(index), e - in.imm);
}
int64_t logOf(int64_t a) { return static_cast<int64_t>(std::floor(std::log2(static_cast<double>(a)))); }
// The `bits` bits below the leading one.
int64_t mantissa(int64_t a, int64_t bits) {
  const double fraction = std::ldexp(static_cast<double>(a), -static_cast<int>(logOf(a))) - 1;
  return static_cast<int64_t>(std::floor(std::ldexp(fraction, static_cast<int>(bits))));
}

using Op = std::function<int64_t(const Inputs&, const Lanes& a, const Lanes& b, int64_t lane)>;
const std::map<std::string_view, Op>& integerOps() {
  static const std::map<std::string_view, Op> ops = {
      {"move", [](const Inputs&, const Lanes& a, const Lanes&, int64_t i) { return a[i]; }},
      {"requant", [](const Inputs& in, const Lanes& a, const Lanes&,
                     int64_t i) { return clipped(in, requantised(in, a[i], i) + in.state.parameters.zp); }},
      {"requant_add",
       [](const Inputs& in, const Lanes& a, const Lanes& b, int64_t i) {
         const VectorParameters& p = in.state.parameters;
         return clipped(in, requantised(in, a[i], i) + rne((b[i] - p.zp_b) * p.mult_b, p.shift_b) + p.zp);
       }},
      {"add", [](const Inputs&, const Lanes& a, const Lanes& b, int64_t i) { return wrap(a[i] + b[i]); }},
      {"sub", [](const Inputs&, const Lanes& a, const Lanes& b, int64_t i) { return wrap(a[i] - b[i]); }},
      {"mul", [](const Inputs& in, const Lanes& a, const Lanes& b,
                 int64_t i) { return wrap(rne(a[i] * static_cast<int16_t>(b[i]), in.imm)); }},
      {"max",
       [](const Inputs&, const Lanes& a, const Lanes& b, int64_t i) { return a[i] > b[i] ? a[i] : b[i]; }},
      {"min",
       [](const Inputs&, const Lanes& a, const Lanes& b, int64_t i) { return a[i] < b[i] ? a[i] : b[i]; }},
      {"shr", [](const Inputs& in, const Lanes& a, const Lanes&, int64_t i) { return rne(a[i], in.imm); }},
      {"lut",
       [](const Inputs& in, const Lanes& a, const Lanes&, int64_t i) {
         const int64_t index = sat8(a[i]);
         return in.entry(index < 0 ? index + 256 : index);
       }},
      {"recip_lut",
       [](const Inputs& in, const Lanes& a, const Lanes&, int64_t i) {
         const int64_t x = a[i] < 1 ? 1 : a[i];
         return scaledEntry(in, mantissa(x, 8), logOf(x));
       }},
      {"rsqrt_lut",
       [](const Inputs& in, const Lanes& a, const Lanes&, int64_t i) {
         const int64_t x = a[i] < 1 ? 1 : a[i];
         return scaledEntry(in, logOf(x) % 2 * 128 + mantissa(x, 7), logOf(x) / 2);
       }},
      {"lane_sum",
       [](const Inputs&, const Lanes& a, const Lanes&, int64_t) {
         __int128 sum = 0;
         for (const int64_t x : a) sum += x;
         return wrap(sum);
       }},
      {"lane_max", [](const Inputs&, const Lanes& a, const Lanes&,
                      int64_t) { return *std::max_element(a.begin(), a.end()); }},
  };
  return ops;
}

// ---- harness -------------------------------------------------------------------------------------

constexpr int64_t kRows = 64;

struct Bench {
  Bench(uint64_t seed, int64_t side, Kind kind)
      : random(seed), config{.side = side, .kind = kind, .sp_rows = kRows, .acc_rows = kRows}, state(config) {
    fillRandomly(random, config, state);
    VectorParameters& p = state.parameters;
    p.zp = random.range(-200, 200);
    p.lo = random.range(-300, 0);
    p.hi = random.range(0, 300);
    p.zp_b = random.range(-128, 127);
    p.mult_b = random.range(INT16_MIN, INT16_MAX);
    p.shift_b = random.range(0, 31);
  }

  Lanes row(const State& s, int64_t local, int64_t offset) const {
    Lanes lanes;
    for (int64_t i = 0; i < config.side; ++i) {
      const int64_t at = (rowOf(local) + offset) * config.side + i;
      lanes.push_back(isAcc(local) ? static_cast<int32_t>(s.acc[at]) : static_cast<int8_t>(s.sp[at]));
    }
    return lanes;
  }

  Random random;
  Config config;
  State state;
};

// A VOP on rows that do not meet: A and B from 0 on, D from half on.
Vop vopOf(Bench& bench, const VectorOpInfo& op, bool a_acc, bool b_acc, bool d_acc) {
  const auto at = [](bool acc, int64_t row) { return acc ? accAddress(row) : row; };
  Vop vop{.op = static_cast<int64_t>(op.op), .n0 = 5, .n1 = 3, .s0 = 2, .s1 = 4};
  vop.pitch = bench.random.range(5, 8);
  vop.a = at(a_acc, 1);
  vop.d = at(d_acc, 32);
  if (op.two_operands) {
    vop.b = at(b_acc, 3);
    vop.broadcast = bench.random.range(0, 1);
  }
  if (op.takes_imm) vop.imm = bench.random.range(0, 31);
  return vop;
}

void compareLaneByLane(uint64_t seed, const VectorOpInfo& op, const Op& model) {
  Bench bench(seed, seed % 3 == 0 ? 8 : seed % 3 == 1 ? 16 : 32, Kind::Int8);
  const bool b_acc = op.op != VectorOp::REQUANT_ADD && seed % 2 == 1;
  const Vop vop = vopOf(bench, op, seed / 2 % 2 == 1, b_acc, seed / 4 % 2 == 1);
  ASSERT_FALSE(checkFields(bench.config, {}, vop)) << disassemble(vop);
  State after = bench.state;
  runVectorOp(bench.config, after, vop);
  const Inputs inputs{bench.state, vop.imm};
  for (int64_t i1 = 0; i1 < vop.n1; ++i1) {
    for (int64_t i0 = 0; i0 < vop.n0; ++i0) {
      const Lanes a = bench.row(bench.state, vop.a, i1 * vop.s1 + i0 * vop.s0);
      const Lanes b = bench.row(bench.state, vop.b, vop.broadcast ? 0 : i1 * vop.pitch + i0);
      const Lanes d = bench.row(after, vop.d, i1 * vop.pitch + i0);
      for (int64_t lane = 0; lane < bench.config.side; ++lane) {
        const int64_t exact = model(inputs, a, b, lane);
        ASSERT_EQ(d[lane], isAcc(vop.d) ? exact : sat8(exact))
            << disassemble(vop) << ", seed " << seed << ", row " << i1 << "," << i0 << ", lane " << lane
            << ", A " << a[lane] << ", B " << b[lane];
      }
    }
  }
}

TEST(NpuVectorOps, EachIntegerOpAgainstAModelOfItsOwn) {
  for (const VectorOpRow& row : vectorOpRows()) {
    const VectorOpInfo& op = *vectorOpInfo(row.value);
    if (!op.int8 || op.fold) continue;
    ASSERT_TRUE(integerOps().contains(op.name)) << op.name;
    for (uint64_t seed = 0; seed < 48; ++seed) compareLaneByLane(seed, op, integerOps().at(op.name));
  }
}

TEST(NpuVectorOps, FoldsCombineTheInnerLoop) {
  for (const VectorOp which : {VectorOp::FOLD_SUM, VectorOp::FOLD_MAX}) {
    Bench bench(11, 16, Kind::Int8);
    const Vop vop = vopOf(bench, *vectorOpInfo(static_cast<int64_t>(which)), true, false, true);
    State after = bench.state;
    runVectorOp(bench.config, after, vop);
    for (int64_t i1 = 0; i1 < vop.n1; ++i1) {
      Lanes expected = bench.row(bench.state, vop.a, i1 * vop.s1);
      for (int64_t i0 = 1; i0 < vop.n0; ++i0) {
        const Lanes a = bench.row(bench.state, vop.a, i1 * vop.s1 + i0 * vop.s0);
        for (size_t i = 0; i < a.size(); ++i) {
          expected[i] = which == VectorOp::FOLD_SUM ? wrap(expected[i] + a[i]) : std::max(expected[i], a[i]);
        }
      }
      EXPECT_EQ(bench.row(after, vop.d, i1 * vop.pitch), expected);
    }
  }
}

TEST(NpuVectorOps, RoundsHalfToEven) {
  EXPECT_EQ(roundShift(5, 1), 2);
  EXPECT_EQ(roundShift(7, 1), 4);
  EXPECT_EQ(roundShift(-5, 1), -2);
  EXPECT_EQ(roundShift(-7, 1), -4);
  EXPECT_EQ(roundShift(-1, 63), 0);
  EXPECT_EQ(roundShift(INT32_MIN, 31), -1);
  EXPECT_EQ(roundShift(-3, 0), -3);
}

// ---- bf16 kind -----------------------------------------------------------------------------------

// What a float stands for: subnormals are zeros.
double valueOf(uint32_t bits) {
  const double value = std::bit_cast<float>(bits);
  return std::fpclassify(std::bit_cast<float>(bits)) == FP_SUBNORMAL ? std::copysign(0.0, value) : value;
}
// An exact double to fp32: to nearest even as if exponents had no end, then subnormals to zero.
uint32_t toFloat(double exact) {
  if (std::isnan(exact)) return kFloatNan;
  if (exact == 0 || std::isinf(exact)) return std::bit_cast<uint32_t>(static_cast<float>(exact));
  int exponent;
  const double significand = std::nearbyint(std::ldexp(std::frexp(exact, &exponent), 24));
  const double rounded = std::ldexp(significand, exponent - 24);
  if (std::fabs(rounded) < 0x1p-126) return exact < 0 ? kFloatSign : 0;
  return std::bit_cast<uint32_t>(static_cast<float>(rounded));
}

TEST(NpuVectorOps, FloatArithmeticRoundsOnceAndFlushes) {
  Random r(5);
  const Config config{.side = 8, .kind = Kind::Bf16, .sp_rows = 512, .acc_rows = 512};
  State state(config);
  for (int i = 0; i < 60; ++i) {
    fillRandomly(r, config, state);
    for (const uint32_t a : state.acc) {
      const uint32_t b = state.acc[r.range(0, static_cast<int64_t>(state.acc.size()) - 1)];
      EXPECT_EQ(multiplyFloat(a, b), toFloat(valueOf(a) * valueOf(b))) << std::hex << a << " * " << b;
      // A double holds such a sum exactly where exponents are close; elsewhere the float sum must be settled.
      if (std::abs(std::logb(valueOf(a)) - std::logb(valueOf(b))) < 28) {
        EXPECT_EQ(addFloat(a, b), toFloat(valueOf(a) + valueOf(b))) << std::hex << a << " + " << b;
      }
    }
  }
  EXPECT_EQ(multiplyFloat(0x00ffffff, 0x3f000000), 0u);  // 0.99999994 * 2^-126, a float's subnormal
  EXPECT_EQ(multiplyFloat(0x3f7fffff, 0x00800000), 0u);  // the same by another way
  EXPECT_EQ(addFloat(0x00800001, 0x80800000), 0u);       // 2^-149
  EXPECT_EQ(addFloat(0x7f7fffff, 0x7f7fffff), kFloatInfinity);
  EXPECT_EQ(addFloat(0x7f800000, 0xff800000), kFloatNan);
}

TEST(NpuVectorOps, FloatOpsFollowTheReadme) {
  const Config config{.side = 8, .kind = Kind::Bf16, .sp_rows = kRows, .acc_rows = kRows};
  State state(config);
  const auto bits = [](float x) { return std::bit_cast<uint32_t>(x); };
  const auto run = [&](VectorOp op, uint32_t a, uint32_t b) {
    std::fill_n(state.acc.begin(), 8, a);
    std::fill_n(state.acc.begin() + 8, 8, b);
    Vop vop{.op = static_cast<int64_t>(op), .a = accAddress(0), .n0 = 1, .n1 = 1, .d = accAddress(2)};
    if (vectorOpInfo(vop.op)->two_operands) vop.b = accAddress(1);
    EXPECT_FALSE(checkFields(config, {}, vop));
    runVectorOp(config, state, vop);
    return state.acc[16];
  };
  const uint32_t infinity = kFloatInfinity, nan = kFloatNan;
  EXPECT_EQ(run(VectorOp::FADD, bits(1.5f), bits(2)), bits(3.5f));
  EXPECT_EQ(run(VectorOp::FSUB, bits(1.5f), bits(2)), bits(-0.5f));
  EXPECT_EQ(run(VectorOp::FMUL, bits(1.5f), bits(-2)), bits(-3));
  EXPECT_EQ(run(VectorOp::FMAX, bits(-0.0f), bits(0)), bits(0));
  EXPECT_EQ(run(VectorOp::FMIN, bits(-0.0f), bits(0)), bits(-0.0f));
  EXPECT_EQ(run(VectorOp::FMAX, 0xff800001, bits(0)), nan);
  EXPECT_EQ(run(VectorOp::FMAX, 0x00000001, bits(-1)), 0u);
  EXPECT_EQ(run(VectorOp::FRELU, bits(-3), 0), 0u);
  EXPECT_EQ(run(VectorOp::FRELU, bits(3), 0), bits(3));
  EXPECT_EQ(run(VectorOp::FRELU, 0xffc00001, 0), nan);
  EXPECT_EQ(run(VectorOp::MOVE, 0x00000001, 0), 1u);
  EXPECT_EQ(run(VectorOp::FLANE_SUM, bits(0.5f), 0), bits(4));
  EXPECT_EQ(run(VectorOp::FLANE_MAX, bits(0.5f), 0), bits(0.5f));
  for (int i = 0; i < 256; ++i) {
    state.table[i] = f32ToBf16(static_cast<float>(1 / (1 + i / 256.0)));
  }
  EXPECT_EQ(run(VectorOp::FRECIP_LUT, bits(-4), 0), bits(-0.25f));
  EXPECT_EQ(run(VectorOp::FRECIP_LUT, 0x80000000, 0), 0xff800000);
  EXPECT_EQ(run(VectorOp::FRECIP_LUT, infinity, 0), 0u);
  std::fill(state.parameters.scale.begin(), state.parameters.scale.end(), bits(2));
  std::fill(state.parameters.bias.begin(), state.parameters.bias.end(), bits(1));
  EXPECT_EQ(run(VectorOp::FAFFINE, bits(3), 0), bits(7));
  EXPECT_EQ(run(VectorOp::FLUT, bits(0.75f), 0), widenBf16(state.table[2]));  // 2.5 to even
  EXPECT_EQ(run(VectorOp::FLUT, nan, 0), widenBf16(state.table[0]));
  EXPECT_EQ(run(VectorOp::FLUT, infinity, 0), widenBf16(state.table[255]));
  for (int i = 0; i < 256; ++i) {
    state.table[i] = f32ToBf16(static_cast<float>(1 / std::sqrt((1 + i % 128 / 128.0) * (1 + i / 128))));
  }
  EXPECT_EQ(run(VectorOp::FRSQRT_LUT, bits(16), 0), bits(0.25f));
  EXPECT_EQ(run(VectorOp::FRSQRT_LUT, bits(0.25f), 0), bits(2));
  EXPECT_EQ(run(VectorOp::FRSQRT_LUT, bits(-1), 0), nan);
  EXPECT_EQ(run(VectorOp::FRSQRT_LUT, bits(-0.0f), 0), infinity);
}

TEST(NpuVectorOps, NarrowsToBf16ToNearestEven) {
  Random r(9);
  for (int i = 0; i < 10000; ++i) {
    const auto bits = static_cast<uint32_t>(r.bits());
    if (isNan(bits) || flush(bits) != bits) continue;
    EXPECT_EQ(narrowToBf16(bits), f32ToBf16(std::bit_cast<float>(bits))) << std::hex << bits;
  }
  EXPECT_EQ(narrowToBf16(0xff800001), 0x7fc0);
  EXPECT_EQ(narrowToBf16(0x807fffff), 0x8000);
}

}  // namespace
}  // namespace tetrarch::npu
