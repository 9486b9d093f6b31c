#include "tetrarch/devices/opencl/queue.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "tetrarch/base/trace.h"

using tetrarch::invalidArgument;
using tetrarch::Result;
using tetrarch::Status;
using tetrarch::StatusCode;
using tetrarch::opencl::cl;

Result<std::unique_ptr<tet_queue>> tet_queue::create(tet_device* device) {
  TET_RETURN_IF_ERROR(device->checkAlive());
  std::unique_ptr<tet_queue> queue(new tet_queue(device));
  cl_int code = CL_SUCCESS;
  queue->queue_ = cl().CreateCommandQueue(device->context, device->id, CL_QUEUE_PROFILING_ENABLE, &code);
  TET_RETURN_IF_ERROR(device->check(code, "making a queue"));
  std::lock_guard lock(device->signals_mutex);
  device->queues.insert(queue.get());
  return queue;
}

tet_queue::~tet_queue() {
  {
    std::lock_guard lock(device->signals_mutex);
    device->queues.erase(this);
  }
  if (!device->checkAlive().ok()) releaseWaits();
  if (queue_) {
    cl().Finish(queue_);
    std::unique_lock lock(state_->mutex);
    state_->changed.wait(lock, [this] { return state_->outstanding == 0; });
    lock.unlock();
    state_->writeReceipts(UINT64_MAX);
    cl().ReleaseCommandQueue(queue_);
  }
  if (workspace_) cl().ReleaseMemObject(workspace_);
}

void tet_queue::releaseWaits() {
  std::lock_guard lock(waits_mutex_);
  for (const auto& weak : waits_) {
    if (auto wait = weak.lock()) wait->complete();
  }
  waits_.clear();
}

// ---- failure and receipts
// ------------------------------------------------------------------------------------------

Status tet_queue::State::failure() {
  TET_RETURN_IF_ERROR(device->checkAlive());
  std::lock_guard lock(mutex);
  return failure_;
}

void tet_queue::State::fail(const Status& status) {
  std::lock_guard lock(mutex);
  if (failure_.ok()) failure_ = status;
}

Status tet_queue::keep(Status status) {
  if (!status.ok()) state_->fail(status);
  return status;
}

void tet_queue::State::writeReceipts(uint64_t sequence) {
  std::vector<PendingReceipt> done;
  {
    std::lock_guard lock(mutex);
    std::vector<PendingReceipt> later;
    for (const PendingReceipt& receipt : receipts)
      (receipt.sequence < sequence ? done : later).push_back(receipt);
    receipts = std::move(later);
  }
  const bool alive = device->checkAlive().ok();
  for (const PendingReceipt& pending : done) {
    cl_ulong start = 0, end = 0;
    const bool known = cl().GetEventProfilingInfo(pending.first, CL_PROFILING_COMMAND_START, sizeof start,
                                                  &start, nullptr) == CL_SUCCESS &&
                       cl().GetEventProfilingInfo(pending.last, CL_PROFILING_COMMAND_END, sizeof end, &end,
                                                  nullptr) == CL_SUCCESS &&
                       start != 0;
    if (alive) {
      tet_receipt written = {};
      written.seconds = known ? static_cast<double>(end - start) * 1e-9 : std::nan("");
      if (known && device->clockOffset())
        written.begin_ns = static_cast<int64_t>(start) + *device->clockOffset();
      written.source = TET_MEASURED;
      written.struct_size = pending.receipt->struct_size;
      std::memcpy(pending.receipt, &written, std::min(written.struct_size, sizeof written));
    }
    if (pending.last != pending.first) cl().ReleaseEvent(pending.last);
    cl().ReleaseEvent(pending.first);
  }
}

// ---- copies
// --------------------------------------------------------------------------------------------------------

