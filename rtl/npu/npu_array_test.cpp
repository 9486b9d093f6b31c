// The systolic array against a plain product: tiles back to back with the swap between them, gated rows,
// ternary weights, gaps, and the stated latency.
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <deque>
#include <random>
#include <vector>

#include "Vnpu_array_8.h"

namespace {

constexpr int S = 8;
constexpr int kLatency = 2 * S + 1;  // cycles from a row to its sums
using Row = std::array<int8_t, S>;
using Tile = std::array<Row, S>;  // [array row][column]

struct Sums {
  int64_t cycle;
  std::array<int32_t, S> lanes;
  bool operator==(const Sums&) const = default;
};

struct Stimulus {
  Tile weights{};
  bool ternary = false;
  int live = S;
  std::vector<Row> rows;
  int gapPercent = 0;
};

uint8_t ternaryCode(int8_t weight) { return weight == 0 ? 0 : (weight < 0 ? 3 : 1); }

class ArrayBench {
 public:
  explicit ArrayBench(uint32_t seed) : random_(seed) {
    dut_.rst_ni = 0;
    tick();
    dut_.rst_ni = 1;
  }

  // Loads the weights of each tile while the rows of the one before pass.
  void run(const std::vector<Stimulus>& tiles) {
    loadWeights(tiles[0], S);
    for (size_t i = 0; i < tiles.size(); ++i) {
      stream(tiles[i], i + 1 < tiles.size() ? &tiles[i + 1] : nullptr);
    }
    for (int i = 0; i < kLatency + 1; ++i) {
      tick();
    }
  }

  std::vector<Sums> seen, expected;

 private:
  void tick() {
    dut_.clk_i = 0;
    dut_.eval();
    if (dut_.rst_ni && dut_.c_valid_o) {
      Sums sums{cycle_, {}};
      for (int c = 0; c < S; ++c) {
        sums.lanes[c] = static_cast<int32_t>(dut_.c_row_o[c]);
      }
      seen.push_back(sums);
    }
    dut_.clk_i = 1;
    dut_.eval();
    dut_.w_load_i = 0;
    dut_.a_valid_i = 0;
    ++cycle_;
  }

  void drive(const Stimulus& tile, int row) {
    uint64_t bytes = 0;
    for (int c = 0; c < S; ++c) {
      uint8_t byte = tile.weights[row][c];
      if (tile.ternary) {
        byte = 0;
        for (int j = 0; j < 4; ++j) {
          byte |= ternaryCode(tile.weights[row / 4 * 4 + j][c]) << (2 * j);
        }
      }
      bytes |= static_cast<uint64_t>(byte) << (8 * c);
    }
    dut_.w_load_i = 1;
    dut_.w_tern_i = tile.ternary;
    dut_.w_index_i = row;
    dut_.w_row_i = bytes;
  }

  void loadWeights(const Stimulus& tile, int rows) {
    for (int r = 0; r < rows; ++r) {
      drive(tile, r);
      tick();
    }
  }

  void stream(const Stimulus& tile, const Stimulus* next) {
    int loaded = 0;
    for (size_t i = 0; i < tile.rows.size();) {
      if (next && loaded < S && (i > 0 || loaded > 0)) {
        drive(*next, loaded++);  // starts right behind the first row: nothing may disturb the current tile
      }
      const bool gap = static_cast<int>(random_() % 100) < tile.gapPercent;
      if (!gap) {
        feed(tile, tile.rows[i], i == 0);
        if (i == 0 && next && loaded == 0) {
          drive(*next, loaded++);  // in the very cycle of the swap
        }
        ++i;
      }
      tick();
    }
    while (next && loaded < S) {
      drive(*next, loaded++);
      tick();
    }
  }

  void feed(const Stimulus& tile, const Row& row, bool first) {
    uint64_t bytes = 0;
    Sums sums{cycle_ + kLatency, {}};
    for (int r = 0; r < S; ++r) {
      bytes |= static_cast<uint64_t>(static_cast<uint8_t>(row[r])) << (8 * r);
      for (int c = 0; c < S && r < tile.live; ++c) {
        sums.lanes[c] += row[r] * tile.weights[r][c];
      }
    }
    dut_.a_valid_i = 1;
    dut_.a_swap_i = first;
    dut_.a_live_i = (1U << tile.live) - 1;
    dut_.a_row_i = bytes;
    expected.push_back(sums);
  }

  Vnpu_array_8 dut_;
  std::mt19937 random_;
  int64_t cycle_ = 0;
};

Stimulus randomTile(std::mt19937& random, int rows, int gapPercent) {
  Stimulus tile;
  tile.ternary = random() % 3 == 0;
  tile.live = random() % 2 ? S : 1 + random() % S;
  tile.gapPercent = gapPercent;
  for (Row& row : tile.weights) {
    for (int8_t& weight : row) {
      weight = tile.ternary ? static_cast<int>(random() % 3) - 1 : static_cast<int8_t>(random());
    }
  }
  tile.rows.resize(rows);
  for (Row& row : tile.rows) {
    for (int8_t& value : row) {
      value = random() % 8 == 0 ? -128 : static_cast<int8_t>(random());
    }
  }
  return tile;
}

TEST(NpuArray, MultipliesTilesBackToBackWithoutBubbles) {
  std::mt19937 random(1);
  std::vector<Stimulus> tiles;
  for (int i = 0; i < 40; ++i) {
    tiles.push_back(randomTile(random, S + random() % 5, 0));
  }
  ArrayBench bench(2);
  bench.run(tiles);
  EXPECT_EQ(bench.seen, bench.expected);
  int64_t rows = 0;
  for (const Stimulus& tile : tiles) {
    rows += static_cast<int64_t>(tile.rows.size());
  }
  EXPECT_EQ(bench.seen.back().cycle - bench.seen.front().cycle + 1, rows) << "a bubble between tiles";
}

TEST(NpuArray, TakesShortTilesAndGaps) {
  std::mt19937 random(3);
  std::vector<Stimulus> tiles;
  for (int i = 0; i < 60; ++i) {
    tiles.push_back(randomTile(random, 1 + random() % (2 * S), random() % 80));
  }
  ArrayBench bench(4);
  bench.run(tiles);
  EXPECT_EQ(bench.seen, bench.expected);
}

TEST(NpuArray, ExtremesDoNotOverflowTheProduct) {
  Stimulus tile;
  for (Row& row : tile.weights) {
    row.fill(-128);
  }
  tile.rows.resize(2);
  tile.rows[0].fill(-128);
  tile.rows[1].fill(127);
  ArrayBench bench(5);
  bench.run({tile});
  ASSERT_EQ(bench.seen, bench.expected);
  EXPECT_EQ(bench.seen[0].lanes[0], S * 128 * 128);
}

}  // namespace
