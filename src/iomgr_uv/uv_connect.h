// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// Outgoing connections.

#ifndef UVGRPC_IOMGR_UV_UV_CONNECT_H_
#define UVGRPC_IOMGR_UV_UV_CONNECT_H_

#include <grpc/event_engine/event_engine.h>
#include <grpc/event_engine/memory_allocator.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "src/iomgr_uv/loop_bridge.h"
#include "src/iomgr_uv/tcp_options.h"
#include "src/iomgr_uv/timer_queue.h"

namespace uvgrpc {

// The connection attempts of one engine. The table holds the callback of each
// attempt that is still to complete: whoever takes it out of the table, under
// its lock, decides whether the attempt ends with the callback or is cancelled.
//
// Any thread. Held by std::make_shared.
class ConnectTable final : public std::enable_shared_from_this<ConnectTable> {
 public:
  using Ticket = uint64_t;
  static constexpr Ticket kNoTicket = 0;

  ConnectTable(std::shared_ptr<LoopBridge> bridge,
               std::shared_ptr<TimerQueue> timers);
  ~ConnectTable();

  // Connects to `address`, within `timeout`. `fd` is -1, or a stream socket
  // that is not connected yet, which is taken over in any case. Exactly once,
  // and never inside this call, `on_connect` gets the endpoint or an error,
  // with the codes and words of gRPC's own engine (uv_status.h); also when the
  // socket cannot be made, the address is not supported or the loop is closed.
  // Unless Cancel comes first.
  Ticket Connect(int fd, EventEngine::OnConnectCallback on_connect,
                 const EventEngine::ResolvedAddress& address,
                 TcpOptions options,
                 grpc_event_engine::experimental::MemoryAllocator allocator,
                 EventEngine::Duration timeout);

  // Whether the attempt was still to complete. Then its callback is destroyed
  // before this returns, and never runs.
  bool Cancel(Ticket ticket);

 private:
  class Attempt;
  using Result = absl::StatusOr<std::unique_ptr<EventEngine::Endpoint>>;

  struct Entry {
    EventEngine::OnConnectCallback on_connect;
    // Set when the attempt has started, on the loop thread.
    std::shared_ptr<Attempt> attempt;
  };

  // Registers the attempt under its ticket. False when it was cancelled.
  bool Register(Ticket ticket, std::shared_ptr<Attempt> attempt);
  std::optional<Entry> Take(Ticket ticket);
  // Runs the callback, unless the attempt was cancelled: then `result` is
  // dropped. Loop thread, or whoever drains what a closed loop left.
  void Complete(Ticket ticket, Result result);

  const std::shared_ptr<LoopBridge> bridge_;
  const std::shared_ptr<TimerQueue> timers_;

  absl::Mutex mu_;
  Ticket last_ticket_ ABSL_GUARDED_BY(mu_) = kNoTicket;
  std::unordered_map<Ticket, Entry> entries_ ABSL_GUARDED_BY(mu_);
};

}  // namespace uvgrpc

#endif  // UVGRPC_IOMGR_UV_UV_CONNECT_H_
