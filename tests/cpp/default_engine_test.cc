// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/iomgr_uv/default_engine.h"

#include <grpc/event_engine/memory_allocator.h>

#include <atomic>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "src/core/lib/event_engine/channel_args_endpoint_config.h"
#include "src/core/lib/event_engine/default_event_engine_factory.h"
#include "src/core/lib/event_engine/tcp_socket_utils.h"
#include "src/iomgr_uv/orphan_queue.h"
#include "src/iomgr_uv/uv_engine.h"
#include "tests/cpp/loop_fixture.h"

namespace uvgrpc {
namespace {

using grpc_event_engine::experimental::ChannelArgsEndpointConfig;
using std::chrono::milliseconds;

class DefaultEngineTest : public LoopFixture {
 protected:
  const std::shared_ptr<UvEventEngine>& engine() {
    if (engine_ == nullptr) engine_ = MakeEngine();
    return engine_;
  }

  std::shared_ptr<UvEventEngine> MakeEngine() {
    auto created = UvEventEngine::Create(loop(), uv());
    EXPECT_TRUE(created.ok()) << created.status();
    Watch((*created)->bridge()->shared_from_this());
    return *std::move(created);
  }

  void TearDown() override {
    CloseLoop();
    engine_.reset();
  }

  DefaultEngine& default_engine() { return DefaultEngine::Get(); }

  // A connection attempt to an address that refuses.
  EventEngine::ConnectionHandle ConnectToNobody(
      EventEngine::OnConnectCallback on_connect) {
    const auto address = grpc_event_engine::experimental::URIToResolvedAddress(
        "ipv4:127.0.0.1:1");
    EXPECT_TRUE(address.ok());
    return default_engine().Connect(
        std::move(on_connect), *address, config_,
        grpc_event_engine::experimental::MemoryAllocator(),
        std::chrono::seconds(5));
  }

  const ChannelArgsEndpointConfig config_{grpc_core::ChannelArgs()};

