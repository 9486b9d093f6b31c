/* The contract between the runtime and a device plug-in: plain C, one exported function, structs that only
 * grow.
 *
 * A plug-in is a shared library in the plug-in folder that exports `tetrarch_plugin()`. It reports its
 * devices, moves bytes, loads code that a code generator wrote for its format, and launches ranges of units
 * of that code. It never sees the name of an op. To write one: clone devices/null/ and pass
 * devices/conformance/.
 *
 * CONVENTIONS
 *  1. Structs. The first field of every struct is `struct_size`, set by whoever allocates it to its own
 *     sizeof. The other side reads or writes only what lies below both sizes. Fields are only appended,
 *     meanings never change. An array of structs is walked with the struct_size of its first element.
 *  2. Versions. TET_ABI_MAJOR changes on a break and must be equal on both sides; TET_ABI_MINOR counts
 *     additions.
 *  3. Optional. An entry marked (optional) may be NULL; every other entry must be set.
 *  4. Outputs are marked // out, come last but for the error, and are written only when the call returns
 *     TET_OK.
 *  5. Errors. A call that can fail returns a tet_status and fills `error`, which the caller owns and which
 *     may be NULL. A message is one sentence: what, where, why. A failure inside asynchronous work surfaces
 *     at the next call on its queue, at queue_finish and at each wait for a signal behind it, and stays
 *     until the queue is destroyed.
 *  6. Ownership. Handles are opaque and belong to the caller until the matching
 *     *_destroy/free/unload/close, which accept NULL and never fail, also on a lost device. Free what
 *     belongs to a device before you close it, and never while work uses it. Kernels belong to their
 *     module. The plug-in copies what it needs of arguments before it returns, but for memory of copies,
 *     wrapped host memory and receipts, which must live until the work is done.
 *  7. Strings are UTF-8 and NUL-terminated. Strings that a plug-in returns live as long as the object they
 *     describe (those of tet_plugin and device_describe: as long as the library is loaded).
 *  8. Threads. Every function may be called from any thread. Calls on one queue must not overlap in time;
 *     everything else may. Call-backs come from any thread, must be short, and must not call back into the
 *     plug-in, but signal_set is allowed.
 *  9. Asynchrony. Queue functions only enqueue, in order, and may finish the work before they return. A
 *     device that always does so (when no queue_wait is pending) says TET_DEVICE_BLOCKING: it computes in
 *     the calling thread.
 * 10. Loss. Once a device is lost every call on it, pending waits included, returns TET_UNAVAILABLE at
 *     once. Nothing may hang. Destroy and close still work.
 * 11. Figures carry their source: measured on the hardware, simulated cycle by cycle, or modelled by a
 *     formula. Unknown is value NaN. Seconds, bytes, bytes per second, watts, joules; no other units.
 *
 * CHANGELOG
 *  1.0  First version.
 *  1.1  tet_kernel_info.seconds.
 */
#ifndef TETRARCH_ABI_DEVICE_H_
#define TETRARCH_ABI_DEVICE_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TET_ABI_MAJOR 1
#define TET_ABI_MINOR 1

#if defined(_WIN32)
#define TET_EXPORT __declspec(dllexport)
#else
#define TET_EXPORT __attribute__((visibility("default")))
#endif

/* Abseil's codes with Abseil's numbers. */
typedef int32_t tet_status;
enum {
  TET_OK = 0,
  TET_CANCELLED = 1,
  TET_UNKNOWN = 2,
  TET_INVALID_ARGUMENT = 3,
  TET_DEADLINE_EXCEEDED = 4,
  TET_NOT_FOUND = 5,
  TET_ALREADY_EXISTS = 6,
  TET_PERMISSION_DENIED = 7,
  TET_RESOURCE_EXHAUSTED = 8,
  TET_FAILED_PRECONDITION = 9,
  TET_ABORTED = 10,
  TET_OUT_OF_RANGE = 11,
  TET_UNIMPLEMENTED = 12,
  TET_INTERNAL = 13,
  TET_UNAVAILABLE = 14,
  TET_DATA_LOSS = 15,
  TET_UNAUTHENTICATED = 16
};

/* Owned by the caller, filled by the callee. The message is always NUL-terminated and cut to fit. */
#define TET_ERROR_BYTES 1000
typedef struct tet_error {
  size_t struct_size;
  tet_status code;
  char message[TET_ERROR_BYTES];
} tet_error;

/* ---- what a device is -------------------------------------------------------------------------- */

