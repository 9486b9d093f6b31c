// Program::bind(): from an artifact, a plan and open devices to lists of instructions.
#include <algorithm>
#include <map>

#include "tetrarch/run/buffer_plan.h"
#include "tetrarch/run/program_impl.h"

namespace tetrarch::run {
namespace {

using abi::Manifest;
using abi::TensorKind;
using Op = Instruction::Op;

constexpr uint32_t kMinAlignment = 64;  // what kernels may rely on

// The placement comes from the caller, so it is checked like one from a file.
Status checkPlan(const Manifest& m, const abi::PlanEntry& plan, size_t devices) {
  if (plan.devices.size() != devices) {
    return invalidArgument("the plan has {} devices and {} were given", plan.devices.size(), devices);
  }
  if (plan.placement.size() != m.tasks.size()) {
    return invalidArgument("the plan places {} tasks and the model has {}", plan.placement.size(),
                           m.tasks.size());
  }
  for (size_t t = 0; t < plan.placement.size(); ++t) {
    bool bad = plan.placement[t].empty();
    for (const abi::Share& s : plan.placement[t]) {
      bad |= s.device < 0 || static_cast<size_t>(s.device) >= devices || s.begin > s.end;
    }
    if (bad) return invalidArgument("the plan gives task '{}' no proper place", m.tasks[t].name);
  }
  for (const abi::PlanCode& code : plan.code) {
    if (!code.kernels.empty() && code.kernels.size() != m.tasks.size())
      return invalidArgument("the plan's code has {} kernels for {} tasks", code.kernels.size(),
                             m.tasks.size());
    for (const abi::SegmentEntry& s : code.segments) {
      const size_t first = static_cast<size_t>(s.first_task), count = s.shares.size();
      if (count == 0 || first >= m.tasks.size() || count > m.tasks.size() - first)
        return invalidArgument("the plan's segment '{}' has no proper tasks", s.symbol);
    }
  }
  return {};
}

}  // namespace

// Builds the Impl member by member, in the order of run().
class Binder {
 public:
  Binder(Program::Impl& impl) : p_(impl), m_(impl.artifact->manifest()) {}

  Status run() {
    TET_RETURN_IF_ERROR(checkPlan(m_, p_.plan, p_.devices.size()));
    TET_RETURN_IF_ERROR(loadCode());
    TET_ASSIGN_OR_RETURN(p_.schedule, makeSchedule(m_, p_.plan, scheduled_));
    TET_RETURN_IF_ERROR(findKernels());
    TET_RETURN_IF_ERROR(makeQueues());
    TET_RETURN_IF_ERROR(placeTemporaries());
    TET_RETURN_IF_ERROR(bindSteps());
    writeInstructions();
    bindPorts();
    p_.startThreads();
    return {};
  }

 private:
  const abi::Artifact& artifact() const { return *p_.artifact; }
  bool asynchronous(int device) const { return !scheduled_[device].blocking; }

  // ---- code
  // ------------------------------------------------------------------------------------------------------

  Status loadCode() {
    std::vector<bool> used(p_.devices.size());
    for (const auto& shares : p_.plan.placement) {
      for (const abi::Share& share : shares) used[share.device] = true;
    }
    p_.modules.resize(p_.devices.size());
    for (size_t d = 0; d < p_.devices.size(); ++d) {
      const DeviceInfo& info = p_.devices[d]->info();
      ScheduleDevice s{p_.plan.devices[d].name, info.sharesHostMemory(), info.blocking(), -1};
      if (used[d]) {
        TET_ASSIGN_OR_RETURN(s.code, chooseCode(m_, info));
        s.own = ownCode(static_cast<int>(d), s.code);
        TET_ASSIGN_OR_RETURN(p_.modules[d], s.own ? loadOwn(*p_.devices[d], *s.own)
                                                  : loadModule(*p_.devices[d], m_.code[s.code]));
      }
      scheduled_.push_back(s);
    }
    return {};
  }

  // What the plan has for this device instead of the code that it would load.
  const abi::PlanCode* ownCode(int device, int code) const {
    for (const abi::PlanCode& own : p_.plan.code) {
      if (own.device == device && own.code == code) return &own;
    }
    return nullptr;
  }

