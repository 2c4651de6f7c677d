// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/iomgr_uv/timer_queue.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "tests/cpp/loop_fixture.h"

namespace uvgrpc {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using Clock = std::chrono::steady_clock;

class TimerQueueTest : public LoopFixture {};

class CountingClosure final : public EventEngine::Closure {
 public:
  void Run() override { ++runs; }
  int runs = 0;
};

TEST_F(TimerQueueTest, NoTimerFiresEarly) {
  constexpr int kTimers = 500;
  std::mt19937 random(1);
  std::uniform_int_distribution<int64_t> delay(0, 150'000'000);
  int fired = 0;
  for (int i = 0; i < kTimers; ++i) {
    // Adding while the loop's cached time grows old.
    if (i % 50 == 0) uv_run(loop(), UV_RUN_NOWAIT);
    const nanoseconds wait(delay(random));
    const Clock::time_point due = Clock::now() + wait;
    timers()->Add(wait, [&fired, due] {
      ++fired;
      EXPECT_GE(Clock::now(), due);
    });
  }
  EXPECT_TRUE(RunUntil([&] { return fired == kTimers; }));
  EXPECT_EQ(timers()->size(), 0u);
}

TEST_F(TimerQueueTest, TimersFireInTheOrderOfTheirDeadlines) {
  // Each deadline lies between these two: Add reads the clock in between.
  struct Bounds {
    Clock::time_point earliest;
    Clock::time_point latest;
  };
  std::mt19937 random(2);
  std::vector<Bounds> bounds(200);
  std::vector<const Bounds*> fired;
  for (Bounds& timer : bounds) {
    const auto delay = microseconds(random() % 60000);
    timer.earliest = Clock::now() + delay;
    timers()->Add(delay, [&fired, &timer] { fired.push_back(&timer); });
    timer.latest = Clock::now() + delay;
  }
  EXPECT_TRUE(RunUntil([&] { return fired.size() == bounds.size(); }));
  for (size_t later = 0; later < fired.size(); ++later) {
    for (size_t sooner = 0; sooner < later; ++sooner) {
      EXPECT_LE(fired[sooner]->earliest, fired[later]->latest);
    }
  }
}

TEST_F(TimerQueueTest, TimersThatAreDueFireInTheOrderOfAdd) {
  std::vector<int> fired;
  for (int i = 0; i < 1000; ++i) {
    timers()->Add(nanoseconds(-1), [&fired, i] { fired.push_back(i); });
  }
  EXPECT_TRUE(RunUntil([&] { return fired.size() == 1000; }));
  EXPECT_TRUE(std::is_sorted(fired.begin(), fired.end()));
}

TEST_F(TimerQueueTest, AddNeverRunsTheClosureInside) {
  CountingClosure closure;
  timers()->Add(milliseconds(0), &closure);
  EXPECT_EQ(closure.runs, 0);
  EXPECT_TRUE(RunUntil([&] { return closure.runs == 1; }));
}

TEST_F(TimerQueueTest, ACancelledTimerNeverRunsAndItsClosureIsGone) {
  auto held = std::make_shared<int>(0);
  const auto ticket = timers()->Add(milliseconds(5), [held] { ++*held; });
  CountingClosure closure;
  const auto other = timers()->Add(milliseconds(5), &closure);
  EXPECT_NE(ticket, TimerQueue::kNoTicket);
  EXPECT_TRUE(timers()->Cancel(ticket));
  EXPECT_EQ(held.use_count(), 1);
  EXPECT_FALSE(timers()->Cancel(ticket));
  EXPECT_TRUE(timers()->Cancel(other));
  RunFor(milliseconds(30));
  EXPECT_EQ(*held, 0);
  EXPECT_EQ(closure.runs, 0);
}

TEST_F(TimerQueueTest, CancelAfterFiringSaysFalse) {
  bool fired = false;
  const auto ticket = timers()->Add(milliseconds(1), [&] { fired = true; });
  EXPECT_TRUE(RunUntil([&] { return fired; }));
  EXPECT_FALSE(timers()->Cancel(ticket));
}

TEST_F(TimerQueueTest, CancelFromInsideTheTimerSaysFalse) {
  bool fired = false;
  TimerQueue::Ticket ticket = TimerQueue::kNoTicket;
  ticket = timers()->Add(milliseconds(1), [&] {
    EXPECT_FALSE(timers()->Cancel(ticket));
    fired = true;
  });
  EXPECT_TRUE(RunUntil([&] { return fired; }));
}

TEST_F(TimerQueueTest, AStaleTicketDoesNotCancelTheNextTimer) {
  const auto stale = timers()->Add(milliseconds(1), [] {});
  EXPECT_TRUE(timers()->Cancel(stale));
  bool fired = false;
  const auto fresh = timers()->Add(milliseconds(1), [&] { fired = true; });
  EXPECT_NE(stale, fresh);
  EXPECT_FALSE(timers()->Cancel(stale));
  EXPECT_FALSE(timers()->Cancel(TimerQueue::kNoTicket));
  EXPECT_FALSE(timers()->Cancel(~TimerQueue::Ticket{0}));
  EXPECT_TRUE(RunUntil([&] { return fired; }));
}

TEST_F(TimerQueueTest, EachTimerEitherRunsOrIsCancelledNeverBoth) {
  constexpr int kTimers = 3000;
  constexpr int kThreads = 3;
  std::vector<TimerQueue::Ticket> tickets(kTimers);
  std::vector<std::atomic<int>> ran(kTimers);
  std::vector<std::atomic<int>> cancelled(kTimers);
  std::mt19937 random(3);
  std::uniform_int_distribution<int> delay(0, 30000);
  for (int i = 0; i < kTimers; ++i) {
    tickets[i] = timers()->Add(microseconds(delay(random)),
                               [&ran, i] { ran[i].fetch_add(1); });
  }
  std::atomic<int> threads_done{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937 order(t);
      std::vector<int> indices(kTimers);
      for (int i = 0; i < kTimers; ++i) indices[i] = i;
      std::shuffle(indices.begin(), indices.end(), order);
      for (int i : indices) {
        if (timers()->Cancel(tickets[i])) cancelled[i].fetch_add(1);
        if (i % 64 == 0) std::this_thread::sleep_for(microseconds(300));
      }
      ++threads_done;
      bridge()->Post([] {});
    });
  }
  EXPECT_TRUE(RunUntil([&] { return threads_done == kThreads; }));
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(RunUntil([&] { return timers()->size() == 0; }));
  int total_ran = 0;
  for (int i = 0; i < kTimers; ++i) {
    EXPECT_EQ(ran[i] + cancelled[i], 1) << i;
    total_ran += ran[i];
  }
  RecordProperty("ran", total_ran);
}

