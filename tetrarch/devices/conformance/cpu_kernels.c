/* The suite's kernels as a code blob of format "elf", and a few for the tests of run/. */
#include "tetrarch/abi/cpu_kernel.h"

enum { kUnit = 64 };

static void addOne(void* const* buffers, int64_t begin, int64_t end, void* scratch) {
  (void)scratch;
  const float* in = buffers[0];
  float* out = buffers[1];
  for (int64_t i = begin * kUnit; i < end * kUnit; ++i) out[i] = in[i] + 1;
}

static void twice(void* const* buffers, int64_t begin, int64_t end, void* scratch) {
  const float* in = buffers[0];
  float* out = buffers[1];
  float* row = scratch; /* through scratch, so that a shared one would show */
  for (int64_t u = begin; u < end; ++u) {
    for (int i = 0; i < kUnit; ++i) row[i] = in[u * kUnit + i] * 2;
    for (int i = 0; i < kUnit; ++i) out[u * kUnit + i] = row[i];
  }
}

static void add(void* const* buffers, int64_t begin, int64_t end, void* scratch) {
  (void)scratch;
  const float *a = buffers[0], *b = buffers[1];
  float* out = buffers[2];
  for (int64_t i = begin * kUnit; i < end * kUnit; ++i) out[i] = a[i] + b[i];
}

static const tet_cpu_kernel kKernels[] = {
    {"add_one", addOne, 16, 1, 0, 2},  {"twice", twice, 16, 1, kUnit * sizeof(float), 2},
    {"add", add, 16, 1, 0, 3},         {"one_unit", addOne, 1, 1, 0, 2},
    {"by_fours", addOne, 16, 4, 0, 2},
};

__attribute__((visibility("default"))) const tet_cpu_module tetrarch_cpu_module = {
    TET_CPU_MODULE_MAGIC, TET_CPU_MODULE_VERSION, sizeof(tet_cpu_kernel), sizeof kKernels / sizeof *kKernels,
    kKernels};