Status tet_queue::copyIn(tet_buffer* to, uint64_t offset, const void* from, uint64_t bytes) {
  TET_RETURN_IF_ERROR(state_->failure());
  TET_RETURN_IF_ERROR(to->checkRange(offset, bytes));
  if (bytes == 0) return {};
  return keep(device->check(
      cl().EnqueueWriteBuffer(queue_, to->memory, CL_FALSE, offset, bytes, from, 0, nullptr, nullptr),
      "a copy to the device"));
}

Status tet_queue::copyOut(void* to, tet_buffer* from, uint64_t offset, uint64_t bytes) {
  TET_RETURN_IF_ERROR(state_->failure());
  TET_RETURN_IF_ERROR(from->checkRange(offset, bytes));
  if (bytes == 0) return {};
  return keep(device->check(
      cl().EnqueueReadBuffer(queue_, from->memory, CL_FALSE, offset, bytes, to, 0, nullptr, nullptr),
      "a copy from the device"));
}

Status tet_queue::copy(tet_buffer* to, uint64_t to_offset, tet_buffer* from, uint64_t from_offset,
                       uint64_t bytes) {
  TET_RETURN_IF_ERROR(state_->failure());
  TET_RETURN_IF_ERROR(to->checkRange(to_offset, bytes));
  TET_RETURN_IF_ERROR(from->checkRange(from_offset, bytes));
  if (bytes == 0) return {};
  // Memory that the host sees is as good as the host's own, whatever device it is of.
  if (to->device == device && from->host) return copyIn(to, to_offset, from->host + from_offset, bytes);
  if (from->device == device && to->host) return copyOut(to->host + to_offset, from, from_offset, bytes);
  if (to->device != device || from->device != device)
    return tetrarch::unimplemented("these two devices cannot copy to each other");
  return keep(device->check(cl().EnqueueCopyBuffer(queue_, from->memory, to->memory, from_offset, to_offset,
                                                   bytes, 0, nullptr, nullptr),
                            "a copy on the device"));
}

// ---- launches
// ------------------------------------------------------------------------------------------------------

Status tet_queue::checkLaunch(const tet_launch& l) const {
  if (!l.kernel || l.kernel->device != device)
    return invalidArgument("the kernel is not of this queue's device");
  const tetrarch::abi::OpenClEntry& entry = *l.kernel->entry;
  if (l.buffer_count != entry.buffer_count) {
    return invalidArgument("{} buffers were given and the kernel takes {}", l.buffer_count,
                           entry.buffer_count);
  }
  if (l.begin > l.end || l.end > entry.units) {
    return tetrarch::fail(StatusCode::kOutOfRange, "units {} to {} are not in the kernel's {}", l.begin,
                          l.end, entry.units);
  }
  if (l.begin % entry.granularity != 0 || (l.end % entry.granularity != 0 && l.end != entry.units)) {
    return invalidArgument("units {} to {} do not fit the granularity {}", l.begin, l.end, entry.granularity);
  }
  for (uint32_t i = 0; i < l.buffer_count; ++i) {
    if (!l.buffers[i] || l.buffers[i]->device != device)
      return invalidArgument("buffer {} is not of this queue's device", i);
  }
  return {};
}

Status tet_queue::growWorkspace(uint64_t bytes) {
  if (bytes <= workspace_bytes_) return {};
  cl_int code = CL_SUCCESS;
  cl_mem larger = cl().CreateBuffer(device->context, CL_MEM_READ_WRITE, bytes, nullptr, &code);
  TET_RETURN_IF_ERROR(device->check(code, fmt::format("making a workspace of {} bytes", bytes)));
  if (workspace_) cl().ReleaseMemObject(workspace_);  // commands that use it keep it until they are done
  workspace_ = larger;
  workspace_bytes_ = bytes;
  workspace_number_ = tetrarch::opencl::nextNumber();
  return {};
}