  Result<Module> loadOwn(Device& device, const abi::PlanCode& own) const {
    return device.load(artifact().name(), m_.code[own.code].format,
                       own.made ? std::span(*own.made) : artifact().bytes(own.section));
  }

  // The driver's own form of the code where it was kept and is of this driver, else the code.
  Result<Module> loadModule(Device& device, const abi::CodeEntry& code) const {
    if (code.binary >= 0 && code.binary_driver == device.info().driver) {
      auto cached = device.load(artifact().name(), code.binary_format, artifact().bytes(code.binary));
      if (cached) return cached;
    }
    return device.load(artifact().name(), code.format, artifact().bytes(code.section));
  }

  Status findKernels() {
    for (const Step& step : p_.schedule.steps) {
      kernels_.emplace_back();
      p_.symbols.emplace_back();
      if (step.kind != Step::Kind::Launch) continue;
      const ScheduleDevice& device = scheduled_[step.device];
      const std::string& symbol =
          step.segment ? step.segment->symbol : kernelOf(m_, device.code, device.own, step.task).symbol;
      TET_ASSIGN_OR_RETURN(kernels_.back(), p_.modules[step.device].find(symbol));
      const tet_kernel_info& info = kernels_.back().info();
      const size_t buffers = step.inputs.size() + step.outputs.size();
      if (info.units != step.units || (info.buffer_count != UINT32_MAX && info.buffer_count != buffers)) {
        return fail(StatusCode::kFailedPrecondition,
                    "{}: kernel '{}' has {} units and the manifest says {}, or their buffers differ; compile "
                    "it again",
                    artifact().name(), symbol, info.units, step.units);
      }
      p_.symbols.back() = symbol;
    }
    return {};
  }

  Status makeQueues() {
    p_.queues.resize(p_.devices.size());
    p_.signals.resize(p_.devices.size());
    for (size_t d = 0; d < p_.devices.size(); ++d) {
      if (!p_.modules[d]) continue;
      TET_ASSIGN_OR_RETURN(p_.queues[d], p_.devices[d]->createQueue());
      if (!asynchronous(static_cast<int>(d))) continue;
      TET_ASSIGN_OR_RETURN(p_.signals[d], p_.devices[d]->createSignal());
      p_.asynchronous.push_back(static_cast<int>(d));
    }
    return {};
  }

  // ---- memory
  // ----------------------------------------------------------------------------------------------------

  Status placeTemporaries() {
    Lifetimes lifetimes(m_, p_.schedule);
    offsets_.assign(p_.schedule.spaces, std::vector<uint64_t>(m_.tensors.size(), 0));
    for (int space = 0; space < p_.schedule.spaces; ++space) {
      const std::vector<int>& tensors = p_.schedule.tensors[space];
      std::vector<uint64_t> bytes;
      for (int t : tensors) bytes.push_back(m_.tensors[t].bytes);
      auto conflict = [&](size_t a, size_t b) { return lifetimes.conflict(space, tensors[a], tensors[b]); };
      TET_ASSIGN_OR_RETURN(BufferPlan plan, planBuffers(bytes, alignment(space), conflict));
      for (size_t i = 0; i < tensors.size(); ++i) offsets_[space][tensors[i]] = plan.offsets[i];
      TET_RETURN_IF_ERROR(allocateArena(space, plan.bytes));
      p_.memory.temporaries += plan.bytes;
      for (uint64_t b : bytes) p_.memory.temporaries_apart += b;
    }
    return {};
  }

  uint32_t alignment(int space) const {
    uint32_t most = kMinAlignment;
    for (size_t d = 0; d < p_.devices.size(); ++d) {
      if (p_.schedule.space[d] == space) most = std::max(most, p_.devices[d]->info().alignment);
    }
    return most;
  }

  // Each device of the host's space sees the one arena as a buffer of its own.
  Status allocateArena(int space, uint64_t bytes) {
    if (space == 0) {
      TET_ASSIGN_OR_RETURN(p_.arena, HostMemory::allocate(bytes));
    }
    arenas_.resize(p_.devices.size(), -1);
    for (size_t d = 0; d < p_.devices.size(); ++d) {
      if (p_.schedule.space[d] != space || !p_.modules[d] || bytes == 0) continue;
      auto buffer = space == 0 ? p_.devices[d]->wrap(p_.arena.data(), bytes) : p_.devices[d]->allocate(bytes);
      if (!buffer) return propagate(buffer.error().withContext(fmt::format("{} bytes of tensors", bytes)));
      arenas_[d] = static_cast<int>(p_.parents.size());
      p_.parents.push_back(std::move(*buffer));
    }
    return {};
  }

