// Streams of random vector programs, run by the model, against the meaning of the program's nodes.
#include "tetrarch/compile/target/npu/vector_emit.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <map>

#include "tetrarch/devices/npu/machine.h"
#include "tetrarch/devices/npu/random_case.h"
#include "tetrarch/devices/npu/verifier.h"

namespace tetrarch::npu {
namespace {

using Numbers = std::vector<int64_t>;

// The nodes one after the other, element by element.
class Meaning {
 public:
  Meaning(const VectorProgram& program, const std::vector<std::vector<std::byte>>& buffers)
      : program_(program), buffers_(buffers) {
    for (const VectorNode& node : program.nodes) values_.push_back(compute(node));
  }

  int64_t at(int index, int64_t row, int64_t column) const {
    switch (program_.nodes[index].extent) {
      case Extent::Element:
        return values_[index][row * program_.columns + column];
      case Extent::Row:
        return values_[index][row];
      case Extent::Column:
        return values_[index][column];
      case Extent::One:
        return values_[index][0];
    }
    return 0;
  }

 private:
  int64_t stored(int buffer, int64_t bytes, int64_t index) const {
    const std::byte* from = buffers_[buffer].data() + index * bytes;
    int8_t byte = 0;
    int16_t half = 0;
    int32_t word = 0;
    if (bytes == 1) return std::memcpy(&byte, from, 1), byte;
    if (bytes == 2) return std::memcpy(&half, from, 2), half;
    return std::memcpy(&word, from, 4), word;
  }

  Numbers compute(const VectorNode& n) const {
    const bool has_rows = n.extent == Extent::Element || n.extent == Extent::Row;
    const bool has_columns = n.extent == Extent::Element || n.extent == Extent::Column;
    Numbers values;
    for (int64_t row = 0; row < (has_rows ? program_.rows : 1); ++row) {
      for (int64_t column = 0; column < (has_columns ? program_.columns : 1); ++column) {
        const bool is_input = n.kind == VectorKind::Input;
        const auto index = static_cast<int64_t>(values.size());
        values.push_back(is_input ? stored(n.buffer, n.bytes, index)
                                  : static_cast<int32_t>(number(n, row, column)));
      }
    }
    return values;
  }

  int64_t number(const VectorNode& n, int64_t row, int64_t column) const {
    const int64_t a = n.a < 0 ? 0 : at(n.a, row, column), b = n.b < 0 ? 0 : at(n.b, row, column);
    switch (n.kind) {
      case VectorKind::Input:
        return 0;
      case VectorKind::Constant:
        return n.imm;
      case VectorKind::Add:
        return a + b;
      case VectorKind::Sub:
        return a - b;
      case VectorKind::Mul:
        return roundedShift(__int128{a} * b, n.imm);
      case VectorKind::Max:
        return std::max(a, b);
      case VectorKind::Min:
        return std::min(a, b);
      case VectorKind::Shift:
        return roundedShift(a, n.imm);
      case VectorKind::Requantize:
      case VectorKind::RequantizeAdd:
        return requantized(n, a, b, row, column);
      case VectorKind::Lookup:
        return stored(n.buffer, 2, a & 255);
      case VectorKind::Reciprocal:
      case VectorKind::Rsqrt:
        return fromTable(n, std::max<int64_t>(a, 1));
      case VectorKind::RowSum:
      case VectorKind::RowMax:
        return reduced(n, row);
      case VectorKind::Move:
        return a;
    }
    return 0;
  }

  int64_t requantized(const VectorNode& n, int64_t a, int64_t b, int64_t row, int64_t column) const {
    const int64_t bias = n.bias < 0 ? 0 : at(n.bias, row, column);
    const auto multiplier = static_cast<int16_t>(at(n.multiplier, row, column));
    int64_t level = roundedShift(__int128{a + bias} * multiplier, n.imm) + n.zero_point;
    if (n.kind == VectorKind::RequantizeAdd)
      level += roundedShift(__int128{b - n.zero_b} * n.multiplier_b, n.shift_b);
    return std::clamp(level, n.low, n.high);
  }

  int64_t fromTable(const VectorNode& n, int64_t a) const {
    const int64_t p = std::bit_width(static_cast<uint64_t>(a)) - 1, normal = a << (31 - p);
    const bool root = n.kind == VectorKind::Rsqrt;
    const int64_t u = root ? p % 2 * 128 + (normal >> 24 & 127) : normal >> 23 & 255, e = root ? p / 2 : p;
    const int64_t t = stored(n.buffer, 2, u);
    return n.imm >= e ? t << (n.imm - e) : roundedShift(t, e - n.imm);
  }

