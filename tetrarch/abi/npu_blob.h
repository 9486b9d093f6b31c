/* What a code blob of format "npu" holds: instruction streams for the neural processing unit, the map of its
 * DRAM for each task, and constants.
 *
 *   blob   := header, entry[entry_count], piece[piece_count], stream[stream_count], text, instructions,
 *             constants
 *   entry  := one task: what its DRAM looks like (pieces) and what runs (streams)
 *   piece  := a range of DRAM addresses and what lies there
 *   stream := one program with its HALT, which computes one granule of units
 *
 * CONVENTIONS
 *  1. Little-endian, natural alignment, no padding inside structs, tables back to back in the order above.
 *     Text, instructions (16 bytes each, aligned to 16) and constants (aligned to 64) are where the header
 *     says.
 *  2. The code is for exactly the configuration that the header names (side, kind, rows of both memories); a
 *     device of another one refuses it. Clock and latency do not matter to it.
 *  3. A launch of units [begin, end) runs streams begin / granularity to (end - 1) / granularity, one after
 *     the other. Each starts from reset: on-chip memories cleared, no tokens, loops of one iteration. What
 *     two streams of an entry write, in buffers, does not overlap or is equal.
 *  4. Pieces of an entry do not overlap; `address` is a multiple of 64; they end at or below 2^32. A piece
 *     of kind BUFFER is the buffer of that number (inputs, then outputs) from its first byte on, CONSTANTS
 *     the blob's constants from `offset` on, WORKSPACE the entry's workspace from `offset` on, which has any
 *     content. `writable` may be 1 for BUFFER and WORKSPACE.
 *  5. A device verifies every stream against the map before it runs any: see rtl/npu/README.md for what a
 *     program must satisfy.
 *
 * CHANGELOG
 *  1  First version.
 */
#ifndef TETRARCH_ABI_NPU_BLOB_H_
#define TETRARCH_ABI_NPU_BLOB_H_

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TET_NPU_FORMAT "npu"
#define TET_NPU_MAGIC 0x55504e54u /* "TNPU" */
#define TET_NPU_VERSION 1u

enum { TET_NPU_INT8 = 0, TET_NPU_BF16 = 1 };

typedef struct tet_npu_range {
  uint64_t offset, bytes; /* from the blob's start */
} tet_npu_range;

typedef struct tet_npu_header {
  uint32_t magic, version;
  uint64_t blob_bytes;
  uint32_t side, kind; /* TET_NPU_x */
  uint32_t sp_rows, acc_rows;
  uint32_t entry_count, piece_count;
  uint64_t stream_count;
  tet_npu_range text, instructions, constants;
} tet_npu_header;

typedef struct tet_npu_entry {
  uint64_t symbol_offset, symbol_bytes; /* in the text: what kernel_find looks for */
  uint64_t units, granularity, workspace_bytes;
  uint64_t first_stream; /* units / granularity streams, rounded up */
  uint32_t first_piece, piece_count;
  uint32_t buffer_count;
  uint32_t reserved; /* 0 */
} tet_npu_entry;

enum { TET_NPU_BUFFER = 0, TET_NPU_CONSTANTS = 1, TET_NPU_WORKSPACE = 2 };

typedef struct tet_npu_piece {
  uint32_t kind;     /* TET_NPU_x */
  uint32_t buffer;   /* its number, else 0 */
  uint64_t address;  /* of the first byte, in DRAM */
  uint64_t bytes;    /* at least 1 */
  uint64_t offset;   /* in constants or workspace, else 0 */
  uint32_t writable; /* 0 or 1 */
  uint32_t reserved; /* 0 */
} tet_npu_piece;

typedef struct tet_npu_stream {
  uint64_t first_instruction, instruction_count;
} tet_npu_stream;

#ifdef __cplusplus
}
#endif
#endif /* TETRARCH_ABI_NPU_BLOB_H_ */
