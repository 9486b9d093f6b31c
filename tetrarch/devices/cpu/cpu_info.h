// What the processor is: name, features in LLVM's spelling, the CPUs that this process may use.
#pragma once

#include <string>
#include <vector>

namespace tetrarch::cpu {

struct CpuInfo {
  std::string name;      // "AMD EPYC 9354"
  std::string features;  // space-separated, with "x86-64-v2" … "x86-64-v4" where all of such a level is there
};
// Reads /proc/cpuinfo, which lists only what the kernel has enabled too.
CpuInfo cpuInfo();
// From the text of such a file.
CpuInfo parseCpuInfo(const std::string& text);

std::vector<int> usableCpus();
// "0,2-3" → 0 2 3. Empty when the text is no such list.
std::vector<int> parseCpuList(const std::string& text);

}  // namespace tetrarch::cpu