  std::byte* hostAddress(int root) const {
    const abi::TensorEntry& t = m_.tensors[root];
    if (t.kind == TensorKind::Constant) return const_cast<std::byte*>(artifact().weights().data()) + t.offset;
    return p_.arena.data() + offsets_[0][root];
  }

  Result<tet_buffer*> buffer(int device, int root) {
    auto [found, fresh] = buffers_.try_emplace({device, root}, nullptr);
    if (!fresh) return found->second;
    TET_ASSIGN_OR_RETURN(Buffer made, makeBuffer(device, root));
    found->second = made.raw();
    p_.buffers.push_back(std::move(made));
    return found->second;
  }

  Result<Buffer> makeBuffer(int device, int root) {
    const abi::TensorEntry& t = m_.tensors[root];
    if (t.kind == TensorKind::Constant) return constant(device, root);
    if (arenas_[device] < 0) return p_.devices[device]->allocate(t.bytes);  // all tensors there are empty
    return p_.parents[arenas_[device]].slice(offsets_[p_.schedule.space[device]][root], t.bytes);
  }

  // In place where the device can read the host's memory and the address suits it, else a copy.
  Result<Buffer> constant(int device, int root) {
    Device& d = *p_.devices[device];
    std::byte* host = hostAddress(root);
    uint64_t bytes = m_.tensors[root].bytes;
    bool suits = reinterpret_cast<uintptr_t>(host) % d.info().alignment == 0;
    if (d.info().sharesHostMemory() && suits && bytes > 0) return d.wrap(host, bytes);
    TET_ASSIGN_OR_RETURN(Buffer buffer, d.allocate(bytes));
    TET_RETURN_IF_ERROR(p_.queues[device].copyIn(buffer, 0, host, bytes));
    TET_RETURN_IF_ERROR(p_.queues[device].finish());
    p_.memory.weights_copied += bytes;
    return buffer;
  }

  // ---- steps to instructions
  // -------------------------------------------------------------------------------------

  Status bindSteps() {
    size_t arguments = 0;
    for (const Step& step : p_.schedule.steps) {
      arguments += step.inputs.size() + step.outputs.size();
    }
    p_.arguments.reserve(arguments);
    for (const Step& step : p_.schedule.steps) {
      first_argument_.push_back(p_.arguments.size());
      if (step.kind == Step::Kind::Launch) {
        for (const auto* tensors : {&step.inputs, &step.outputs}) {
          for (int t : *tensors) {
            TET_ASSIGN_OR_RETURN(tet_buffer * made, buffer(step.device, t));
            p_.arguments.push_back(made);
          }
        }
      } else {
        TET_RETURN_IF_ERROR(buffer(step.device, step.tensor));
        p_.bytes_copied += step.bytes;
      }
    }
    return {};
  }

  void assignLanes() {
    lane_of_.assign(p_.devices.size(), 0);
    p_.lanes.push_back(std::make_unique<Lane>());
    bool caller_has_one = false;
    for (size_t d = 0; d < p_.devices.size(); ++d) {
      if (!p_.modules[d] || asynchronous(static_cast<int>(d))) continue;
      if (caller_has_one) {
        lane_of_[d] = static_cast<int>(p_.lanes.size());
        p_.lanes.push_back(std::make_unique<Lane>());
      }
      caller_has_one = true;
    }
  }

  // Step a must be told of because a step of another device waits for it.
  std::vector<bool> awaitedSteps() const {
    std::vector<bool> awaited(p_.schedule.steps.size());
    for (const Step& step : p_.schedule.steps) {
      for (int a : step.after) {
        int from = p_.schedule.steps[a].device;
        bool seen_anyway = !asynchronous(from) && lane_of_[from] == lane_of_[step.device];
        if (from != step.device && !seen_anyway) awaited[a] = true;
      }
    }
    return awaited;
  }

