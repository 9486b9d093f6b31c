// What a manifest must satisfy, one function for each of its parts.
#include "tetrarch/abi/manifest.h"

#include <cmath>
#include <set>

#include "tetrarch/abi/artifact.h"

namespace tetrarch::abi {
namespace {

constexpr uint64_t kConstantAlignment = 64;

bool isName(std::string_view name) { return !name.empty() && name.size() <= 1024; }
bool isCost(double value) { return std::isfinite(value) && value >= 0; }

class Validator {
 public:
  Validator(const Manifest& manifest, const std::vector<SectionSummary>& sections)
      : m_(manifest), sections_(sections) {
    for (const SectionSummary& s : sections_) {
      if (s.type == TET_SECTION_WEIGHTS) weights_ = s.bytes;
    }
  }

  Status run() {
    TET_RETURN_IF_ERROR(dims());
    for (size_t i = 0; i < m_.tensors.size(); ++i) TET_RETURN_IF_ERROR(tensor(static_cast<int>(i)));
    TET_RETURN_IF_ERROR(inputs());
    TET_RETURN_IF_ERROR(tasks());
    TET_RETURN_IF_ERROR(outputs());
    for (size_t i = 0; i < m_.code.size(); ++i) {
      if (Status s = code(m_.code[i]); !s.ok()) return s.withContext(fmt::format("code[{}]", i));
    }
    TET_RETURN_IF_ERROR(costs());
    return plans();
  }

 private:
  bool isTensor(int id) const { return id >= 0 && static_cast<size_t>(id) < m_.tensors.size(); }
  bool isTask(int id) const { return id >= 0 && static_cast<size_t>(id) < m_.tasks.size(); }
  Status noTensor(int id) const {
    return invalidArgument("{} is not a tensor (there are {})", id, m_.tensors.size());
  }

  Status dims() const {
    for (const auto& [name, value] : m_.dims) {
      if (!isName(name) || value < 0) return invalidArgument("dims: '{}' = {} is no dimension", name, value);
    }
    return {};
  }

  Status tensor(int id) const {
    Status status = tensorBody(m_.tensors[id], id);
    return status.ok() ? status : status.withContext(fmt::format("tensors[{}]", id));
  }

  Status tensorBody(const TensorEntry& t, int id) const {
    TET_ASSIGN_OR_RETURN(int64_t count, elementCount(t.shape));
    uint64_t bytes = 0;
    if (__builtin_mul_overflow(static_cast<uint64_t>(count), byteSize(t.type), &bytes) || bytes != t.bytes) {
      return invalidArgument("{} has not {} bytes", toString(t.type, t.shape), t.bytes);
    }
    if (t.alias_of >= 0) return alias(t, id);
    if (t.alias_of != -1) return invalidArgument("alias_of is {}; use -1 for none", t.alias_of);
    return t.kind == TensorKind::Constant ? constant(t) : Status();
  }

  Status alias(const TensorEntry& t, int id) const {
    if (t.alias_of >= id) return invalidArgument("alias of {}, which is not an earlier tensor", t.alias_of);
    const TensorEntry& target = m_.tensors[t.alias_of];
    if (target.alias_of >= 0) return invalidArgument("alias of {}, which is an alias itself", t.alias_of);
    if (target.bytes != t.bytes || target.kind != t.kind) {
      return invalidArgument("differs in bytes or kind from tensor {}, of which it is an alias", t.alias_of);
    }
    return {};
  }

  Status constant(const TensorEntry& t) const {
    if (t.offset % kConstantAlignment != 0) {
      return invalidArgument("offset {} is not a multiple of {}", t.offset, kConstantAlignment);
    }
    if (t.offset > weights_ || t.bytes > weights_ - t.offset) {
      return invalidArgument("{} bytes at offset {} lie outside the weights section of {} bytes", t.bytes,
                             t.offset, weights_);
    }
    return {};
  }

  Status port(const Port& p, std::set<std::string_view>& names) const {
    if (!isName(p.name) || !names.insert(p.name).second) {
      return invalidArgument("the name '{}' is empty, too long or taken", p.name);
    }
    if (!isTensor(p.tensor)) return noTensor(p.tensor);
    const TensorEntry& t = m_.tensors[p.tensor];
    if (t.type != p.type || t.shape != p.shape) {
      return invalidArgument("'{}' is {} but its tensor is {}", p.name, toString(p.type, p.shape),
                             toString(t.type, t.shape));
    }
    return {};
  }

  Status inputs() {
    written_.assign(m_.tensors.size(), false);
    std::set<std::string_view> names;
    for (size_t i = 0; i < m_.inputs.size(); ++i) {
      const Port& p = m_.inputs[i];
      if (Status s = port(p, names); !s.ok()) return s.withContext(fmt::format("inputs[{}]", i));
      const TensorEntry& t = m_.tensors[p.tensor];
      if (t.kind != TensorKind::Input || t.alias_of >= 0 || written_[p.tensor]) {
        return invalidArgument("inputs[{}]: tensor {} is no input of its own", i, p.tensor);
      }
      written_[p.tensor] = true;
    }
    return {};
  }

