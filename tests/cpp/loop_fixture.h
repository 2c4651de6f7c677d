// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// A uv_loop_t that the test's own thread runs, and what must be true of it when
// the test ends.

#ifndef UVGRPC_TESTS_CPP_LOOP_FIXTURE_H_
#define UVGRPC_TESTS_CPP_LOOP_FIXTURE_H_

#include <uv.h>

#include <chrono>
#include <csignal>
#include <memory>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "gtest/gtest.h"
#include "src/iomgr_uv/loop_bridge.h"
#include "src/iomgr_uv/timer_queue.h"
#include "src/iomgr_uv/uv_api.h"
#include "tests/cpp/linked_uv_api.h"

namespace uvgrpc {

// The base of tests that need a loop. bridge() and timers() are made on first
// use; an engine makes a bridge of its own, which the test hands to Watch. At
// the end of the test every bridge is shut down, the loop is run once more, and
// then no handle may be left and the loop must close.
//
// The loop sleeps until something happens on it: a missed wake-up shows as a
// time-out. A condition that another thread makes true must be followed by
// something that wakes the loop, such as a Post.
class LoopFixture : public testing::Test {
 protected:
  static constexpr std::chrono::milliseconds kTimeout{10000};

  LoopFixture() {
    EXPECT_EQ(uv_loop_init(&loop_), 0);
    // Started first, so it runs after the bridges' prepare handles.
    EXPECT_EQ(uv_prepare_init(&loop_, &before_poll_), 0);
    before_poll_.data = this;
    uv_prepare_start(&before_poll_, &LoopFixture::OnBeforePoll);
    uv_unref(reinterpret_cast<uv_handle_t*>(&before_poll_));
  }
  ~LoopFixture() override { CloseLoop(); }

  void TearDown() override { CloseLoop(); }

  uv_loop_t* loop() { return &loop_; }
  const UvApi& uv() const { return LinkedUvApi(); }

  const std::shared_ptr<LoopBridge>& bridge() {
    if (bridge_ == nullptr) {
      auto created = LoopBridge::Create(&loop_, uv());
      EXPECT_TRUE(created.ok()) << created.status();
      bridge_ = *std::move(created);
      Watch(bridge_);
    }
    return bridge_;
  }

  const std::shared_ptr<TimerQueue>& timers() {
    if (timers_ == nullptr) timers_ = TimerQueue::Create(bridge());
    return timers_;
  }

  // Has `bridge` shut down and checked at the end.
  void Watch(std::shared_ptr<LoopBridge> bridge) {
    watched_.push_back(std::move(bridge));
  }

  // Runs the loop until `condition` holds. False on time-out.
  bool RunUntil(absl::FunctionRef<bool()> condition,
                std::chrono::milliseconds timeout = kTimeout) {
    // Our handles do not keep the loop alive; this one does.
    uv_timer_t deadline;
    bool expired = false;
    EXPECT_EQ(uv_timer_init(&loop_, &deadline), 0);
    deadline.data = &expired;
    uv_update_time(&loop_);
    uv_timer_start(
        &deadline,
        [](uv_timer_t* timer) { *static_cast<bool*>(timer->data) = true; },
        static_cast<uint64_t>(timeout.count()), 0);
    condition_ = &condition;
    while (!expired && !condition()) uv_run(&loop_, UV_RUN_ONCE);
    condition_ = nullptr;
    bool closed = false;
    deadline.data = &closed;
    uv_close(reinterpret_cast<uv_handle_t*>(&deadline), [](uv_handle_t* timer) {
      *static_cast<bool*>(timer->data) = true;
    });
    while (!closed) uv_run(&loop_, UV_RUN_NOWAIT);
    return !expired;
  }

  // Runs the loop for a while, for tests that something does not happen.
  void RunFor(std::chrono::milliseconds duration) {
    RunUntil([] { return false; }, duration);
  }

  // What TearDown does, for tests that look at what it leaves. Idempotent.
  void CloseLoop() {
    if (loop_closed_) return;
    loop_closed_ = true;
    for (const auto& bridge : watched_) bridge->Shutdown();
    uv_close(reinterpret_cast<uv_handle_t*>(&before_poll_), nullptr);
    // Close callbacks run in this turn, and those that they cause in the next.
    for (int turn = 0; turn < 3; ++turn) uv_run(&loop_, UV_RUN_NOWAIT);
    for (const auto& bridge : watched_) {
      EXPECT_EQ(bridge->handle_count(), 0) << bridge->DescribeHandles();
    }
    timers_.reset();
    bridge_.reset();
    watched_.clear();
    EXPECT_EQ(uv_loop_close(&loop_), 0);
  }

 private:
  // Work that a bridge does just before the poll may have made the condition
  // true: then the poll must not sleep.
  static void OnBeforePoll(uv_prepare_t* handle) {
    auto* self = static_cast<LoopFixture*>(handle->data);
    if (self->condition_ != nullptr && (*self->condition_)()) {
      uv_stop(&self->loop_);
    }
  }

  uv_loop_t loop_;
  uv_prepare_t before_poll_;
  absl::FunctionRef<bool()>* condition_ = nullptr;
  bool loop_closed_ = false;
  std::shared_ptr<LoopBridge> bridge_;
  std::shared_ptr<TimerQueue> timers_;
  std::vector<std::shared_ptr<LoopBridge>> watched_;
};

}  // namespace uvgrpc

#endif  // UVGRPC_TESTS_CPP_LOOP_FIXTURE_H_
