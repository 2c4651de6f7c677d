// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// Incoming connections.

#ifndef UVGRPC_IOMGR_UV_UV_LISTENER_H_
#define UVGRPC_IOMGR_UV_UV_LISTENER_H_

#include <grpc/event_engine/event_engine.h>
#include <grpc/event_engine/memory_allocator.h>

#include <memory>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "src/core/lib/event_engine/extensions/supports_fd.h"
#include "src/core/lib/event_engine/query_extensions.h"
#include "src/iomgr_uv/loop_bridge.h"
#include "src/iomgr_uv/tcp_options.h"

namespace uvgrpc {

class ListenerState;

// The façade of listening sockets on the loop: gRPC owns it and may call and
// destroy it on any thread. Binding is done by the caller's thread, so that its
// errors are the caller's; accepting is done on the loop.
class UvListener final
    : public grpc_event_engine::experimental::ExtendedType<
          EventEngine::Listener,
          grpc_event_engine::experimental::ListenerSupportsFdExtension> {
 public:
  using PosixAcceptCallback = grpc_event_engine::experimental::
      EventEngineSupportsFdExtension::PosixAcceptCallback;
  using SliceBuffer = grpc_event_engine::experimental::SliceBuffer;

  // `on_accept` runs on the loop thread, from a libuv callback or a post.
  // `on_shutdown` runs once, from a post, when no on_accept will run any more:
  // with OK after the listener was destroyed, or with CANCELLED when the loop
  // closes first. Fails when the loop is closed; then neither ever runs.
  static absl::StatusOr<std::unique_ptr<EventEngine::Listener>> Create(
      std::shared_ptr<LoopBridge> bridge, PosixAcceptCallback on_accept,
      absl::AnyInvocable<void(absl::Status)> on_shutdown, TcpOptions options,
      std::unique_ptr<grpc_event_engine::experimental::MemoryAllocatorFactory>
          memory_allocator_factory);

  // Use Create.
  explicit UvListener(std::shared_ptr<ListenerState> state);
  ~UvListener() override;

  // Listens at `addr` and returns the port, which is 1 for a Unix socket. Port
  // 0 means the port of an earlier Bind of this listener, if there is one. The
  // kernel queues connections from here on. FAILED_PRECONDITION after Start.
  absl::StatusOr<int> Bind(const EventEngine::ResolvedAddress& addr) override;
  // Accepts from here on. Idempotent.
  absl::Status Start() override;

  // ListenerSupportsFdExtension
  absl::StatusOr<int> BindWithFd(
      const EventEngine::ResolvedAddress& addr,
      OnPosixBindNewFdCallback on_bind_new_fd) override;
  // Takes over `fd` in any case, and what `pending_data` holds.
  absl::Status HandleExternalConnection(int listener_fd, int fd,
                                        SliceBuffer* pending_data) override;
  // Closes the sockets that listen; external connections are still taken.
  void ShutdownListeningFds() override;

 private:
  const std::shared_ptr<LoopBridge> bridge_;
  std::shared_ptr<ListenerState> state_;
};

}  // namespace uvgrpc

#endif  // UVGRPC_IOMGR_UV_UV_LISTENER_H_
