#include "tetrarch/devices/cpu/cpu_info.h"

#include <fmt/ranges.h>
#include <sched.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string_view>

namespace tetrarch::cpu {
namespace {

// The kernel's name → LLVM's, where they differ beyond the rule in llvmName().
const std::map<std::string_view, std::string_view> kLlvmNames = {
    {"pni", "sse3"},
    {"sse4_1", "sse4.1"},
    {"sse4_2", "sse4.2"},
    {"abm", "lzcnt"},
    {"bmi1", "bmi"},
    {"lahf_lm", "sahf"},
    {"rdrand", "rdrnd"},
    {"sha_ni", "sha"},
    {"lm", "64bit"},
    {"pclmulqdq", "pclmul"},
    {"3dnowprefetch", "prfchw"},
    {"avx_vnni", "avxvnni"},
    {"avx_ifma", "avxifma"},
    {"avx_vnni_int8", "avxvnniint8"},
    {"amx_tile", "amx-tile"},
    {"amx_int8", "amx-int8"},
    {"amx_bf16", "amx-bf16"},
    {"amx_fp16", "amx-fp16"},
    {"asimd", "neon"},
    {"asimddp", "dotprod"},
    {"asimdhp", "fullfp16"},
    {"fphp", "fp16"},
    {"atomics", "lse"},
};

struct Level {
  std::string_view name;
  std::vector<std::string_view> needs;  // beyond the level before it
};
// The x86-64 psABI's microarchitecture levels.
const Level kLevels[] = {
    {"x86-64-v2", {"cx16", "sahf", "popcnt", "sse3", "sse4.1", "sse4.2", "ssse3"}},
    {"x86-64-v3", {"avx", "avx2", "bmi", "bmi2", "f16c", "fma", "lzcnt", "movbe", "xsave"}},
    {"x86-64-v4", {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}},
};

std::string llvmName(const std::string& flag) {
  if (auto found = kLlvmNames.find(flag); found != kLlvmNames.end()) return std::string(found->second);
  return flag.starts_with("avx512_") ? "avx512" + flag.substr(7) : flag;
}

// The value of the first line "key : value".
std::string field(const std::string& text, std::string_view key) {
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    size_t colon = line.find(':');
    if (colon == std::string::npos || !line.starts_with(key)) continue;
    if (line.find_first_not_of(" \t", key.size()) != colon) continue;
    size_t begin = line.find_first_not_of(" \t", colon + 1);
    return begin == std::string::npos ? std::string() : line.substr(begin);
  }
  return {};
}

}  // namespace

CpuInfo parseCpuInfo(const std::string& text) {
  std::string flags = field(text, "flags");
  if (flags.empty()) flags = field(text, "Features");  // AArch64
  std::set<std::string, std::less<>> features;
  std::istringstream in(flags);
  for (std::string flag; in >> flag;) features.insert(llvmName(flag));
  for (const Level& level : kLevels) {
    if (!std::all_of(level.needs.begin(), level.needs.end(),
                     [&](auto need) { return features.contains(need); }))
      break;
    features.emplace(level.name);
  }
  std::string name = field(text, "model name");
  return {name.empty() ? "CPU" : name, fmt::format("{}", fmt::join(features, " "))};
}

CpuInfo cpuInfo() {
  std::ifstream file("/proc/cpuinfo");
  std::stringstream text;
  text << file.rdbuf();
  return parseCpuInfo(text.str());
}

std::vector<int> usableCpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<int> cpus;
  if (::sched_getaffinity(0, sizeof set, &set) == 0) {
    for (int i = 0; i < CPU_SETSIZE; ++i) {
      if (CPU_ISSET(i, &set)) cpus.push_back(i);
    }
  }
  if (cpus.empty()) cpus.push_back(0);
  return cpus;
}

std::vector<int> parseCpuList(const std::string& text) {
  std::vector<int> cpus;
  std::istringstream in(text);
  for (std::string part; std::getline(in, part, ',');) {
    const char* end = part.data() + part.size();
    int first = -1, last = -1;
    auto [at, error] = std::from_chars(part.data(), end, first);
    last = first;
    if (error == std::errc() && at != end && *at == '-')
      std::tie(at, error) = [&] {
        auto result = std::from_chars(at + 1, end, last);
        return std::tuple(result.ptr, result.ec);
      }();
    if (error != std::errc() || at != end || first < 0 || last < first || last >= CPU_SETSIZE) return {};
    for (int cpu = first; cpu <= last; ++cpu) cpus.push_back(cpu);
  }
  return cpus;
}

}  // namespace tetrarch::cpu