TEST_F(TimerQueueTest, ATimerAddedByAnotherThreadWakesTheLoop) {
  timers();
  bool fired = false;
  std::thread thread(
      [&] { timers()->Add(milliseconds(10), [&] { fired = true; }); });
  EXPECT_TRUE(RunUntil([&] { return fired; }));
  thread.join();
}

TEST_F(TimerQueueTest, AnEarlierTimerOvertakesALaterOne) {
  bool late = false;
  bool early = false;
  timers()->Add(std::chrono::hours(1), [&] { late = true; });
  RunFor(milliseconds(5));
  timers()->Add(milliseconds(5), [&] { early = true; });
  EXPECT_TRUE(RunUntil([&] { return early; }));
  EXPECT_FALSE(late);
}

// The timer that the loop was to be armed for is gone before the loop hears of
// it; the next one must not rely on it.
TEST_F(TimerQueueTest, ATimerAfterOneCancelledByAnotherThreadStillFires) {
  timers();
  std::thread([this] {
    EXPECT_TRUE(timers()->Cancel(timers()->Add(milliseconds(20), [] {})));
  }).join();
  RunFor(milliseconds(5));
  bool fired = false;
  timers()->Add(milliseconds(50), [&] { fired = true; });
  EXPECT_TRUE(RunUntil([&] { return fired; }, milliseconds(3000)));
}

TEST_F(TimerQueueTest, SettingAndCancellingManyTimersLeavesNothing) {
  for (int i = 0; i < 100000; ++i) {
    const auto ticket = timers()->Add(std::chrono::seconds(30), [] {});
    ASSERT_TRUE(timers()->Cancel(ticket));
  }
  EXPECT_EQ(timers()->size(), 0u);
  RunFor(milliseconds(20));
  EXPECT_EQ(bridge()->callback_count(), 0u);
}

TEST_F(TimerQueueTest, ManyTimersCancelledInAnyOrderLeaveNothing) {
  std::mt19937 random(4);
  std::vector<TimerQueue::Ticket> tickets;
  for (int i = 0; i < 20000; ++i) {
    tickets.push_back(
        timers()->Add(std::chrono::seconds(10 + random() % 100), [] {}));
  }
  std::shuffle(tickets.begin(), tickets.end(), random);
  for (const auto ticket : tickets) ASSERT_TRUE(timers()->Cancel(ticket));
  EXPECT_EQ(timers()->size(), 0u);
}

