/* What a code blob of format "elf" holds: a shared object that exports one table, `tetrarch_cpu_module`.
 *
 * CONVENTIONS
 *  1. The shared object needs no other library but libc and libm, has no constructors, and is relocatable to
 *     any address. Kernels keep no state between calls and may run on any number of threads at once.
 *  2. A kernel runs units [begin, end) of its task. `buffers` are the task's inputs, then its outputs: dense
 *     row-major, aligned to 16 bytes (those of the runtime's own to 64), outputs overlap no input. Any order
 *     and partition of ranges gives the same bits. `scratch` is scratch_bytes of the calling worker's own,
 *     aligned to 64, with any content.
 *  3. The table and everything that it points to are constant and inside the shared object.
 *
 * CHANGELOG
 *  1  First version.
 */
#ifndef TETRARCH_ABI_CPU_KERNEL_H_
#define TETRARCH_ABI_CPU_KERNEL_H_

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TET_CPU_MODULE_MAGIC 0x55504354u /* "TCPU" */
#define TET_CPU_MODULE_VERSION 1u
#define TET_CPU_MODULE_SYMBOL "tetrarch_cpu_module"

typedef void (*tet_cpu_kernel_fn)(void* const* buffers, int64_t begin, int64_t end, void* scratch);

typedef struct tet_cpu_kernel {
  const char* name; /* what kernel_find looks for */
  tet_cpu_kernel_fn run;
  int64_t units;
  int64_t granularity; /* begin and end of a call are multiples of it, or units */
  int64_t scratch_bytes;
  int64_t buffer_count;
} tet_cpu_kernel;

typedef struct tet_cpu_module {
  uint32_t magic, version;
  uint32_t kernel_bytes; /* sizeof(tet_cpu_kernel): the stride of `kernels` */
  uint32_t kernel_count;
  const tet_cpu_kernel* kernels;
} tet_cpu_module;

#ifdef __cplusplus
}
#endif
#endif /* TETRARCH_ABI_CPU_KERNEL_H_ */
