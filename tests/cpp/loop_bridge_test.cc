// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/iomgr_uv/loop_bridge.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_join.h"
#include "gtest/gtest.h"
#include "src/iomgr_uv/orphan_queue.h"
#include "tests/cpp/loop_fixture.h"

namespace uvgrpc {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

class LoopBridgeTest : public LoopFixture {
 protected:
  // Runs `work` on a thread of its own, to its end.
  template <typename F>
  void OnOtherThread(F work) {
    std::thread(std::move(work)).join();
  }

  std::string log() const { return absl::StrJoin(log_, " "); }

  std::vector<std::string> log_;
};

class RecordingHooks final : public TurnHooks {
 public:
  explicit RecordingHooks(std::vector<std::string>* log) : log_(log) {}

  void StartCollected() override {
    log_->push_back("start");
    if (on_start != nullptr) on_start();
  }
  bool DeliverCompletions() override {
    log_->push_back("deliver");
    if (on_deliver != nullptr) on_deliver();
    return true;
  }

  bool IsBehind() const override { return is_behind; }

  absl::AnyInvocable<void()> on_start;
  absl::AnyInvocable<void()> on_deliver;
  bool is_behind = false;

 private:
  std::vector<std::string>* const log_;
};

class ClosingObject final : public LoopObject {
 public:
  ClosingObject(LoopBridge* bridge, absl::AnyInvocable<void()> on_closing)
      : LoopObject(bridge), on_closing_(std::move(on_closing)) {}
  void HandleLoopClosing() override {
    auto on_closing = std::move(on_closing_);
    delete this;
    on_closing();
  }

 private:
  absl::AnyInvocable<void()> on_closing_;
};

class CountingClosure final : public EventEngine::Closure {
 public:
  void Run() override { ++runs; }
  int runs = 0;
};

TEST_F(LoopBridgeTest, PostRunsBothKindsOfWorkOnceAndNotInside) {
  CountingClosure closure;
  bool ran = false;
  bridge()->Post(&closure);
  bridge()->Post([&] { ran = true; });
  EXPECT_EQ(closure.runs, 0);
  EXPECT_FALSE(ran);
  EXPECT_TRUE(RunUntil([&] { return ran; }));
  EXPECT_EQ(closure.runs, 1);
}

TEST_F(LoopBridgeTest, PostsRunInOrder) {
  for (int i = 0; i < 5; ++i) {
    bridge()->Post([this, i] { log_.push_back(std::to_string(i)); });
  }
  EXPECT_TRUE(RunUntil([&] { return log_.size() == 5; }));
  EXPECT_EQ(log(), "0 1 2 3 4");
}

TEST_F(LoopBridgeTest, AnIdleLoopIsNeverCalled) {
  bridge();
  RunFor(milliseconds(300));
  EXPECT_EQ(bridge()->callback_count(), 0u);
}

TEST_F(LoopBridgeTest, AfterWorkIsDoneTheLoopIsIdleAgain) {
  RecordingHooks hooks(&log_);
  bridge()->set_turn_hooks(&hooks);
  bridge()->Post([] {});
  bridge()->RequestTurn();
  bridge()->RequestDelivery();
  OnOtherThread([this] { bridge()->Post([] {}); });
  RunFor(milliseconds(100));
  const uint64_t after_work = bridge()->callback_count();
  EXPECT_LE(after_work, 3u);
  RunFor(milliseconds(300));
  EXPECT_EQ(bridge()->callback_count(), after_work);
  bridge()->set_turn_hooks(nullptr);
}

// uvloop runs Python's ready queue from an idle handle; what that posts must
// not wait for the poll.
TEST_F(LoopBridgeTest, WorkPostedByAnIdleHandleRunsBeforeThePoll) {
  struct Probe {
    std::vector<std::string>* log;
    LoopBridge* bridge;
    uv_idle_t idle;
    uv_check_t check;
    int closed = 0;
  } probe{&log_, bridge().get(), {}, {}};
  uv_idle_init(loop(), &probe.idle);
  uv_check_init(loop(), &probe.check);
  probe.idle.data = probe.check.data = &probe;
  uv_idle_start(&probe.idle, [](uv_idle_t* handle) {
    auto* probe = static_cast<Probe*>(handle->data);
    probe->log->push_back("idle");
    probe->bridge->Post([probe] { probe->log->push_back("work"); });
    uv_idle_stop(handle);
  });
  uv_check_start(&probe.check, [](uv_check_t* handle) {
    static_cast<Probe*>(handle->data)->log->push_back("polled");
    uv_check_stop(handle);
  });
  EXPECT_TRUE(RunUntil([&] { return log_.size() == 3; }));
  EXPECT_EQ(log(), "idle work polled");
  for (uv_handle_t* handle : {reinterpret_cast<uv_handle_t*>(&probe.idle),
                              reinterpret_cast<uv_handle_t*>(&probe.check)}) {
    uv_close(handle, [](uv_handle_t* closed) {
      ++static_cast<Probe*>(closed->data)->closed;
    });
  }
  EXPECT_TRUE(RunUntil([&] { return probe.closed == 2; }));
}

TEST_F(LoopBridgeTest, PostsOfOtherThreadsWakeTheLoopOnceABatch) {
  constexpr int kPosts = 500;  // less than one drain does
  int ran = 0;
  bridge();
  OnOtherThread([&] {
    for (int i = 0; i < kPosts; ++i) bridge()->Post([&ran] { ++ran; });
  });
  EXPECT_TRUE(RunUntil([&] { return ran == kPosts; }));
  EXPECT_EQ(bridge()->callback_count(), 1u);
}

TEST_F(LoopBridgeTest, APostOfAnotherThreadWakesASleepingLoop) {
  bool ran = false;
  bridge();
  std::thread thread([&] {
    std::this_thread::sleep_for(milliseconds(20));
    bridge()->Post([&] { ran = true; });
  });
  EXPECT_TRUE(RunUntil([&] { return ran; }));
  thread.join();
}

TEST_F(LoopBridgeTest, PostsFromManyThreadsAllRun) {
  constexpr int kThreads = 4;
  constexpr int kPosts = 5000;
  int ran = 0;
  bridge();
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < kPosts; ++j) bridge()->Post([&ran] { ++ran; });
    });
  }
  EXPECT_TRUE(RunUntil([&] { return ran == kThreads * kPosts; }));
  for (std::thread& thread : threads) thread.join();
}

