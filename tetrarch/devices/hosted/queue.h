// In-order queues that run their work at once in the calling thread, or, behind a wait, in a thread of their
// own.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <thread>
#include <vector>

#include "tetrarch/devices/hosted/signal.h"

struct tet_queue {
  explicit tet_queue(tet_device* device) : device(device) {}
  ~tet_queue();

  // `work` runs in order with everything else; what it returns, the caller gets if it ran at once, and the
  // queue keeps as its failure if it is an error.
  tetrarch::Status submit(std::function<tetrarch::Status()> work);
  // Launches, checked, without a heap allocation when they run at once.
  tetrarch::Status launch(const tet_launch* launches, uint64_t count);
  tetrarch::Status signal(tet_signal* signal, uint64_t value);
  tetrarch::Status wait(tet_signal* signal, uint64_t value);
  tetrarch::Status finish();

  tet_device* const device;

 private:
  struct Chain {  // launches with their buffers as pointers
    std::vector<tetrarch::hosted::Launch> launches;
    std::vector<void*> pointers;
  };
  tetrarch::Status translate(const tet_launch* launches, uint64_t count, Chain& chain) const;
  // Runs `work` now and keeps its error.
  template <typename Work>
  tetrarch::Status execute(const Work& work);
  tetrarch::Status failure();
  void defer(std::function<tetrarch::Status()> work);
  void drain();  // body of the queue's own thread
  bool runsNow() const { return !device->asynchronous && idle(); }
  bool idle() const { return outstanding_.load(std::memory_order_acquire) == 0; }

  Chain chain_;                         // of launches that run at once; kept to keep its memory
  std::atomic<size_t> outstanding_{0};  // deferred and not done
  std::atomic<bool> failed_{false};
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<tetrarch::Status()>> deferred_;
  tetrarch::Status failure_;
  bool stop_ = false;
  std::thread thread_;
};