 private:
  std::shared_ptr<UvEventEngine> engine_;
};

class CountingClosure final : public EventEngine::Closure {
 public:
  void Run() override { ++runs; }
  int runs = 0;
};

TEST_F(DefaultEngineTest, ItIsWhatCoreMakesAsItsDefault) {
  EXPECT_EQ(grpc_event_engine::experimental::DefaultEventEngineFactory().get(),
            &default_engine());
}

TEST_F(DefaultEngineTest, WithoutAnEngineClosuresWaitForADrain) {
  CountingClosure closure;
  bool ran = false;
  default_engine().Run(&closure);
  default_engine().Run([&] { ran = true; });
  EXPECT_FALSE(ran);
  OrphanQueue::Get().Drain();
  EXPECT_TRUE(ran);
  EXPECT_EQ(closure.runs, 1);
}

TEST_F(DefaultEngineTest, WithoutAnEngineTimersWaitForOne) {
  bool fired = false;
  auto held = std::make_shared<int>(0);
  default_engine().RunAfter(milliseconds(1), [&] { fired = true; });
  const auto handle =
      default_engine().RunAfter(milliseconds(1), [held] { ++*held; });
  EXPECT_NE(handle, EventEngine::TaskHandle::kInvalid);
  EXPECT_TRUE(default_engine().Cancel(handle));
  EXPECT_FALSE(default_engine().Cancel(handle));
  EXPECT_EQ(held.use_count(), 1);
  engine();
  EXPECT_TRUE(RunUntil([&] { return fired; }));
  EXPECT_EQ(*held, 0);
}

TEST_F(DefaultEngineTest, WithoutAnEngineTheRestFailsWithAStatus) {
  std::optional<absl::Status> connect;
  const auto handle =
      ConnectToNobody([&](auto result) { connect = result.status(); });
  EXPECT_EQ(handle, EventEngine::ConnectionHandle::kInvalid);
  EXPECT_FALSE(default_engine().CancelConnect(handle));
  EXPECT_FALSE(connect.has_value());
  OrphanQueue::Get().Drain();
  EXPECT_EQ(connect->code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(default_engine().GetDNSResolver({}).status().code(),
            absl::StatusCode::kUnavailable);
  EXPECT_EQ(
      default_engine()
          .CreateListener([](auto, auto) {}, [](auto) {}, config_, nullptr)
          .status()
          .code(),
      absl::StatusCode::kUnavailable);
  EXPECT_FALSE(default_engine().IsWorkerThread());
}

TEST_F(DefaultEngineTest, WorkGoesToTheEngineOfTheThread) {
  engine();
  EXPECT_TRUE(default_engine().IsWorkerThread());
  CountingClosure closure;
  int ran = 0;
  default_engine().Run(&closure);
  default_engine().Run([&] { ++ran; });
  default_engine().RunAfter(milliseconds(1), [&] { ++ran; });
  default_engine().RunAfter(milliseconds(1), &closure);
  EXPECT_TRUE(RunUntil([&] { return ran == 2 && closure.runs == 2; }));
}

TEST_F(DefaultEngineTest, WorkOfAStrangeThreadGoesToSomeEngine) {
  engine();
  bool on_loop_thread = false;
  bool ran = false;
  std::thread([&] {
    EXPECT_FALSE(default_engine().IsWorkerThread());
    default_engine().Run([&] {
      on_loop_thread = engine()->IsWorkerThread();
      ran = true;
    });
  }).join();
  EXPECT_TRUE(RunUntil([&] { return ran; }));
  EXPECT_TRUE(on_loop_thread);
}

TEST_F(DefaultEngineTest, ATimerIsCancelledAtTheEngineThatMadeIt) {
  const auto other = MakeEngine();
  bool fired = false;
  const auto mine = engine()->RunAfter(milliseconds(5), [&] { fired = true; });
  const auto others = other->RunAfter(milliseconds(5), [&] { fired = true; });
  EXPECT_NE(UvEventEngine::EngineIdOf(mine), UvEventEngine::EngineIdOf(others));
  EXPECT_FALSE(engine()->Cancel(others));
  EXPECT_FALSE(other->Cancel(mine));
  EXPECT_TRUE(default_engine().Cancel(others));
  EXPECT_TRUE(default_engine().Cancel(mine));
  RunFor(milliseconds(20));
  EXPECT_FALSE(fired);
}

TEST_F(DefaultEngineTest, AnAttemptIsCancelledAtTheEngineThatMadeIt) {
  const auto other = MakeEngine();
  engine();
  bool called = false;
  const auto handle = ConnectToNobody([&](auto) { called = true; });
  EXPECT_NE(UvEventEngine::EngineIdOf(handle), 0u);
  // Core passes on only the first key of a handle.
  const EventEngine::ConnectionHandle seen_by_core{{handle.keys[0], 0}};
  EXPECT_TRUE(default_engine().CancelConnect(seen_by_core));
  EXPECT_FALSE(default_engine().CancelConnect(seen_by_core));
  RunFor(milliseconds(20));
  EXPECT_FALSE(called);
}

TEST_F(DefaultEngineTest, HandlesOfAnEngineThatIsGoneAreMisses) {
  auto other = MakeEngine();
  const auto task = other->RunAfter(std::chrono::hours(1), [] {});
  other->Shutdown();
  EXPECT_FALSE(default_engine().Cancel(task));
  other.reset();
  EXPECT_FALSE(default_engine().Cancel(task));
  EXPECT_FALSE(default_engine().Cancel(EventEngine::TaskHandle::kInvalid));
  EXPECT_FALSE(
      default_engine().CancelConnect(EventEngine::ConnectionHandle::kInvalid));
}

TEST_F(DefaultEngineTest, AnEngineThatDiesOnAnotherThreadShutsDownByItself) {
  auto other = MakeEngine();
  const auto bridge = other->bridge()->shared_from_this();
  bool dropped = false;
  auto on_drop = std::shared_ptr<void>(nullptr, [&](void*) { dropped = true; });
  other->RunAfter(std::chrono::hours(1), [on_drop = std::move(on_drop)] {});
  std::thread([&] { other.reset(); }).join();
  EXPECT_FALSE(bridge->is_closed());
  EXPECT_TRUE(RunUntil([&] { return bridge->is_closed(); }));
  EXPECT_TRUE(dropped);
}

// A thread with a loop and an engine of its own.
class OtherLoop {
 public:
  OtherLoop() {
    absl::Notification made;
    thread_ = std::thread([this, &made] {
      ASSERT_EQ(uv_loop_init(&loop_), 0);
      ASSERT_EQ(uv_async_init(&loop_, &wake_, [](uv_async_t*) {}), 0);
      auto created = UvEventEngine::Create(&loop_, LinkedUvApi());
      ASSERT_TRUE(created.ok());
      engine_ = *std::move(created);
      made.Notify();
      running_.WaitForNotification();
      while (!closing_) uv_run(&loop_, UV_RUN_ONCE);
      engine_->Shutdown();
      uv_close(reinterpret_cast<uv_handle_t*>(&wake_), nullptr);
      for (int i = 0; i < 3; ++i) uv_run(&loop_, UV_RUN_NOWAIT);
      EXPECT_EQ(engine_->bridge()->handle_count(), 0);
      EXPECT_EQ(uv_loop_close(&loop_), 0);
      engine_.reset();
    });
    made.WaitForNotification();
  }
  ~OtherLoop() {
    if (thread_.joinable()) Close();
  }

  // Until then the loop is open and does nothing.
  void Run() { running_.Notify(); }
  void Close() {
    if (!running_.HasBeenNotified()) Run();
    closing_ = true;
    uv_async_send(&wake_);
    thread_.join();
  }

  UvEventEngine& engine() { return *engine_; }

 private:
  uv_loop_t loop_;
  uv_async_t wake_;
  std::shared_ptr<UvEventEngine> engine_;
  absl::Notification running_;
  std::atomic<bool> closing_{false};
  std::thread thread_;
};

TEST_F(DefaultEngineTest, EachLoopThreadFindsItsOwnEngine) {
  engine();
  OtherLoop other;
  other.Run();
  const auto ran_on = [&](UvEventEngine& starter) {
    auto& posting = default_engine();
    UvEventEngine* result = nullptr;
    absl::Notification done;
    bool seen = false;
    starter.Run([&] {
      EXPECT_TRUE(posting.IsWorkerThread());
      posting.RunAfter(milliseconds(1), [&] {
        posting.Run([&] {
          result = engine()->IsWorkerThread() ? engine().get() : nullptr;
          if (other.engine().IsWorkerThread()) result = &other.engine();
          seen = true;
          engine()->Run([&] { done.Notify(); });
        });
      });
    });
    EXPECT_TRUE(RunUntil([&] { return done.HasBeenNotified(); }));
    EXPECT_TRUE(seen);
    return result;
  };
  EXPECT_EQ(ran_on(*engine()), engine().get());
  EXPECT_EQ(ran_on(other.engine()), &other.engine());
}

TEST_F(DefaultEngineTest, WorkOfAStrangeThreadNeedsNoOtherLoopThanOneThatRuns) {
  engine();
  OtherLoop idle;  // made last, and does not run
  std::atomic<int> ran{0};
  std::thread([&] {
    default_engine().Run([&] { ++ran; });
    default_engine().RunAfter(milliseconds(1), [&] { ++ran; });
  }).join();
  EXPECT_TRUE(RunUntil([&] { return ran == 2; }));
  idle.Run();
  RunFor(milliseconds(20));
  EXPECT_EQ(ran, 2);
}

TEST_F(DefaultEngineTest, WorkOfAStrangeThreadIsNotForTheOldestLoopOnly) {
  engine();  // does not run while the thread waits
  OtherLoop running;
  running.Run();
  absl::Notification ran;
  absl::Notification fired;
  std::thread([&] {
    default_engine().Run([&] { ran.Notify(); });
    default_engine().RunAfter(milliseconds(1), [&] { fired.Notify(); });
    EXPECT_TRUE(ran.WaitForNotificationWithTimeout(absl::Seconds(10)));
    EXPECT_TRUE(fired.WaitForNotificationWithTimeout(absl::Seconds(10)));
  }).join();
}

TEST_F(DefaultEngineTest, WorkIsNotLostWhenALoopCloses) {
  std::atomic<int> fired{0};
  std::atomic<bool> ran{false};
  OtherLoop other;
  absl::Notification posted;
  other.engine().Run([&] {
    default_engine().RunAfter(milliseconds(50), [&] { ++fired; });
    posted.Notify();
  });
  other.Run();
  posted.WaitForNotification();
  engine();
  std::thread([&] { default_engine().Run([&] { ran = true; }); }).join();
  other.Close();
  EXPECT_EQ(fired, 0);
  EXPECT_TRUE(RunUntil([&] { return ran && fired == 1; }));
  RunFor(milliseconds(60));
  EXPECT_EQ(fired, 1);
}

TEST_F(DefaultEngineTest, TimersOfTheLastLoopWaitForTheNext) {
  std::atomic<bool> fired{false};
  {
    OtherLoop other;
    absl::Notification posted;
    other.engine().Run([&] {
      default_engine().RunAfter(milliseconds(1), [&] { fired = true; });
      default_engine().RunAfter(std::chrono::hours(1), [] {});
      other.engine().Shutdown();
      posted.Notify();
    });
    other.Run();
    posted.WaitForNotification();
  }
  EXPECT_FALSE(fired);
  engine();
  EXPECT_TRUE(RunUntil([&] { return fired.load(); }));
}

TEST_F(DefaultEngineTest, OnAThreadWithTwoLoopsEitherMayTakeTheWork) {
  uv_loop_t idle_loop;
  ASSERT_EQ(uv_loop_init(&idle_loop), 0);
  engine();
  auto idle = UvEventEngine::Create(&idle_loop, uv());
  ASSERT_TRUE(idle.ok());
  int ran = 0;
  engine()->Run([&] {
    default_engine().Run([&] { ++ran; });
    default_engine().RunAfter(milliseconds(1), [&] { ++ran; });
  });
  EXPECT_TRUE(RunUntil([&] { return ran == 2; }));
  (*idle)->Shutdown();
  for (int i = 0; i < 3; ++i) uv_run(&idle_loop, UV_RUN_NOWAIT);
  EXPECT_EQ(uv_loop_close(&idle_loop), 0);
  EXPECT_EQ(ran, 2);
}

TEST_F(DefaultEngineTest, ATimerThatSeveralLoopsHaveIsCancelledOnAll) {
  const auto other = MakeEngine();
  engine();
  EventEngine::TaskHandle handle;
  int fired = 0;
  std::thread([&] {
    handle = default_engine().RunAfter(milliseconds(5), [&] { ++fired; });
  }).join();
  EXPECT_TRUE(default_engine().Cancel(handle));
  EXPECT_FALSE(default_engine().Cancel(handle));
  RunFor(milliseconds(20));
  EXPECT_EQ(fired, 0);
}

TEST_F(DefaultEngineTest, ATimerWithoutAnEndIsNotDueAtOnce) {
  engine();
  bool fired = false;
  const auto handle = default_engine().RunAfter(EventEngine::Duration::max(),
                                                [&] { fired = true; });
  RunFor(milliseconds(5));
  EXPECT_FALSE(fired);
  EXPECT_TRUE(default_engine().Cancel(handle));
}

}  // namespace
}  // namespace uvgrpc