TEST_F(LoopBridgeTest, WorkThatPostsItselfDoesNotStarveOthers) {
  int ran = 0;
  bool stop = false;
  absl::AnyInvocable<void()> again = [&] {
    ++ran;
    if (!stop) bridge()->Post([&] { again(); });
  };
  bridge()->Post([&] { again(); });
  const auto start = std::chrono::steady_clock::now();
  EXPECT_TRUE(RunUntil([&] { return ran > 0; }));
  // One turn, or two, of a millisecond each.
  EXPECT_LT(std::chrono::steady_clock::now() - start, milliseconds(200));
  const int after_one_turn = ran;
  // The rest goes on without any other wake-up: the poll must not sleep.
  EXPECT_TRUE(RunUntil([&] { return ran > 3 * after_one_turn; }));
  stop = true;
  RunFor(milliseconds(1));
}

TEST_F(LoopBridgeTest, ManyPostsAreSpreadOverTurnsInOrder) {
  constexpr int kPosts = 5000;
  struct Probe {
    std::vector<int> ran;
    // How many had run when a turn had polled.
    std::vector<size_t> ran_by_turn;
    uv_check_t check;
    bool closed = false;
  } probe{};
  uv_check_init(loop(), &probe.check);
  probe.check.data = &probe;
  uv_check_start(&probe.check, [](uv_check_t* handle) {
    auto* probe = static_cast<Probe*>(handle->data);
    probe->ran_by_turn.push_back(probe->ran.size());
  });
  for (int i = 0; i < kPosts; ++i) {
    bridge()->Post([&probe, i] {
      probe.ran.push_back(i);
      if (i % 10 == 0) std::this_thread::sleep_for(microseconds(50));
    });
  }
  EXPECT_TRUE(RunUntil([&] { return probe.ran.size() == kPosts; }));
  EXPECT_TRUE(std::is_sorted(probe.ran.begin(), probe.ran.end()));
  ASSERT_FALSE(probe.ran_by_turn.empty());
  // The first turn took some 16 works more than a millisecond's.
  EXPECT_LT(probe.ran_by_turn[0], static_cast<size_t>(kPosts) / 4);
  uv_close(reinterpret_cast<uv_handle_t*>(&probe.check),
           [](uv_handle_t* handle) {
             static_cast<Probe*>(handle->data)->closed = true;
           });
  EXPECT_TRUE(RunUntil([&] { return probe.closed; }));
}

