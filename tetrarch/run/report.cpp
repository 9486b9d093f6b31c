#include "tetrarch/run/report.h"

#include <cmath>
#include <limits>

#include "tetrarch/run/program_impl.h"

namespace tetrarch::run {
namespace {

std::span<const abi::TaskEntry> tasksOf(const abi::Manifest& m, int first, const abi::SegmentEntry* segment) {
  return std::span(m.tasks).subspan(first, segment ? segment->shares.size() : 1);
}
std::span<const abi::TaskEntry> tasksOf(const abi::Manifest& m, const Step& step) {
  return tasksOf(m, step.task, step.segment);
}

// What a launch reads and writes at least once: of a segment what passes its border.
double bytesOf(const abi::Manifest& m, const Step& step) {
  if (!step.segment) return m.tasks[step.task].bytes;
  double bytes = 0;
  for (const auto* tensors : {&step.inputs, &step.outputs}) {
    for (int tensor : *tensors) bytes += static_cast<double>(m.tensors[tensor].bytes);
  }
  return bytes;
}

std::string nameOf(const abi::Manifest& m, const StepReport& step) {
  const auto tasks = tasksOf(m, step.task, step.segment);
  return tasks.size() == 1 ? tasks.front().name
                           : fmt::format("{} ... {}", tasks.front().name, tasks.back().name);
}

}  // namespace

RunReport Program::Impl::report() const {
  const abi::Manifest& m = artifact->manifest();
  RunReport out;
  out.begin_ns = call.begin_ns, out.end_ns = call.end_ns;
  out.work_begin_ns = work.begin_ns, out.work_end_ns = work.end_ns;
  const bool ran = call.end_ns > 0;
  if (ran) {
    out.bytes_copied = bytes_copied;
    out.bytes_in = ports.bytesIn(), out.bytes_out = ports.bytesOut();
  }
  for (size_t s = 0; s < schedule.steps.size(); ++s) {
    const Step& step = schedule.steps[s];
    StepReport row;
    row.kind = static_cast<StepReport::Kind>(step.kind);
    row.segment = step.segment;
    row.task = step.task, row.tensor = step.tensor, row.device = step.device;
    row.begin = step.begin, row.end = step.end, row.units = step.units;
    row.bytes = step.bytes;
    row.kernel = symbols[s];
    if (step.kind == Step::Kind::Launch) {
      double share =
          step.units > 0 ? static_cast<double>(step.end - step.begin) / static_cast<double>(step.units) : 1;
      row.bytes = static_cast<uint64_t>(bytesOf(m, step) * share);
      for (const abi::TaskEntry& task : tasksOf(m, step))
        row.code_hash += (row.code_hash.empty() ? "" : " ") + task.hash;
      if (!hashes.empty()) row.input_hash = hashes[s].input, row.output_hash = hashes[s].output;
      const tet_receipt& receipt = receipts[s];
      row.seconds = ran && receipts_on ? receipt.seconds : std::numeric_limits<double>::quiet_NaN();
      row.source = static_cast<abi::Source>(receipt.source);
      row.begin_ns = receipt.begin_ns;
      row.end_ns =
          std::isnan(row.seconds) ? row.begin_ns : row.begin_ns + static_cast<int64_t>(row.seconds * 1e9);
      const std::vector<std::string>& names = devices[step.device]->info().counter_names;
      for (size_t c = 0; c < names.size(); ++c) row.counters.emplace_back(names[c], receipt.counters[c]);
    } else {
      // An asynchronous copy ends some time after it was enqueued, which nobody tells.
      row.begin_ns = times[s].begin_ns, row.end_ns = times[s].end_ns;
      bool known = ran && devices[step.device]->info().blocking();
      row.seconds = known ? static_cast<double>(row.end_ns - row.begin_ns) * 1e-9
                          : std::numeric_limits<double>::quiet_NaN();
    }
    out.steps.push_back(std::move(row));
  }
  return out;
}

void addToTrace(const RunReport& report, const abi::Manifest& m, const abi::PlanEntry& plan, Trace& trace) {
  int whole = trace.addTrack("run");
  trace.add(whole, m.model.empty() ? "run" : m.model, report.begin_ns, report.end_ns);
  auto addCallersCopy = [&](const char* name, int64_t begin_ns, int64_t end_ns, uint64_t bytes) {
    if (bytes > 0) trace.add(whole, name, begin_ns, end_ns, fmt::format(R"({{"bytes":{}}})", bytes));
  };
  addCallersCopy("copy inputs", report.begin_ns, report.work_begin_ns, report.bytes_in);
  addCallersCopy("copy outputs", report.work_end_ns, report.end_ns, report.bytes_out);
  std::vector<int> tracks;
  for (const abi::PlanDevice& device : plan.devices) tracks.push_back(trace.addTrack(device.name));
  for (const StepReport& s : report.steps) {
    if (s.begin_ns == 0) continue;  // the device does not know when it began
    std::string_view source = abi::sourceName(s.source);
    if (s.kind == StepReport::Kind::Launch) {
      trace.add(tracks[s.device], nameOf(m, s), s.begin_ns, s.end_ns,
                fmt::format(R"({{"units":"{}-{} of {}","bytes":{},"source":"{}"}})", s.begin, s.end, s.units,
                            s.bytes, source));
    } else {
      const char* name = s.kind == StepReport::Kind::CopyIn ? "copy in" : "copy out";
      trace.add(tracks[s.device], name, s.begin_ns, s.end_ns,
                fmt::format(R"({{"tensor":{},"bytes":{}}})", s.tensor, s.bytes));
    }
  }
}

}  // namespace tetrarch::run