  int64_t reduced(const VectorNode& n, int64_t row) const {
    int64_t result = at(n.a, row, 0);
    for (int64_t column = 1; column < program_.columns; ++column) {
      const int64_t next = at(n.a, row, column);
      result = n.kind == VectorKind::RowSum ? result + next : std::max(result, next);
    }
    return result;
  }

  const VectorProgram& program_;
  const std::vector<std::vector<std::byte>>& buffers_;
  std::vector<Numbers> values_;
};

// A program, its operands and results in DRAM.
class Trial {
 public:
  Trial(VectorProgram program, std::vector<int64_t> operand_bytes, Random& random)
      : program_(std::move(program)) {
    for (int64_t bytes : operand_bytes) {
      buffers_.emplace_back(bytes);
      for (std::byte& byte : buffers_.back()) byte = static_cast<std::byte>(random.range(0, 255));
    }
  }

  // How many blocks it was computed in; fails the test when a number is wrong.
  int64_t check(const Config& config) {
    auto plan = planVector(config, program_);
    EXPECT_TRUE(plan) << plan.error().message();
    if (!plan) return 0;
    const Meaning meaning(program_, buffers_);
    for (const auto& result : program_.results)
      buffers_.emplace_back(program_.rows * program_.columns * result.bytes);
    std::vector<int64_t> addresses;
    std::vector<Dram::Segment> segments;
    for (auto& buffer : buffers_) {
      addresses.push_back(addresses.empty() ? 64 : (addresses.back() + kStep));
      segments.push_back({static_cast<uint64_t>(addresses.back()), buffer.data(), buffer.size(), true});
    }
    const Dram dram = *Dram::make(segments);
    // Two streams, so that each prepares what it needs itself.
    const int64_t half = plan->blocks() / 2;
    for (auto [begin, end] : {std::pair{int64_t{0}, half}, std::pair{half, plan->blocks()}})
      run(config, *plan, addresses, begin, end, dram);
    compare(meaning);
    return plan->blocks();
  }

 private:
  static constexpr int64_t kStep = 1 << 20;

  static void run(const Config& config, const VectorPlan& plan, const std::vector<int64_t>& addresses,
                  int64_t begin, int64_t end, const Dram& dram) {
    StreamBuilder builder(config);
    const auto operands = addresses.size() - plan.program.results.size();
    emitVector(config, plan, {std::span(addresses).first(operands), std::span(addresses).subspan(operands)},
               begin, end, builder);
    auto stream = builder.finish();
    ASSERT_TRUE(stream) << stream.error().message();
    const Status status = verify(config, *stream, dram);
    ASSERT_TRUE(status.ok()) << status.message();
    Machine(config, dram).run(*stream);
  }

  void compare(const Meaning& meaning) const {
    const size_t operands = buffers_.size() - program_.results.size();
    for (size_t i = 0; i < program_.results.size(); ++i) {
      const auto [node, bytes] = program_.results[i];
      for (int64_t e = 0; e < program_.rows * program_.columns; ++e) {
        const std::byte* from = buffers_[operands + i].data() + e * bytes;
        int8_t byte = 0;
        int32_t word = 0;
        bytes == 1 ? std::memcpy(&byte, from, 1) : std::memcpy(&word, from, 4);
        const int64_t expected = meaning.at(node, e / program_.columns, e % program_.columns);
        ASSERT_EQ(bytes == 1 ? byte : word, expected) << "result " << i << " element " << e;
      }
    }
  }

