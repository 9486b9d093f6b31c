// Types of the processor that are not part of its instruction set.
package npu_pkg;

  // What travels through the systolic array with an activation or with a weight row, left to right.
  typedef struct packed {
    logic en;    // a row of activations passes: partial sums move
    logic live;  // ... and this array row takes part in it
    logic swap;  // the shadow weight becomes the weight, from this activation on
    logic load;  // the shadow weight is written
    logic tern;  // ... with a ternary code
  } wave_t;

endpackage
