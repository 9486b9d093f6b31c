// Runs one program, from reset, over a DRAM of one piece: in the functional model, and with --rtl in the RTL
// too, which then must leave the same bits after the same cycles.
//
// Usage: npu_run --program FILE --dram FILE [--side N] [--kind int8|bf16] [--rtl FOLDER]
//
// The program is its instructions of 16 bytes each; the file of DRAM is rewritten. Prints the cycles. Ends
// with 2 and a sentence for a program that the verifier refuses, with 3 when RTL and model differ.
#include <CLI/CLI.hpp>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>

#include "tetrarch/devices/npu/machine.h"
#include "tetrarch/devices/npu/rtl_runner.h"
#include "tetrarch/devices/npu/verifier.h"

namespace {

using namespace tetrarch;
using namespace tetrarch::npu;

Result<std::vector<std::byte>> readFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return invalidArgument("{} cannot be read", path);
  const std::string text(std::istreambuf_iterator<char>(file), {});
  std::vector<std::byte> bytes(text.size());
  std::memcpy(bytes.data(), text.data(), text.size());
  return bytes;
}

Status writeFile(const std::string& path, std::span<const std::byte> bytes) {
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  return file ? Status() : invalidArgument("{} cannot be written", path);
}

Result<Dram> dramOf(std::vector<std::byte>& bytes) {
  return Dram::make({{0, bytes.data(), bytes.size(), true}});
}

Status runRtl(const Config& config, const std::string& folder, const Stream& stream,
              std::vector<std::byte> before, const std::vector<std::byte>& expected) {
  TET_ASSIGN_OR_RETURN(const RtlTable* table, openRtl(config, folder));
  TET_ASSIGN_OR_RETURN(const Dram dram, dramOf(before));
  TET_RETURN_IF_ERROR(RtlRunner(config, *table).run(stream, dram));
  return before == expected ? Status() : internalError("RTL and model leave different bytes in DRAM");
}

Status run(const Config& config, const std::string& program, const std::string& dram_path,
           const std::string& rtl) {
  TET_ASSIGN_OR_RETURN(const std::vector<std::byte> code, readFile(program));
  TET_ASSIGN_OR_RETURN(std::vector<std::byte> bytes, readFile(dram_path));
  TET_ASSIGN_OR_RETURN(const Dram dram, dramOf(bytes));
  Stream stream;
  stream.words.resize(code.size() / sizeof(Word));
  std::memcpy(stream.words.data(), code.data(), stream.words.size() * sizeof(Word));
  TET_ASSIGN_OR_RETURN(stream.instructions, verify(config, stream.words, dram));
  stream.timing = simulateTiming(config, stream.words);
  const std::vector<std::byte> before = bytes;
  Machine(config, dram).run(stream.instructions);
  if (!rtl.empty()) TET_RETURN_IF_ERROR(runRtl(config, rtl, stream, before, bytes));
  fmt::print("{}\n", stream.timing.cycles);
  return writeFile(dram_path, bytes);
}

}  // namespace

int main(int argc, char** argv) {
  int64_t side = 16;
  Kind kind = Kind::Int8;
  std::string program, dram, rtl;
  CLI::App app("Run one program of the NPU");
  const std::map<std::string, Kind> kinds = {{"int8", Kind::Int8}, {"bf16", Kind::Bf16}};
  app.add_option("--side", side, "of the array: 8, 16 or 32")->check(CLI::IsMember({8, 16, 32}));
  app.add_option("--kind", kind, "of its elements: int8 or bf16")->transform(CLI::CheckedTransformer(kinds));
  app.add_option("--program", program, "file of instructions")->required();
  app.add_option("--dram", dram, "file of what DRAM holds, rewritten")->required();
  app.add_option("--rtl", rtl, "folder of the RTL's libraries: run it there too");
  CLI11_PARSE(app, argc, argv);
  const Status status = run(Config::standard(side, kind), program, dram, rtl);
  if (status.ok()) return 0;
  fmt::print(stderr, "{}\n", status.message());
  return status.code() == StatusCode::kInternal || status.code() == StatusCode::kDeadlineExceeded ? 3 : 2;
}
