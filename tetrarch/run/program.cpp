#include "tetrarch/run/program.h"

#include <sys/mman.h>

#include "tetrarch/run/program_impl.h"

namespace tetrarch::run {
namespace {

constexpr uint64_t kWaitSliceNs = 20'000'000;  // how soon a wait notices that another lane has given up
constexpr int kSpins = 2000;
constexpr uint64_t kHugePage = uint64_t{2} << 20;

}  // namespace

Result<HostMemory> HostMemory::allocate(uint64_t bytes) {
  HostMemory memory;
  if (bytes == 0) return memory;
  void* data = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED)
    return fail(StatusCode::kResourceExhausted, "no memory for {} bytes of tensors", bytes);
  if (bytes >= kHugePage) (void)::madvise(data, bytes, MADV_HUGEPAGE);  // a hint
  memory.data_ = static_cast<std::byte*>(data);
  memory.bytes_ = bytes;
  return memory;
}

HostMemory::~HostMemory() {
  if (data_) ::munmap(data_, bytes_);
}

// ---- execution
// --------------------------------------------------------------------------------------------------

void Program::Impl::startThreads() {
  for (size_t lane = 1; lane < lanes.size(); ++lane) {
    lanes[lane]->thread = std::thread([this, lane] { laneThread(lane); });
  }
}

Program::Impl::~Impl() {
  started_ = UINT64_MAX;
  started_.notify_all();
  for (auto& lane : lanes) {
    if (lane->thread.joinable()) lane->thread.join();
  }
}

void Program::Impl::laneThread(size_t lane) {
  uint64_t seen = 0;
  while (true) {
    started_.wait(seen);
    seen = started_;
    if (seen == UINT64_MAX) return;
    if (Status status = runLane(lane); !status.ok()) giveUp(status);
    if (lanes_left_.fetch_sub(1) == 1) lanes_left_.notify_all();
  }
}

void Program::Impl::giveUp(const Status& status) {
  {
    std::lock_guard lock(failure_mutex_);
    if (failure_.ok()) failure_ = status;
  }
  given_up_ = true;
  for (auto& lane : lanes) {
    lane->published = UINT64_MAX;
    lane->published.notify_all();
  }
}

Status Program::Impl::run(std::span<const void* const> in, std::span<void* const> out) {
  if (running_.exchange(true)) {
    return fail(StatusCode::kFailedPrecondition,
                "the program is running in another thread; bind one for each thread");
  }
  struct Release {
    std::atomic<bool>& flag;
    ~Release() { flag = false; }
  } release{running_};
  if (given_up_) return failure_.withContext("the program failed before");

  Times whole{nowNs(), 0};
  struct PutBack {
    Ports& ports;
    ~PutBack() { ports.end(); }
  } put_back{ports};
  ports.begin(in, out);
  Times inner{nowNs(), 0};
  TET_RETURN_IF_ERROR(runSteps());
  inner.end_ns = nowNs();
  ports.copyOut(out);
  whole.end_ns = nowNs();
  call = whole, work = inner;
  return {};
}

// Returns when no device works any more, whatever happened.
Status Program::Impl::runSteps() {
  ++runs_;
  if (lanes.size() > 1) {
    lanes_left_ = static_cast<int>(lanes.size()) - 1;
    started_ = runs_;
    started_.notify_all();
  }
  Status status = runLane(0);
  if (!status.ok()) giveUp(status);
  if (Status finished = finishDevices(); !finished.ok()) giveUp(finished);
  for (int left = lanes_left_; left > 0; left = lanes_left_) lanes_left_.wait(left);
  return given_up_ ? failure_ : Status();
}

Status Program::Impl::finishDevices() {
  Status first;
  for (int device : asynchronous) {
    Status status = queues[device].finish();
    if (first.ok()) first = status;
  }
  return first;
}

Status Program::Impl::runLane(size_t index) {
  Lane& lane = *lanes[index];
  for (const Instruction& instruction : lane.instructions) {
    TET_RETURN_IF_ERROR(execute(lane, instruction));
  }
  return {};
}