  void writeInstructions() {
    assignLanes();
    std::vector<bool> awaited = awaitedSteps();
    size_t count = p_.schedule.steps.size();
    p_.receipts.assign(count, {});
    for (tet_receipt& receipt : p_.receipts) receipt.struct_size = sizeof receipt;
    p_.times.assign(count, {});
    waited_.assign(p_.lanes.size(), std::vector<int>(p_.devices.size(), -1));
    queue_waited_.assign(p_.devices.size(), std::vector<int>(p_.devices.size(), -1));
    unflushed_.assign(p_.devices.size(), false);
    for (size_t s = 0; s < count; ++s) {
      const Step& step = p_.schedule.steps[s];
      int number = static_cast<int>(s);
      for (int a : step.after) addWait(step, a);
      step.kind == Step::Kind::Launch ? addLaunch(step, number) : addCopy(step, number);
      if (!awaited[s]) continue;
      add(step.device, {.op = asynchronous(step.device) ? Op::Signal : Op::Publish,
                        .device = step.device,
                        .step = number});
    }
    p_.setReceipts(true);
  }

  // Devices that were given work begin before this thread turns to something else.
  void flushOthers(int lane, int device) {
    if (lane != 0) return;
    for (size_t d = 0; d < unflushed_.size(); ++d) {
      if (!unflushed_[d] || static_cast<int>(d) == device) continue;
      p_.lanes[0]->instructions.push_back({.op = Op::Flush, .device = static_cast<int>(d)});
      unflushed_[d] = false;
    }
  }

  void add(int device, Instruction instruction) {
    int lane = lane_of_[device];
    flushOthers(lane, device);
    p_.lanes[lane]->instructions.push_back(instruction);
    if (asynchronous(device)) unflushed_[device] = true;
  }

  // Devices of one plug-in wait for each other by themselves; for others this thread waits.
  bool waitsByItself(int device, int from) const {
    return asynchronous(device) && asynchronous(from) &&
           &p_.devices[device]->plugin() == &p_.devices[from]->plugin();
  }

  void addWait(const Step& step, int a) {
    int from = p_.schedule.steps[a].device, lane = lane_of_[step.device];
    if (from == step.device || waited_[lane][from] >= a) return;
    if (!asynchronous(from) && lane_of_[from] == lane) return;
    if (waitsByItself(step.device, from)) {
      int& waited = queue_waited_[step.device][from];
      if (waited >= a) return;
      waited = a;
      add(step.device, {.op = Op::QueueWait, .device = step.device, .other = from, .step = a});
      return;
    }
    waited_[lane][from] = a;
    flushOthers(lane, -1);
    Instruction wait{.op = Op::WaitDevice, .device = from, .step = a};
    if (!asynchronous(from)) wait = {.op = Op::WaitLane, .device = lane_of_[from], .step = a};
    p_.lanes[lane]->instructions.push_back(wait);
  }

  void addLaunch(const Step& step, int number) {
    Lane& lane = *p_.lanes[lane_of_[step.device]];
    tet_launch launch = {};
    launch.struct_size = sizeof launch;
    launch.kernel = kernels_[number].raw();
    launch.buffers = p_.arguments.data() + first_argument_[number];
    launch.buffer_count = static_cast<uint32_t>(step.inputs.size() + step.outputs.size());
    launch.begin = step.begin;
    launch.end = step.end;
    lane.launches.push_back(launch);
    lane.steps.push_back(number);
    auto index = static_cast<uint32_t>(lane.launches.size()) - 1;
    if (!lane.instructions.empty()) {
      Instruction& last = lane.instructions.back();
      if (last.op == Op::Launch && last.device == step.device && last.first + last.count == index) {
        ++last.count;
        return;
      }
    }
    add(step.device, {.op = Op::Launch, .device = step.device, .step = number, .first = index, .count = 1});
  }

  void addCopy(const Step& step, int number) {
    add(step.device, {.op = step.kind == Step::Kind::CopyIn ? Op::CopyIn : Op::CopyOut,
                      .device = step.device,
                      .step = number,
                      .buffer = buffers_.at({step.device, step.tensor}),
                      .host = hostAddress(step.tensor) + step.offset,
                      .offset = step.offset,
                      .bytes = step.bytes});
  }

  // ---- the caller's tensors
  // --------------------------------------------------------------------------------------