enum { TET_CLASS_CPU = 0, TET_CLASS_GPU = 1, TET_CLASS_FPGA = 2, TET_CLASS_ASIC = 3, TET_CLASS_OTHER = 4 };
enum { TET_KIND_REAL = 0, TET_KIND_SIMULATED = 1 };
enum { TET_MEASURED = 0, TET_SIMULATED = 1, TET_MODELLED = 2 };

/* Element types: bit (1 << TET_x) of tet_device_info.element_types. */
enum {
  TET_F64 = 0,
  TET_F32 = 1,
  TET_F16 = 2,
  TET_BF16 = 3,
  TET_F8E4M3FN = 4,
  TET_F8E5M2 = 5,
  TET_I1 = 6,
  TET_I4 = 7,
  TET_I8 = 8,
  TET_I16 = 9,
  TET_I32 = 10,
  TET_I64 = 11,
  TET_U8 = 12,
  TET_U16 = 13,
  TET_U32 = 14,
  TET_U64 = 15
};

/* tet_device_info.flags */
enum {
  TET_DEVICE_HOST_VISIBLE = 1u << 0, /* every buffer has a host pointer, coherent once its work is done */
  TET_DEVICE_WRAPS_HOST = 1u << 1,   /* buffer_wrap works and copies nothing */
  TET_DEVICE_BLOCKING = 1u << 2      /* convention 9 */
};

/* By value and without struct_size: never grows. */
typedef struct tet_figure {
  double value; /* NaN: unknown */
  int32_t source;
  int32_t reserved;
} tet_figure;

typedef struct tet_link {
  tet_figure bytes_per_second;
  tet_figure latency_seconds;
} tet_link;

#define TET_MAX_COUNTERS 8

typedef struct tet_device_info {
  size_t struct_size;
  const char* name;        /* stable, unique in the plug-in: "cpu", "opencl:0" */
  const char* description; /* for people: "AMD EPYC 9354, 2 threads" */
  const char* driver;      /* version of driver, simulator or library below, or "" */
  const char* features;    /* space-separated, what a code generator may rely on: "avx2 fma", "cl_khr_fp16" */
  const char* shares;      /* key of the silicon below, "" if its own; equal keys count once: "host-cpu" */
  int32_t device_class;    /* TET_CLASS_x */
  int32_t kind;            /* TET_KIND_x */
  uint32_t flags;          /* TET_DEVICE_x */
  uint32_t element_types;  /* bit mask of 1 << TET_F64 … that code for it may load, store and compute with */
  uint64_t memory_bytes;   /* usable by buffers in total */
  uint64_t max_buffer_bytes;
  uint32_t alignment;     /* of slice offsets and of wrapped host pointers, a power of two */
  uint32_t compute_units; /* threads, cores, engines: how many units run at once */
  uint32_t max_queues;    /* queues that make progress at the same time, at least 1 */
  uint32_t format_count;  /* code formats, best first: "elf", "opencl-c", "null" */
  const char* const* formats;
  tet_link from_host; /* copy_in */
  tet_link to_host;   /* copy_out */
  tet_figure idle_watts;
  tet_figure busy_watts;
  uint32_t counter_count; /* of a receipt's counters, at most TET_MAX_COUNTERS */
  uint32_t reserved;
  const char* counter_names[TET_MAX_COUNTERS];
} tet_device_info;

typedef struct tet_device tet_device;
typedef struct tet_buffer tet_buffer;
typedef struct tet_module tet_module;
typedef struct tet_kernel tet_kernel;
typedef struct tet_queue tet_queue;
typedef struct tet_signal tet_signal;

enum { TET_EVENT_LOST = 0, TET_EVENT_ADDED = 1, TET_EVENT_THROTTLED = 2, TET_EVENT_RESTORED = 3 };

typedef struct tet_event {
  size_t struct_size;
  int32_t kind;        /* TET_EVENT_x; LOST is raised once */
  uint32_t index;      /* of the device in its plug-in */
  tet_device* device;  /* NULL for ADDED */
  const char* message; /* one sentence, valid during the call */
} tet_event;
typedef void (*tet_event_fn)(void* user, const tet_event* event);

typedef struct tet_open_args {
  size_t struct_size;
  uint32_t index; /* 0 … device_count - 1 */
  uint32_t reserved;
  const char* options; /* a JSON object such as {"threads":1}, or NULL; an unknown key is INVALID_ARGUMENT */
  tet_event_fn on_event; /* or NULL; not called after device_close has returned */
  void* user;
} tet_open_args;

/* ---- code and launches ------------------------------------------------------------------------- */

/* A kernel is one compiled task: `units` independent pieces of work, of which a launch runs [begin, end). Any
 * order and any partition of ranges gives the same bits. begin and end are multiples of `granularity`, or end
 * == units. */
