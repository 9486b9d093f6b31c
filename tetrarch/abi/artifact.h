/* The container format of an artifact, `model.tet`: mapped, verified and then used in
 * place.
 *
 *   file    := header, section table, section…, all zero between them
 *   header  := tet_artifact_header              at offset 0
 *   table   := tet_artifact_section[section_count]  at header.table_offset
 *   section := bytes at section.offset, which is a multiple of section.alignment; sections do not overlap
 *
 * CONVENTIONS
 *  1. Little-endian, natural alignment, no padding inside structs.
 *  2. Every bit of the file is covered: a section's hash covers its bytes; the header's hash covers the
 *     header (hash field zero) and the table with the sections' hashes; bytes of no section must be zero.
 *  3. The structs only grow: a reader steps through the table by header.section_bytes and ignores what it
 *     does not know at the end of a struct. TET_ARTIFACT_MAJOR changes when an old reader would
 *     misunderstand.
 *  4. Hashes are XXH3 with 128 bits and seed 0, low half first. They find damage; they do not prove who
 *     wrote a file.
 *
 * CHANGELOG
 *  1.0  First version: manifest, weights, code, binary.
 *  1.1  Section "tasks".
 *  1.2  Plans may name code of their own (PlanCode of manifest.h); without it the tasks' code runs.
 *  1.3  Such code may have other kernels of tasks than that code has (PlanCode::kernels).
 */
#ifndef TETRARCH_ABI_ARTIFACT_H_
#define TETRARCH_ABI_ARTIFACT_H_

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The high bit, the line ends and the end-of-file character catch transfers that change text. */
#define TET_ARTIFACT_MAGIC "\x89TET\r\n\x1a\n"
#define TET_ARTIFACT_MAJOR 1
#define TET_ARTIFACT_MINOR 3
#define TET_ARTIFACT_PAGE 4096u
#define TET_ARTIFACT_MAX_SECTIONS 4096u

enum {
  TET_SECTION_MANIFEST = 1, /* exactly one: JSON, UTF-8, see manifest.h */
  TET_SECTION_WEIGHTS = 2,  /* at most one, page-aligned: constants at the offsets that the manifest names */
  TET_SECTION_CODE = 3,     /* page-aligned: a code blob, named by the manifest */
  TET_SECTION_BINARY = 4,   /* a driver's own form of a code blob, kept as a cache; may be dropped */
  TET_SECTION_TASKS = 5     /* at most one: the tasks as MLIR text, from which a compiler makes code for other
                               processors; not needed to run */
};

typedef struct tet_hash128 {
  uint64_t low, high;
} tet_hash128;

typedef struct tet_artifact_header {
  uint8_t magic[8];
  uint32_t major, minor;
  uint32_t header_bytes;  /* sizeof(tet_artifact_header) of the writer */
  uint32_t section_bytes; /* sizeof(tet_artifact_section) of the writer */
  uint64_t file_bytes;
  uint64_t table_offset;
  uint64_t section_count;
  tet_hash128 hash;
} tet_artifact_header;

typedef struct tet_artifact_section {
  uint32_t type;  /* TET_SECTION_x; an unknown type is skipped unless required */
  uint32_t flags; /* TET_SECTION_REQUIRED */
  uint64_t offset;
  uint64_t bytes;
  uint64_t alignment; /* a power of two, at most TET_ARTIFACT_PAGE */
  tet_hash128 hash;
} tet_artifact_section;

enum { TET_SECTION_REQUIRED = 1u << 0 }; /* a reader that does not know the type must refuse the file */

#ifdef __cplusplus
}
#endif
#endif /* TETRARCH_ABI_ARTIFACT_H_ */