Status Program::Impl::execute(Lane& lane, const Instruction& i) {
  using Op = Instruction::Op;
  switch (i.op) {
    case Op::Launch:
      if (!hashes.empty()) return launchHashed(lane, i);
      return queues[i.device].launch({lane.launches.data() + i.first, i.count});
    case Op::CopyIn:
    case Op::CopyOut:
      return timedCopy(i);
    case Op::Signal:
      return queues[i.device].signal(signals[i.device], stamp(i.step));
    case Op::WaitDevice:
      return waitDevice(i);
    case Op::QueueWait:
      return queues[i.device].wait(signals[i.other], stamp(i.step));
    case Op::Publish:
      lane.published.store(stamp(i.step), std::memory_order_release);
      lane.published.notify_all();
      return {};
    case Op::WaitLane:
      return waitLane(i);
    case Op::Flush:
      return queues[i.device].flush();
  }
  return {};
}

// One launch at a time, the device idle before and after.
Status Program::Impl::launchHashed(const Lane& lane, const Instruction& i) {
  const Queue& queue = queues[i.device];
  for (uint32_t l = i.first; l < i.first + i.count; ++l) {
    const tet_launch& launch = lane.launches[l];
    const Step& step = schedule.steps[lane.steps[l]];
    Hashes& out = hashes[lane.steps[l]];
    std::span<tet_buffer* const> buffers(launch.buffers, launch.buffer_count);
    TET_RETURN_IF_ERROR(queue.finish());
    TET_ASSIGN_OR_RETURN(out.input, hashBuffers(i.device, buffers.first(step.inputs.size()), step.inputs));
    TET_RETURN_IF_ERROR(queue.launch({&launch, 1}));
    TET_RETURN_IF_ERROR(queue.finish());
    if (step.begin != 0 || step.end != step.units) continue;
    TET_ASSIGN_OR_RETURN(out.output,
                         hashBuffers(i.device, buffers.subspan(step.inputs.size()), step.outputs));
  }
  return {};
}

// The hash of the tensors' own hashes.
Result<std::string> Program::Impl::hashBuffers(int device, std::span<tet_buffer* const> buffers,
                                               std::span<const int> tensors) {
  const tet_plugin& api = devices[device]->api();
  std::vector<tet_hash128> parts;
  for (size_t b = 0; b < buffers.size(); ++b) {
    uint64_t bytes = artifact->manifest().tensors[tensors[b]].bytes;
    auto* host = static_cast<const std::byte*>(api.buffer_host_pointer(buffers[b]));
    std::vector<std::byte> copied;
    if (!host) {
      copied.resize(bytes);
      tet_error error = {sizeof error, TET_OK, {}};
      tet_status code = api.copy_out(queues[device].raw(), copied.data(), buffers[b], 0, bytes, &error);
      if (code != TET_OK) return propagate(devices[device]->workError(code, error));
      TET_RETURN_IF_ERROR(queues[device].finish());
      host = copied.data();
    }
    parts.push_back(abi::hash128({host, bytes}));
  }
  return abi::hexHash(std::as_bytes(std::span(parts)));
}

Status Program::Impl::timedCopy(const Instruction& i) {
  Device& device = *devices[i.device];
  const tet_plugin& api = device.api();
  tet_error error = {sizeof error, TET_OK, {}};
  times[i.step].begin_ns = nowNs();
  tet_status code = i.op == Instruction::Op::CopyIn
                        ? api.copy_in(queues[i.device].raw(), i.buffer, i.offset, i.host, i.bytes, &error)
                        : api.copy_out(queues[i.device].raw(), i.host, i.buffer, i.offset, i.bytes, &error);
  times[i.step].end_ns = nowNs();
  return code == TET_OK ? Status() : device.workError(code, error);
}

Status Program::Impl::waitDevice(const Instruction& i) {
  while (true) {
    Status status = signals[i.device].wait(stamp(i.step), kWaitSliceNs);
    if (status.code() != StatusCode::kDeadlineExceeded) return status;
    if (given_up_) return fail(StatusCode::kAborted, "another device has failed");
  }
}

