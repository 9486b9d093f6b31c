#include "tetrarch/devices/hosted/queue.h"

using tetrarch::invalidArgument;
using tetrarch::Status;
using tetrarch::StatusCode;
using tetrarch::hosted::Launch;

namespace {

const tet_launch& element(const tet_launch* launches, uint64_t i) {
  return *reinterpret_cast<const tet_launch*>(reinterpret_cast<const char*>(launches) +
                                              i * launches->struct_size);
}

Status check(const tet_launch& l, const tet_device* device) {
  if (!l.kernel || l.kernel->device != device)
    return invalidArgument("the kernel is not of this queue's device");
  const tet_kernel_info& info = l.kernel->info;
  if (info.buffer_count != UINT32_MAX && l.buffer_count != info.buffer_count) {
    return invalidArgument("{} buffers were given and the kernel takes {}", l.buffer_count,
                           info.buffer_count);
  }
  if (l.begin > l.end || l.end > info.units) {
    return tetrarch::fail(StatusCode::kOutOfRange, "units {} to {} are not in the kernel's {}", l.begin,
                          l.end, info.units);
  }
  if (l.begin % info.granularity != 0 || (l.end % info.granularity != 0 && l.end != info.units)) {
    return invalidArgument("units {} to {} do not fit the granularity {}", l.begin, l.end, info.granularity);
  }
  for (uint32_t i = 0; i < l.buffer_count; ++i) {
    if (!l.buffers[i] || l.buffers[i]->device != device) {
      return invalidArgument("buffer {} is not of this queue's device", i);
    }
  }
  return {};
}

}  // namespace

tet_queue::~tet_queue() {
  (void)finish();
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

Status tet_queue::failure() {
  if (Status alive = device->checkAlive(); !alive.ok()) return alive;
  if (!failed_.load(std::memory_order_acquire)) return {};
  std::lock_guard lock(mutex_);
  return failure_;
}

template <typename Work>
Status tet_queue::execute(const Work& work) {
  Status status = work();
  if (!status.ok()) {
    std::lock_guard lock(mutex_);
    if (failure_.ok()) failure_ = status;
    failed_.store(true, std::memory_order_release);
  }
  return status;
}

Status tet_queue::submit(std::function<Status()> work) {
  TET_RETURN_IF_ERROR(failure());
  if (runsNow()) return execute(work);
  defer([this, work = std::move(work)] {
    Status before = failure();
    return before.ok() ? work() : before;
  });
  return {};
}

Status tet_queue::translate(const tet_launch* launches, uint64_t count, Chain& chain) const {
  chain.launches.clear();
  chain.pointers.clear();
  size_t pointers = 0;
  for (uint64_t i = 0; i < count; ++i) {
    const tet_launch& l = element(launches, i);
    if (Status s = check(l, device); !s.ok()) return s.withContext(fmt::format("launch {} of {}", i, count));
    pointers += l.buffer_count;
  }
  chain.pointers.reserve(pointers);  // so that the addresses taken below stay
  for (uint64_t i = 0; i < count; ++i) {
    const tet_launch& l = element(launches, i);
    chain.launches.push_back(
        {l.kernel, chain.pointers.data() + chain.pointers.size(), l.begin, l.end, l.receipt});
    for (uint32_t b = 0; b < l.buffer_count; ++b) chain.pointers.push_back(l.buffers[b]->data);
  }
  return {};
}

Status tet_queue::launch(const tet_launch* launches, uint64_t count) {
  TET_RETURN_IF_ERROR(failure());
  if (count == 0) return {};
  auto run = [this](std::span<const Launch> chain) -> Status {
    TET_RETURN_IF_ERROR(device->countLaunches(chain.size()));
    return device->run(chain);
  };
  if (runsNow()) {
    TET_RETURN_IF_ERROR(translate(launches, count, chain_));
    return execute([&] { return run(chain_.launches); });
  }
  auto chain = std::make_shared<Chain>();
  TET_RETURN_IF_ERROR(translate(launches, count, *chain));
  return submit([run, chain] { return run(chain->launches); });
}

Status tet_queue::signal(tet_signal* signal, uint64_t value) {
  // Also behind a failure: whoever waits must hear of it.
  auto work = [this, signal, value]() -> Status {
    Status before = failure();
    before.ok() ? signal->set(value) : signal->fail(before);
    return before;
  };
  if (runsNow()) return execute(work);
  defer(work);
  return {};
}

Status tet_queue::wait(tet_signal* signal, uint64_t value) {
  TET_RETURN_IF_ERROR(failure());
  if (runsNow()) {
    if (std::optional<Status> outcome = signal->outcome(value)) return execute([&] { return *outcome; });
  }
  defer([this, signal, value]() -> Status {
    TET_RETURN_IF_ERROR(failure());
    // In slices, since the loss of this queue's device does not wake the signal of another.
    while (true) {
      Status status = signal->wait(value, 10'000'000);
      if (status.code() != StatusCode::kDeadlineExceeded) return status;
      TET_RETURN_IF_ERROR(device->checkAlive());
    }
  });
  return {};
}

Status tet_queue::finish() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return idle(); });
  lock.unlock();
  return failure();
}

void tet_queue::defer(std::function<Status()> work) {
  std::lock_guard lock(mutex_);
  deferred_.push_back(std::move(work));
  outstanding_.fetch_add(1, std::memory_order_acq_rel);
  if (!thread_.joinable()) thread_ = std::thread([this] { drain(); });
  changed_.notify_all();
}

void tet_queue::drain() {
  while (true) {
    std::function<Status()> work;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return stop_ || !deferred_.empty(); });
      if (deferred_.empty()) return;
      work = std::move(deferred_.front());
      deferred_.pop_front();
    }
    (void)execute(work);
    std::lock_guard lock(mutex_);
    outstanding_.fetch_sub(1, std::memory_order_acq_rel);
    changed_.notify_all();
  }
}
