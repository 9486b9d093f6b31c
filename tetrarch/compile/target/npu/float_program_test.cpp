// Vector programs of floats: streams on the model against the meaning of the nodes, bit for bit; and how far
// the functions that they are made of are from the real ones.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <map>

#include "tetrarch/compile/target/npu/float_functions.h"
#include "tetrarch/compile/target/npu/vector_emit.h"
#include "tetrarch/devices/npu/float_math.h"
#include "tetrarch/devices/npu/machine.h"
#include "tetrarch/devices/npu/random_case.h"
#include "tetrarch/devices/npu/verifier.h"

namespace tetrarch::npu {
namespace {

using Words = std::vector<uint32_t>;
using Buffers = std::vector<std::vector<std::byte>>;

float floatOf(uint32_t bits) { return std::bit_cast<float>(bits); }
uint32_t bitsOf(float number) { return std::bit_cast<uint32_t>(number); }

uint32_t largest(uint32_t a, uint32_t b) {
  if (isNan(a) || isNan(b)) return kFloatNan;
  a = flush(a), b = flush(b);
  if (floatOf(a) == floatOf(b)) return a & kFloatSign ? b : a;
  return floatOf(a) > floatOf(b) ? a : b;
}
uint32_t smallest(uint32_t a, uint32_t b) {
  const uint32_t mirrored = largest(a ^ kFloatSign, b ^ kFloatSign);
  return isNan(mirrored) ? kFloatNan : mirrored ^ kFloatSign;
}

// The nodes one after the other, element by element, in the arithmetic of rtl/npu/README.md.
class Meaning {
 public:
  Meaning(const VectorProgram& program, const Buffers& buffers, int64_t side)
      : program_(program), buffers_(buffers), side_(side) {
    for (const VectorNode& node : program.nodes) values_.push_back(compute(node));
  }

  uint32_t at(int index, int64_t row, int64_t column) const {
    const Words& values = values_[index];
    switch (program_.nodes[index].extent) {
      case Extent::Element:
        return values[row * program_.columns + column];
      case Extent::Row:
        return values[row];
      case Extent::Column:
        return values[column];
      case Extent::One:
        return values[0];
    }
    return 0;
  }

 private:
  Words compute(const VectorNode& n) const {
    const bool has_rows = n.extent == Extent::Element || n.extent == Extent::Row;
    const bool has_columns = n.extent == Extent::Element || n.extent == Extent::Column;
    Words values;
    for (int64_t row = 0; row < (has_rows ? program_.rows : 1); ++row) {
      for (int64_t column = 0; column < (has_columns ? program_.columns : 1); ++column) {
        const auto index = static_cast<int64_t>(values.size());
        const uint32_t exact = n.kind == VectorKind::Input ? stored(n, index) : number(n, row, column);
        const bool rounds = n.narrow && n.extent == Extent::Element;
        values.push_back(rounds ? widenBf16(narrowToBf16(exact)) : exact);
      }
    }
    return values;
  }

  uint32_t stored(const VectorNode& n, int64_t index) const {
    uint32_t bits = 0;
    std::memcpy(&bits, &buffers_[n.buffer][index * n.bytes], n.bytes);
    return n.bytes == 2 ? bits << 16 : bits;
  }

  uint32_t number(const VectorNode& n, int64_t row, int64_t column) const {
    const uint32_t a = n.a < 0 ? 0 : at(n.a, row, column), b = n.b < 0 ? 0 : at(n.b, row, column);
    switch (n.kind) {
      case VectorKind::Constant:
        return static_cast<uint32_t>(n.imm);
      case VectorKind::Add:
        return addFloat(a, b);
      case VectorKind::Sub:
        return addFloat(a, b ^ kFloatSign);
      case VectorKind::Mul:
        return multiplyFloat(a, b);
      case VectorKind::Max:
        return largest(a, b);
      case VectorKind::Min:
        return smallest(a, b);
      case VectorKind::Move:
        return a;
      case VectorKind::Lookup: {
        const float index = floatOf(addFloat(multiplyFloat(a, bitsOf(n.scale)), bitsOf(n.offset)));
        const double clamped = index > 0 ? std::min(255.0, std::nearbyint(static_cast<double>(index))) : 0;
        return widenBf16(program_.tables[n.buffer][static_cast<size_t>(clamped)]);
      }
      case VectorKind::RowSum:
        return sumOf(n, row);
      case VectorKind::RowMax: {
        uint32_t most = kLeast.value;
        for (int64_t c = 0; c < program_.columns; ++c) most = largest(most, at(n.a, row, c));
        return most;
      }
      default:
        ADD_FAILURE() << "no meaning is written for a node of this kind";
        return 0;
    }
  }

