// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// How long turns are, and what of them one kind of work gets.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <thread>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "gtest/gtest.h"
#include "src/iomgr_uv/loop_bridge.h"
#include "tests/cpp/loop_fixture.h"

namespace uvgrpc {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

class LoopTurnsTest : public LoopFixture {};

class CountingHooks final : public TurnHooks {
 public:
  void StartCollected() override {}
  bool DeliverCompletions() override { return false; }
  uint64_t CompletionCount() const override { return completions; }

  uint64_t completions = 0;
};

TEST_F(LoopTurnsTest, ATurnGetsLongerUntilTheLoopPolls) {
  using Clock = std::chrono::steady_clock;
  microseconds at_first{-1};
  microseconds after_work{-1};
  bool ran = false;
  bridge()->Post([&] {
    at_first = bridge()->TurnLength(Clock::now());
    std::this_thread::sleep_for(milliseconds(20));
    after_work = bridge()->TurnLength(Clock::now());
    ran = true;
  });
  RunUntil([&] { return ran; });
  EXPECT_GE(after_work - at_first, milliseconds(20));

  // Time that passes while the loop polls does not count.
  microseconds after_poll{-1};
  ran = false;
  std::thread other([&] {
    std::this_thread::sleep_for(milliseconds(300));
    bridge()->Post([&] {
      after_poll = bridge()->TurnLength(Clock::now());
      ran = true;
    });
  });
  RunUntil([&] { return ran; });
  other.join();
  EXPECT_GE(after_poll, milliseconds(0));
  EXPECT_LT(after_poll, milliseconds(250));
}

TEST_F(LoopTurnsTest, WorkWithoutEndGetsOneLongDrainATurn) {
  const auto spin = [](microseconds time) {
    const auto end = std::chrono::steady_clock::now() + time;
    while (std::chrono::steady_clock::now() < end) {
    }
  };
  // Longer, sixteen times, than a short drain, and shorter than a long one.
  int ran = 0;
  bool ends = false;
  absl::AnyInvocable<void()> again = [&] {
    ++ran;
    spin(microseconds(5));
    if (!ends) bridge()->Post([&] { again(); });
  };
  bridge()->Post([&] { again(); });
  // Our own handles do not keep a loop running.
  bool closed = false;
  uv_idle_t idle;
  uv_idle_init(loop(), &idle);
  idle.data = &closed;
  uv_idle_start(&idle, [](uv_idle_t*) {});
  int longest = 0;
  for (int turn = 0; turn < 50; ++turn) {
    std::vector<int> drains;
    for (int event = 0; event < 3; ++event) {
      const int before = ran;
      { LoopBridge::CallbackScope scope(bridge().get()); }
      drains.push_back(ran - before);
    }
    EXPECT_LE(drains[1], 16);
    EXPECT_LE(drains[2], 16);
    EXPECT_GT(drains[2], 0);
    // The long one comes with the wake-up, in the poll.
    const int before = ran;
    uv_run(loop(), UV_RUN_NOWAIT);
    longest = std::max(longest, ran - before);
  }
  // In one turn at least nothing else had the processor.
  EXPECT_GT(longest, 32);
  ends = true;
  uv_close(reinterpret_cast<uv_handle_t*>(&idle), [](uv_handle_t* handle) {
    *static_cast<bool*>(handle->data) = true;
  });
  EXPECT_TRUE(RunUntil([&] { return closed; }));
  EXPECT_TRUE(RunUntil([&] { return bridge()->posted_count() == 0; }));
}

TEST_F(LoopTurnsTest, AReadIsOneOfFewUntilItHasCompletedMany) {
  CountingHooks hooks;
  bridge()->set_turn_hooks(&hooks);
  EXPECT_FALSE(bridge()->IsOneOfFew());
  for (int read = 0; read < 2; ++read) {
    const LoopBridge::ReadScope scope(bridge().get());
    int few = 0;
    for (int i = 0; i < 100; ++i) {
      few += bridge()->IsOneOfFew() ? 1 : 0;
      ++hooks.completions;
    }
    EXPECT_EQ(few, 16);
  }
  EXPECT_FALSE(bridge()->IsOneOfFew());
  bridge()->set_turn_hooks(nullptr);
}

}  // namespace
}  // namespace uvgrpc