  void bindPorts() {
    for (const abi::Port& port : m_.inputs) p_.ports.inputs.push_back(makePort(port.tensor));
    for (const abi::Port& port : m_.outputs)
      p_.ports.outputs.push_back(makeOutput(rootTensor(m_, port.tensor)));
  }

  Port makePort(int root) {
    Port port;
    port.own = port.at = hostAddress(root);
    port.bytes = m_.tensors[root].bytes;
    for (size_t s = 0; s < p_.schedule.steps.size(); ++s) addUses(static_cast<int>(s), root, port);
    for (auto& lane : p_.lanes) {
      for (Instruction& i : lane->instructions) {
        const Step& step = p_.schedule.steps[i.step];
        if ((i.op == Op::CopyIn || i.op == Op::CopyOut) && step.tensor == root)
          port.copies.push_back({&i, step.offset});
      }
    }
    return port;
  }

  // An output is written by a task, or it is an input, a weight, or the same tensor as an earlier output.
  Port makeOutput(int root) {
    const abi::TensorKind kind = m_.tensors[root].kind;
    if (kind == TensorKind::Constant) return readOnly(root, Port::From::Weights, 0);
    if (kind == TensorKind::Input) return readOnly(root, Port::From::Input, indexOf(m_.inputs, root));
    const size_t first = indexOf(m_.outputs, root);
    if (first < p_.ports.outputs.size()) return readOnly(root, Port::From::Output, first);
    return makePort(root);
  }

  Port readOnly(int root, Port::From from, size_t which) const {
    Port port;
    port.own = port.at = hostAddress(root);
    port.bytes = m_.tensors[root].bytes;
    port.from = from;
    port.which = which;
    return port;
  }

  // The first of `ports` that is this tensor.
  size_t indexOf(const std::vector<abi::Port>& ports, int root) const {
    auto is_it = [&](const abi::Port& port) { return rootTensor(m_, port.tensor) == root; };
    return static_cast<size_t>(std::find_if(ports.begin(), ports.end(), is_it) - ports.begin());
  }

  // The arguments of a step's launch that are this tensor in the host's space.
  void addUses(int number, int root, Port& port) {
    const Step& step = p_.schedule.steps[number];
    if (step.kind != Step::Kind::Launch || p_.schedule.space[step.device] != 0) return;
    Device* device = p_.devices[step.device].get();
    tet_buffer** argument = p_.arguments.data() + first_argument_[number];
    for (const auto* tensors : {&step.inputs, &step.outputs}) {
      for (int tensor : *tensors) {
        if (tensor == root) useOf(device, *argument, port).arguments.push_back(argument);
        ++argument;
      }
    }
  }

  static Port::Use& useOf(Device* device, tet_buffer* own, Port& port) {
    for (Port::Use& use : port.uses) {
      if (use.device == device) return use;
    }
    return port.uses.emplace_back(device, own);
  }

  Program::Impl& p_;
  const Manifest& m_;
  std::vector<ScheduleDevice> scheduled_;               // by device
  std::vector<Kernel> kernels_;                         // by step
  std::vector<size_t> first_argument_;                  // by step
  std::vector<std::vector<uint64_t>> offsets_;          // by space, by root tensor
  std::vector<int> arenas_;                             // by device: its arena in parents, or -1
  std::map<std::pair<int, int>, tet_buffer*> buffers_;  // by device and root tensor
  std::vector<int> lane_of_;                            // by device
  std::vector<std::vector<int>>
      waited_;  // by lane, by device: the last of its steps that the lane has waited for
  std::vector<std::vector<int>> queue_waited_;  // by device, by other device: the same of the device's queue
  std::vector<bool> unflushed_;                 // by device
};

Result<std::unique_ptr<Program>> Program::bind(std::shared_ptr<const abi::Artifact> artifact,
                                               abi::PlanEntry plan,
                                               std::vector<std::shared_ptr<Device>> devices) {
  auto impl = std::make_unique<Impl>();
  impl->artifact = std::move(artifact);
  impl->plan = std::move(plan);
  impl->devices = std::move(devices);
  TET_RETURN_IF_ERROR(Binder(*impl).run());
  return std::unique_ptr<Program>(new Program(std::move(impl)));
}

}  // namespace tetrarch::run
