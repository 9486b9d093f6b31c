/* What a code blob of format "fpga" holds: kernels for a field-programmable gate array, as fpga_program.h has
 * them.
 *
 *   blob    := header, program
 *   program := the structs of fpga_program.h, member after member in the order in which they are declared
 *
 * CONVENTIONS
 *  1. The header is little-endian, without padding.
 *  2. A number is a LEB128 (seven bits a byte, the low ones first, the top bit of a byte set when another
 *     follows); a signed one is (n << 1) ^ (n >> 63) of it. An enum is its number, a bool 0 or 1, a double
 * its 64 bits as 8 bytes, a variant its index before the member.
 *  3. A string or an array is its length and its bytes or elements. Elements of a memory's data have
 *     ceil(width / 8) bytes each, little-endian.
 *  4. A device verifies the program before it uses any of it.
 *
 * CHANGELOG
 *  1  First version.
 */
#ifndef TETRARCH_ABI_FPGA_BLOB_H_
#define TETRARCH_ABI_FPGA_BLOB_H_

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TET_FPGA_FORMAT "fpga"
#define TET_FPGA_MAGIC 0x41475054u /* "TPGA" */
#define TET_FPGA_VERSION 2u

typedef struct tet_fpga_header {
  uint32_t magic, version;
  uint64_t blob_bytes;
} tet_fpga_header;

#ifdef __cplusplus
}
#endif
#endif /* TETRARCH_ABI_FPGA_BLOB_H_ */