typedef struct tet_kernel_info {
  size_t struct_size;
  uint64_t units;
  uint64_t granularity;
  uint64_t workspace_bytes; /* scratch that the device itself allocates; told so that a plan can count it */
  uint32_t buffer_count;    /* inputs then outputs; UINT32_MAX when the code does not say */
  uint32_t reserved;
  tet_figure seconds; /* of a launch of all units, where a device knows that without running it (a simulator
                         whose time depends on no data); value 0: run it to find out. Never measured. */
} tet_kernel_info;

/* What a launch reports of itself. Written before the work counts as done. */
typedef struct tet_receipt {
  size_t struct_size;
  double seconds;   /* time on the device, NaN when it cannot say */
  uint64_t cycles;  /* device cycles, 0 when it cannot say */
  int64_t begin_ns; /* host's monotonic clock at the start, 0 when it cannot say */
  int32_t source;   /* TET_MEASURED … of seconds and cycles */
  uint32_t reserved;
  uint64_t counters[TET_MAX_COUNTERS]; /* named by tet_device_info.counter_names */
} tet_receipt;

typedef struct tet_launch {
  size_t struct_size;
  tet_kernel* kernel;
  tet_buffer* const* buffers; /* inputs then outputs; the plug-in reads the array during the call only */
  uint32_t buffer_count;
  uint32_t reserved;
  uint64_t begin, end;  /* begin == end launches nothing */
  tet_receipt* receipt; /* or NULL; must live until the work is done */
} tet_launch;

typedef void (*tet_notify_fn)(void* user, tet_status status);

typedef struct tet_power_limit {
  size_t struct_size;
  double watts, min_watts, max_watts;
} tet_power_limit;

/* ---- the plug-in
 * ----------------------------------------------------------------------------------------------- */