  Status tasks() {
    for (size_t i = 0; i < m_.tensors.size(); ++i) {
      if (m_.tensors[i].kind == TensorKind::Constant) written_[i] = true;
    }
    std::set<std::string_view> names;
    for (size_t i = 0; i < m_.tasks.size(); ++i) {
      const TaskEntry& t = m_.tasks[i];
      Status s = isName(t.name) && names.insert(t.name).second
                     ? task(t)
                     : Status(invalidArgument("the name '{}' is empty, too long or taken", t.name));
      if (!s.ok()) return s.withContext(fmt::format("tasks[{}]", i));
    }
    return {};
  }

  Status task(const TaskEntry& t) {
    if (t.outputs.empty()) return invalidArgument("'{}' has no output", t.name);
    if (!isCost(t.flops) || !isCost(t.bytes))
      return invalidArgument("'{}' has a negative or infinite cost", t.name);
    for (int id : t.inputs) {
      if (!isTensor(id)) return noTensor(id);
      if (!written_[rootTensor(m_, id)])
        return invalidArgument("'{}' reads tensor {} before it is written", t.name, id);
    }
    for (int id : t.outputs) {
      if (!isTensor(id)) return noTensor(id);
      const TensorEntry& out = m_.tensors[id];
      if (out.kind != TensorKind::Temporary || out.alias_of >= 0 || written_[id]) {
        return invalidArgument("'{}' writes tensor {}, which is no fresh temporary", t.name, id);
      }
      written_[id] = true;
    }
    return {};
  }

  Status outputs() const {
    std::set<std::string_view> names;
    for (size_t i = 0; i < m_.outputs.size(); ++i) {
      const Port& p = m_.outputs[i];
      if (Status s = port(p, names); !s.ok()) return s.withContext(fmt::format("outputs[{}]", i));
      if (!written_[rootTensor(m_, p.tensor)])
        return invalidArgument("outputs[{}]: '{}' is never written", i, p.name);
    }
    return {};
  }

  Status sectionOfType(int section, uint32_t type) const {
    if (section >= 0 && static_cast<size_t>(section) < sections_.size() && sections_[section].type == type)
      return {};
    return invalidArgument("section {} does not exist or is of another type", section);
  }

  Status code(const CodeEntry& c) const {
    TET_RETURN_IF_ERROR(sectionOfType(c.section, TET_SECTION_CODE));
    if (c.binary != -1) TET_RETURN_IF_ERROR(sectionOfType(c.binary, TET_SECTION_BINARY));
    if (!isName(c.format)) return invalidArgument("the format is empty or too long");
    if (c.kernels.size() != m_.tasks.size()) {
      return invalidArgument("{} kernels for {} tasks; one each is needed", c.kernels.size(),
                             m_.tasks.size());
    }
    for (size_t i = 0; i < c.kernels.size(); ++i) {
      if (Status s = kernel(c.kernels[i]); !s.ok()) return s.withContext(fmt::format("kernels[{}]", i));
    }
    return {};
  }

  Status kernel(const KernelEntry& k) const {
    if (k.symbol.empty()) return {};
    if (!isCost(k.utilisation.value_or(0))) return invalidArgument("a negative or infinite utilisation");
    if (!isName(k.symbol) || k.granularity == 0 || k.row_tile == 0) {
      return invalidArgument("the symbol is too long, or granularity or row_tile is 0");
    }
    if (k.rows > 0) {
      uint64_t groups = k.rows / k.row_tile + (k.rows % k.row_tile != 0);
      if (k.units % groups != 0) {
        return invalidArgument("{} units cannot be {} equal groups of rows", k.units, groups);
      }
    }
    return {};
  }

  Status costs() const {
    for (size_t i = 0; i < m_.costs.size(); ++i) {
      const CostEntry& c = m_.costs[i];
      if (!isTask(c.task)) return invalidArgument("costs[{}]: {} is not a task", i, c.task);
      if (!isCost(c.seconds) || !isCost(c.stddev) || !isCost(c.joules.value_or(0))) {
        return invalidArgument("costs[{}]: a negative or infinite figure", i);
      }
    }
    return {};
  }

  Status plans() const {
    std::set<std::string_view> names;
    for (size_t i = 0; i < m_.plans.size(); ++i) {
      const PlanEntry& p = m_.plans[i];
      Status s = isName(p.name) && names.insert(p.name).second
                     ? plan(p)
                     : Status(invalidArgument("the name '{}' is empty, too long or taken", p.name));
      if (!s.ok()) return s.withContext(fmt::format("plans[{}]", i));
    }
    return {};
  }

