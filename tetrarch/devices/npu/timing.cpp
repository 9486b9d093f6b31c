#include "tetrarch/devices/npu/timing.h"

#include <algorithm>
#include <array>
#include <deque>
#include <optional>

#include "tetrarch/devices/npu/work.h"

namespace tetrarch::npu {
namespace {

constexpr int64_t kNever = INT64_MAX;

// Who holds ports, in the order in which they decide within a cycle.
enum Client : uint8_t { kLoad, kActivations, kAccumulator, kWeights, kVector, kStore, kClients };

struct Hold {
  int64_t end;  // the last cycle
  Ports ports;
};

// An instruction in a queue or beyond, with its place in the program and in its queue.
struct Entry {
  int64_t index, ordinal;
  int64_t ready;  // first cycle at the head
  Work work;
};

struct InFlight {
  int64_t completes;
  int64_t ordinal;
  uint8_t signal;
};

class Simulator {
 public:
  Simulator(const Config& config, std::span<const Word> program, const TimingStart& start, int64_t dram_bytes,
            std::vector<InstructionTimes>* times)
      : config_(config),
        program_(program),
        dram_bytes_(dram_bytes),
        times_(times),
        loops_{start.load_loops, start.store_loops},
        tokens_(start.tokens) {
    if (times_) times_->assign(program.size(), {});
    dispatched_.fill(-1);
  }

  Timing run() {
    for (int64_t t = 0, until = 0; t != kNever; t = until) {
      if (settle(t)) return timing_;
      acted_ = false;
      if (dispatch(t)) return timing_;
      issueLoad(t);
      stream(t);
      prepare(t);
      issueVector(t);
      issueStore(t);
      if (finished()) {
        timing_.cycles = end_ + 1;
        return timing_;
      }
      now_ = t;
      until = next(t);
      if (until != kNever) countWaits(t, until - t);
    }
    return deadlock();
  }

 private:
  // ---- events that the cycle begins with ---------------------------------------------------------

  // Applies what completed before cycle t; true when that stops the processor.
  bool settle(int64_t t) {
    for (int q = 0; q < kQueues; ++q) {
      if (dram_fault_[q] && dram_fault_[q]->completes < t) {
        return fault(Cause::DramRange, q, dram_fault_[q]->ordinal, dram_fault_[q]->completes);
      }
      auto& flying = in_flight_[q];
      for (; !flying.empty() && flying.front().completes < t; flying.pop_front()) {
        const InFlight& done = flying.front();
        for (int to = 0; to < kQueues; ++to) {
          if ((done.signal >> to & 1) && ++tokens_[q][to] > kTokenMax) {
            return fault(Cause::TokenOverflow, q, done.ordinal, done.completes);
          }
        }
      }
    }
    for (auto& holds : holds_) std::erase_if(holds, [&](const Hold& h) { return h.end < t; });
    return false;
  }

  bool fault(Cause cause, int queue, int64_t index, int64_t cycle) {
    timing_.cause = cause;
    timing_.queue = static_cast<Queue>(queue);
    timing_.index = index;
    timing_.cycles = cycle + 1;
    return true;
  }

  Timing deadlock() {
    int q = 0;
    while (q + 1 < kQueues && queues_[q].empty()) ++q;
    const int64_t ordinal = queues_[q].empty() ? 0 : queues_[q].front().ordinal;
    fault(Cause::Deadlock, q, ordinal, now_);
    return timing_;
  }

  bool finished() const {
    if (!fetch_over_ || preparing_) return false;
    return std::ranges::all_of(queues_, &std::deque<Entry>::empty) &&
           std::ranges::all_of(in_flight_, &std::deque<InFlight>::empty);
  }

  // The next cycle in which something may happen: the one after an action, else when something is over.
  int64_t next(int64_t t) const {
    if (acted_) return t + 1;
    int64_t next = kNever;
    const auto consider = [&](int64_t cycle) {
      if (cycle > t) next = std::min(next, cycle);
    };
    if (!fetch_over_) consider(fetchTime());
    for (int q = 0; q < kQueues; ++q) {
      if (!in_flight_[q].empty()) consider(in_flight_[q].front().completes + 1);
      if (dram_fault_[q]) consider(dram_fault_[q]->completes + 1);
      consider(accepts_[q]);
    }
    for (const auto& holds : holds_) {
      for (const Hold& hold : holds) consider(hold.end + 1);
    }
    consider(stream_free_);
    if (preparing_) consider(prepared_);
    return next;
  }

