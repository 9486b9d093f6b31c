// libFuzzer target: whatever the bytes, the reader of blobs and the verifier answer with an error, or with a
// program that the models run to its end with every access inside its memories. The first byte picks how deep
// the input goes: a blob, a stream of words, or words made legal field by field.
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "tetrarch/abi/npu_program.h"
#include "tetrarch/devices/npu/legality.h"
#include "tetrarch/devices/npu/machine.h"
#include "tetrarch/devices/npu/timing.h"
#include "tetrarch/devices/npu/verifier.h"

namespace {

using namespace tetrarch;
using namespace tetrarch::npu;

constexpr size_t kMaxInstructions = 200;  // the verifier's time grows with rows
constexpr int64_t kDramBytes = 4096;

// A legal opcode and zeros where no field is.
Word tamed(Word word) {
  const OpcodeRow& opcode = opcodeRows()[(word.low & 15) % opcodeRows().size()];
  Word mask{0xff0, 0};
  for (const FieldRow& f : fieldRows()) {
    if (f.opcode != opcode.id) continue;
    (f.lsb < 64 ? mask.low : mask.high) |= ((uint64_t{1} << f.width) - 1) << (f.lsb % 64);
  }
  return {(word.low & mask.low) | static_cast<uint64_t>(opcode.opcode), word.high & mask.high};
}

// Drops what the verifier refuses, so that what is left goes deep.
std::vector<Word> legalPart(const Config& config, const Dram& dram, const std::vector<Word>& words) {
  Verifier verifier(config, dram);
  std::vector<Word> legal;
  for (const Word& word : words) {
    auto instruction = decode(word);
    if (!instruction) std::abort();
    if (std::holds_alternative<Halt>(*instruction)) continue;
    Verifier attempt = verifier;
    if (!attempt.add(*instruction).ok()) continue;
    verifier = std::move(attempt);
    legal.push_back(word);
  }
  if (auto halt = encode(Halt{})) legal.push_back(*halt);
  return legal;
}

void fuzzStream(const uint8_t* data, size_t size, bool tame) {
  if (size == 0) return;
  const Config config{.side = data[0] % 3 == 0   ? 8
                              : data[0] % 3 == 1 ? 16
                                                 : 32,
                      .kind = data[0] & 128 ? Kind::Bf16 : Kind::Int8,
                      .sp_rows = 128,
                      .acc_rows = 32};
  std::vector<Word> words(std::min((size - 1) / sizeof(Word), kMaxInstructions));
  if (!words.empty()) std::memcpy(words.data(), data + 1, words.size() * sizeof(Word));
  std::vector<std::byte> memory(kDramBytes);
  auto dram = Dram::make({{0, memory.data(), memory.size(), true}});
  if (!dram) std::abort();
  if (tame) {
    for (Word& word : words) word = tamed(word);
    words = legalPart(config, *dram, words);
  }
  auto program = verify(config, words, *dram);
  if (!program) {
    if (tame) std::abort();
    return;
  }
  if (simulateTiming(config, words, {}, kDramBytes).cause != Cause::Done) std::abort();
  Machine(config, *dram).run(*program);
}

void fuzzBlob(const uint8_t* data, size_t size) {
  auto program = readProgram(std::as_bytes(std::span(data, size)));
  if (!program) return;
  auto again = readProgram(writeProgram(*program));
  if (!again || !(*again == *program)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  if (data[0] % 3 == 0) {
    fuzzBlob(data + 1, size - 1);
  } else {
    fuzzStream(data + 1, size - 1, data[0] % 3 == 1);
  }
  return 0;
}
