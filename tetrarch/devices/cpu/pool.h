// Threads that run chains of jobs, each job over a range of units, with a barrier between jobs.
//
// The calling thread takes part. Each thread begins with its own equal part of a job and takes from it in
// shrinking pieces; who is done takes from others. Nobody waits for a thread that has not begun: a job is
// complete when its units are. Between chains the threads spin for a short while, so that a chain that
// follows soon starts in well under a microsecond, and then sleep.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "tetrarch/abi/cpu_kernel.h"
#include "tetrarch/abi/device.h"
#include "tetrarch/base/status.h"

namespace tetrarch::cpu {

struct Job {
  tet_cpu_kernel_fn run;
  void* const* buffers;
  int64_t begin, end, granularity;
  int64_t scratch_bytes;
  tet_receipt* receipt;  // or null
};

struct PoolOptions {
  int threads = 1;        // with the caller's
  std::vector<int> cpus;  // pin thread i to cpus[i % size]; empty: not pinned. The caller is thread 0
  int64_t spin_ns = 20'000;
};

class Pool {
 public:
  explicit Pool(PoolOptions options);
  ~Pool();

  // Returns when all jobs are done. From several threads at once: one gets the workers, the others run alone.
  // ResourceExhausted when there is no memory for scratch.
  Status run(std::span<const Job> jobs);

 private:
  struct alignas(64) Slot {
    std::atomic<uint64_t> range{0};  // pieces left of one thread's part: first << 32 | last + 1
  };
  struct alignas(64) Progress {
    std::atomic<uint64_t> done{0};     // pieces
    std::atomic<int64_t> ended_ns{0};  // when the last of them was done; 0 before, and where nobody asks
  };
  // One chain that is being run. A thread that was slow to leave an old chain keeps only that context busy.
  struct Context {
    alignas(64) std::atomic<int> active{0};  // workers inside
    std::vector<Job> jobs;
    std::vector<uint32_t> pieces;   // by job
    std::vector<int64_t> piece;     // by job: units in a piece
    std::unique_ptr<Slot[]> slots;  // by job, by thread
    std::unique_ptr<Progress[]> progress;
    size_t capacity = 0;             // in jobs, of the two arrays
    bool timed = false;              // some job has a receipt
    std::atomic<size_t> current{0};  // job that the caller is at
  };

  void prepare(Context& context, std::span<const Job> jobs) const;
  Context& freeContext(int& index);
  void runChain(Context& context, int thread, void* scratch);
  void runJob(Context& context, size_t job, int thread, void* scratch) const;
  // The receipts of a chain that is done and began at that time.
  static void stampReceipts(const Context& context, int64_t begin_ns);
  bool take(Slot& slot, bool front, uint32_t& begin, uint32_t& end) const;
  void worker(int thread);
  uint64_t waitForChain(uint64_t seen);
  void start();

  const PoolOptions options_;
  std::mutex mutex_;  // held by the caller that has the workers
  std::vector<std::thread> threads_;
  std::vector<std::unique_ptr<Context>> contexts_;
  std::atomic<uint64_t> published_{0};  // number of the chain << 8 | its context; 0: none yet
  std::atomic<uint32_t> wake_{0};
  std::atomic<bool> stop_{false};
  uint64_t chains_ = 0;
};

}  // namespace tetrarch::cpu
