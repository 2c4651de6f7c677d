// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "tests/cpp/conformance/running_engines.h"

#include <uv.h>

#include <chrono>
#include <thread>

#include "absl/functional/function_ref.h"
#include "absl/log/check.h"
#include "src/iomgr_uv/orphan_queue.h"
#include "src/iomgr_uv/uv_engine.h"
#include "tests/cpp/conformance/oracle_engine.h"
#include "tests/cpp/linked_uv_api.h"

namespace uvgrpc::conformance {
namespace {

constexpr std::chrono::seconds kTimeout{60};
// The bridge's and a timer: what an engine needs for itself.
constexpr int kHandlesOfAnIdleEngine = LoopBridge::kOwnHandles + 1;

std::shared_ptr<UvEventEngine> MakeEngine(uv_loop_t* loop) {
  absl::StatusOr<std::shared_ptr<UvEventEngine>> engine =
      UvEventEngine::Create(loop, LinkedUvApi());
  CHECK_OK(engine.status());
  return *std::move(engine);
}

bool IsIdle(const LoopBridge& bridge) {
  return bridge.handle_count() <= kHandlesOfAnIdleEngine;
}

class UvEngineInBackground final : public RunningEngine {
 public:
  UvEngineInBackground() : thread_([this] { Run(); }) {
    started_.WaitForNotification();
  }

  ~UvEngineInBackground() override {
    uv_async_send(&stop_);
    thread_.join();
  }

  EventEngine& engine() override { return *engine_; }

  bool Wait(absl::Notification& notification) override {
    return notification.WaitForNotificationWithTimeout(
        absl::FromChrono(kTimeout));
  }

  bool WaitUntilIdle() override {
    const auto deadline = std::chrono::steady_clock::now() + kTimeout;
    while (!IsIdle(*engine_->bridge())) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return true;
  }

 private:
  void Run() {
    uv_loop_t loop;
    CHECK_EQ(uv_loop_init(&loop), 0);
    // Keeps the loop alive.
    CHECK_EQ(uv_async_init(&loop, &stop_, &UvEngineInBackground::OnStop), 0);
    stop_.data = this;
    engine_ = MakeEngine(&loop);
    started_.Notify();
    uv_run(&loop, UV_RUN_DEFAULT);
    EXPECT_EQ(engine_->bridge()->handle_count(), 0)
        << engine_->bridge()->DescribeHandles();
    engine_.reset();
    OrphanQueue::Get().Drain();
    EXPECT_EQ(uv_loop_close(&loop), 0);
  }

  static void OnStop(uv_async_t* handle) {
    auto* self = static_cast<UvEngineInBackground*>(handle->data);
    self->engine_->Shutdown();
    uv_close(reinterpret_cast<uv_handle_t*>(handle), nullptr);
  }

  uv_async_t stop_;
  std::shared_ptr<UvEventEngine> engine_;
  absl::Notification started_;
  std::thread thread_;  // last: it uses the others
};

class UvEngineOnThisThread final : public RunningEngine {
 public:
  UvEngineOnThisThread() {
    CHECK_EQ(uv_loop_init(&loop_), 0);
    // The oracle's threads do not wake the loop, so look from time to time.
    CHECK_EQ(uv_timer_init(&loop_, &look_), 0);
    uv_timer_start(
        &look_, [](uv_timer_t*) {}, 1, 1);
    engine_ = MakeEngine(&loop_);
  }

  ~UvEngineOnThisThread() override {
    engine_->Shutdown();
    uv_close(reinterpret_cast<uv_handle_t*>(&look_), nullptr);
    uv_run(&loop_, UV_RUN_DEFAULT);
    EXPECT_EQ(engine_->bridge()->handle_count(), 0)
        << engine_->bridge()->DescribeHandles();
    engine_.reset();
    OrphanQueue::Get().Drain();
    EXPECT_EQ(uv_loop_close(&loop_), 0);
  }

  EventEngine& engine() override { return *engine_; }

  bool Wait(absl::Notification& notification) override {
    return RunUntil([&] { return notification.HasBeenNotified(); });
  }

  bool WaitUntilIdle() override {
    return RunUntil([&] { return IsIdle(*engine_->bridge()); });
  }

 private:
  bool RunUntil(absl::FunctionRef<bool()> condition) {
    const auto deadline = std::chrono::steady_clock::now() + kTimeout;
    while (!condition()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      uv_run(&loop_, UV_RUN_ONCE);
    }
    return true;
  }

  uv_loop_t loop_;
  uv_timer_t look_;
  std::shared_ptr<UvEventEngine> engine_;
};

class RunningOracle final : public RunningEngine {
 public:
  EventEngine& engine() override { return *engine_; }
  bool Wait(absl::Notification& notification) override {
    return notification.WaitForNotificationWithTimeout(
        absl::FromChrono(kTimeout));
  }

 private:
  const std::shared_ptr<OracleEngine> engine_ =
      std::make_shared<OracleEngine>();
};

}  // namespace

std::unique_ptr<RunningEngine> MakeUvEngineInBackground() {
  return std::make_unique<UvEngineInBackground>();
}

std::unique_ptr<RunningEngine> MakeUvEngineOnThisThread() {
  return std::make_unique<UvEngineOnThisThread>();
}

std::unique_ptr<RunningEngine> MakeOracle() {
  return std::make_unique<RunningOracle>();
}

}  // namespace uvgrpc::conformance
