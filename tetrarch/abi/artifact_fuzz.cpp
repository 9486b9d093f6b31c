// libFuzzer target: whatever the bytes, the reader answers with an error or with an artifact that is safe to
// use. The first byte picks how deep the input goes: raw bytes, bytes with their hashes repaired, or a bare
// manifest.
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "tetrarch/abi/artifact_file.h"

namespace {

using namespace tetrarch;
using namespace tetrarch::abi;

// Makes hashes and sizes right, so that the checks behind them are reached.
void repair(std::vector<std::byte>& bytes) {
  if (bytes.size() < sizeof(tet_artifact_header)) return;
  tet_artifact_header header;
  std::memcpy(&header, bytes.data(), sizeof header);
  std::memcpy(header.magic, TET_ARTIFACT_MAGIC, sizeof header.magic);
  header.major = TET_ARTIFACT_MAJOR;
  header.header_bytes = sizeof header;
  header.section_bytes = sizeof(tet_artifact_section);
  header.file_bytes = bytes.size();
  header.table_offset = sizeof header;
  header.section_count = std::min<uint64_t>(header.section_count % 8,
                                            (bytes.size() - sizeof header) / sizeof(tet_artifact_section));
  auto* table = bytes.data() + sizeof header;
  for (uint64_t i = 0; i < header.section_count; ++i) {
    tet_artifact_section s;
    std::memcpy(&s, table + i * sizeof s, sizeof s);
    if (s.offset <= bytes.size() && s.bytes <= bytes.size() - s.offset) {
      s.hash = hash128(std::span(bytes).subspan(s.offset, s.bytes));
    }
    std::memcpy(table + i * sizeof s, &s, sizeof s);
  }
  header.hash = {};
  std::vector<std::byte> hashed(bytes.begin(), table - bytes.data() + bytes.begin() +
                                                   header.section_count * sizeof(tet_artifact_section));
  std::memcpy(hashed.data(), &header, sizeof header);
  header.hash = hash128(hashed);
  std::memcpy(bytes.data(), &header, sizeof header);
}

// Reads all that a consumer would read.
void use(const Artifact& artifact) {
  uint64_t sum = 0;
  for (size_t i = 0; i < artifact.sectionCount(); ++i) {
    for (std::byte b : artifact.bytes(static_cast<int>(i))) sum += static_cast<uint64_t>(b);
  }
  const Manifest& m = artifact.manifest();
  for (const TensorEntry& t : m.tensors) {
    if (t.kind != TensorKind::Constant || t.alias_of >= 0) continue;
    for (std::byte b : artifact.weights().subspan(t.offset, t.bytes)) sum += static_cast<uint64_t>(b);
  }
  for (const TaskEntry& t : m.tasks) {
    for (int id : t.inputs) sum += m.tensors[rootTensor(m, id)].bytes;
  }
  for (const CodeEntry& c : m.code) sum += artifact.bytes(c.section).size();
  volatile uint64_t sink = sum;
  (void)sink;
}

void fuzzManifest(std::string_view json) {
  const std::vector<SectionSummary> sections = {{TET_SECTION_WEIGHTS, 256}, {TET_SECTION_CODE, 100}};
  auto manifest = parseManifest(json, sections);
  if (!manifest) return;
  auto again = parseManifest(toJson(*manifest), sections);
  if (!again || !(*again == *manifest)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  auto* begin = reinterpret_cast<const std::byte*>(data + 1);
  std::vector<std::byte> bytes(begin, begin + size - 1);
  if (data[0] % 3 == 2) {
    fuzzManifest({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    return 0;
  }
  if (data[0] % 3 == 1) repair(bytes);
  if (auto artifact = Artifact::fromBytes(bytes, "fuzz")) use(**artifact);
  return 0;
}