  // Tile by tile, then halves of what is left.
  uint32_t sumOf(const VectorNode& n, int64_t row) const {
    Words lanes(side_, 0);
    for (int64_t c = 0; c < program_.columns; ++c) {
      uint32_t& lane = lanes[c % side_];
      lane = c < side_ ? at(n.a, row, c) : addFloat(lane, at(n.a, row, c));
    }
    for (int64_t c = program_.columns; c % side_ != 0; ++c) {
      if (c >= side_) lanes[c % side_] = addFloat(lanes[c % side_], 0);
    }
    for (int64_t half = side_ / 2; half > 0; half /= 2) {
      for (int64_t i = 0; i < half; ++i) lanes[i] = addFloat(lanes[i], lanes[i + half]);
    }
    return lanes[0];
  }

  const VectorProgram& program_;
  const Buffers& buffers_;
  const int64_t side_;
  std::vector<Words> values_;
};

// A program, its operands and results in DRAM.
class Trial {
 public:
  explicit Trial(VectorProgram program) : program_(std::move(program)) {}

  std::vector<std::byte>& addBuffer(int64_t bytes) { return buffers_.emplace_back(bytes); }
  const std::vector<std::byte>& result(size_t i) const { return buffers_[operands_ + i]; }

  void run(const Config& config) {
    auto plan = planVector(config, program_);
    ASSERT_TRUE(plan) << plan.error().message();
    operands_ = buffers_.size();
    for (const auto& result : program_.results)
      buffers_.emplace_back(program_.rows * program_.columns * result.bytes);
    buffers_.push_back(constantsOf(program_, config.side));
    std::vector<int64_t> addresses;
    std::vector<Dram::Segment> segments;
    for (auto& buffer : buffers_) {
      addresses.push_back(addresses.empty() ? 64 : addresses.back() + kStep);
      segments.push_back({static_cast<uint64_t>(addresses.back()), buffer.data(), buffer.size(), true});
    }
    const Dram dram = *Dram::make(segments);
    // Two streams, so that each prepares what it needs itself.
    for (auto [begin, end] :
         {std::pair{int64_t{0}, plan->blocks() / 2}, std::pair{plan->blocks() / 2, plan->blocks()}}) {
      StreamBuilder builder(config);
      const std::span all(addresses);
      emitVector(config, *plan,
                 {.operands = all.first(operands_),
                  .results = all.subspan(operands_, program_.results.size()),
                  .constants = addresses.back()},
                 begin, end, builder);
      auto stream = builder.finish();
      ASSERT_TRUE(stream) << stream.error().message();
      const Status status = verify(config, *stream, dram);
      ASSERT_TRUE(status.ok()) << status.message();
      Machine(config, dram).run(*stream);
    }
  }

  void compare(const Config& config) const {
    const Meaning meaning(program_, buffers_, config.side);
    for (size_t i = 0; i < program_.results.size(); ++i) {
      const auto [node, bytes] = program_.results[i];
      for (int64_t e = 0; e < program_.rows * program_.columns; ++e) {
        uint32_t is = 0;
        std::memcpy(&is, &result(i)[e * bytes], bytes);
        const uint32_t exact = meaning.at(node, e / program_.columns, e % program_.columns);
        ASSERT_EQ(is, bytes == 2 ? narrowToBf16(exact) : exact) << "result " << i << " element " << e;
      }
    }
  }