TEST_F(LoopBridgeTest, WorkThatYieldsGetsATurnWhileDeliveriesAreBehind) {
  RecordingHooks hooks(&log_);
  bridge()->set_turn_hooks(&hooks);
  // As core does that has more to do, but lets others go first.
  int ran = 0;
  absl::AnyInvocable<void()> again = [&] {
    hooks.is_behind = true;
    if (++ran < 20) bridge()->Post([&] { again(); });
  };
  bridge()->Post([&] { again(); });
  // Whoever is behind keeps the loop from sleeping; here, an idle handle does.
  int turns = 0;
  bool closed = false;
  uv_idle_t idle;
  uv_idle_init(loop(), &idle);
  idle.data = &turns;
  uv_idle_start(&idle,
                [](uv_idle_t* handle) { ++*static_cast<int*>(handle->data); });
  EXPECT_TRUE(RunUntil([&] { return ran == 20; }));
  // One a turn, neither more nor less.
  EXPECT_GE(turns, 19);
  EXPECT_LE(turns, 22);
  idle.data = &closed;
  uv_close(reinterpret_cast<uv_handle_t*>(&idle), [](uv_handle_t* handle) {
    *static_cast<bool*>(handle->data) = true;
  });
  EXPECT_TRUE(RunUntil([&] { return closed; }));
  bridge()->set_turn_hooks(nullptr);
}

TEST_F(LoopBridgeTest, DrainingIsNotReentrant) {
  bridge()->Post([this] {
    log_.push_back("outer{");
    bridge()->Post([this] { log_.push_back("inner"); });
    { LoopBridge::CallScope call(bridge().get()); }
    { LoopBridge::CallbackScope callback(bridge().get()); }
    log_.push_back("}");
  });
  EXPECT_TRUE(RunUntil([&] { return log_.size() == 3; }));
  EXPECT_EQ(log(), "outer{ } inner");
}

TEST_F(LoopBridgeTest, ACallScopeRunsPostedWorkButLeavesCompletions) {
  RecordingHooks hooks(&log_);
  bridge()->set_turn_hooks(&hooks);
  {
    LoopBridge::CallScope scope(bridge().get());
    bridge()->Post([this] {
      log_.push_back("work");
      bridge()->RequestDelivery();
    });
  }
  EXPECT_EQ(log(), "work");
  EXPECT_TRUE(RunUntil([&] { return log_.size() == 2; }));
  EXPECT_EQ(log(), "work deliver");
  bridge()->set_turn_hooks(nullptr);
}

TEST_F(LoopBridgeTest, ATurnStartsWorksThenDelivers) {
  RecordingHooks hooks(&log_);
  hooks.on_start = [this] {
    bridge()->Post([this] {
      log_.push_back("work");
      bridge()->RequestDelivery();
    });
  };
  bridge()->set_turn_hooks(&hooks);
  bridge()->RequestTurn();
  EXPECT_TRUE(RunUntil([&] { return log_.size() == 3; }));
  EXPECT_EQ(log(), "start work deliver");
  EXPECT_EQ(bridge()->callback_count(), 1u);
  bridge()->set_turn_hooks(nullptr);
}

TEST_F(LoopBridgeTest, CompletionsAreDeliveredWhenTheScopeEnds) {
  RecordingHooks hooks(&log_);
  bridge()->set_turn_hooks(&hooks);
  OnOtherThread([this] {
    bridge()->Post([this] {
      bridge()->RequestDelivery();
      bridge()->Post([this] { log_.push_back("work"); });
    });
  });
  EXPECT_TRUE(RunUntil([&] { return log_.size() == 2; }));
  EXPECT_EQ(log(), "work deliver");
  EXPECT_EQ(bridge()->callback_count(), 1u);
  bridge()->set_turn_hooks(nullptr);
}

