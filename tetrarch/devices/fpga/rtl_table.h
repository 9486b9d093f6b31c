/* What a kernel's SystemVerilog, made into a shared library, exports: rtl_bench.cpp.in includes this, and so
 * does the plug-in. Plain C: the library may come from another compiler. */
#ifndef TETRARCH_DEVICES_FPGA_RTL_TABLE_H_
#define TETRARCH_DEVICES_FPGA_RTL_TABLE_H_

#include <stdint.h>

#define TETRARCH_FPGA_RTL_SYMBOL "tetrarch_fpga_rtl"

/* Beats of one port; each has so many words, the low bits of tdata first. */
typedef struct tetrarch_fpga_beats {
  uint64_t* words;
  uint64_t beats, words_per_beat;
} tetrarch_fpga_beats;

enum {
  TETRARCH_FPGA_RTL_DONE = 0,
  TETRARCH_FPGA_RTL_HANGS = 1,    /* max_cycles have gone */
  TETRARCH_FPGA_RTL_TOO_MANY = 2, /* a port sent more beats than it has */
  TETRARCH_FPGA_RTL_LAST = 3,     /* tlast did not mark the last beat, or another */
  TETRARCH_FPGA_RTL_STOPPED = 4   /* an assertion failed */
};

/* `ports` in the kernel's order: beats to send of inputs; of outputs those that came are written. With
 * `stalls` other than 0 ports pause at random, by that seed. */
typedef struct tetrarch_fpga_rtl_run {
  tetrarch_fpga_beats* ports;
  uint64_t stalls;
  int64_t max_cycles;
  int64_t cycles;    /* out */
  char message[500]; /* out, of an assertion */
} tetrarch_fpga_rtl_run;

typedef int (*tetrarch_fpga_rtl_fn)(tetrarch_fpga_rtl_run* run);

#endif /* TETRARCH_DEVICES_FPGA_RTL_TABLE_H_ */