Status tet_queue::setArgument(const tet_launch& l, size_t pass, cl_uint index, uint64_t item_end,
                              uint64_t& set) {
  const tetrarch::abi::OpenClPass& what = l.kernel->entry->passes[pass];
  const tetrarch::abi::OpenClArgument& argument = what.arguments[index];
  const auto end = static_cast<cl_long>(item_end);
  uint64_t wanted = item_end;
  const void* value = &end;
  size_t size = sizeof end;
  if (argument.kind == TET_OPENCL_BUFFER) {
    wanted = l.buffers[argument.value]->number;
    value = &l.buffers[argument.value]->memory;
    size = sizeof(cl_mem);
  } else if (argument.kind == TET_OPENCL_WORKSPACE) {
    wanted = workspace_number_;
    value = &workspace_;
    size = sizeof(cl_mem);
  }
  if (set == wanted) return {};
  set = UINT64_MAX;  // unknown, should the driver refuse
  const cl_int code = cl().SetKernelArg(l.kernel->passes[pass], index, size, value);
  TET_RETURN_IF_ERROR(device->check(code, fmt::format("argument {} of kernel {}", index, what.kernel)));
  set = wanted;
  return {};
}

Status tet_queue::setArguments(const tet_launch& l, size_t pass, uint64_t item_end) {
  std::vector<uint64_t>& set = l.kernel->set[pass];
  for (cl_uint index = 0; index < set.size(); ++index)
    TET_RETURN_IF_ERROR(setArgument(l, pass, index, item_end, set[index]));
  return {};
}

Status tet_queue::enqueuePass(const tet_launch& l, size_t pass, cl_event* event) {
  const tetrarch::abi::OpenClPass& what = l.kernel->entry->passes[pass];
  const bool whole = what.kind == TET_OPENCL_WHOLE;
  const size_t begin = whole ? 0 : l.begin * what.items;
  const size_t items = whole ? what.items : (l.end - l.begin) * what.items;
  const size_t local = what.local_items > 0 ? what.local_items : device->local_items;
  const size_t global = (items + local - 1) / local * local;
  std::lock_guard lock(l.kernel->mutex);
  TET_RETURN_IF_ERROR(setArguments(l, pass, begin + items));
  const cl_int code = cl().EnqueueNDRangeKernel(queue_, l.kernel->passes[pass], 1, &begin, &global, &local, 0,
                                                nullptr, event);
  if (code == CL_SUCCESS) [[likely]]
    return {};
  return device->check(code, fmt::format("launching kernel {}", what.kernel));
}

Status tet_queue::enqueue(const tet_launch& l) {
  TET_RETURN_IF_ERROR(device->countLaunch());
  if (l.begin == l.end || l.kernel->passes.empty()) {
    if (l.receipt) {
      const int64_t now = tetrarch::nowNs();
      tet_receipt none = {.struct_size = l.receipt->struct_size, .begin_ns = now, .source = TET_MEASURED};
      std::memcpy(l.receipt, &none, std::min(none.struct_size, sizeof none));
    }
    return {};
  }
  TET_RETURN_IF_ERROR(growWorkspace(l.kernel->entry->workspace_bytes));
  const size_t last = l.kernel->passes.size() - 1;
  cl_event first_event = nullptr, last_event = nullptr;
  for (size_t pass = 0; pass <= last; ++pass) {
    cl_event* event = !l.receipt ? nullptr : pass == 0 ? &first_event : pass == last ? &last_event : nullptr;
    TET_RETURN_IF_ERROR(enqueuePass(l, pass, event));
  }
  if (l.receipt) {
    std::lock_guard lock(state_->mutex);
    state_->receipts.push_back({sequence_, first_event, last_event ? last_event : first_event, l.receipt});
  }
  ++sequence_;
  return {};
}

Status tet_queue::launch(const tet_launch* launches, uint64_t count) {
  TET_RETURN_IF_ERROR(state_->failure());
  auto at = [&](uint64_t i) -> const tet_launch& {
    return *reinterpret_cast<const tet_launch*>(reinterpret_cast<const char*>(launches) +
                                                i * launches->struct_size);
  };
  for (uint64_t i = 0; i < count; ++i) {
    if (Status s = checkLaunch(at(i)); !s.ok())
      return s.withContext(fmt::format("launch {} of {}", i, count));
  }
  for (uint64_t i = 0; i < count; ++i) TET_RETURN_IF_ERROR(keep(enqueue(at(i))));
  return flush();
}