  // Nothing changes from cycle t on for `cycles` cycles.
  void countWaits(int64_t t, int64_t cycles) {
    for (int q = 0; q < kQueues; ++q) {
      const bool is_matrix = q == static_cast<int>(Queue::Matrix);
      if ((is_matrix ? stream_free_ : accepts_[q]) <= t) waitOf(q, t) += cycles;
    }
  }
  int64_t& waitOf(int q, int64_t t) {
    UnitActivity& unit = timing_.units[q];
    if (q == static_cast<int>(Queue::Matrix) && preparing_) {
      return prepared_ > t ? unit.waited_for_weights : unit.waited_for_ports;
    }
    if (queues_[q].empty() || queues_[q].front().ready > t) return unit.waited_for_work;
    return hasTokens(q) ? unit.waited_for_ports : unit.waited_for_tokens;
  }

  // ---- fetch -------------------------------------------------------------------------------------

  // The first cycle in which the next instruction could be dispatched.
  int64_t fetchTime() const { return std::max(requested_ + config_.latency + 1, last_dispatch_ + 1); }

  // True when the instruction is a fault.
  bool dispatch(int64_t t) {
    if (fetch_over_ || t < fetchTime()) return false;
    if (pc_ >= static_cast<int64_t>(program_.size())) return fault(Cause::FetchRange, 0, pc_, t);
    if (!checked_) {
      auto instruction = checkWord(config_, loops_, program_[pc_]);
      if (!instruction) return fault(instruction.error().cause, 0, pc_, t);
      checked_ = *instruction;
    }
    const bool is_halt = std::holds_alternative<Halt>(*checked_);
    const auto q = static_cast<size_t>(queueOf(*checked_));
    if (!is_halt && queues_[q].size() >= kQueueDepth) return false;
    if (times_) (*times_)[pc_].dispatched = t;
    if (is_halt) {
      fetch_over_ = true;
      end_ = std::max(end_, t);
    } else {
      queues_[q].push_back({pc_, ordinals_[q]++, t + 1, workOf(config_, loops_, *checked_, dram_bytes_)});
      if (const auto* dim = std::get_if<Dim>(&*checked_)) loops_.apply(*dim);
    }
    advanceFetch(t);
    return false;
  }

  void advanceFetch(int64_t t) {
    acted_ = true;
    checked_.reset();
    last_dispatch_ = t;
    dispatched_[pc_ % kFetchBuffer] = t;
    ++pc_;
    // The slot of the buffer that the new instruction uses was that of the one FetchBuffer before.
    requested_ = std::max(requested_ + 1, dispatched_[pc_ % kFetchBuffer] + 1);
  }

  // ---- issue -------------------------------------------------------------------------------------

  bool hasTokens(int q) const {
    const uint8_t wait = queues_[q].front().work.wait;
    for (int from = 0; from < kQueues; ++from) {
      if ((wait >> from & 1) && tokens_[from][q] == 0) return false;
    }
    return true;
  }

  // The head of queue q if its tokens are there and it may issue in cycle t as far as the queue is concerned.
  const Work* head(int q, int64_t t) const {
    if (queues_[q].empty() || queues_[q].front().ready > t || accepts_[q] > t) return nullptr;
    if (!hasTokens(q)) return nullptr;
    const Work& work = queues_[q].front().work;
    return work.opcode == Opcode::Sync && !in_flight_[q].empty() ? nullptr : &work;
  }

  bool isHeld(Client me, const Ports& ports) const {
    for (int client = 0; client < kClients; ++client) {
      if (client == me) continue;
      for (const Hold& hold : holds_[client]) {
        if (hold.ports.meets(ports)) return true;
      }
    }
    return false;
  }

  // Takes the head out of its queue.
  Entry issue(int q, int64_t t) {
    Entry entry = queues_[q].front();
    queues_[q].pop_front();
    for (int from = 0; from < kQueues; ++from) tokens_[from][q] -= entry.work.wait >> from & 1;
    acted_ = true;
    accepts_[q] = t + 1;
    ++timing_.units[q].instructions;
    timing_.units[q].busy += entry.work.cycles;
    if (times_) (*times_)[entry.index].issued = t;
    return entry;
  }

  void complete(int q, const Entry& entry, int64_t cycle) {
    in_flight_[q].push_back({cycle, entry.ordinal, entry.work.signal});
    end_ = std::max(end_, cycle);
    if (times_) (*times_)[entry.index].completed = cycle;
  }

  // SYNC and DIM, which only pass. True when the head was one.
  bool pass(int q, const Work& work, int64_t t) {
    if (work.opcode != Opcode::Sync && work.opcode != Opcode::Dim) return false;
    const bool is_sync = work.opcode == Opcode::Sync;
    const Entry entry = issue(q, t);
    if (is_sync) {
      complete(q, entry, t);
    } else {
      end_ = std::max(end_, t);
      if (times_) (*times_)[entry.index].completed = t;
    }
    return true;
  }

