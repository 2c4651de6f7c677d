// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "bench/peers/floor/loop_host.h"

#include <grpc/event_engine/event_engine.h>

#include "absl/log/check.h"
#include "src/core/lib/channel/channel_args.h"
#include "src/core/lib/iomgr/exec_ctx.h"
#include "src/core/lib/surface/call.h"

namespace uvgrpc::bench {
namespace {

// As in LoopContext: what is left goes on behind other work of the loop.
constexpr int kMaxRounds = 64;

UvApi LinkedUvApi() {
  UvApi api;
#define UVGRPC_TAKE(name) api.name = &::uv_##name;
  UVGRPC_UV_FUNCTIONS(UVGRPC_TAKE)
#undef UVGRPC_TAKE
  return api;
}

}  // namespace

LoopHost::LoopHost(uv_loop_t* loop) {
  auto engine = UvEventEngine::Create(loop, LinkedUvApi());
  CHECK_OK(engine.status());
  engine_for_core_ = engine_ = *std::move(engine);
  // The queue is never shut down: the process ends before.
  static grpc_completion_queue_functor never;
  const grpc_completion_queue_attributes attributes = {
      GRPC_CQ_CURRENT_VERSION, GRPC_CQ_CALLBACK, GRPC_CQ_DEFAULT_POLLING,
      &never};
  cq_ = grpc_completion_queue_create(
      grpc_completion_queue_factory_lookup(&attributes), &attributes, nullptr);
  bridge()->set_turn_hooks(this);
}

grpc_arg LoopHost::EngineArg() {
  return grpc_channel_arg_pointer_create(
      const_cast<char*>(GRPC_INTERNAL_ARG_EVENT_ENGINE), &engine_for_core_,
      grpc_event_engine::experimental::grpc_event_engine_arg_vtable());
}

void LoopHost::Start(grpc_call* call, const grpc_op* ops, size_t count,
                     Tag* tag) {
  const grpc_call_error error = grpc_core::Call::FromC(call)->StartBatch(
      ops, count, tag->core(), /*is_notify_tag_closure=*/false);
  CHECK_EQ(error, GRPC_CALL_OK);
}

void LoopHost::Complete(Tag* tag, bool ok) {
  tag->ok_ = ok;
  tag->next_ = nullptr;
  *tail_ = tag;
  tail_ = &tag->next_;
  bridge()->RequestDelivery();
}

bool LoopHost::DeliverCompletions() {
  const bool any = head_ != nullptr;
  for (int round = 0; round < kMaxRounds && head_ != nullptr; ++round) {
    const grpc_core::ExecCtx exec_ctx;
    while (head_ != nullptr) {
      Tag* const tag = head_;
      head_ = tag->next_;
      if (head_ == nullptr) tail_ = &head_;
      tag->Done(tag->ok_);
    }
  }
  if (head_ != nullptr) bridge()->RequestDelivery();
  return any;
}

}  // namespace uvgrpc::bench
