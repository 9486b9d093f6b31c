// Loading blobs: what fits runs, what does not is refused with the task, the stream and the instruction.
#include "tetrarch/devices/npu/module.h"

#include <gtest/gtest.h>

#include "tetrarch/devices/npu/machine.h"

namespace tetrarch::npu {
namespace {

constexpr uint8_t kLoad = 1, kStore = 8;  // as bits of wait and signal

// One task of two units: unit i copies 16 bytes of constants, buffer 0 or workspace to byte 16 i of buffer 1.
Program copying() {
  Program program{.sp_rows = Config().sp_rows, .acc_rows = Config().acc_rows};
  program.constants.assign(64, std::byte{42});
  ProgramEntry entry{.symbol = "copy", .units = 2, .workspace_bytes = 64, .buffer_count = 2};
  entry.pieces = {{TET_NPU_BUFFER, 0, 0, 64, 0, false},
                  {TET_NPU_BUFFER, 1, 64, 64, 0, true},
                  {TET_NPU_CONSTANTS, 0, 128, 64, 0, false},
                  {TET_NPU_WORKSPACE, 0, 192, 64, 0, true}};
  for (const int64_t unit : {0, 1}) {
    const std::vector<Instruction> stream = {Load{{0, kStore}, 0, 0, 16, unit == 0 ? 0 : 128},
                                             Store{{kLoad, 0}, 0, 0, 16, 64 + 16 * unit}, Halt{}};
    entry.streams.push_back(*encode(stream));
  }
  program.entries.push_back(std::move(entry));
  return program;
}

std::string errorOf(const Program& program, const Config& config = {}) {
  auto module = NpuModule::load(config, "m.tet", writeProgram(program));
  return module ? "" : std::string(module.error().message());
}

TEST(NpuModule, RunsItsStreamsOverTheirPieces) {
  auto module = NpuModule::load({}, "m.tet", writeProgram(copying()));
  ASSERT_TRUE(module) << module.error().message();
  const auto* kernel = static_cast<const NpuKernel*>((*module)->find("copy"));
  ASSERT_NE(kernel, nullptr);
  EXPECT_EQ((*module)->find("other"), nullptr);
  EXPECT_EQ(kernel->info.units, 2u);
  EXPECT_EQ(kernel->info.workspace_bytes, 64u);
  std::vector<std::byte> in(64, std::byte{7}), out(64), workspace(64);
  void* buffers[] = {in.data(), out.data()};
  auto dram = kernel->dram(buffers, (*module)->constants(), workspace.data());
  ASSERT_TRUE(dram);
  for (const Stream& stream : kernel->streams) {
    EXPECT_GT(stream.timing.cycles, 2 * kDramLatency);
    Machine({}, *dram).run(stream.instructions);
  }
  EXPECT_EQ(out[15], std::byte{7});
  EXPECT_EQ(out[16], std::byte{42});
  EXPECT_EQ(out[32], std::byte{0});
}

TEST(NpuModule, RefusesOtherConfigurations) {
  EXPECT_EQ(
      errorOf(copying(), Config::standard(8, Kind::Int8)),
      "m.tet: the code is for side 16, int8, 16384 and 1024 rows, and this processor has side 8, int8, 32768 "
      "and 2048 rows");
}

TEST(NpuModule, RefusesStreamsByTaskStreamAndInstruction) {
  Program program = copying();
  program.entries[0].streams[1][1] = *encode(Store{{kLoad, 0}, 0, 0, 16, 128});
  EXPECT_EQ(errorOf(program),
            "m.tet: task copy: stream 1: instruction 1 (store bytes=16 dram=128 wait=load): DRAM bytes 128 "
            "to 144 are "
            "not inside one piece of memory that it may write");
  program = copying();
  program.entries[0].streams[0].pop_back();
  EXPECT_NE(errorOf(program).find("stream 0: instruction 1"), std::string::npos);
  program = copying();
  program.entries[0].streams[0][0].low = 0;
  EXPECT_NE(errorOf(program).find("stream 0: instruction 0: there is no opcode 0"), std::string::npos);
}

TEST(NpuModule, RefusesPiecesThatMeet) {
  Program program = copying();
  program.entries[0].pieces[1].address = 0;
  EXPECT_EQ(errorOf(program), "m.tet: task copy: the DRAM segment at 0 meets the one before");
}

}  // namespace
}  // namespace tetrarch::npu
