// Types of the processor that are not part of its instruction set.
package npu_pkg;
  import npu_isa_pkg::*;

  // A local row: bit 15 chooses the accumulator memory, the rest is a row of it or of the scratchpad.
  localparam int unsigned RowW = 16;
  localparam int unsigned SpRowW = 15;
  localparam int unsigned AccRowW = 11;
  // The number of an instruction in its program or in its queue: DRAM holds at most 2^28.
  localparam int unsigned IndexW = 28;

  // Queues.
  localparam int unsigned QLoad = 0;
  localparam int unsigned QMatrix = 1;
  localparam int unsigned QVector = 2;
  localparam int unsigned QStore = 3;

  // Who asks for memory banks, in the order in which a tie is decided. The matrix unit asks twice: when the weights of a
  // tile are to be loaded, which takes the instruction from its queue, and when its rows are to stream.
  localparam int unsigned Clients = 5;
  localparam int unsigned CLoad = 0;
  localparam int unsigned CStream = 1;
  localparam int unsigned CPrepare = 2;
  localparam int unsigned CVector = 3;
  localparam int unsigned CStore = 4;

  // A set of memory banks.
  typedef struct packed {
    logic [AccBanks-1:0] acc;
    logic [SpBanks-1:0]  sp;
  } banks_t;

  // What waits in a queue: the instruction and the banks that it touches.
  typedef struct packed {
    logic         meet;    // VOP: A and B share a bank, so they are read in turn
    banks_t       second;  // MATMUL: the weights; VOP: D
    banks_t       first;   // MATMUL: activations and sums; VOP: A and B; otherwise all rows
    logic [127:0] bits;
  } entry_t;

  // A client wants to begin.
  typedef struct packed {
    logic   valid;
    banks_t rd;
    banks_t wr;
  } issue_t;

  // An instruction completes: its tokens go out.
  typedef struct packed {
    logic              valid;
    logic [Queues-1:0] signal;
    logic [IndexW-1:0] index;
  } finish_t;

  // Something is wrong with an instruction: the processor stops.
  typedef struct packed {
    logic              valid;
    cause_e            cause;
    logic [IndexW-1:0] index;
  } error_t;

  // What a float is, where its exponent and significand do not say it.
  typedef enum logic [1:0] {
    FpFinite,
    FpInfinite,
    FpNan
  } fp_class_e;

  // What travels through the systolic array with an activation or with a weight row, left to right.
  typedef struct packed {
    logic en;    // a row of activations passes: partial sums move
    logic live;  // ... and this array row takes part in it
    logic swap;  // the shadow weight becomes the weight, from this activation on
    logic load;  // the shadow weight is written
    logic tern;  // ... with a ternary code
  } wave_t;

  // The parameters of vector ops that all lanes share (VPARAM).
  typedef struct packed {
    logic signed [15:0] hi;
    logic signed [15:0] lo;
    logic signed [15:0] zp;
    logic signed [7:0]  zp_b;
    logic signed [15:0] mult_b;
    logic [4:0]         shift_b;
  } scalars_t;

  // The parameters of one lane.
  typedef struct packed {
    logic signed [31:0] bias;
    logic signed [15:0] mult;
    logic [5:0]         shift;
  } lane_params_t;

endpackage
