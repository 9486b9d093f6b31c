// libFuzzer target: whatever the bytes, the reader of blobs answers with an error or with a legal program.
#include <cstdint>
#include <cstdlib>

#include "tetrarch/abi/fpga_program.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tetrarch::fpga;
  auto program = readProgram(std::as_bytes(std::span(data, size)));
  if (!program) return 0;
  auto again = readProgram(writeProgram(*program));
  if (!again || !(*again == *program)) std::abort();
  return 0;
}