TEST_F(LoopBridgeTest, ATurnAskedForDuringDeliveryNeedsNoWakeUp) {
  RecordingHooks hooks(&log_);
  hooks.on_deliver = [this] {
    if (log_.size() == 1) bridge()->RequestTurn();
  };
  bridge()->set_turn_hooks(&hooks);
  bridge()->RequestDelivery();
  EXPECT_TRUE(RunUntil([&] { return log_.size() == 2; }));
  EXPECT_EQ(log(), "deliver start");
  EXPECT_LE(bridge()->callback_count(), 2u);
  bridge()->set_turn_hooks(nullptr);
}

TEST_F(LoopBridgeTest, TurnsThatAskForMoreTurnsAreAllMade) {
  int turns = 0;
  RecordingHooks hooks(&log_);
  hooks.on_start = [&] {
    if (++turns < 50) bridge()->RequestDelivery();
  };
  hooks.on_deliver = [&] { bridge()->RequestTurn(); };
  bridge()->set_turn_hooks(&hooks);
  bridge()->RequestTurn();
  EXPECT_TRUE(RunUntil([&] { return turns == 50; }, milliseconds(2000)));
  bridge()->set_turn_hooks(nullptr);
}

TEST_F(LoopBridgeTest, TheLoopThreadIsTheOneThatRanTheLoopLast) {
  EXPECT_TRUE(bridge()->InLoopThread());
  OnOtherThread([this] { EXPECT_FALSE(bridge()->InLoopThread()); });
  bool ran = false;
  bridge()->Post([&] { ran = true; });
  std::thread runner([&] {
    EXPECT_TRUE(RunUntil([&] { return ran; }));
    EXPECT_TRUE(bridge()->InLoopThread());
  });
  runner.join();
  EXPECT_FALSE(bridge()->InLoopThread());
}

TEST_F(LoopBridgeTest, BetweenRunsTheLoopIsNobodys) {
  bridge()->Disclaim();
  EXPECT_FALSE(bridge()->InLoopThread());
  OnOtherThread([this] {
    EXPECT_FALSE(bridge()->InLoopThread());
    bridge()->Claim();
    EXPECT_TRUE(bridge()->InLoopThread());
  });
  EXPECT_FALSE(bridge()->InLoopThread());
  // Only who has it can give it up.
  bridge()->Claim();
  OnOtherThread([this] { bridge()->Disclaim(); });
  EXPECT_TRUE(bridge()->InLoopThread());
}

TEST_F(LoopBridgeTest, AThreadIsNotTakenForOneThatHasEnded) {
  // The system gives out the addresses and ids of ended threads again.
  OnOtherThread([this] { bridge()->Claim(); });
  for (int i = 0; i < 20; ++i) {
    OnOtherThread([this] { EXPECT_FALSE(bridge()->InLoopThread()); });
  }
  bridge()->Claim();
}

TEST_F(LoopBridgeTest, AThreadThatRunsAnotherLoopIsNotThisOnes) {
  EXPECT_TRUE(bridge()->InLoopThread());
  const auto other = LoopBridge::Create(loop(), uv());
  ASSERT_TRUE(other.ok());
  Watch(*other);
  EXPECT_TRUE((*other)->InLoopThread());
  EXPECT_FALSE(bridge()->InLoopThread());
}

TEST_F(LoopBridgeTest, WorkPostedBetweenRunsIsRunByTheNext) {
  bridge()->Disclaim();
  bool ran = false;
  bridge()->Post([&] { ran = true; });
  OnOtherThread([&] { EXPECT_TRUE(RunUntil([&] { return ran; })); });
}

TEST_F(LoopBridgeTest, HandlesAreUnreferencedAndHaveNoData) {
  bridge();
  timers();
  int seen = 0;
  uv_walk(
      loop(),
      [](uv_handle_t* handle, void* count) {
        if (handle->data != nullptr) return;  // the fixture's
        ++*static_cast<int*>(count);
        EXPECT_FALSE(uv_has_ref(handle));
      },
      &seen);
  EXPECT_EQ(seen, LoopBridge::kOwnHandles + 1);
  EXPECT_EQ(bridge()->handle_count(), LoopBridge::kOwnHandles + 1);
  EXPECT_EQ(bridge()->DescribeHandles(),
            "1 async, 1 check, 1 prepare, 1 timer");
}

