// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// The engine on a plain libuv loop, and what src/bindings' LoopContext adds to
// it, without Python.

#ifndef UVGRPC_BENCH_PEERS_FLOOR_LOOP_HOST_H_
#define UVGRPC_BENCH_PEERS_FLOOR_LOOP_HOST_H_

#include <grpc/grpc.h>
#include <uv.h>

#include <memory>

#include "bench/peers/floor/host.h"
#include "src/iomgr_uv/loop_bridge.h"
#include "src/iomgr_uv/uv_engine.h"

namespace uvgrpc::bench {

// Completions join a list, and are dealt with at the end of the callback of
// libuv's that caused them, under one ExecCtx: where LoopContext settles them.
// An RPC is answered right there, whereas Python gets its turn of the loop
// first. Nothing of it is bounded by the clock, as nobody else is on the loop.
class LoopHost final : public Host, public TurnHooks {
 public:
  explicit LoopHost(uv_loop_t* loop);

  LoopBridge* bridge() const { return engine_->bridge(); }
  grpc_completion_queue* cq() const { return cq_; }
  // Points into this object.
  grpc_arg EngineArg();

  // Host
  void Start(grpc_call* call, const grpc_op* ops, size_t count,
             Tag* tag) override;
  void Complete(Tag* tag, bool ok) override;
  void HandleArrival() override {}  // core makes calls by itself

  // TurnHooks
  void StartCollected() override {}
  bool DeliverCompletions() override;

 private:
  std::shared_ptr<UvEventEngine> engine_;
  std::shared_ptr<EventEngine> engine_for_core_;
  grpc_completion_queue* cq_;
  Tag* head_ = nullptr;
  Tag** tail_ = &head_;
};

}  // namespace uvgrpc::bench

#endif  // UVGRPC_BENCH_PEERS_FLOOR_LOOP_HOST_H_