TEST_F(TimerQueueTest, HugeDelaysNeverFire) {
  bool fired = false;
  const auto longest =
      timers()->Add(EventEngine::Duration::max(), [&] { fired = true; });
  const auto days =
      timers()->Add(std::chrono::hours(24 * 365 * 200), [&] { fired = true; });
  RunFor(milliseconds(20));
  EXPECT_FALSE(fired);
  EXPECT_TRUE(timers()->Cancel(longest));
  EXPECT_TRUE(timers()->Cancel(days));
}

TEST_F(TimerQueueTest, NegativeDelaysFireAtOnce) {
  int fired = 0;
  timers()->Add(EventEngine::Duration::min(), [&] { ++fired; });
  timers()->Add(milliseconds(-5), [&] { ++fired; });
  EXPECT_TRUE(RunUntil([&] { return fired == 2; }));
}

TEST_F(TimerQueueTest, TimersMayAddTimers) {
  int fired = 0;
  absl::AnyInvocable<void()> again = [&] {
    if (++fired < 100) timers()->Add(microseconds(100), [&] { again(); });
  };
  timers()->Add(microseconds(100), [&] { again(); });
  EXPECT_TRUE(RunUntil([&] { return fired == 100; }));
}

TEST_F(TimerQueueTest, ATimerThatAddsItselfDoesNotStarveOthers) {
  bool stop = false;
  int fired = 0;
  absl::AnyInvocable<void()> again = [&] {
    ++fired;
    if (!stop) timers()->Add(nanoseconds(0), [&] { again(); });
  };
  timers()->Add(nanoseconds(0), [&] { again(); });
  RunFor(milliseconds(20));  // would never end
  EXPECT_GT(fired, 0);
  stop = true;
}

TEST_F(TimerQueueTest, ClosingTheLoopDropsTimersAndThoseToCome) {
  auto held = std::make_shared<int>(0);
  const auto ticket = timers()->Add(milliseconds(1), [held] { ++*held; });
  const std::shared_ptr<TimerQueue> kept = timers();
  CloseLoop();
  EXPECT_EQ(held.use_count(), 1);
  EXPECT_EQ(*held, 0);
  // It will not run, as who cancels it must know; core waits for it otherwise.
  EXPECT_TRUE(kept->Cancel(ticket));
  EXPECT_FALSE(kept->Cancel(ticket));
  EXPECT_FALSE(kept->Cancel(TimerQueue::kNoTicket));
  // One that comes too late is dropped as well.
  const auto late = kept->Add(milliseconds(1), [held] { ++*held; });
  EXPECT_EQ(held.use_count(), 1);
  EXPECT_TRUE(kept->Cancel(late));
  EXPECT_FALSE(kept->Cancel(late));
  EXPECT_FALSE(kept->Cancel(ticket));
}

TEST_F(TimerQueueTest, AnArmedTimerThatWasCancelledCostsOneCallback) {
  const auto ticket = timers()->Add(milliseconds(20), [] {});
  EXPECT_TRUE(timers()->Cancel(ticket));
  RunFor(milliseconds(200));
  EXPECT_LE(bridge()->callback_count(), 1u);
}

// As the answer to a ping does that came while the loop was blocked.
TEST_F(TimerQueueTest, WhatCameWhileTheLoopWasBlockedGoesFirst) {
  int pair[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
  struct Seen {
    int own;
    int peer;
    bool was_blocked = false;
    bool has_input = false;
  } seen{pair[0], pair[1]};
  uv_poll_t poll;
  ASSERT_EQ(uv_poll_init(loop(), &poll, pair[0]), 0);
  poll.data = &seen;
  uv_async_t async;
  // Runs in the phase of sockets; timers come next.
  ASSERT_EQ(uv_async_init(loop(), &async,
                          [](uv_async_t* handle) {
                            auto* seen = static_cast<Seen*>(handle->data);
                            if (std::exchange(seen->was_blocked, true)) return;
                            std::this_thread::sleep_for(milliseconds(200));
                            EXPECT_EQ(write(seen->peer, "x", 1), 1);
                          }),
            0);
  async.data = &seen;
  uv_poll_start(&poll, UV_READABLE, [](uv_poll_t* handle, int, int) {
    char byte;
    auto* seen = static_cast<Seen*>(handle->data);
    seen->has_input |= read(seen->own, &byte, 1) == 1;
  });
  bool fired = false;
  bool had_input = false;
  timers()->Add(milliseconds(100), [&] {
    fired = true;
    had_input = seen.has_input;
  });
  uv_async_send(&async);
  EXPECT_TRUE(RunUntil([&] { return fired; }));
  EXPECT_TRUE(had_input);
  uv_close(reinterpret_cast<uv_handle_t*>(&poll), nullptr);
  uv_close(reinterpret_cast<uv_handle_t*>(&async), nullptr);
  CloseLoop();
  close(pair[0]);
  close(pair[1]);
}

}  // namespace
}  // namespace uvgrpc