Status Program::Impl::waitLane(const Instruction& i) {
  std::atomic<uint64_t>& published = lanes[i.device]->published;
  uint64_t wanted = stamp(i.step);
  for (int spin = 0;; ++spin) {
    uint64_t now = published.load(std::memory_order_acquire);
    if (given_up_) return fail(StatusCode::kAborted, "another device has failed");
    if (now >= wanted) return {};
    if (spin > kSpins) published.wait(now);
  }
}

void Program::Impl::setReceipts(bool on) {
  receipts_on = on;
  for (auto& lane : lanes) {
    for (size_t l = 0; l < lane->launches.size(); ++l) {
      lane->launches[l].receipt = on ? &receipts[lane->steps[l]] : nullptr;
    }
  }
}

// ---- the public face
// --------------------------------------------------------------------------------------------

Program::Program(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Program::~Program() = default;

const abi::Manifest& Program::manifest() const { return impl_->artifact->manifest(); }
const abi::PlanEntry& Program::plan() const { return impl_->plan; }
const std::vector<std::shared_ptr<Device>>& Program::devices() const { return impl_->devices; }
const Program::Memory& Program::memory() const { return impl_->memory; }
RunReport Program::report() const { return impl_->report(); }
void Program::setInPlaceBytes(uint64_t bytes) { impl_->ports.in_place_bytes = bytes; }
void Program::setReceipts(bool on) { impl_->setReceipts(on); }
void Program::setHashes(bool on) { impl_->hashes.resize(on ? impl_->schedule.steps.size() : 0); }

Status Program::run(std::span<const void* const> inputs, std::span<void* const> outputs) {
  if (inputs.size() != impl_->ports.inputs.size() || outputs.size() != impl_->ports.outputs.size()) {
    return invalidArgument("{} inputs and {} outputs were given and the model has {} and {}", inputs.size(),
                           outputs.size(), impl_->ports.inputs.size(), impl_->ports.outputs.size());
  }
  return impl_->run(inputs, outputs);
}

namespace {
Status checkTensor(const Tensor& tensor, const abi::Port& port, std::string_view what) {
  if (tensor.type() == port.type && tensor.shape() == port.shape) return {};
  return invalidArgument("{} '{}' is {} and the model takes {}", what, port.name,
                         toString(tensor.type(), tensor.shape()), toString(port.type, port.shape));
}
constexpr size_t kFewPorts = 16;
}  // namespace

Status Program::run(std::span<const Tensor> inputs, std::span<Tensor> outputs) {
  const abi::Manifest& m = manifest();
  if (inputs.size() != m.inputs.size() || outputs.size() != m.outputs.size()) {
    return invalidArgument("{} inputs and {} outputs were given and the model has {} and {}", inputs.size(),
                           outputs.size(), m.inputs.size(), m.outputs.size());
  }
  // On the stack for ordinary models, so that a call allocates nothing.
  const void* few_in[kFewPorts];
  void* few_out[kFewPorts];
  std::vector<const void*> many_in(inputs.size() > kFewPorts ? inputs.size() : 0);
  std::vector<void*> many_out(outputs.size() > kFewPorts ? outputs.size() : 0);
  std::span in(inputs.size() > kFewPorts ? many_in.data() : few_in, inputs.size());
  std::span out(outputs.size() > kFewPorts ? many_out.data() : few_out, outputs.size());
  for (size_t i = 0; i < in.size(); ++i) {
    TET_RETURN_IF_ERROR(checkTensor(inputs[i], m.inputs[i], "input"));
    in[i] = inputs[i].data();
  }
  for (size_t i = 0; i < out.size(); ++i) {
    TET_RETURN_IF_ERROR(checkTensor(outputs[i], m.outputs[i], "output"));
    out[i] = outputs[i].data();
  }
  return impl_->run(in, out);
}

Result<std::vector<Tensor>> Program::run(std::span<const Tensor> inputs) {
  std::vector<Tensor> outputs;
  for (const abi::Port& port : manifest().outputs) {
    TET_ASSIGN_OR_RETURN(Tensor tensor, Tensor::uninitialized(port.type, port.shape));
    outputs.push_back(std::move(tensor));
  }
  TET_RETURN_IF_ERROR(run(inputs, std::span<Tensor>(outputs)));
  return outputs;
}

}  // namespace tetrarch::run
