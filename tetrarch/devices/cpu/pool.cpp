#include "tetrarch/devices/cpu/pool.h"

#include <sched.h>

#include <algorithm>
#include <cstdlib>

#include "tetrarch/base/trace.h"
#include "tetrarch/devices/hosted/hosted.h"

namespace tetrarch::cpu {
namespace {

constexpr uint64_t kMaxPieces = 1u << 30;
constexpr int kPausesBeforeYield = 4096;

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Memory of one thread for one kernel call; grows and stays.
class Scratch {
 public:
  ~Scratch() { std::free(data_); }
  // Null when memory is short (and when bytes is 0).
  void* get(int64_t bytes) {
    if (bytes <= capacity_) return data_;
    std::free(data_);
    data_ = std::aligned_alloc(64, (static_cast<size_t>(bytes) + 63) / 64 * 64);
    capacity_ = data_ ? bytes : 0;
    return data_;
  }

 private:
  void* data_ = nullptr;
  int64_t capacity_ = 0;
};
thread_local Scratch scratch;

int64_t maxScratch(std::span<const Job> jobs) {
  int64_t bytes = 0;
  for (const Job& job : jobs) bytes = std::max(bytes, job.scratch_bytes);
  return bytes;
}

void pinThread(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  (void)::sched_setaffinity(0, sizeof set, &set);  // a wish: it is no error if the CPU is gone
}

// The calling thread is on the first of `cpus` while this lives. Not longer: threads that it starts
// afterwards, such as those of another device's driver, would inherit that.
class PinnedWhile {
 public:
  explicit PinnedWhile(const std::vector<int>& cpus) {
    if (cpus.empty() || ::sched_getaffinity(0, sizeof before_, &before_) != 0) return;
    pinned_ = true;
    pinThread(cpus[0]);
  }
  ~PinnedWhile() {
    if (pinned_) (void)::sched_setaffinity(0, sizeof before_, &before_);
  }
  PinnedWhile(const PinnedWhile&) = delete;

