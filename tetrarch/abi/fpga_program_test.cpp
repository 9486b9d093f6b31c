#include "tetrarch/abi/fpga_program.h"

#include <gtest/gtest.h>

#include <cstring>
#include <functional>

#include "tetrarch/abi/fpga_blob.h"
#include "tetrarch/abi/fpga_boxes.h"
#include "tetrarch/abi/fpga_cost.h"

namespace tetrarch::fpga {
namespace {

using Op = Operator;

// Nodes one after the other, each taking its operands as soon as they are there.
uint32_t add(Nest& nest, Node node) {
  for (const uint32_t operand : node.operands) {
    node.cycle = std::max(node.cycle, static_cast<uint32_t>(readyCycle(nest.nodes, operand)));
  }
  nest.nodes.push_back(std::move(node));
  const auto index = static_cast<uint32_t>(nest.nodes.size() - 1);
  nest.depth = std::max(nest.depth, static_cast<uint32_t>(readyCycle(nest.nodes, index)));
  return index;
}

// One stage fills a memory with 4 weights, the next sums 3 products of weights and beats for each of 5 rows;
// a machine stands beside them.
Kernel sampleKernel() {
  constexpr Type kI8{8}, kI32{32}, kAddress{4};
  Nest load{.loops = {{4, false}}};
  const uint32_t at = add(load, {.op = Op::Affine, .type = kAddress, .strides = {1}});
  const uint32_t weight = add(load, {.op = Op::Pop, .type = kI8, .object = 0});
  load.outputs = {{.is_store = true, .object = 0, .address = at, .values = {weight}}};

  Nest sum{.loops = {{5, false}, {3, true}}};
  const uint32_t x = add(sum, {.op = Op::Pop, .type = kI8, .object = 1});
  const uint32_t address = add(sum, {.op = Op::Affine, .type = kAddress, .strides = {0, 1}});
  const uint32_t w = add(sum, {.op = Op::Load, .type = kI8, .operands = {address}, .object = 0});
  const uint32_t wide_x = add(sum, {.op = Op::ExtS, .type = kI32, .operands = {x}});
  const uint32_t wide_w = add(sum, {.op = Op::ExtS, .type = kI32, .operands = {w}});
  const uint32_t product = add(sum, {.op = Op::Mul, .type = kI32, .operands = {wide_x, wide_w}});
  const uint32_t zero = add(sum, {.op = Op::Const, .type = kI32});
  const auto ready = static_cast<uint32_t>(readyCycle(sum.nodes, product));
  const uint32_t acc = add(sum, {.op = Op::Acc, .type = kI32, .imm = 0, .cycle = ready});
  const uint32_t update = add(sum, {.op = Op::Add, .type = kI32, .operands = {acc, product}});
  const uint32_t before = add(sum, {.op = Op::Delay, .type = kI32, .operands = {update}, .imm = 2});
  add(sum, {.op = Op::FLt,
            .type = kI1,
            .operands = {add(sum, {.op = Op::Bits, .type = kF32, .operands = {before}}),
                         add(sum, {.op = Op::Const, .type = kF32, .imm = 0x3f800000})}});
  sum.accumulators = {{zero, update}};
  sum.outputs = {{.object = 2, .values = {update}, .when = Output::When::Last}};

  Machine machine{.registers = {kI32, kI32, kI1}};
  const auto times = static_cast<uint32_t>(costOf(Op::Mul, kI32, kI32).latency);
  const auto compare = static_cast<uint32_t>(costOf(Op::LtU, kI1, kI32).latency);
  machine.blocks = {{.instructions = {{{.op = Op::Const, .type = kI32, .imm = 3}, 0}}, .then = 1},
                    {.instructions = {{{.op = Op::Mul, .type = kI32, .operands = {1, 0}}, 1},
                                      {{.op = Op::LtU, .type = kI1, .operands = {1, 0}, .cycle = times}, 2},
                                      {{.operands = {0, 1}, .object = 1, .cycle = times}, 0, true}},
                     .condition = 2,
                     .then = 1,
                     .cycles = times + compare + 1}};

  Kernel kernel{.symbol = "sum", .units = {2, 3}, .buffers = 3};
  kernel.streams = {{.type = kI8}, {.type = kI8}, {.type = kI32, .lanes = 1, .depth = 4}};
  kernel.memories = {{.type = kI8, .depth = 4},
                     {.type = kI32, .depth = 2},
                     {.type = {5}, .lanes = 2, .depth = 2, .data = {1, 2, 31, 0}}};
  kernel.ports = {{.is_input = true, .buffer = 0, .stream = 0, .unit_strides = {0, 0}, .loops = {{4, 1}}},
                  {.is_input = true,
                   .buffer = 1,
                   .stream = 1,
                   .offset = 30,
                   .unit_strides = {45, 15},
                   .loops = {{5, -3}, {3, 1}}},
                  {.is_input = false,
                   .buffer = 2,
                   .stream = 2,
                   .storage_bytes = 4,
                   .unit_strides = {15, 5},
                   .loops = {{5, 1}}}};
  kernel.stages = {{.name = "load", .work = load},
                   {.name = "sum", .work = sum, .after = {0}},
                   {.name = "rest", .work = machine}};
  kernel.estimate = {100, 50, 1, 2};
  kernel.estimated_hz = 1.5e8;
  kernel.verilog = "module sum_top; endmodule";
  kernel.top = "sum_top";
  return kernel;
}

Program sample() { return {.part = "ecp5-85k", .kernels = {sampleKernel()}}; }

Nest& loadOf(Kernel& k) { return std::get<Nest>(k.stages[0].work); }
Nest& sumOf(Kernel& k) { return std::get<Nest>(k.stages[1].work); }
Machine& machineOf(Kernel& k) { return std::get<Machine>(k.stages[2].work); }

TEST(FpgaProgram, RoundTrips) {
  Program program = sample();
  auto read = readProgram(writeProgram(program));
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(*read, program);
}

TEST(FpgaProgram, EveryCutIsRefused) {
  const std::vector<std::byte> bytes = writeProgram(sample());
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(readProgram(std::span(bytes).first(size))) << size;
  }
  std::vector<std::byte> longer = bytes;
  longer.push_back(std::byte{0});
  EXPECT_EQ(readProgram(longer).error().message(),
            fmt::format("the blob has {} bytes and should have {}", longer.size(), bytes.size()));
}

// Each byte set to each of some values: an error or a program that is written as it was read.
TEST(FpgaProgram, EveryDamagedByteIsSurvived) {
  const std::vector<std::byte> bytes = writeProgram(sample());
  int refused = 0;
  for (size_t at = 0; at < bytes.size(); ++at) {
    for (const int value : {0, 1, 2, 127, 128, 255}) {
      std::vector<std::byte> damaged = bytes;
      damaged[at] = static_cast<std::byte>(value);
      auto read = readProgram(damaged);
      refused += !read;
      if (read) EXPECT_EQ(*readProgram(writeProgram(*read)), *read);
    }
  }
  EXPECT_GT(refused, 1000);
}

TEST(FpgaProgram, AClaimOfManyItemsTakesNoMemory) {
  std::vector<std::byte> bytes = writeProgram({.part = "x", .kernels = {}});
  bytes.pop_back();  // the number of kernels
  for (const int byte : {0xff, 0xff, 0xff, 0xff, 0x7f}) bytes.push_back(static_cast<std::byte>(byte));
  const tet_fpga_header header = {TET_FPGA_MAGIC, TET_FPGA_VERSION, bytes.size()};
  std::memcpy(bytes.data(), &header, sizeof header);
  EXPECT_EQ(readProgram(bytes).error().message(), "the blob is damaged: the program ends too early");
}

TEST(FpgaProgram, OtherBytesAndVersionsAreNamed) {
  std::vector<std::byte> bytes = writeProgram(sample());
  bytes[4] = std::byte{9};
  EXPECT_EQ(readProgram(bytes).error().message(), "the blob has version 9 and this program reads version 2");
  bytes[0] = std::byte{0};
  EXPECT_EQ(readProgram(bytes).error().message(), "the bytes are not an fpga blob");
  EXPECT_EQ(readProgram({}).error().message(), "the bytes are not an fpga blob");
}

// ---- what verify() says; where latencies are in it, its beginning
// -----------------------------------------------------------------------------------

struct Damage {
  std::function<void(Kernel&)> change;
  const char* says;
};

const Damage kDamages[] = {
    {[](Kernel& k) { k.top = "a b"; }, "its module's name 'a b' is no identifier"},
    {[](Kernel& k) { k.estimated_hz = -1; }, "its estimated clock is no frequency"},
    {[](Kernel& k) { k.stages[1].name = "load"; }, "two stages are called load"},
    {[](Kernel& k) { k.stages[1].name = "$x"; }, "the stage name '$x' is no identifier"},
    {[](Kernel& k) { k.units[0] = int64_t{1} << 40; },
     "extents are at least 1 and their product at most 2^40"},
    {[](Kernel& k) { k.units[0] = 0; }, "extents are at least 1 and their product at most 2^40"},
    // Ports, streams, memories.
    {[](Kernel& k) { k.ports[0].buffer = 3; }, "port 0: there is no buffer 3"},
    {[](Kernel& k) { k.ports[0].stream = 3; }, "port 0: there is no stream 3"},
    {[](Kernel& k) { k.ports[2].storage_bytes = 3; }, "port 2: 3 bytes do not hold its i32"},
    {[](Kernel& k) { k.ports[0].unit_strides.pop_back(); },
     "port 0: it has 1 strides for 2 extents of units"},
    {[](Kernel& k) { k.ports[1].offset = 11; }, "port 1: it goes outside of its buffer"},
    {[](Kernel& k) { k.ports[1].loops[0].stride = INT64_MIN; }, "port 1: it goes outside of its buffer"},
    {[](Kernel& k) { k.ports[1].unit_strides[0] = INT64_MAX; }, "port 1: it goes outside of its buffer"},
    {[](Kernel& k) { k.ports[2].is_input = true; }, "stream 2: it has 2 writers and 0 readers"},
    {[](Kernel& k) { k.ports[0].loops[0].extent = 5; }, "stream 0: 5 beats go in and 4 come out"},
    {[](Kernel& k) { k.streams[0].depth = 1; }, "stream 0: the depth is 1; it is 2 to 1048576"},
    {[](Kernel& k) { k.streams[0].lanes = 0; }, "stream 0: the number of lanes is 0; it is 1 to 4096"},
    {[](Kernel& k) { k.streams[0].type = {65}; },
     "stream 0: there is no type of 65 bits with 0 of an exponent"},
    {[](Kernel& k) { k.streams[0].lanes = 3; }, "port 0: its 4 elements are no multiple of 3 lanes"},
    {[](Kernel& k) { k.memories[2].data[0] = 32; }, "memory 2: an element of its data does not fit into i5"},
    {[](Kernel& k) { k.memories[2].data.pop_back(); }, "memory 2: its data has 3 elements for 2 words of 2"},
    {[](Kernel& k) { k.memories[0].depth = 0; }, "memory 0: the depth is 0; it is 1 to 67108864"},
    {[](Kernel& k) { k.stages[1].after.clear(); }, "memory 0: stage sum does not wait for stage load"},
    {[](Kernel& k) {
       k.memories.push_back(k.memories[0]);
       loadOf(k).outputs[0].object = 3;
     },
     "memory 0: stage sum loads what nobody has stored"},
    {[](Kernel& k) { k.stages[1].after = {1}; }, "stage sum: it begins after a stage that is not before it"},
    // Nests.
    {[](Kernel& k) {
       sumOf(k).loops.clear();
       sumOf(k).loops.resize(17);
     },
     "stage sum: the number of loops is 17; it is 0 to 16"},
    {[](Kernel& k) { sumOf(k).interval = 0; }, "stage sum: the interval is 0; it is 1 to 1048576"},
    {[](Kernel& k) { sumOf(k).nodes[0].op = static_cast<Op>(200); },
     "stage sum: node 0: there is no operator 200"},
    {[](Kernel& k) { sumOf(k).nodes[0].imm = 1; }, "stage sum: node 0 (pop): stream 1 has 1 lanes of i8"},
    {[](Kernel& k) { sumOf(k).nodes[0].object = 9; }, "stage sum: node 0 (pop): there is no stream 9"},
    {[](Kernel& k) { sumOf(k).nodes[0].cycle = 1; }, "stage sum: node 0 (pop): its cycle is 1; it is 0"},
    {[](Kernel& k) { sumOf(k).nodes[0].box = {{0, 6}, {0, 3}}; },
     "stage sum: node 0 (pop): range 0 of its box, 0 to 6, is not in a loop of 5"},
    {[](Kernel& k) { sumOf(k).nodes[1].strides = {1}; },
     "stage sum: node 1 (affine): it has 1 strides for 2 loops"},
    {[](Kernel& k) { sumOf(k).nodes[2].operands = {}; },
     "stage sum: node 2 (load): it has 0 operands and takes 1"},
    {[](Kernel& k) { sumOf(k).nodes[2].operands = {2}; },
     "stage sum: node 2 (load): its operand 2 is not before it"},
    {[](Kernel& k) { sumOf(k).nodes[3].type = {8}; }, "stage sum: node 3 (ext_s): it makes an integer wider"},
    {[](Kernel& k) { sumOf(k).nodes[5].type = {31}; },
     "stage sum: node 5 (mul): it takes integers of its own type"},
    {[](Kernel& k) { sumOf(k).nodes[5].cycle = 0; },
     "stage sum: node 5 (mul): in cycle 0 its operand 4 is not there"},
    {[](Kernel& k) { sumOf(k).nodes[6].imm = uint64_t{1} << 32; },
     "stage sum: node 6 (const): its value does not fit into its type"},
    {[](Kernel& k) { sumOf(k).nodes[7].imm = 1; }, "stage sum: node 7 (acc): there is no accumulator 1"},
    {[](Kernel& k) { sumOf(k).nodes[9].imm = 0; },
     "stage sum: node 9 (delay): its number of iterations is 0; it is 1 to 16777216"},
    {[](Kernel& k) { sumOf(k).nodes[12].type = {2}; },
     "stage sum: node 12 (flt): it gives an i1 of two values of one type"},
    {[](Kernel& k) { sumOf(k).accumulators[0].init = 8; },
     "stage sum: the beginning of accumulator 0 depends on one"},
    {[](Kernel& k) { sumOf(k).accumulators[0].update = 99; }, "stage sum: accumulator 0 refers to no node"},
    {[](Kernel& k) { sumOf(k).nodes[7].cycle = 0; },
     "stage sum: the update of accumulator 0 is there in cycle "},
    {[](Kernel& k) { sumOf(k).outputs[0].object = 3; }, "stage sum: output 0: there is no stream 3"},
    {[](Kernel& k) { sumOf(k).outputs[0].values = {0}; },
     "stage sum: output 0: a value is no node of type i32"},
    {[](Kernel& k) { sumOf(k).outputs[0].values.clear(); },
     "stage sum: output 0: it has 0 values for 1 lanes"},
    {[](Kernel& k) { sumOf(k).outputs[0].enable = 0; },
     "stage sum: output 0: its enable is no node of type i1, of a store"},
    {[](Kernel& k) { loadOf(k).outputs[0].object = 2; }, "stage load: output 0: memory 2 is a ROM"},
    {[](Kernel& k) { loadOf(k).outputs[0].address = 7; },
     "stage load: output 0: its address is no node of an integer's type"},
    {[](Kernel& k) { sumOf(k).outputs.push_back(sumOf(k).outputs[0]); },
     "stage sum: an iteration gives stream 2 two beats"},
    {[](Kernel& k) { loadOf(k).outputs.push_back(loadOf(k).outputs[0]); },
     "stage load: an iteration gives memory 0 two words"},
    {[](Kernel& k) { add(sumOf(k), {.op = Op::Pop, .type = {8}, .object = 1, .box = {{0, 5}, {0, 1}}}); },
     "stage sum: an iteration takes two beats of stream 1"},
    // A machine.
    {[](Kernel& k) { machineOf(k).blocks.clear(); },
     "stage rest: the number of blocks is 0; it is 1 to 65536"},
    {[](Kernel& k) { machineOf(k).blocks[0].then = 2; },
     "stage rest: block 0: it refers to a register or a block that is not there"},
    {[](Kernel& k) { machineOf(k).blocks[1].condition = 1; }, "stage rest: block 1: its condition is no i1"},
    {[](Kernel& k) { machineOf(k).blocks[1].cycles = 1; },
     "stage rest: block 1: instruction 0: it ends in cycle "},
    {[](Kernel& k) { machineOf(k).blocks[1].instructions[1].node.cycle = 0; },
     "stage rest: block 1: instruction 1: in cycle 0 register 1 is not there"},
    {[](Kernel& k) { machineOf(k).blocks[0].instructions[0].result = 2; },
     "stage rest: block 0: instruction 0: its result is no register of type i32"},
    {[](Kernel& k) { machineOf(k).blocks[0].instructions[0].node = {.op = Op::Affine, .type = {32}}; },
     "stage rest: block 0: instruction 0: a machine has no such operator"},
    {[](Kernel& k) { machineOf(k).blocks[1].instructions[2].node.operands = {0}; },
     "stage rest: block 1: instruction 2: a store into memory 1 takes an address and 1 values of i32"},
};

TEST(FpgaProgram, SaysWhatIsWrong) {
  ASSERT_TRUE(verify(sample()).ok()) << verify(sample()).message();
  for (const Damage& damage : kDamages) {
    Program program = sample();
    damage.change(program.kernels[0]);
    const Status status = verify(program);
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << damage.says;
    EXPECT_TRUE(status.message().starts_with(fmt::format("kernel sum: {}", damage.says))) << status.message();
  }
  Program twice = sample();
  twice.kernels.push_back(twice.kernels[0]);
  EXPECT_EQ(verify(twice).message(), "two kernels are called sum");
}

TEST(FpgaProgram, ANestMayLoadWhatItsLastIterationStored) {
  Program program = sample();
  Nest& load = loadOf(program.kernels[0]);
  const uint32_t word = add(load, {.op = Op::Load, .type = {8}, .operands = {0}, .object = 0});
  uint32_t& stored = load.outputs[0].values[0];
  stored = add(load, {.op = Op::Add, .type = {8}, .operands = {word, stored}});
  EXPECT_TRUE(verify(program).ok()) << verify(program).message();  // it overtakes the word on its way
  stored = add(load, {.op = Op::Add, .type = {8}, .operands = {word, stored}});
  const uint32_t depth = load.depth;
  EXPECT_EQ(verify(program).message(),
            fmt::format(
                "kernel sum: stage load: node 2 (load) loads in cycle 1 what the iteration before stores in "
                "cycle {}",
                depth));
  load.interval = depth + 1;
  EXPECT_TRUE(verify(program).ok()) << verify(program).message();
}

TEST(FpgaBoxes, TheLastIterationsAreABox) {
  const Nest nest{.loops = {{4, false}, {3, true}, {2, false}}};
  EXPECT_EQ(fullBox(nest, Output{.when = Output::When::Last}), (Box{{0, 4}, {2, 3}, {0, 2}}));
  EXPECT_EQ(sizeOf(fullBox(nest, Output{.when = Output::When::Last, .box = {{0, 4}, {0, 2}, {0, 2}}})), 0);
  EXPECT_EQ(iterationsOf(nest), 24);
  EXPECT_EQ(updateDistance(nest), 2);
  EXPECT_EQ(updateDistance({.loops = {{3, true}, {5, false}, {2, true}}}), 1);
  EXPECT_EQ(updateDistance({.loops = {{3, true}, {5, false}, {1, true}}}), 5);
  EXPECT_EQ(updateDistance({.loops = {{3, false}}}), 0);
  EXPECT_TRUE(areDisjoint({{{0, 2}, {0, 2}}, {{0, 2}, {2, 3}}, {{1, 1}, {0, 3}}}));
  EXPECT_FALSE(areDisjoint({{{0, 2}, {0, 2}}, {{1, 2}, {1, 3}}}));
}

}  // namespace
}  // namespace tetrarch::fpga
