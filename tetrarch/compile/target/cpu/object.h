// From LLVM IR to machine code, and from objects to the shared object that a device loads.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "tetrarch/compile/target/cpu/dot_product.h"
#include "tetrarch/compile/target/cpu/lowering.h"

namespace tetrarch::compile::cpu {

// A processor to make code for; one row each in object.cpp.
struct Variant {
  std::string name;       // "x86-64-v4-vnni"
  std::string processor;  // LLVM's name of it, and what it has beyond that, as LLVM takes it
  std::string extensions;
  std::string features;  // what a device must have, spelled as CodeBlob::features
  int64_t vector_bytes;  // of one register
  int64_t vector_registers;
  DotInstruction dot;
};
// The most general one, and the best that this machine can run if that is another.
std::vector<Variant> hostVariants();

struct ObjectCode {
  std::vector<char> bytes;
  KernelEntry entry;
  int64_t buffers = 0;
};

// Optimises and assembles; the kernel's module is consumed.
Result<ObjectCode> assemble(LoweredKernel kernel, const Variant& variant);

// A row of the exported table: `name` runs the entry of `object`.
struct Export {
  std::string name;
  const ObjectCode* object;
};
// Links the objects (each once) into a shared object that exports the table of abi/cpu_kernel.h.
Result<std::vector<std::byte>> link(std::span<const Export> exports, const Variant& variant);

}  // namespace tetrarch::compile::cpu
