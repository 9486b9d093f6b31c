/* What a code blob of format "opencl-c" holds: OpenCL C source and how to launch its kernels as tasks.
 *
 *   blob     := header, entry[entry_count], pass[pass_count], argument[argument_count], binary[binary_count],
 * text entry    := one task: `pass_count` passes from pass `first_pass` on, enqueued in order pass     := one
 * launch of one kernel: `argument_count` arguments from argument `first_argument` on text     := everything
 * that names, source, options and binaries refer to by offset (from the blob's start)
 *
 * CONVENTIONS
 *  1. Little-endian, natural alignment, no padding inside structs, tables back to back in the order above.
 *  2. A launch of units [begin, end) runs a pass of kind UNITS over items_per_unit * (end - begin) work-items
 * of dimension 0 with global offset items_per_unit * begin, and a pass of kind WHOLE over `items` work-items.
 *  3. local_items is the work-group's size; 0 leaves it to the device, which defines TET_LOCAL_ITEMS when it
 * builds the source. The work-items are rounded up to whole groups: a kernel takes the argument ITEM_END, the
 * number of work- items in the range's end, and does nothing in a work-item at or beyond it.
 *  4. Buffers of a task are its inputs, then its outputs. Workspace is one buffer of the entry's
 * workspace_bytes with any content, of which an argument sees the bytes from its `value` on; that is a
 * multiple of 4096.
 *  5. Binaries are a cache: a device uses the one whose key is its own (device, driver) and else builds the
 * source.
 *
 * CHANGELOG
 *  1  First version.
 */
#ifndef TETRARCH_ABI_OPENCL_BLOB_H_
#define TETRARCH_ABI_OPENCL_BLOB_H_

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TET_OPENCL_MAGIC 0x4c434f54u /* "TOCL" */
#define TET_OPENCL_VERSION 1u
#define TET_OPENCL_LOCAL_MACRO "TET_LOCAL_ITEMS"

typedef struct tet_opencl_text {
  uint64_t offset, bytes; /* UTF-8 without a NUL, or bytes */
} tet_opencl_text;

typedef struct tet_opencl_header {
  uint32_t magic, version;
  uint64_t blob_bytes;
  uint32_t entry_count, pass_count, argument_count, binary_count;
  tet_opencl_text source;  /* OpenCL C 1.2 */
  tet_opencl_text options; /* of clBuildProgram */
} tet_opencl_header;

typedef struct tet_opencl_entry {
  tet_opencl_text symbol; /* what kernel_find looks for */
  uint64_t units, granularity, workspace_bytes;
  uint32_t buffer_count;
  uint32_t first_pass, pass_count;
  uint32_t reserved; /* 0 */
} tet_opencl_entry;

enum { TET_OPENCL_UNITS = 0, TET_OPENCL_WHOLE = 1 };

typedef struct tet_opencl_pass {
  tet_opencl_text kernel;
  uint32_t kind;        /* TET_OPENCL_UNITS or TET_OPENCL_WHOLE */
  uint32_t local_items; /* convention 3 */
  uint64_t items;       /* of a unit, or whole */
  uint32_t first_argument, argument_count;
} tet_opencl_pass;

enum { TET_OPENCL_BUFFER = 0, TET_OPENCL_WORKSPACE = 1, TET_OPENCL_ITEM_END = 2 };

typedef struct tet_opencl_argument {
  uint32_t kind;     /* TET_OPENCL_x; ITEM_END is passed as a long */
  uint32_t reserved; /* 0 */
  uint64_t value;    /* index of the buffer, else 0 */
} tet_opencl_argument;

typedef struct tet_opencl_binary {
  tet_opencl_text device;  /* CL_DEVICE_NAME and driver version, as the plug-in joins them */
  tet_opencl_text program; /* CL_PROGRAM_BINARIES */
} tet_opencl_binary;

#ifdef __cplusplus
}
#endif
#endif /* TETRARCH_ABI_OPENCL_BLOB_H_ */