  // LOAD, FILL and STORE: a beat a cycle, done `tail` cycles after the last.
  void transfer(int q, Client client, int64_t tail, int64_t fault_tail, int64_t t) {
    const Entry entry = issue(q, t);
    const int64_t completes = t + entry.work.cycles + tail;
    accepts_[q] = t + entry.work.cycles;
    holds_[client].push_back({completes, entry.work.ports});
    if (entry.work.fault_beat >= 0) {
      dram_fault_[q] = {t + 1 + entry.work.fault_beat + fault_tail, entry.ordinal, 0};
    }
    complete(q, entry, completes);
  }

  void issueLoad(int64_t t) {
    constexpr int q = static_cast<int>(Queue::Load);
    const Work* work = head(q, t);
    if (!work || pass(q, *work, t)) return;
    if (in_flight_[q].size() >= kLoadsInFlight || isHeld(kLoad, work->ports)) return;
    transfer(q, kLoad, config_.latency + kLoadTail, 0, t);
  }

  void issueStore(int64_t t) {
    constexpr int q = static_cast<int>(Queue::Store);
    const Work* work = head(q, t);
    if (!work || pass(q, *work, t) || isHeld(kStore, work->ports)) return;
    transfer(q, kStore, kStoreTail, kStoreTail, t);
  }

  void issueVector(int64_t t) {
    constexpr int q = static_cast<int>(Queue::Vector);
    const Work* work = head(q, t);
    if (!work || pass(q, *work, t) || isHeld(kVector, work->ports)) return;
    const Entry entry = issue(q, t);
    const int64_t reads = entry.work.cycles;
    const int64_t completes = reads == 0 ? t : t + reads + config_.vectorTail();
    accepts_[q] = completes + 1;
    if (reads > 0) holds_[kVector].push_back({completes, entry.work.ports});
    complete(q, entry, completes);
  }

  void prepare(int64_t t) {
    constexpr int q = static_cast<int>(Queue::Matrix);
    const Work* work = head(q, t);
    if (!work || preparing_ || pass(q, *work, t) || isHeld(kWeights, work->weights)) return;
    preparing_ = issue(q, t);
    prepared_ = t + preparing_->work.prepare;
    if (!preparing_->work.keep) holds_[kWeights].push_back({prepared_, preparing_->work.weights});
  }

  void stream(int64_t t) {
    if (!preparing_ || t < prepared_ || t < stream_free_) return;
    const Work& work = preparing_->work;
    if (isHeld(kActivations, work.activations) || isHeld(kAccumulator, work.ports)) return;
    const int64_t rows = work.cycles;
    const int64_t completes =
        t + rows + config_.side * config_.matrixStep() + config_.side + config_.matrixTail();
    stream_free_ = t + std::max<int64_t>(rows, kMatrixMinRows) + config_.matrixGap();
    holds_[kActivations].push_back({t + rows, work.activations});
    holds_[kAccumulator].push_back({completes, work.ports});
    timing_.multiplications += work.multiplications;
    complete(static_cast<int>(Queue::Matrix), *preparing_, completes);
    preparing_.reset();
    acted_ = true;
  }

  const Config& config_;
  const std::span<const Word> program_;
  const int64_t dram_bytes_;
  std::vector<InstructionTimes>* const times_;
  Timing timing_;
  int64_t now_ = 0, end_ = 0;
  bool acted_ = false;  // something issued or was dispatched in this cycle

  LoopState loops_;  // as dispatched
  int64_t pc_ = 0, requested_ = 0, last_dispatch_ = -1;
  std::array<int64_t, kFetchBuffer> dispatched_;
  std::optional<Instruction> checked_;  // instruction pc_, once it has passed
  bool fetch_over_ = false;

  TokenCounters tokens_;
  std::array<std::deque<Entry>, kQueues> queues_;
  std::array<int64_t, kQueues> ordinals_ = {};
  std::array<int64_t, kQueues> accepts_ = {};  // first cycle in which the unit takes another
  std::array<std::deque<InFlight>, kQueues> in_flight_;
  std::array<std::optional<InFlight>, kQueues> dram_fault_;
  std::array<std::vector<Hold>, kClients> holds_;
  std::optional<Entry> preparing_;  // the prepare stage of the matrix unit
  int64_t prepared_ = 0, stream_free_ = 0;
};

}  // namespace

Timing simulateTiming(const Config& config, std::span<const Word> program, const TimingStart& start,
                      int64_t dram_bytes, std::vector<InstructionTimes>* times) {
  return Simulator(config, program, start, dram_bytes, times).run();
}

}  // namespace tetrarch::npu