typedef struct tet_plugin {
  size_t struct_size;
  uint32_t abi_major, abi_minor; /* TET_ABI_MAJOR, TET_ABI_MINOR of the header it was built with */
  const char* name;              /* "cpu" */
  const char* version;           /* of the plug-in itself */

  /* Devices. No device at all is TET_OK with count 0. */
  tet_status (*device_count)(uint32_t* count /* out */, tet_error* error);
  /* What device_info would say if the device were opened with these options; opens nothing. */
  tet_status (*device_describe)(uint32_t index, const char* options, tet_device_info* info /* out */,
                                tet_error* error);
  tet_status (*device_open)(const tet_open_args* args, tet_device** device /* out */, tet_error* error);
  void (*device_close)(tet_device* device);
  tet_status (*device_info)(tet_device* device, tet_device_info* info /* out */, tet_error* error);

  /* Buffers: device memory, not cleared. 0 bytes is a valid buffer. RESOURCE_EXHAUSTED when memory is
   * short. */
  tet_status (*buffer_alloc)(tet_device* device, uint64_t bytes, tet_buffer** buffer /* out */,
                             tet_error* error);
  /* (optional) The caller's memory as a buffer without a copy; `host` is aligned to info.alignment. Read-only
   * memory (a mapped file) is fine for buffers that no launch writes. */
  tet_status (*buffer_wrap)(tet_device* device, void* host, uint64_t bytes, tet_buffer** buffer /* out */,
                            tet_error* error);
  /* Bytes [offset, offset + bytes) of `parent`, which must outlive it and must not be a slice itself. The
   * offset is a multiple of info.alignment. Slices that overlap see each other's writes. */
  tet_status (*buffer_slice)(tet_buffer* parent, uint64_t offset, uint64_t bytes,
                             tet_buffer** buffer /* out */, tet_error* error);
  void (*buffer_free)(tet_buffer* buffer);
  /* The host's address of a buffer for its whole life, or NULL if the host cannot see it. What the host
   * writes before it enqueues work, that work sees; what work wrote, the host sees once the work is done. */
  void* (*buffer_host_pointer)(tet_buffer* buffer);

  /* Code. INVALID_ARGUMENT for a format that info.formats lacks or for bytes that are not of it; the plug-in
   * verifies the blob before it uses any of it. `name` is for messages. */
  tet_status (*module_load)(tet_device* device, const char* name, const char* format, const void* bytes,
                            uint64_t size, tet_module** module /* out */, tet_error* error);
  void (*module_unload)(tet_module* module);
  /* (optional) The loaded module in the driver's own form, for a cache: writes at most `capacity` bytes,
   * always tells the full size and the format under which module_load takes it back. */
  tet_status (*module_binary)(tet_module* module, void* bytes, uint64_t capacity, uint64_t* size /* out */,
                              const char** format /* out */, tet_error* error);
  tet_status (*kernel_find)(tet_module* module, const char* symbol, tet_kernel** kernel /* out */,
                            tet_error* error);
  tet_status (*kernel_info)(tet_kernel* kernel, tet_kernel_info* info /* out */, tet_error* error);

  /* Queues: in order, each command begins when the one before is done. Ranges outside a buffer are
   * OUT_OF_RANGE. */
  tet_status (*queue_create)(tet_device* device, tet_queue** queue /* out */, tet_error* error);
  void (*queue_destroy)(tet_queue* queue); /* after its work is done */
  tet_status (*copy_in)(tet_queue* queue, tet_buffer* to, uint64_t to_offset, const void* from,
                        uint64_t bytes, tet_error* error);
  tet_status (*copy_out)(tet_queue* queue, void* to, tet_buffer* from, uint64_t from_offset, uint64_t bytes,
                         tet_error* error);
  /* Between buffers of this plug-in's devices; UNIMPLEMENTED where that is not possible (the caller then goes
   * through the host). */
  tet_status (*copy)(tet_queue* queue, tet_buffer* to, uint64_t to_offset, tet_buffer* from,
                     uint64_t from_offset, uint64_t bytes, tet_error* error);
  /* Launches a chain: each begins when the one before is done, as if launched one by one, and the device may
   * keep its workers hot in between. On an error those before the bad one may have run, those after it have
   * not. */
  tet_status (*launch)(tet_queue* queue, const tet_launch* launches, uint64_t count, tet_error* error);
  /* Sees to it that everything enqueued gets done without a further call. */
  tet_status (*queue_flush)(tet_queue* queue, tet_error* error);
  /* Blocks until everything enqueued is done. */
  tet_status (*queue_finish)(tet_queue* queue, tet_error* error);

  /* Signals: a 64-bit value that only grows; "reached" means value >= what is waited for. */
  tet_status (*signal_create)(tet_device* device, uint64_t initial, tet_signal** signal /* out */,
                              tet_error* error);
  void (*signal_destroy)(tet_signal* signal);
  tet_status (*signal_query)(tet_signal* signal, uint64_t* value /* out */, tet_error* error);
  /* From the host. A smaller value than the present one is ignored. */
  tet_status (*signal_set)(tet_signal* signal, uint64_t value, tet_error* error);
  /* DEADLINE_EXCEEDED when not reached in time; UINT64_MAX waits for ever. */
  tet_status (*signal_wait)(tet_signal* signal, uint64_t value, uint64_t timeout_ns, tet_error* error);
  /* Calls back once, when reached (TET_OK) or when it never will be (the error); at once if that is so
   * already. */
  tet_status (*signal_notify)(tet_signal* signal, uint64_t value, tet_notify_fn notify, void* user,
                              tet_error* error);
  /* Sets `signal` when all earlier work of the queue is done. */
  tet_status (*queue_signal)(tet_queue* queue, tet_signal* signal, uint64_t value, tet_error* error);
  /* Later work of the queue begins only after `signal`, of any device of this plug-in, is reached. Does not
   * block the caller. */
  tet_status (*queue_wait)(tet_queue* queue, tet_signal* signal, uint64_t value, tet_error* error);

  /* Power and energy, of the silicon named by info.shares where it is shared. UNIMPLEMENTED, as a missing
   * entry, means that this device has no such meter. */
  /* (optional) Joules since some fixed moment, never falling. */
  tet_status (*energy_read)(tet_device* device, tet_figure* joules /* out */, tet_error* error);
  /* (optional) Watts now. */
  tet_status (*power_read)(tet_device* device, tet_figure* watts /* out */, tet_error* error);
  /* (optional) Both or neither. The limit set is read back, and a value outside min … max is OUT_OF_RANGE. */
  tet_status (*power_limit_get)(tet_device* device, tet_power_limit* limit /* out */, tet_error* error);
  tet_status (*power_limit_set)(tet_device* device, double watts, tet_error* error);

  /* (optional) Calls back with TET_EVENT_ADDED when device_count grows, until called with NULL. */
  tet_status (*watch)(tet_event_fn on_event, void* user, tet_error* error);
} tet_plugin;

/* The one exported symbol, TET_PLUGIN_SYMBOL. Returns a table that lives as long as the library; NULL means
 * that the plug-in cannot work here at all. Must be quick and must not fail for want of a device: that is
 * device_count 0. */
typedef const tet_plugin* (*tetrarch_plugin_fn)(void);
#define TET_PLUGIN_SYMBOL "tetrarch_plugin"
TET_EXPORT const tet_plugin* tetrarch_plugin(void);

#ifdef __cplusplus
}
#endif
#endif /* TETRARCH_ABI_DEVICE_H_ */
