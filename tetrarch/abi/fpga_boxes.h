// Which iterations of a nest take and give what: boxes of the index space. Of nests that verify() accepts, or
// that it is about to look at.
#pragma once

#include <map>
#include <vector>

#include "tetrarch/abi/fpga_program.h"

namespace tetrarch::fpga {

// A range for each loop, inside of its extent; or no range at all.
Status checkBox(const Nest& nest, const Box& box);

// The same iterations with a range for each loop; of an output also without those that are not `when`.
Box fullBox(const Nest& nest, const Box& box);
Box fullBox(const Nest& nest, const Output& output);

// Different boxes of what one nest takes from a stream or gives to it or to a memory.
inline constexpr size_t kMaxBoxes = 64;

int64_t sizeOf(const Box& full);
int64_t iterationsOf(const Nest& nest);
bool areDisjoint(const std::vector<Box>& full);

// For each stream the different boxes, full ones, in which the nest takes a beat; for each stream or memory
// that the nest gives to the boxes of those outputs. When there are more than kMaxBoxes, some of them.
std::map<uint32_t, std::vector<Box>> popsOf(const Nest& nest);
std::map<uint32_t, std::vector<Box>> outputsOf(const Nest& nest, bool is_store);

// How many cells an accumulator of the nest has.
int64_t cellsOf(const Nest& nest);

// How many iterations after one that updates a cell of an accumulator it is read again, at the least; 0 when
// it never is, since each iteration is a cell's first.
int64_t updateDistance(const Nest& nest);

}  // namespace tetrarch::fpga
