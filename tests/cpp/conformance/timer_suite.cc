// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <random>
#include <thread>
#include <vector>

#include "tests/cpp/conformance/event_engine_suite.h"

namespace uvgrpc::conformance {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

class NotifyingClosure final : public EventEngine::Closure {
 public:
  void Run() override { ran.Notify(); }
  absl::Notification ran;
};

TEST_P(TimerSuite, RunTakesBothKindsOfClosures) {
  NotifyingClosure closure;
  absl::Notification ran;
  engine().Run(&closure);
  engine().Run([&] { ran.Notify(); });
  EXPECT_TRUE(Wait(closure.ran));
  EXPECT_TRUE(Wait(ran));
}

TEST_P(TimerSuite, RunNeverRunsTheClosureInside) {
  constexpr int kTimes = 100;
  Countdown countdown(kTimes);
  absl::Mutex mu;
  for (int i = 0; i < kTimes; ++i) {
    // Would deadlock.
    absl::MutexLock lock(mu);
    engine().Run([&] {
      { absl::MutexLock inner(mu); }
      countdown.Done();
    });
  }
  EXPECT_TRUE(Wait(countdown.zero()));
}

TEST_P(TimerSuite, ClosuresMayRunClosures) {
  std::atomic<int> left{100};
  absl::Notification done;
  std::function<void()> again = [&] {
    if (left.fetch_sub(1) == 1) return done.Notify();
    engine().Run([&] { again(); });
  };
  engine().Run([&] { again(); });
  EXPECT_TRUE(Wait(done));
}

TEST_P(TimerSuite, AnImmediateTimerFires) {
  NotifyingClosure closure;
  absl::Notification ran;
  engine().RunAfter(milliseconds(0), &closure);
  engine().RunAfter(milliseconds(0), [&] { ran.Notify(); });
  EXPECT_TRUE(Wait(closure.ran));
  EXPECT_TRUE(Wait(ran));
}

TEST_P(TimerSuite, ADelayedTimerIsNotEarly) {
  for (const int delay : {1, 7, 50}) {
    Later<Clock::time_point> fired;
    const Clock::time_point due = Clock::now() + milliseconds(delay);
    engine().RunAfter(milliseconds(delay), [&] { fired.Set(Clock::now()); });
    ASSERT_TRUE(Wait(fired.ready()));
    EXPECT_GE(fired.value(), due);
  }
}

TEST_P(TimerSuite, TimersFireInTheOrderOfTheirDeadlines) {
  absl::Mutex mu;
  std::vector<int> fired;
  Countdown countdown(3);
  for (const int delay : {300, 10, 150}) {
    engine().RunAfter(milliseconds(delay), [&, delay] {
      {
        absl::MutexLock lock(mu);
        fired.push_back(delay);
      }
      countdown.Done();
    });
  }
  ASSERT_TRUE(Wait(countdown.zero()));
  EXPECT_EQ(fired, (std::vector<int>{10, 150, 300}));
}

TEST_P(TimerSuite, ACancelledTimerNeitherRunsNorIsKept) {
  auto held = std::make_shared<std::atomic<bool>>(false);
  const auto handle =
      engine().RunAfter(milliseconds(300), [held] { *held = true; });
  NotifyingClosure closure;
  const auto other = engine().RunAfter(milliseconds(300), &closure);
  EXPECT_TRUE(engine().Cancel(handle));
  EXPECT_EQ(held.use_count(), 1);
  EXPECT_TRUE(engine().Cancel(other));
  EXPECT_FALSE(engine().Cancel(handle));
  absl::Notification later;
  engine().RunAfter(milliseconds(400), [&] { later.Notify(); });
  EXPECT_TRUE(Wait(later));
  EXPECT_FALSE(*held);
  EXPECT_FALSE(closure.ran.HasBeenNotified());
}

TEST_P(TimerSuite, CancelOfATimerThatRanSaysFalse) {
  absl::Notification ran;
  const auto handle = engine().RunAfter(milliseconds(1), [&] { ran.Notify(); });
  EXPECT_TRUE(Wait(ran));
  EXPECT_FALSE(engine().Cancel(handle));
}

TEST_P(TimerSuite, TimersMayBeSetAndCancelledByTimers) {
  absl::Notification done;
  engine().RunAfter(milliseconds(1), [&] {
    const auto handle = engine().RunAfter(std::chrono::hours(1), [] {});
    EXPECT_TRUE(engine().Cancel(handle));
    engine().RunAfter(milliseconds(1), [&] { done.Notify(); });
  });
  EXPECT_TRUE(Wait(done));
}

TEST_P(TimerSuite, ManyThreadsMaySetAndCancelTimers) {
  constexpr int kThreads = 4;
  constexpr int kTimers = 250;
  struct Timer {
    std::atomic<int> runs{0};
    std::atomic<int> cancels{0};
    std::atomic<int> early{0};
  };
  std::vector<Timer> timers(kThreads * kTimers);
  // Each timer is done when it ran or was cancelled.
  Countdown countdown(kThreads * kTimers);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937 random(static_cast<unsigned>(t));
      std::vector<EventEngine::TaskHandle> handles;
      for (int i = 0; i < kTimers; ++i) {
        Timer& timer = timers[static_cast<size_t>(t * kTimers + i)];
        const microseconds delay(random() % 50000);
        const Clock::time_point due = Clock::now() + delay;
        handles.push_back(engine().RunAfter(delay, [&timer, &countdown, due] {
          if (Clock::now() < due) ++timer.early;
          ++timer.runs;
          countdown.Done();
        }));
        const int index = static_cast<int>(random() % handles.size());
        if (engine().Cancel(handles[static_cast<size_t>(index)])) {
          ++timers[static_cast<size_t>(t * kTimers + index)].cancels;
          countdown.Done();
        }
      }
    });
  }
  EXPECT_TRUE(Wait(countdown.zero())) << countdown.left();
  for (std::thread& thread : threads) thread.join();
  for (const Timer& timer : timers) {
    EXPECT_EQ(timer.runs + timer.cancels, 1);
    EXPECT_EQ(timer.early, 0);
  }
}

}  // namespace
}  // namespace uvgrpc::conformance