 private:
  bool pinned_ = false;
  cpu_set_t before_;
};

void runAlone(std::span<const Job> jobs, void* memory) {
  for (const Job& job : jobs) {
    int64_t begin_ns = job.receipt ? nowNs() : 0;
    if (job.begin < job.end) job.run(job.buffers, job.begin, job.end, memory);
    if (job.receipt) hosted::stamp(job.receipt, begin_ns, nowNs());
  }
}

bool isTimed(std::span<const Job> jobs) {
  return std::any_of(jobs.begin(), jobs.end(), [](const Job& job) { return job.receipt != nullptr; });
}

bool worthSharing(std::span<const Job> jobs) {
  return std::any_of(jobs.begin(), jobs.end(), [](const Job& j) { return j.end - j.begin > j.granularity; });
}

}  // namespace

Pool::Pool(PoolOptions options) : options_(std::move(options)) {
  // One for each worker that may linger in an old chain, the last published one, and one that is always free.
  for (int i = 0; i < options_.threads + 2; ++i) contexts_.push_back(std::make_unique<Context>());
}

Pool::~Pool() {
  stop_ = true;
  wake_.fetch_add(1);
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void Pool::start() {
  for (int i = 1; i < options_.threads; ++i) threads_.emplace_back([this, i] { worker(i); });
}

Status Pool::run(std::span<const Job> jobs) {
  int64_t bytes = maxScratch(jobs);
  void* memory = scratch.get(bytes);
  if (bytes > 0 && !memory)
    return fail(StatusCode::kResourceExhausted, "no memory for {} bytes of scratch", bytes);
  PinnedWhile pinned(options_.cpus);
  std::unique_lock lock(mutex_, std::defer_lock);
  if (options_.threads == 1 || !worthSharing(jobs) || !lock.try_lock()) {
    runAlone(jobs, memory);
    return {};
  }
  if (threads_.empty()) start();
  int index = 0;
  Context& context = freeContext(index);
  prepare(context, jobs);
  const int64_t begin_ns = context.timed ? nowNs() : 0;
  published_.store(++chains_ << 8 | static_cast<uint64_t>(index));
  wake_.fetch_add(1);
  wake_.notify_all();  // does not enter the kernel when nobody sleeps
  runChain(context, 0, memory);
  if (context.timed) stampReceipts(context, begin_ns);
  return {};
}

// A worker enters a context only while it is the published one (see worker()), so one that is neither
// published nor occupied is ours.
Pool::Context& Pool::freeContext(int& index) {
  int published = static_cast<int>(published_.load() & 0xff);
  for (index = 0;; index = (index + 1) % static_cast<int>(contexts_.size())) {
    if (chains_ > 0 && index == published) continue;
    if (contexts_[index]->active.load() == 0) return *contexts_[index];
  }
}

void Pool::prepare(Context& c, std::span<const Job> jobs) const {
  const auto threads = static_cast<uint64_t>(options_.threads);
  c.jobs.assign(jobs.begin(), jobs.end());
  c.pieces.resize(jobs.size());
  c.piece.resize(jobs.size());
  if (c.capacity < jobs.size()) {
    c.slots = std::make_unique<Slot[]>(jobs.size() * threads);
    c.progress = std::make_unique<Progress[]>(jobs.size());
    c.capacity = jobs.size();
  }
  for (size_t i = 0; i < jobs.size(); ++i) {
    auto granules =
        static_cast<uint64_t>((jobs[i].end - jobs[i].begin + jobs[i].granularity - 1) / jobs[i].granularity);
    uint64_t merged = granules / kMaxPieces + 1;  // so that a piece's number fits 32 bits
    uint64_t pieces = (granules + merged - 1) / merged;
    c.pieces[i] = static_cast<uint32_t>(pieces);
    c.piece[i] = jobs[i].granularity * static_cast<int64_t>(merged);
    c.progress[i].done.store(0, std::memory_order_relaxed);
    c.progress[i].ended_ns.store(0, std::memory_order_relaxed);
    for (uint64_t t = 0; t < threads; ++t) {
      uint64_t range = (pieces * t / threads) << 32 | (pieces * (t + 1) / threads);
      c.slots[i * threads + t].range.store(range, std::memory_order_relaxed);
    }
  }
  c.timed = isTimed(jobs);
  c.current.store(0, std::memory_order_relaxed);
}

// Takes a quarter of what is left, at the owner's end or the other one.
bool Pool::take(Slot& slot, bool front, uint32_t& begin, uint32_t& end) const {
  uint64_t range = slot.range.load(std::memory_order_relaxed);
  while (true) {
    auto first = static_cast<uint32_t>(range >> 32), last = static_cast<uint32_t>(range);
    if (first >= last) return false;
    uint32_t count = (last - first + 3) / 4;
    begin = front ? first : last - count;
    end = begin + count;
    uint64_t rest = front ? uint64_t{end} << 32 | last : uint64_t{first} << 32 | begin;
    if (slot.range.compare_exchange_weak(range, rest, std::memory_order_relaxed)) return true;
  }
}

void Pool::runJob(Context& c, size_t i, int thread, void* memory) const {
  const Job& job = c.jobs[i];
  Slot* slots = &c.slots[i * static_cast<size_t>(options_.threads)];
  for (int victim = 0; victim < options_.threads; ++victim) {
    Slot& slot = slots[(thread + victim) % options_.threads];
    uint32_t begin = 0, end = 0;
    while (take(slot, /*front=*/victim == 0, begin, end)) {
      job.run(job.buffers, job.begin + begin * c.piece[i], std::min(job.begin + end * c.piece[i], job.end),
              memory);
      // The clock is read before: whoever begins the next job does so after that time.
      const int64_t now = c.timed ? nowNs() : 0;
      const uint64_t before = c.progress[i].done.fetch_add(end - begin, std::memory_order_acq_rel);
      if (c.timed && before + end - begin == c.pieces[i])
        c.progress[i].ended_ns.store(now, std::memory_order_release);
    }
  }
}

void Pool::runChain(Context& c, int thread, void* memory) {
  for (size_t i = c.current.load(std::memory_order_acquire); i < c.jobs.size(); ++i) {
    runJob(c, i, thread, memory);
    int pauses = 0;
    while (c.progress[i].done.load(std::memory_order_acquire) < c.pieces[i]) {
      ++pauses < kPausesBeforeYield ? pause() : std::this_thread::yield();
    }
    if (thread == 0) c.current.store(i + 1, std::memory_order_release);
  }
}

// A job lasts from the end of the one before to its own, whoever worked on it: the caller may have been off
// its CPU while others went on.
void Pool::stampReceipts(const Context& c, int64_t begin_ns) {
  for (size_t i = 0; i < c.jobs.size(); ++i) {
    int64_t end_ns = c.pieces[i] == 0 ? begin_ns : 0;
    while (end_ns == 0) {  // who did the last piece is about to say when
      end_ns = c.progress[i].ended_ns.load(std::memory_order_acquire);
      if (end_ns == 0) std::this_thread::yield();
    }
    if (c.jobs[i].receipt) hosted::stamp(c.jobs[i].receipt, begin_ns, end_ns);
    begin_ns = end_ns;
  }
}

// Returns the published word once it is not `seen` any more, or `seen` when the pool stops.
uint64_t Pool::waitForChain(uint64_t seen) {
  int64_t spin_until = 0;
  while (true) {
    uint32_t wake = wake_.load();
    uint64_t now = published_.load();
    if (now != seen || stop_) return now;
    if (spin_until == 0) spin_until = nowNs() + options_.spin_ns;
    for (int i = 0; i < 64 && published_.load(std::memory_order_relaxed) == seen; ++i) pause();
    if (nowNs() > spin_until && published_.load() == seen) {
      wake_.wait(wake);
      spin_until = 0;
    }
  }
}

void Pool::worker(int thread) {
  if (!options_.cpus.empty()) pinThread(options_.cpus[static_cast<size_t>(thread) % options_.cpus.size()]);
  uint64_t seen = 0;
  while (!stop_) {
    uint64_t now = waitForChain(seen);
    if (now == seen) continue;
    Context& context = *contexts_[now & 0xff];
    // Enter, then look again: if the word is still the same, the caller has not begun to look for a free
    // context that could be this one, and will find it occupied.
    context.active.fetch_add(1);
    if (published_.load() == now) {
      int64_t bytes = maxScratch(context.jobs);
      void* memory = scratch.get(bytes);
      if (bytes == 0 || memory) runChain(context, thread, memory);  // without memory the others do the work
      seen = now;
    }
    context.active.fetch_sub(1);
  }
}

}  // namespace tetrarch::cpu
