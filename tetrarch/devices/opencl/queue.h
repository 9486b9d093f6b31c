// An in-order queue: everything is enqueued and nothing waited for, so a chain of launches is one chain of
// enqueues.
#pragma once

#include <map>

#include "tetrarch/devices/opencl/module.h"

struct tet_queue {
  static tetrarch::Result<std::unique_ptr<tet_queue>> create(tet_device* device);
  ~tet_queue();  // after its work is done

  tetrarch::Status copyIn(tet_buffer* to, uint64_t offset, const void* from, uint64_t bytes);
  tetrarch::Status copyOut(void* to, tet_buffer* from, uint64_t offset, uint64_t bytes);
  tetrarch::Status copy(tet_buffer* to, uint64_t to_offset, tet_buffer* from, uint64_t from_offset,
                        uint64_t bytes);
  tetrarch::Status launch(const tet_launch* launches, uint64_t count);
  tetrarch::Status signal(tet_signal* signal, uint64_t value);
  tetrarch::Status wait(tet_signal* signal, uint64_t value);
  tetrarch::Status flush();
  tetrarch::Status finish();
  // Lets go of everything that the queue waits for.
  void releaseWaits();

  tet_device* const device;

 private:
  // A launch whose times are still to be read.
  struct PendingReceipt {
    uint64_t sequence;
    cl_event first, last;
    tet_receipt* receipt;
  };
  // The barrier behind a signal that has not been reached.
  struct PendingWait {
    explicit PendingWait(cl_event event) : event(event) {}
    ~PendingWait() { tetrarch::opencl::cl().ReleaseEvent(event); }
    void complete() {
      if (!done.exchange(true)) tetrarch::opencl::cl().SetUserEventStatus(event, CL_COMPLETE);
    }
    const cl_event event;
    std::atomic<bool> done{false};
  };
  // What call-backs use; they may come after the queue's own end.
  struct State {
    explicit State(tet_device* device) : device(device) {}
    tetrarch::Status failure();
    void fail(const tetrarch::Status& status);
    // Fills the receipts of launches before `sequence`, which are done.
    void writeReceipts(uint64_t sequence);

    tet_device* const device;
    std::mutex mutex;
    std::condition_variable changed;
    tetrarch::Status failure_;
    size_t outstanding = 0;  // call-backs that are to come
    std::vector<PendingReceipt> receipts;
  };
  struct Marker {
    std::shared_ptr<State> state;
    tet_signal* signal;
    uint64_t value, sequence;
  };

  explicit tet_queue(tet_device* device) : device(device), state_(std::make_shared<State>(device)) {}
  static void CL_CALLBACK markerReached(cl_event event, cl_int status, void* user);
  // Runs an enqueue, keeps its error.
  tetrarch::Status keep(tetrarch::Status status);
  tetrarch::Status checkLaunch(const tet_launch& launch) const;
  tetrarch::Status enqueue(const tet_launch& launch);
  tetrarch::Status enqueuePass(const tet_launch& launch, size_t pass, cl_event* event);
  tetrarch::Status setArguments(const tet_launch& launch, size_t pass, uint64_t item_end);
  // Sets an argument unless `set` says that it has this value: a buffer's number, or the number itself.
  tetrarch::Status setArgument(const tet_launch& launch, size_t pass, cl_uint index, uint64_t item_end,
                               uint64_t& set);
  tetrarch::Status growWorkspace(uint64_t bytes);
  tetrarch::Status enqueueMarker(tet_signal* signal, uint64_t value);

  cl_command_queue queue_ = nullptr;
  std::shared_ptr<State> state_;
  uint64_t sequence_ = 0;  // of launches
  cl_mem workspace_ = nullptr;
  uint64_t workspace_bytes_ = 0, workspace_number_ = 0;
  std::mutex waits_mutex_;
  std::vector<std::weak_ptr<PendingWait>> waits_;
};