TEST_F(LoopBridgeTest, ShutdownRunsAllWorkThatIsOwed) {
  bridge()->Post([this] {
    log_.push_back("local");
    bridge()->Post([this] { log_.push_back("nested"); });
  });
  OnOtherThread(
      [this] { bridge()->Post([this] { log_.push_back("remote"); }); });
  new ClosingObject(bridge().get(), [this] {
    log_.push_back("closing");
    bridge()->Post([this] { log_.push_back("owed"); });
  });
  bridge()->Shutdown();
  EXPECT_TRUE(bridge()->is_closed());
  EXPECT_EQ(log(), "local remote nested closing owed");
  const auto kept = bridge();
  CloseLoop();
  EXPECT_EQ(kept->handle_count(), 0) << kept->DescribeHandles();
}

TEST_F(LoopBridgeTest, ShutdownLetsGoOfObjectsThatAreMadeMeanwhile) {
  new ClosingObject(bridge().get(), [this] {
    log_.push_back("first");
    bridge()->Post([this] {
      new ClosingObject(bridge().get(), [this] { log_.push_back("second"); });
    });
  });
  bridge()->Shutdown();
  EXPECT_EQ(log(), "first second");
}

TEST_F(LoopBridgeTest, ObjectsMayGoBeforeTheLoopInAnyOrder) {
  class Quiet final : public LoopObject {
   public:
    explicit Quiet(LoopBridge* bridge) : LoopObject(bridge) {}
    void HandleLoopClosing() override { ADD_FAILURE(); }
  };
  auto first = std::make_unique<Quiet>(bridge().get());
  auto second = std::make_unique<Quiet>(bridge().get());
  auto third = std::make_unique<Quiet>(bridge().get());
  second.reset();
  third.reset();
  first.reset();
  bridge()->Shutdown();
}

// An engine that dies on another thread shuts its bridge down by a post.
TEST_F(LoopBridgeTest, ShutdownFromPostedWorkRunsWhatIsOwed) {
  new ClosingObject(bridge().get(), [this] {
    log_.push_back("closing");
    bridge()->Post([this] { log_.push_back("owed"); });
  });
  bool shut_down = false;
  OnOtherThread([&] {
    bridge()->Post([&] {
      bridge()->Shutdown();
      shut_down = true;
    });
  });
  EXPECT_TRUE(RunUntil([&] { return shut_down; }));
  EXPECT_EQ(log(), "closing owed");
}

TEST_F(LoopBridgeTest, ShutdownIsIdempotent) {
  bridge()->Shutdown();
  bridge()->Shutdown();
}

TEST_F(LoopBridgeTest, PostsAfterShutdownRunFromTheOrphanQueue) {
  bridge()->Shutdown();
  bool ran_local = false;
  bool ran_remote = false;
  bridge()->Post([&] { ran_local = true; });
  OnOtherThread([&] { bridge()->Post([&] { ran_remote = true; }); });
  EXPECT_FALSE(ran_local);
  OrphanQueue::Get().Drain();
  EXPECT_TRUE(ran_local);
  EXPECT_TRUE(ran_remote);
}

TEST_F(LoopBridgeTest, PostsThatRaceWithShutdownAreNotLost) {
  constexpr int kPosts = 20000;
  std::atomic<int> ran{0};
  bridge();
  const std::shared_ptr<LoopBridge> kept = bridge();
  std::thread thread([&] {
    for (int i = 0; i < kPosts; ++i) kept->Post([&ran] { ++ran; });
  });
  EXPECT_TRUE(RunUntil([&] { return ran > kPosts / 10; }));
  kept->Shutdown();
  thread.join();
  OrphanQueue::Get().Drain();
  EXPECT_EQ(ran, kPosts);
}

TEST_F(LoopBridgeTest, TwoBridgesOnOneLoopDoNotDisturbEachOther) {
  auto other = LoopBridge::Create(loop(), uv());
  ASSERT_TRUE(other.ok());
  Watch(*other);
  bool ran = false;
  (*other)->Post([&] { ran = true; });
  EXPECT_TRUE(RunUntil([&] { return ran; }));
  EXPECT_EQ(bridge()->callback_count(), 0u);
  (*other)->Shutdown();
  ran = false;
  bridge()->Post([&] { ran = true; });
  EXPECT_TRUE(RunUntil([&] { return ran; }));
}

}  // namespace
}  // namespace uvgrpc