  VectorProgram program_;
  std::vector<std::vector<std::byte>> buffers_;
};

VectorNode requantization(VectorProgram& p, Random& random, int a) {
  VectorNode n{.kind = VectorKind::Requantize, .a = a};
  n.bias = p.constant(random.range(-100000, 100000));
  n.multiplier = p.constant(random.range(-32768, 32767));
  n.imm = random.range(0, 46);
  n.zero_point = random.range(-128, 127);
  n.low = random.range(-128, 0), n.high = random.range(0, 127);
  return n;
}

// Two byte tensors, a word tensor, a column of words and a table, and twenty nodes that read what went
// before.
Trial randomTrial(Random& random, int64_t side) {
  VectorProgram p{
      .rows = random.range(1, 40), .columns = random.range(1, 5 * side), .nodes = {}, .results = {}};
  const int64_t total = p.rows * p.columns;
  std::vector<int> values = {p.input(0, 1, Extent::Element), p.input(1, 1, Extent::Element),
                             p.input(2, 4, Extent::Element)};
  const bool has_columns = random.chance(60);
  if (has_columns) values.push_back(p.input(3, 4, Extent::Column));
  auto any = [&] { return values[random.range(0, static_cast<int64_t>(values.size()) - 1)]; };
  for (int64_t left = random.range(1, 20); left > 0; --left) {
    const int a = any(), b = random.chance(30) ? p.constant(random.range(-70000, 70000)) : any();
    const VectorNode &x = p.nodes[a], &y = p.nodes[b];
    const bool is_element = x.extent == Extent::Element;
    const VectorKind kinds[] = {VectorKind::Add, VectorKind::Sub, VectorKind::Max, VectorKind::Min};
    const int64_t what = random.range(0, 9);
    if (what <= 3) {
      values.push_back(p.binary(kinds[what], a, b));
    } else if (what == 4 && y.isHalf() && (y.extent != Extent::Row || x.extent == Extent::Row)) {
      values.push_back(p.binary(VectorKind::Mul, a, b, random.range(0, 31)));
    } else if (what == 5 && is_element) {
      values.push_back(p.requantize(requantization(p, random, a)));
    } else if (what == 6 && is_element && y.extent == Extent::Element && y.kind == VectorKind::Input &&
               y.bytes == 1) {
      VectorNode n = requantization(p, random, a);
      n.kind = VectorKind::RequantizeAdd, n.b = b;
      if (has_columns) n.multiplier = values[3], n.bias = values[3];
      n.zero_b = random.range(-128, 127), n.multiplier_b = random.range(-32768, 32767);
      n.shift_b = random.range(1, 31);
      values.push_back(p.requantize(n));
    } else if (what == 7 && x.isByte() && is_element) {
      values.push_back(p.table(VectorKind::Lookup, a, 4));
    } else if (what == 8 && is_element) {
      values.push_back(
          p.reduceRow(x.isByte() && random.chance(50) ? VectorKind::RowMax : VectorKind::RowSum, a));
    } else if (what == 9 && x.extent == Extent::Row) {
      values.push_back(
          p.table(random.chance(50) ? VectorKind::Reciprocal : VectorKind::Rsqrt, a, 4, random.range(0, 31)));
    }
  }
  const int last = values.back();
  p.results.push_back({p.binary(VectorKind::Add, values[2], last), 4});
  p.results.push_back({p.requantize(requantization(p, random, p.results[0].node)), 1});
  return {std::move(p), {total, total, 4 * total, 4 * p.columns, 2 * kTableEntries}, random};
}

TEST(VectorStream, RandomProgramsAreWhatTheirNodesSay) {
  int64_t blocks = 0;
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    Config config = Config::standard(int64_t{8} << random.range(0, 2), Kind::Int8);
    if (random.chance(50)) config.acc_rows = 256;
    blocks += randomTrial(random, config.side).check(config);
    if (testing::Test::HasFailure()) return;
  }
  EXPECT_GT(blocks, 320);
}

TEST(VectorStream, ElementsAloneAreCutWithoutRegardToRows) {
  Random random(7);
  const Config config = Config::standard(16, Kind::Int8);
  for (int64_t total : {1, 15, 16, 17, 4097, 100003}) {
    VectorProgram p{.rows = 1, .columns = total, .nodes = {}, .results = {}};
    VectorNode n = requantization(p, random, p.input(0, 1, Extent::Element));
    n.kind = VectorKind::RequantizeAdd, n.b = p.input(1, 1, Extent::Element);
    n.multiplier_b = 12345, n.shift_b = 7;
    p.results.push_back({p.requantize(n), 1});
    Trial(p, {total, total}, random).check(config);
  }
}

TEST(VectorStream, WhatDoesNotFitIsDeclinedWithItsLength) {
  VectorProgram p{.rows = 4, .columns = 40000, .nodes = {}, .results = {}};
  const int x = p.input(0, 4, Extent::Element);
  p.results.push_back({p.binary(VectorKind::Add, p.reduceRow(VectorKind::RowSum, x), x), 4});
  const auto plan = planVector(Config::standard(16, Kind::Int8), p);
  ASSERT_FALSE(plan);
  EXPECT_NE(plan.error().message().find("40000"), std::string::npos) << plan.error().message();
}

}  // namespace
}  // namespace tetrarch::npu
