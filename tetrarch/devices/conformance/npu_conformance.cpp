// The suite's kernels as instruction streams of the bf16 kind, whose vector unit adds and multiplies fp32.
#include "tetrarch/abi/npu_program.h"
#include "tetrarch/devices/conformance/suite.h"

namespace {

using namespace tetrarch::npu;

constexpr int64_t kSide = 16, kFloatBytes = 4, kRowBytes = kSide * kFloatBytes;
constexpr int64_t kRowsOfUnit = tetrarch::conformance::kElements / tetrarch::conformance::kUnits / kSide;
constexpr int64_t kInput = 0, kOutput = 8192, kConstants = 16384;
constexpr int64_t kAccumulator = kAccBit;
enum : uint8_t { kLoad = 1, kVector = 4, kStore = 8 };  // as bits of wait and signal

// output = input `op` the constants, for one unit: 4 rows of 16 elements.
std::vector<Word> unit(VectorOp op, int64_t index, int64_t constant) {
  const int64_t offset = index * kRowsOfUnit * kRowBytes;
  const std::vector<Instruction> program = {
      Dim{.of_store = 0, .loop = 0, .count = kRowsOfUnit, .row_stride = 1, .dram_stride = kRowBytes},
      Dim{.of_store = 1, .loop = 0, .count = kRowsOfUnit, .row_stride = 1, .dram_stride = kRowBytes},
      Load{{}, 1, kAccumulator, kRowBytes, kInput + offset},
      Load{{0, kVector}, 0, kAccumulator + 8, kRowBytes, kConstants + constant * kRowBytes},
      Vop{{kLoad, kStore},
          1,
          static_cast<int64_t>(op),
          0,
          kRowsOfUnit,
          kAccumulator,
          kAccumulator + 8,
          kRowsOfUnit,
          1,
          1,
          0,
          kAccumulator + 300},
      Store{{kVector, 0}, 1, kAccumulator + 300, kRowBytes, kOutput + offset},
      Halt{}};
  return encode(program).value_or(std::vector<Word>());
}

ProgramEntry task(const std::string& symbol, VectorOp op, int64_t constant) {
  constexpr uint64_t bytes = tetrarch::conformance::kElements * kFloatBytes;
  ProgramEntry entry{.symbol = symbol, .units = tetrarch::conformance::kUnits, .buffer_count = 2};
  entry.pieces = {{TET_NPU_BUFFER, 0, kInput, bytes, 0, false},
                  {TET_NPU_BUFFER, 1, kOutput, bytes, 0, true},
                  {TET_NPU_CONSTANTS, 0, kConstants, 2 * kRowBytes, 0, false}};
  for (int64_t i = 0; i < tetrarch::conformance::kUnits; ++i) entry.streams.push_back(unit(op, i, constant));
  return entry;
}

std::vector<std::byte> blob() {
  Program program{.side = kSide, .kind = Kind::Bf16, .sp_rows = kSpBytes / 32, .acc_rows = kAccBytes / 64};
  for (const float constant : {1.0f, 2.0f}) {
    const std::vector<float> row(kSide, constant);
    const auto* bytes = reinterpret_cast<const std::byte*>(row.data());
    program.constants.insert(program.constants.end(), bytes, bytes + kRowBytes);
  }
  program.entries = {task("add_one", VectorOp::FADD, 0), task("twice", VectorOp::FMUL, 1)};
  return writeProgram(program);
}

// How the device is lost: by the option that all such devices have, or since its RTL hangs.
#ifdef TETRARCH_HANGING_RTL
constexpr const char* kLoss = R"({"kind":"bf16","engine":"rtl","rtl":")" TETRARCH_HANGING_RTL R"("})";
#else
constexpr const char* kLoss = R"({"kind":"bf16","fail_after_launches":3})";
#endif

}  // namespace

tetrarch::conformance::Subject tetrarch::conformance::subject() {
  return {.plugin = TETRARCH_PLUGIN_UNDER_TEST,
          .options = R"({"kind":"bf16"})",
          .format = TET_NPU_FORMAT,
          .blob = blob(),
          .loss_options = kLoss};
}
