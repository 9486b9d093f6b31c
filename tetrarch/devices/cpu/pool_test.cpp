#include "tetrarch/devices/cpu/pool.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <numeric>

#include "tetrarch/base/trace.h"

namespace tetrarch::cpu {
namespace {

// Counts how often each unit ran: buffers[0] is an array of atomic counters.
void count(void* const* buffers, int64_t begin, int64_t end, void*) {
  auto* counters = static_cast<std::atomic<int>*>(buffers[0]);
  for (int64_t u = begin; u < end; ++u) counters[u].fetch_add(1, std::memory_order_relaxed);
}

// Every unit of buffers[1] becomes the sum of buffers[0], so that a job that begins early shows.
void sumAll(void* const* buffers, int64_t begin, int64_t end, void*) {
  auto* in = static_cast<int64_t*>(buffers[0]);
  auto* out = static_cast<int64_t*>(buffers[1]);
  for (int64_t u = begin; u < end; ++u) out[u] = std::accumulate(in, in + 64, int64_t{0}) % 1000 + u;
}

TEST(Pool, RunsEveryUnitOnce) {
  for (int threads : {1, 2, 3, 5}) {
    Pool pool({.threads = threads});
    for (int64_t units : {0, 1, 2, 7, 64, 1000}) {
      for (int64_t granularity : {1, 3}) {
        std::vector<std::atomic<int>> counters(static_cast<size_t>(units));
        void* buffers[] = {counters.data()};
        Job job{count, buffers, 0, units, granularity, 0, nullptr};
        for (int round = 0; round < 20; ++round) ASSERT_TRUE(pool.run({&job, 1}).ok());
        for (auto& c : counters) ASSERT_EQ(c, 20) << threads << " " << units;
      }
    }
  }
}

TEST(Pool, HugeRangesAreCutIntoPieces) {
  Pool pool({.threads = 2});
  static std::atomic<int64_t> total;
  total = 0;
  auto add = [](void* const*, int64_t begin, int64_t end, void*) { total += end - begin; };
  Job job{add, nullptr, 5, int64_t{1} << 40, 1, 0, nullptr};
  ASSERT_TRUE(pool.run({&job, 1}).ok());
  EXPECT_EQ(total, (int64_t{1} << 40) - 5);
}

TEST(Pool, AChainKeepsItsOrder) {
  Pool pool({.threads = 3}), alone({.threads = 1});
  auto chain = [](Pool& pool) {
    std::vector<int64_t> a(64, 1), b(64);
    void *forth[] = {a.data(), b.data()}, *back[] = {b.data(), a.data()};
    std::vector<Job> jobs;
    for (int i = 0; i < 50; ++i) jobs.push_back({sumAll, i % 2 ? back : forth, 0, 64, 1, 0, nullptr});
    for (int round = 0; round < 20; ++round) EXPECT_TRUE(pool.run(jobs).ok());
    return a;
  };
  EXPECT_EQ(chain(pool), chain(alone));
}

// Whichever thread did a job, and wherever the caller was meanwhile.
TEST(Pool, ReceiptsHoldTheTimeOfEachJob) {
  static constexpr auto kUnit = std::chrono::milliseconds(2);
  auto sleep = [](void* const*, int64_t begin, int64_t end, void*) {
    for (int64_t u = begin; u < end; ++u) std::this_thread::sleep_for(kUnit);
  };
  for (int threads : {1, 2, 4}) {
    Pool pool({.threads = threads});
    std::vector<tet_receipt> receipts(20);
    std::vector<Job> jobs;
    for (tet_receipt& receipt : receipts) {
      receipt.struct_size = sizeof receipt;
      jobs.push_back({sleep, nullptr, 0, 2, 1, 0, &receipt});
    }
    jobs[7].end = 0;  // nothing to do
    const int64_t begin_ns = nowNs();
    ASSERT_TRUE(pool.run(jobs).ok());
    const double whole = static_cast<double>(nowNs() - begin_ns) * 1e-9;
    double sum = 0;
    for (size_t i = 0; i < jobs.size(); ++i) {
      EXPECT_GE(receipts[i].seconds, i == 7 ? 0 : 2e-3) << threads << " threads, job " << i;
      if (i > 0) EXPECT_GE(receipts[i].begin_ns, receipts[i - 1].begin_ns);
      sum += receipts[i].seconds;
    }
    EXPECT_LE(sum, whole);
  }
}

TEST(Pool, ManyCallersAtOnce) {
  Pool pool({.threads = 2, .spin_ns = 0});
  std::vector<std::thread> callers;
  for (int c = 0; c < 4; ++c) {
    callers.emplace_back([&] {
      std::vector<std::atomic<int>> counters(100);
      void* buffers[] = {counters.data()};
      std::vector<Job> jobs(5, Job{count, buffers, 0, 100, 1, 0, nullptr});
      for (int round = 0; round < 50; ++round) ASSERT_TRUE(pool.run(jobs).ok());
      for (auto& counter : counters) EXPECT_EQ(counter, 250);
    });
  }
  for (std::thread& caller : callers) caller.join();
}

TEST(Pool, PinsOnlyWhileItRuns) {
  cpu_set_t before, after;
  ASSERT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
  int last = -1;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) last = CPU_ISSET(cpu, &before) ? cpu : last;
  Pool pool({.threads = 2, .cpus = {last}});
  static std::atomic<int> elsewhere;
  auto look = [](void* const* buffers, int64_t, int64_t, void*) {
    elsewhere += sched_getcpu() != *static_cast<const int*>(buffers[0]);
  };
  void* buffers[] = {&last};
  Job job{look, buffers, 0, 100, 1, 0, nullptr};
  ASSERT_TRUE(pool.run({&job, 1}).ok());
  EXPECT_EQ(elsewhere, 0);
  ASSERT_EQ(sched_getaffinity(0, sizeof after, &after), 0);
  EXPECT_TRUE(CPU_EQUAL(&before, &after));
}

TEST(Pool, ScratchIsPrivateAndAligned) {
  Pool pool({.threads = 4});
  auto use = [](void* const*, int64_t begin, int64_t, void* scratch) {
    EXPECT_EQ(reinterpret_cast<uintptr_t>(scratch) % 64, 0u);
    auto* mine = static_cast<volatile int64_t*>(scratch);
    for (int i = 0; i < 100; ++i) mine[i] = begin + i;
    for (int i = 0; i < 100; ++i) EXPECT_EQ(mine[i], begin + i);
  };
  Job job{use, nullptr, 0, 200, 1, 800, nullptr};
  for (int round = 0; round < 10; ++round) ASSERT_TRUE(pool.run({&job, 1}).ok());
}

}  // namespace
}  // namespace tetrarch::cpu
