// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// gRPC's EventEngine on a libuv loop that somebody else runs.

#ifndef UVGRPC_IOMGR_UV_UV_ENGINE_H_
#define UVGRPC_IOMGR_UV_UV_ENGINE_H_

#include <grpc/event_engine/event_engine.h>
#include <uv.h>

#include <cstdint>
#include <memory>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "src/core/lib/event_engine/extensions/supports_fd.h"
#include "src/core/lib/event_engine/query_extensions.h"
#include "src/iomgr_uv/loop_bridge.h"
#include "src/iomgr_uv/timer_queue.h"
#include "src/iomgr_uv/uv_api.h"

namespace uvgrpc {

class ConnectTable;

using grpc_event_engine::experimental::EndpointConfig;
using grpc_event_engine::experimental::EventEngineSupportsFdExtension;
using grpc_event_engine::experimental::MemoryAllocator;
using grpc_event_engine::experimental::MemoryAllocatorFactory;

// One engine a loop. Every method may be called from any thread; closures and
// callbacks run on the loop thread. No method waits for the loop, and neither
// does the destructor.
//
// The engine carries a number that is never given out again in this process and
// is part of every handle it returns, so that DefaultEngine can tell whose a
// handle is: gRPC cancels connection attempts through the default engine.
class UvEventEngine final
    : public grpc_event_engine::experimental::ExtendedType<
          EventEngine, EventEngineSupportsFdExtension> {
 public:
  // `loop` is borrowed and must stay valid until Shutdown returned and the loop
  // ran once more. Loop thread.
  static absl::StatusOr<std::shared_ptr<UvEventEngine>> Create(uv_loop_t* loop,
                                                               const UvApi& uv);
  // Use Create.
  UvEventEngine(std::shared_ptr<LoopBridge> bridge,
                std::shared_ptr<TimerQueue> timers);
  // Shuts down, on the loop thread: at once when called there, else by a post.
  ~UvEventEngine() override;

  // Closes all sockets, drops all timers, completes all callbacks with
  // CANCELLED. Later calls fail with a status. Loop thread, idempotent.
  void Shutdown();

  LoopBridge* bridge() const { return bridge_.get(); }
  uint32_t id() const { return id_; }

  // The number of the engine that gave out a handle; 0 is nobody's.
  static uint32_t EngineIdOf(TaskHandle handle);
  static uint32_t EngineIdOf(ConnectionHandle handle);

  // EventEngine
  absl::StatusOr<std::unique_ptr<Listener>> CreateListener(
      Listener::AcceptCallback on_accept,
      absl::AnyInvocable<void(absl::Status)> on_shutdown,
      const EndpointConfig& config,
      std::unique_ptr<MemoryAllocatorFactory> memory_allocator_factory)
      override;
  ConnectionHandle Connect(OnConnectCallback on_connect,
                           const ResolvedAddress& addr,
                           const EndpointConfig& args,
                           MemoryAllocator memory_allocator,
                           Duration timeout) override;
  bool CancelConnect(ConnectionHandle handle) override;
  bool IsWorkerThread() override;
  absl::StatusOr<std::unique_ptr<DNSResolver>> GetDNSResolver(
      const DNSResolver::ResolverOptions& options) override;
  void Run(Closure* closure) override;
  void Run(absl::AnyInvocable<void()> closure) override;
  TaskHandle RunAfter(Duration when, Closure* closure) override;
  TaskHandle RunAfter(Duration when,
                      absl::AnyInvocable<void()> closure) override;
  bool Cancel(TaskHandle handle) override;

  // EventEngineSupportsFdExtension. Descriptors are taken over in any case.
  absl::StatusOr<std::unique_ptr<Endpoint>> CreatePosixEndpointFromFd(
      int fd, const EndpointConfig& config,
      MemoryAllocator memory_allocator) override;
  // Of a connected socket that a program made: prepared as a client's first.
  absl::StatusOr<std::unique_ptr<Endpoint>> CreateEndpointFromFd(
      int fd, const EndpointConfig& config) override;
  ConnectionHandle CreateEndpointFromUnconnectedFd(
      int fd, OnConnectCallback on_connect, const ResolvedAddress& addr,
      const EndpointConfig& config, MemoryAllocator memory_allocator,
      Duration timeout) override;
  absl::StatusOr<std::unique_ptr<Listener>> CreatePosixListener(
      PosixAcceptCallback on_accept,
      absl::AnyInvocable<void(absl::Status)> on_shutdown,
      const EndpointConfig& config,
      std::unique_ptr<MemoryAllocatorFactory> memory_allocator_factory)
      override;

 private:
  TaskHandle TaskHandleFor(uint64_t ticket) const;
  ConnectionHandle ConnectionHandleFor(uint64_t ticket) const;

  const std::shared_ptr<LoopBridge> bridge_;
  const std::shared_ptr<TimerQueue> timers_;
  const std::shared_ptr<ConnectTable> connects_;
  const uint32_t id_;
};

}  // namespace uvgrpc

#endif  // UVGRPC_IOMGR_UV_UV_ENGINE_H_
