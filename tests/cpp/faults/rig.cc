// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "tests/cpp/faults/rig.h"

#include <utility>

#include "absl/log/check.h"
#include "absl/strings/str_cat.h"
#include "src/iomgr_uv/orphan_queue.h"
#include "tests/cpp/faults/faulty_uv_api.h"
#include "tests/cpp/socket_helpers.h"

namespace uvgrpc::faults {

namespace {

constexpr int kParts = 10;

}  // namespace

Rig::Rig(uint64_t seed)
    : random_(seed), descriptors_before_(OpenDescriptors()) {
  ForgetTimers();
  CHECK_EQ(uv_loop_init(&loop_), 0);
  // Started first, so it runs after the engine's.
  CHECK_EQ(uv_prepare_init(&loop_, &before_poll_), 0);
  before_poll_.data = this;
  uv_prepare_start(&before_poll_, [](uv_prepare_t* handle) {
    auto* self = static_cast<Rig*>(handle->data);
    if (self->condition_ != nullptr && (*self->condition_)()) {
      uv_stop(&self->loop_);
    }
  });
  uv_unref(reinterpret_cast<uv_handle_t*>(&before_poll_));
}

Rig::~Rig() { Close(); }

const std::shared_ptr<UvEventEngine>& Rig::MakeEngine() {
  auto created = UvEventEngine::Create(&loop_, FaultyUvApi());
  if (created.ok()) {
    engine_ = *std::move(created);
  } else {
    engine_status_ = created.status();
  }
  return engine_;
}

int Rig::Between(int low, int high) {
  return std::uniform_int_distribution<int>(low, high)(random_);
}

std::string Rig::RandomText(size_t size) {
  std::string text(size, '\0');
  uint64_t bits = random_();
  for (char& byte : text) {
    bits = bits * 6364136223846793005u + 1442695040888963407u;
    byte = static_cast<char>(bits >> 56);
  }
  return text;
}

const Fault& Rig::Choose(const std::vector<Site>& sites) {
  fault_ = RandomFault(random_, sites);
  return fault_;
}

void Rig::Arm() { FaultPlan::Get().Arm(fault_); }

bool Rig::RunUntil(absl::string_view what,
                   absl::FunctionRef<bool()> condition) {
  uv_timer_t deadline;
  int expired = 0;
  CHECK_EQ(uv_timer_init(&loop_, &deadline), 0);
  deadline.data = &expired;
  uv_update_time(&loop_);
  // In parts, for the process may be stopped for a while.
  const auto part =
      static_cast<uint64_t>(std::chrono::milliseconds(kLimit).count() / kParts);
  uv_timer_start(
      &deadline, [](uv_timer_t* timer) { ++*static_cast<int*>(timer->data); },
      part, part);
  condition_ = &condition;
  while (expired < kParts && turns_ < kTurnLimit && !condition()) {
    uv_run(&loop_, UV_RUN_ONCE);
    ++turns_;
  }
  condition_ = nullptr;
  const bool holds = condition();
  bool closed = false;
  deadline.data = &closed;
  uv_close(reinterpret_cast<uv_handle_t*>(&deadline),
           [](uv_handle_t* timer) { *static_cast<bool*>(timer->data) = true; });
  while (!closed) uv_run(&loop_, UV_RUN_NOWAIT);
  if (!holds) {
    problems_.push_back(absl::StrCat(
        expired ? "waits in vain for " : "the loop spins before ", what));
  }
  return holds;
}

void Rig::Check(bool is_right, absl::string_view what) {
  if (!is_right) problems_.emplace_back(what);
}

void Rig::Close() {
  if (std::exchange(closed_, true)) return;
  hits_ = FaultPlan::Get().hits();
  FaultPlan::Get().Disarm();
  std::shared_ptr<LoopBridge> bridge;
  if (engine_ != nullptr) {
    bridge = engine_->bridge()->shared_from_this();
    engine_->Shutdown();
  }
  uv_close(reinterpret_cast<uv_handle_t*>(&before_poll_), nullptr);
  for (int turn = 0; turn < 3; ++turn) uv_run(&loop_, UV_RUN_NOWAIT);
  // What libuv's pool has in hand.
  uv_run(&loop_, UV_RUN_DEFAULT);
  if (bridge != nullptr) {
    Check(bridge->handle_count() == 0,
          absl::StrCat("handles are left: ", bridge->DescribeHandles()));
  }
  engine_.reset();
  bridge.reset();
  OrphanQueue::Get().Drain();
  const int error = uv_loop_close(&loop_);
  Check(error == 0, "the loop does not close");
  const int descriptors = OpenDescriptors();
  Check(descriptors == descriptors_before_,
        absl::StrCat("descriptors: ", descriptors_before_, " before, ",
                     descriptors, " after"));
}

}  // namespace uvgrpc::faults