  Status plan(const PlanEntry& p) const {
    auto is_device = [&](int d) { return d >= 0 && static_cast<size_t>(d) < p.devices.size(); };
    for (const PlanDevice& d : p.devices) {
      if (!isName(d.name)) return invalidArgument("a device has no name");
    }
    if (p.placement.size() != m_.tasks.size()) {
      return invalidArgument("{} places for {} tasks; one each is needed", p.placement.size(),
                             m_.tasks.size());
    }
    for (size_t t = 0; t < p.placement.size(); ++t) {
      if (p.placement[t].empty()) return invalidArgument("placement[{}]: no device", t);
      for (const Share& share : p.placement[t]) {
        if (!is_device(share.device))
          return invalidArgument("placement[{}]: {} is not a device", t, share.device);
        if (share.begin > share.end)
          return invalidArgument("placement[{}]: the range ends before it begins", t);
      }
    }
    for (const SinglePrice& s : p.singles) {
      if (!is_device(s.device) || !isCost(s.seconds))
        return invalidArgument("singles: no device, or a bad figure");
    }
    if (!isCost(p.seconds) || !isCost(p.lower_bound_seconds))
      return invalidArgument("a negative or infinite time");
    if (!p.reasons.empty() && p.reasons.size() != m_.tasks.size()) {
      return invalidArgument("{} reasons for {} tasks; one each or none", p.reasons.size(), m_.tasks.size());
    }
    for (size_t i = 0; i < p.code.size(); ++i) {
      if (Status s = planCode(p, p.code[i]); !s.ok()) return s.withContext(fmt::format("code[{}]", i));
    }
    return {};
  }

  Status planCode(const PlanEntry& p, const PlanCode& c) const {
    if (c.device < 0 || static_cast<size_t>(c.device) >= p.devices.size())
      return invalidArgument("{} is not a device", c.device);
    if (c.code < 0 || static_cast<size_t>(c.code) >= m_.code.size())
      return invalidArgument("{} is not code of the tasks", c.code);
    TET_RETURN_IF_ERROR(sectionOfType(c.section, TET_SECTION_CODE));
    if (!c.kernels.empty() && c.kernels.size() != m_.tasks.size())
      return invalidArgument("{} kernels for {} tasks; one each or none", c.kernels.size(), m_.tasks.size());
    for (size_t i = 0; i < c.kernels.size(); ++i) {
      if (Status s = kernel(c.kernels[i]); !s.ok()) return s.withContext(fmt::format("kernels[{}]", i));
    }
    size_t next = 0;  // the first task that a segment may have
    for (size_t i = 0; i < c.segments.size(); ++i) {
      const SegmentEntry& segment = c.segments[i];
      Status s = isTask(segment.first_task) && static_cast<size_t>(segment.first_task) >= next
                     ? this->segment(p, c, segment)
                     : Status(invalidArgument("it begins at task {}", segment.first_task));
      if (!s.ok()) return s.withContext(fmt::format("segments[{}]", i));
      next = segment.first_task + segment.shares.size();
    }
    return {};
  }

  Status segment(const PlanEntry& p, const PlanCode& c, const SegmentEntry& s) const {
    const size_t first = s.first_task, count = s.shares.size();
    if (!isName(s.symbol) || count == 0 || count > m_.tasks.size() - first || s.utilisation.size() != count)
      return invalidArgument("no symbol, or {} shares and {} utilisations for as many tasks", count,
                             s.utilisation.size());
    for (size_t i = 0; i < count; ++i) {
      if (p.placement[first + i] != std::vector{Share{c.device}})
        return invalidArgument("task {} is not placed whole on its device", first + i);
      if (!isCost(s.shares[i]) || !isCost(s.utilisation[i]))
        return invalidArgument("a negative or infinite share");
    }
    return {};
  }

  const Manifest& m_;
  const std::vector<SectionSummary>& sections_;
  uint64_t weights_ = 0;       // bytes of the weights section
  std::vector<bool> written_;  // by tensor: it holds a value before the next task
};

}  // namespace

const KernelEntry& kernelOf(const Manifest& manifest, int code, const PlanCode* own, int task) {
  return own && !own->kernels.empty() ? own->kernels[task] : manifest.code[code].kernels[task];
}

int rootTensor(const Manifest& manifest, int tensor) {
  int target = manifest.tensors[tensor].alias_of;
  return target < 0 ? tensor : target;
}

SegmentTensors segmentTensors(const Manifest& manifest, int first, int count) {
  SegmentTensors found;
  std::set<int> inside, known, outside;
  const int end = first + count;
  for (int t = 0; t < static_cast<int>(manifest.tasks.size()); ++t) {
    if (t >= first && t < end) continue;
    for (int tensor : manifest.tasks[t].inputs) outside.insert(rootTensor(manifest, tensor));
  }
  for (const Port& port : manifest.outputs) outside.insert(rootTensor(manifest, port.tensor));
  for (int t = first; t < end; ++t) {
    for (int tensor : manifest.tasks[t].inputs) {
      const int root = rootTensor(manifest, tensor);
      if (!inside.contains(root) && known.insert(root).second) found.inputs.push_back(root);
    }
    for (int tensor : manifest.tasks[t].outputs) {
      inside.insert(tensor);
      if (outside.contains(tensor)) found.outputs.push_back(tensor);
    }
  }
  return found;
}

Status validate(const Manifest& manifest, const std::vector<SectionSummary>& sections) {
  return Validator(manifest, sections).run();
}

}  // namespace tetrarch::abi