 private:
  static constexpr int64_t kStep = 1 << 20;
  VectorProgram program_;
  Buffers buffers_;
  size_t operands_ = 0;
};

// Numbers of all signs and of many sizes, now and then none that is finite.
uint32_t anyWord(Random& random) {
  if (random.chance(1)) return random.pick({0x7f800000, 0x00000001, 0x7fc00000, 0});
  const int64_t exponent = random.chance(10) ? random.range(1, 254) : random.range(110, 140);
  return static_cast<uint32_t>(random.range(0, 1) << 31 | exponent << 23 | random.range(0, (1 << 23) - 1));
}

void fill(Random& random, std::vector<std::byte>& buffer, int64_t bytes) {
  for (size_t at = 0; at < buffer.size(); at += bytes) {
    uint32_t word = anyWord(random);
    // NaN's place is a row of its own: what stands beside a row's columns is never NaN.
    if (isNan(word)) word = 0;
    if (bytes == 2) word = narrowToBf16(word);
    std::memcpy(&buffer[at], &word, bytes);
  }
}

VectorProgram randomProgram(Random& random, int64_t side) {
  VectorProgram p{.rows = random.range(1, 40),
                  .columns = random.range(1, 5 * side),
                  .nodes = {},
                  .results = {},
                  .floats = true,
                  .tables = {}};
  FloatFunctions functions(p);
  std::vector<int> values = {p.input(0, 2, Extent::Element), p.input(1, 4, Extent::Element)};
  if (random.chance(60)) values.push_back(p.input(2, 4, Extent::Column));
  if (random.chance(60)) values.push_back(p.input(3, 2, Extent::Column));
  const auto any = [&] { return values[random.range(0, static_cast<int64_t>(values.size()) - 1)]; };
  for (int64_t left = random.range(1, 16); left > 0; --left) {
    const int a = any(), b = random.chance(30) ? p.number(floatOf(anyWord(random))) : any();
    const bool is_element = p.nodes[a].extent == Extent::Element;
    const VectorKind kinds[] = {VectorKind::Add, VectorKind::Sub, VectorKind::Mul, VectorKind::Max,
                                VectorKind::Min};
    const int64_t what = random.range(0, 8);
    if (what <= 4) {
      values.push_back(p.binary(kinds[what], a, b));
    } else if (what == 5) {
      values.push_back(p.move(a, true));
    } else if (what == 6 && is_element) {
      // Sums of what may be infinite on both sides would be NaN in the lanes without a column, too.
      const int limited = p.binary(VectorKind::Min, functions.absolute(a), p.number(1e6F));
      values.push_back(p.reduceRow(VectorKind::RowSum, limited));
    } else if (what == 7 && is_element) {
      values.push_back(p.reduceRow(VectorKind::RowMax, p.move(p.input(0, 2, Extent::Element), false)));
    } else if (is_element) {
      values.push_back(functions.erf(a));
    }
  }
  p.results.push_back({p.binary(VectorKind::Add, values[1], values.back()), 4});
  p.results.push_back({p.move(p.results[0].node, true), 2});
  p.foldMoves();
  return p;
}

TEST(FloatStream, RandomProgramsAreWhatTheirNodesSay) {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    Config config = Config::standard(int64_t{8} << random.range(0, 2), Kind::Bf16);
    if (random.chance(50)) config.acc_rows = 256;
    VectorProgram program = randomProgram(random, config.side);
    const int64_t total = program.rows * program.columns;
    Trial trial(program);
    fill(random, trial.addBuffer(2 * total), 2);
    fill(random, trial.addBuffer(4 * total), 4);
    fill(random, trial.addBuffer(4 * program.columns), 4);
    fill(random, trial.addBuffer(2 * program.columns), 2);
    trial.run(config);
    if (!HasFatalFailure()) trial.compare(config);
    if (HasFailure()) return;
  }
}

// One function and how far it may be from the real one, over numbers from low to high.
struct FunctionRow {
  const char* name;
  int (FloatFunctions::*made)(int);
  double (*real)(double);
  double low, high;
  double relative, absolute;
};

double reciprocal(double x) { return 1 / x; }
double rsqrt(double x) { return 1 / std::sqrt(x); }
double step(double x) { return x > 0 ? 1 : 0; }

const FunctionRow kFunctions[] = {
    {"reciprocal", &FloatFunctions::reciprocal, reciprocal, 1e-30, 1e30, 0x1p-14, 0},
    {"rsqrt", &FloatFunctions::rsqrt, rsqrt, 1e-30, 1e30, 0x1p-13, 0},
    {"sqrt", &FloatFunctions::sqrt, [](double x) { return std::sqrt(x); }, 1e-29, 1e30, 0x1p-13, 0},
    {"exp", &FloatFunctions::exp, [](double x) { return std::exp(x); }, 1e-6, 88, 0x1p-14, 0},
    {"exp", &FloatFunctions::exp, [](double x) { return std::exp(x); }, -78, -1e-6, 0x1p-14, 0},
    {"exp", &FloatFunctions::exp, [](double x) { return std::exp(x); }, -86, -78, 0x1p-8, 0},
    {"erf", &FloatFunctions::erf, [](double x) { return std::erf(x); }, 1e-6, 30, 0, 0x1p-11},
    {"erf", &FloatFunctions::erf, [](double x) { return std::erf(x); }, -30, -1e-6, 0, 0x1p-11},
    {"tanh", &FloatFunctions::tanh, [](double x) { return std::tanh(x); }, 1e-6, 30, 0, 0x1p-10},
    {"tanh", &FloatFunctions::tanh, [](double x) { return std::tanh(x); }, -30, -1e-6, 0, 0x1p-10},
    {"isPositive", &FloatFunctions::isPositive, step, 1e-37, 1e37, 0, 0},
    {"isPositive", &FloatFunctions::isPositive, step, -1e37, -1e-37, 0, 0},
};

TEST(FloatFunctions, AreAsCloseAsStated) {
  const Config config = Config::standard(16, Kind::Bf16);
  constexpr int64_t kCount = 50000;
  for (const FunctionRow& row : kFunctions) {
    VectorProgram program{
        .rows = 1, .columns = kCount, .nodes = {}, .results = {}, .floats = true, .tables = {}};
    FloatFunctions functions(program);
    program.results.push_back({(functions.*row.made)(program.input(0, 4, Extent::Element)), 4});
    Trial trial(program);
    auto& buffer = trial.addBuffer(4 * kCount);
    const auto numberAt = [&](int64_t i) {  // in equal ratios
      const double part = static_cast<double>(i) / (kCount - 1);
      return static_cast<float>(row.low * std::pow(row.high / row.low, part));
    };
    for (int64_t i = 0; i < kCount; ++i) {
      const float number = numberAt(i);
      std::memcpy(&buffer[4 * i], &number, 4);
    }
    trial.run(config);
    ASSERT_FALSE(HasFatalFailure());
    double worst = 0, at = 0;
    for (int64_t i = 0; i < kCount; ++i) {
      float is = 0;
      std::memcpy(&is, &trial.result(0)[4 * i], 4);
      const double expected = row.real(static_cast<double>(numberAt(i)));
      const double error = std::fabs(is - expected) / (row.relative > 0 ? std::fabs(expected) : 1);
      if (!(error <= worst)) worst = error, at = static_cast<double>(numberAt(i));
    }
    EXPECT_LE(worst, row.relative + row.absolute) << row.name << " at " << at;
  }
}

TEST(FloatFunctions, KeepWhatIsBeyondTheirRange) {
  const Config config = Config::standard(16, Kind::Bf16);
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const float numbers[] = {-kInfinity, -1000, 0, 1000, kInfinity};
  VectorProgram program{.rows = 1, .columns = 5, .nodes = {}, .results = {}, .floats = true, .tables = {}};
  FloatFunctions functions(program);
  const int x = program.input(0, 4, Extent::Element);
  const int positive = functions.isPositive(x);
  for (int node :
       {functions.exp(x), functions.erf(x), functions.tanh(x), functions.select(positive, x, positive)})
    program.results.push_back({node, 4});
  Trial trial(program);
  std::memcpy(trial.addBuffer(sizeof numbers).data(), numbers, sizeof numbers);
  trial.run(config);
  const float expected[][5] = {
      {0, 0, 1, 3.32e38F, 3.32e38F}, {-1, -1, 0, 1, 1}, {-1, -1, 0, 1, 1}, {0, 0, 0, 1000, kInfinity}};
  for (size_t i = 0; i < 4; ++i) {
    for (int64_t e = 0; e < 5; ++e) {
      float is = 0;
      std::memcpy(&is, &trial.result(i)[4 * e], 4);
      if (std::isinf(expected[i][e])) {
        EXPECT_EQ(is, expected[i][e]) << i << ", " << numbers[e];
      } else {
        EXPECT_NEAR(is, expected[i][e], 1e-3 + 0.01 * std::fabs(expected[i][e])) << i << ", " << numbers[e];
      }
    }
  }
}

// What divides by a column could leave NaN beside a row's columns.
TEST(FloatStream, DeclinesSumsBesideQuotients) {
  VectorProgram p{.rows = 4, .columns = 20, .nodes = {}, .results = {}, .floats = true, .tables = {}};
  FloatFunctions functions(p);
  const int x = p.input(0, 4, Extent::Element);
  const int quotient = p.binary(VectorKind::Mul, x, functions.reciprocal(x));
  p.results.push_back({p.binary(VectorKind::Mul, p.reduceRow(VectorKind::RowSum, quotient), x), 4});
  const auto plan = planVector(Config::standard(16, Kind::Bf16), p);
  ASSERT_FALSE(plan);
  EXPECT_NE(plan.error().message().find("quotient"), std::string::npos) << plan.error().message();
}

}  // namespace
}  // namespace tetrarch::npu