// ---- signals
// -------------------------------------------------------------------------------------------------------

void CL_CALLBACK tet_queue::markerReached(cl_event event, cl_int status, void* user) {
  std::unique_ptr<Marker> marker(static_cast<Marker*>(user));
  State& state = *marker->state;
  state.writeReceipts(marker->sequence);
  if (status < 0) state.fail(tetrarch::opencl::check(status, "work on the queue"));
  const Status failure = state.failure();
  failure.ok() ? marker->signal->set(marker->value) : marker->signal->fail(failure);
  std::lock_guard lock(state.mutex);
  --state.outstanding;
  state.changed.notify_all();
}

Status tet_queue::signal(tet_signal* signal, uint64_t value) {
  Status status = state_->failure();
  if (status.ok()) status = keep(enqueueMarker(signal, value));
  if (!status.ok()) signal->fail(status);  // whoever waits must hear of it
  return status;
}

Status tet_queue::enqueueMarker(tet_signal* signal, uint64_t value) {
  cl_event event = nullptr;
  TET_RETURN_IF_ERROR(device->check(cl().EnqueueMarkerWithWaitList(queue_, 0, nullptr, &event), "a signal"));
  auto marker = std::make_unique<Marker>(state_, signal, value, sequence_);
  {
    std::lock_guard lock(state_->mutex);
    ++state_->outstanding;
  }
  const cl_int code = cl().SetEventCallback(event, CL_COMPLETE, markerReached, marker.get());
  cl().ReleaseEvent(event);
  if (code == CL_SUCCESS) {
    marker.release();  // NOLINT(bugprone-unused-return-value): the call-back's now
    return flush();
  }
  std::lock_guard lock(state_->mutex);
  --state_->outstanding;
  return device->check(code, "a signal");
}

Status tet_queue::wait(tet_signal* signal, uint64_t value) {
  TET_RETURN_IF_ERROR(state_->failure());
  cl_int code = CL_SUCCESS;
  cl_event event = cl().CreateUserEvent(device->context, &code);
  TET_RETURN_IF_ERROR(keep(device->check(code, "a wait")));
  auto pending = std::make_shared<PendingWait>(event);
  // An error of what is waited for becomes the queue's; the commands behind the barrier run all the same, and
  // what they wrote is not to be used.
  signal->whenOver(value, [state = state_, pending](const Status& outcome) {
    if (!outcome.ok()) state->fail(outcome);
    pending->complete();
  });
  if (pending->done) return state_->failure();
  {
    std::lock_guard lock(waits_mutex_);
    std::erase_if(waits_, [](const auto& weak) { return weak.expired(); });
    waits_.push_back(pending);
  }
  TET_RETURN_IF_ERROR(
      keep(device->check(cl().EnqueueBarrierWithWaitList(queue_, 1, &event, nullptr), "a wait")));
  if (!device->checkAlive().ok()) releaseWaits();  // it may have been lost in between
  return flush();
}

Status tet_queue::flush() {
  TET_RETURN_IF_ERROR(device->checkAlive());
  return keep(device->check(cl().Flush(queue_), "starting the work"));
}

Status tet_queue::finish() {
  // Also on a device that is lost: what still runs there uses memory that the caller may free after this.
  if (!device->checkAlive().ok()) releaseWaits();
  const cl_int code = cl().Finish(queue_);
  TET_RETURN_IF_ERROR(device->checkAlive());
  TET_RETURN_IF_ERROR(keep(device->check(code, "finishing the work")));
  state_->writeReceipts(UINT64_MAX);
  std::unique_lock lock(state_->mutex);
  state_->changed.wait(lock, [this] { return state_->outstanding == 0; });
  lock.unlock();
  return state_->failure();
}
