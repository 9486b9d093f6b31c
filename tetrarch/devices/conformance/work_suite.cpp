// Code, launches, signals, threads, loss.
#include <chrono>
#include <cmath>

#include "tetrarch/devices/conformance/fixture.h"

namespace tetrarch::conformance {
namespace {

using Code = Conformance;
using Launches = Conformance;
using Signals = Conformance;
using Threads = Conformance;
using Loss = Conformance;

constexpr uint64_t kSecond = 1'000'000'000;

TEST_F(Code, KernelsSayWhatTheyAre) {
  Handle<tet_module> module = load();
  for (const char* symbol : {"add_one", "twice"}) {
    tet_kernel_info info = {};
    info.struct_size = sizeof info;
    EXPECT_OK(api().kernel_info(kernel(module.get(), symbol), &info, &error));
    EXPECT_EQ(info.units, uint64_t{kUnits});
    EXPECT_EQ(info.granularity, 1u);
    EXPECT_TRUE(info.buffer_count == 2 || info.buffer_count == UINT32_MAX);
  }
}

TEST_F(Code, BadSymbolFormatAndBytesAreErrors) {
  Handle<tet_module> module = load();
  tet_kernel* none = nullptr;
  EXPECT_CODE(TET_NOT_FOUND, api().kernel_find(module.get(), "no_such_kernel", &none, &error));
  const Subject& s = theSubject();
  EXPECT_EQ(tryLoad("no-such-format", s.blob.data(), s.blob.size()), TET_INVALID_ARGUMENT);
  std::string garbage(1000, '\x7f');
  EXPECT_EQ(tryLoad(s.format, garbage.data(), garbage.size()), TET_INVALID_ARGUMENT);
  EXPECT_EQ(tryLoad(s.format, "", 0), TET_INVALID_ARGUMENT);
}

TEST_F(Code, TruncatedBlobsAreErrorsAndNeverCrash) {
  const Subject& s = theSubject();
  EXPECT_EQ(tryLoad(s.format, s.blob.data(), s.blob.size() / 2), TET_INVALID_ARGUMENT);
  for (size_t eighth = 1; eighth < 8; ++eighth)
    (void)tryLoad(s.format, s.blob.data(), s.blob.size() * eighth / 8);
}

TEST_F(Code, ABinaryCanBeLoadedAgain) {
  if (!api().module_binary) GTEST_SKIP() << "the device offers no binaries";
  Handle<tet_module> module = load();
  uint64_t size = 0;
  const char* format = nullptr;
  Error error;
  tet_status status = api().module_binary(module.get(), nullptr, 0, &size, &format, &error);
  if (status == TET_UNIMPLEMENTED) GTEST_SKIP() << error.message;
  ASSERT_EQ(status, TET_OK) << error.message;
  std::vector<std::byte> bytes(size);
  EXPECT_OK(api().module_binary(module.get(), bytes.data(), size, &size, &format, &error));
  EXPECT_EQ(tryLoad(format, bytes.data(), bytes.size()), TET_OK);
}

TEST_F(Launches, EveryPartitionGivesTheSame) {
  Handle<tet_module> module = load();
  Handle<tet_queue> q = queue();
  tet_kernel* k = kernel(module.get(), "add_one");
  Handle<tet_buffer> in = filled(1, q.get());
  for (uint64_t step : {1, 3, 7, 16}) {
    Handle<tet_buffer> out = filled(0, q.get());
    for (uint64_t begin = 0; begin < kUnits; begin += step) {
      EXPECT_EQ(launch(q.get(), k, in.get(), out.get(), begin, std::min<uint64_t>(begin + step, kUnits)),
                TET_OK);
    }
    expectAll(2, out.get(), q.get());
  }
}

TEST_F(Launches, ARangeWritesOnlyItsOwn) {
  Handle<tet_module> module = load();
  Handle<tet_queue> q = queue();
  Handle<tet_buffer> in = filled(1, q.get()), out = filled(9, q.get());
  tet_kernel* k = kernel(module.get(), "add_one");
  EXPECT_EQ(launch(q.get(), k, in.get(), out.get(), 5, 5), TET_OK);  // nothing
  EXPECT_EQ(launch(q.get(), k, in.get(), out.get(), 4, 6), TET_OK);
  std::vector<float> values(kElements);
  EXPECT_OK(api().copy_out(q.get(), values.data(), out.get(), 0, kElements * sizeof(float), &error));
  EXPECT_OK(api().queue_finish(q.get(), &error));
  if (!theSubject().computes) return;
  constexpr int kUnit = kElements / kUnits;
  for (int i = 0; i < kElements; ++i) EXPECT_EQ(values[i], i / kUnit == 4 || i / kUnit == 5 ? 2 : 9) << i;
}

TEST_F(Launches, RunInOrder) {
  Handle<tet_module> module = load();
  Handle<tet_queue> q = queue();
  tet_kernel *add = kernel(module.get(), "add_one"), *twice = kernel(module.get(), "twice");
  Handle<tet_buffer> a = filled(0, q.get()), b = filled(0, q.get());
  // x → (x + 1) * 2, ten times over, as ten chains of two and as one chain of twenty.
  tet_buffer *forth[] = {a.get(), b.get()}, *back[] = {b.get(), a.get()};
  std::vector<tet_launch> chain;
  for (int i = 0; i < 10; ++i) {
    chain.push_back({sizeof(tet_launch), add, forth, 2, 0, 0, kUnits, nullptr});
    chain.push_back({sizeof(tet_launch), twice, back, 2, 0, 0, kUnits, nullptr});
  }
  for (int i = 0; i < 10; ++i) EXPECT_OK(api().launch(q.get(), &chain[2 * i], 2, &error));
  expectAll(2046, a.get(), q.get());
  Handle<tet_buffer> again = filled(0, q.get());
  forth[0] = back[1] = again.get();
  EXPECT_OK(api().launch(q.get(), chain.data(), chain.size(), &error));
  forth[0] = back[1] = nullptr;  // the plug-in may not look again
  expectAll(2046, again.get(), q.get());
}

TEST_F(Launches, BadArgumentsAreErrorsAndDoNoHarm) {
  Handle<tet_module> module = load();
  Handle<tet_queue> q = queue();
  tet_kernel* k = kernel(module.get(), "add_one");
  Handle<tet_buffer> in = filled(1, q.get()), out = filled(0, q.get());
  EXPECT_EQ(launch(q.get(), k, in.get(), out.get(), 0, kUnits + 1), TET_OUT_OF_RANGE);
  EXPECT_EQ(launch(q.get(), k, in.get(), out.get(), 3, 2), TET_OUT_OF_RANGE);
  tet_buffer* one[] = {in.get()};
  tet_launch short_one = {sizeof short_one, k, one, 1, 0, 0, kUnits, nullptr};
  EXPECT_CODE(TET_INVALID_ARGUMENT, api().launch(q.get(), &short_one, 1, &error));
  EXPECT_OK(api().launch(q.get(), nullptr, 0, &error));
  EXPECT_EQ(launch(q.get(), k, in.get(), out.get()), TET_OK);
  expectAll(2, out.get(), q.get());
}

TEST_F(Launches, ReceiptsAreFilled) {
  Handle<tet_module> module = load();
  Handle<tet_queue> q = queue();
  Handle<tet_buffer> in = filled(1, q.get()), out = filled(0, q.get());
  tet_receipt receipt = {};
  receipt.struct_size = sizeof receipt;
  receipt.seconds = -1;
  receipt.source = -1;
  EXPECT_EQ(launch(q.get(), kernel(module.get(), "add_one"), in.get(), out.get(), 0, kUnits, &receipt),
            TET_OK);
  EXPECT_OK(api().queue_finish(q.get(), &error));
  EXPECT_EQ(receipt.struct_size, sizeof receipt);
  EXPECT_TRUE(std::isnan(receipt.seconds) || (receipt.seconds >= 0 && receipt.seconds < 10))
      << receipt.seconds;
  EXPECT_TRUE(receipt.source == TET_MEASURED || receipt.source == TET_SIMULATED ||
              receipt.source == TET_MODELLED);
}

TEST_F(Signals, HostSetQueryWait) {
  Handle<tet_signal> s = signal(5);
  uint64_t value = 0;
  EXPECT_OK(api().signal_query(s.get(), &value, &error));
  EXPECT_EQ(value, 5u);
  EXPECT_OK(api().signal_wait(s.get(), 5, 0, &error));
  EXPECT_CODE(TET_DEADLINE_EXCEEDED, api().signal_wait(s.get(), 6, 1'000'000, &error));
  EXPECT_OK(api().signal_set(s.get(), 8, &error));
  EXPECT_OK(api().signal_set(s.get(), 3, &error));  // ignored: values only grow
  EXPECT_OK(api().signal_wait(s.get(), 7, UINT64_MAX, &error));
  EXPECT_OK(api().signal_query(s.get(), &value, &error));
  EXPECT_EQ(value, 8u);
}

TEST_F(Signals, NotifyCallsOnceWhenReached) {
  Handle<tet_signal> s = signal();
  std::atomic<int> calls{0};
  auto count = [](void* user, tet_status status) {
    EXPECT_EQ(status, TET_OK);
    ++*static_cast<std::atomic<int>*>(user);
  };
  EXPECT_OK(api().signal_notify(s.get(), 0, count, &calls, &error));
  EXPECT_EQ(calls, 1) << "already reached: at once";
  EXPECT_OK(api().signal_notify(s.get(), 2, count, &calls, &error));
  EXPECT_OK(api().signal_set(s.get(), 1, &error));
  EXPECT_EQ(calls, 1);
  EXPECT_OK(api().signal_set(s.get(), 3, &error));
  EXPECT_OK(api().signal_set(s.get(), 4, &error));
  for (int i = 0; i < 1000 && calls < 2; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  EXPECT_EQ(calls, 2);
}

TEST_F(Signals, AQueueSignalsWhenItsWorkIsDone) {
  Handle<tet_module> module = load();
  Handle<tet_queue> q = queue();
  Handle<tet_signal> s = signal();
  Handle<tet_buffer> in = filled(1, q.get()), out = filled(0, q.get());
  std::vector<float> values(kElements);
  EXPECT_EQ(launch(q.get(), kernel(module.get(), "add_one"), in.get(), out.get()), TET_OK);
  EXPECT_OK(api().copy_out(q.get(), values.data(), out.get(), 0, kElements * sizeof(float), &error));
  EXPECT_OK(api().queue_signal(q.get(), s.get(), 1, &error));
  EXPECT_OK(api().queue_flush(q.get(), &error));
  EXPECT_OK(api().signal_wait(s.get(), 1, 60 * kSecond, &error));
  if (theSubject().computes) EXPECT_EQ(values[kElements - 1], 2);
}

TEST_F(Signals, AQueueWaitsForAnotherWithoutBlockingTheCaller) {
  Handle<tet_module> module = load();
  Handle<tet_queue> first = queue(), second = queue();
  Handle<tet_signal> go = signal(), done = signal();
  tet_kernel *add = kernel(module.get(), "add_one"), *twice = kernel(module.get(), "twice");
  Handle<tet_buffer> a = filled(1, first.get()), b = filled(0, first.get()), c = filled(0, first.get());
  // The second queue is filled first, and each holds back until told.
  EXPECT_OK(api().queue_wait(second.get(), done.get(), 1, &error));
  EXPECT_EQ(launch(second.get(), twice, b.get(), c.get()), TET_OK);
  EXPECT_OK(api().queue_wait(first.get(), go.get(), 1, &error));
  EXPECT_EQ(launch(first.get(), add, a.get(), b.get()), TET_OK);
  EXPECT_OK(api().queue_signal(first.get(), done.get(), 1, &error));
  EXPECT_OK(api().queue_flush(first.get(), &error));
  EXPECT_OK(api().queue_flush(second.get(), &error));
  EXPECT_CODE(TET_DEADLINE_EXCEEDED, api().signal_wait(done.get(), 1, 5'000'000, &error));
  EXPECT_OK(api().signal_set(go.get(), 1, &error));
  EXPECT_OK(api().signal_wait(done.get(), 1, 60 * kSecond, &error));
  EXPECT_OK(api().queue_finish(second.get(), &error));
  expectAll(4, c.get(), second.get());
}

TEST_F(Threads, EachWithItsOwnQueue) {
  Handle<tet_module> module = load();
  tet_kernel *add = kernel(module.get(), "add_one"), *twice = kernel(module.get(), "twice");
  std::vector<std::thread> threads;
  for (int t = 0; t < 6; ++t) {
    threads.emplace_back([&, t] {
      Handle<tet_queue> q = queue();
      for (int round = 0; round < 15; ++round) {
        Handle<tet_buffer> a = filled(static_cast<float>(t), q.get()), b = filled(0, q.get());
        EXPECT_EQ(launch(q.get(), add, a.get(), b.get()), TET_OK);
        EXPECT_EQ(launch(q.get(), twice, b.get(), a.get()), TET_OK);
        expectAll(static_cast<float>(2 * (t + 1)), a.get(), q.get());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_F(Threads, TwoDevicesSideBySide) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&] {
      Handle<tet_device> device = open();
      Handle<tet_module> module = load(device.get());
      Handle<tet_queue> q = queue(device.get());
      Handle<tet_buffer> a = filled(1, q.get(), device.get()), b = filled(0, q.get(), device.get());
      for (int i = 0; i < 20; ++i) {
        EXPECT_EQ(launch(q.get(), kernel(module.get(), "add_one"), a.get(), b.get()), TET_OK);
      }
      expectAll(2, b.get(), q.get());
    });
  }
  for (std::thread& thread : threads) thread.join();
}

struct LossEvents {
  std::atomic<int> lost{0};
  static void count(void* user, const tet_event* event) {
    EXPECT_GE(event->struct_size, sizeof(tet_event));
    EXPECT_NE(event->message[0], 0);
    if (event->kind == TET_EVENT_LOST) ++static_cast<LossEvents*>(user)->lost;
  }
};

TEST_F(Loss, IsRaisedOnceAndNothingHangs) {
  if (theSubject().loss_options.empty()) GTEST_SKIP() << "loss of this device cannot be provoked";
  LossEvents events;
  Handle<tet_device> device = open(theSubject().loss_options, LossEvents::count, &events);
  Handle<tet_module> module = load(device.get());
  Handle<tet_queue> q = queue(device.get()), waiting = queue(device.get());
  Handle<tet_signal> never = signal(0, device.get()), behind = signal(0, device.get());
  tet_kernel* add = kernel(module.get(), "add_one");
  Handle<tet_buffer> a = filled(1, q.get(), device.get()), b = filled(0, q.get(), device.get());
  EXPECT_OK(api().queue_wait(waiting.get(), never.get(), 1, &error));
  std::atomic<int> notified{0};
  auto note = [](void* user, tet_status status) { *static_cast<std::atomic<int>*>(user) = status; };
  EXPECT_OK(api().signal_notify(never.get(), 1, note, &notified, &error));
  std::thread waiter(
      [&] { EXPECT_CODE(TET_UNAVAILABLE, api().signal_wait(never.get(), 1, UINT64_MAX, &error)); });
  for (int i = 0; i < 3; ++i) EXPECT_EQ(launch(q.get(), add, a.get(), b.get()), TET_OK) << i;
  (void)launch(q.get(), add, a.get(), b.get());
  EXPECT_CODE(TET_UNAVAILABLE, api().queue_finish(q.get(), &error));
  waiter.join();
  EXPECT_EQ(events.lost, 1);
  for (int i = 0; i < 1000 && notified == 0; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  EXPECT_EQ(notified, TET_UNAVAILABLE);
  float x = 0;
  tet_buffer* buffer = nullptr;
  EXPECT_CODE(TET_UNAVAILABLE, api().queue_finish(waiting.get(), &error));
  EXPECT_CODE(TET_UNAVAILABLE, api().buffer_alloc(device.get(), 4, &buffer, &error));
  EXPECT_CODE(TET_UNAVAILABLE, api().copy_in(q.get(), a.get(), 0, &x, sizeof x, &error));
  EXPECT_EQ(launch(q.get(), add, a.get(), b.get()), TET_UNAVAILABLE);
  EXPECT_CODE(TET_UNAVAILABLE, api().signal_wait(behind.get(), 1, UINT64_MAX, &error));
  EXPECT_EQ(events.lost, 1);
}

TEST_F(Loss, LeavesOtherDevicesAlone) {
  if (theSubject().loss_options.empty()) GTEST_SKIP() << "loss of this device cannot be provoked";
  Handle<tet_device> device = open(theSubject().loss_options);
  Handle<tet_module> lost_module = load(device.get()), module = load();
  Handle<tet_queue> lost_queue = queue(device.get()), q = queue();
  Handle<tet_buffer> a = filled(1, lost_queue.get(), device.get()),
                     b = filled(0, lost_queue.get(), device.get());
  tet_kernel* add = kernel(lost_module.get(), "add_one");
  for (int i = 0; i < 5; ++i) (void)launch(lost_queue.get(), add, a.get(), b.get());
  Handle<tet_buffer> in = filled(1, q.get()), out = filled(0, q.get());
  EXPECT_EQ(launch(q.get(), kernel(module.get(), "add_one"), in.get(), out.get()), TET_OK);
  expectAll(2, out.get(), q.get());
  // Its buffers go before its queue, and work that was under way when it was lost may still use them.
  (void)api().queue_finish(lost_queue.get(), nullptr);
}

}  // namespace
}  // namespace tetrarch::conformance
