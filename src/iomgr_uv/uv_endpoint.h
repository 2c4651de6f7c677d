// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// gRPC's view of a connection.

#ifndef UVGRPC_IOMGR_UV_UV_ENDPOINT_H_
#define UVGRPC_IOMGR_UV_UV_ENDPOINT_H_

#include <grpc/event_engine/event_engine.h>
#include <grpc/event_engine/memory_allocator.h>

#include <memory>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "src/core/lib/event_engine/extensions/supports_fd.h"
#include "src/core/lib/event_engine/query_extensions.h"
#include "src/iomgr_uv/endpoint_state.h"
#include "src/iomgr_uv/loop_bridge.h"
#include "src/iomgr_uv/tcp_options.h"

namespace uvgrpc {

// The façade of a socket on the loop: gRPC owns it and may call and destroy it
// on any thread. On the loop thread calls go straight to the EndpointState,
// from elsewhere by a post.
//
// One read and one write may be outstanding at once. The slices of a Write are
// taken over before it returns, so the endpoint and the caller's buffer may go
// at once; the buffer of a Read is used until its callback. A destroyed
// endpoint completes what is outstanding with CANCELLED.
class UvEndpoint final
    : public grpc_event_engine::experimental::ExtendedType<
          EventEngine::Endpoint,
          grpc_event_engine::experimental::EndpointSupportsFdExtension> {
 public:
  using SliceBuffer = grpc_event_engine::experimental::SliceBuffer;

  // An endpoint on a connected TCP or Unix stream socket. `fd` is taken over in
  // any case. Fails when the socket is not connected, or the loop is closed.
  // Any thread.
  static absl::StatusOr<std::unique_ptr<EventEngine::Endpoint>> FromFd(
      const std::shared_ptr<LoopBridge>& bridge, int fd,
      const TcpOptions& options,
      grpc_event_engine::experimental::MemoryAllocator allocator);

  // An endpoint on a state that is attached to a connected socket. Closes it on
  // failure. Loop thread.
  static absl::StatusOr<std::unique_ptr<EventEngine::Endpoint>> FromState(
      std::shared_ptr<EndpointState> state);

  // Use the functions above.
  explicit UvEndpoint(std::shared_ptr<EndpointState> state);
  ~UvEndpoint() override;

  // EventEngine::Endpoint
  bool Read(absl::AnyInvocable<void(absl::Status)> on_read, SliceBuffer* buffer,
            ReadArgs args) override;
  bool Write(absl::AnyInvocable<void(absl::Status)> on_writable,
             SliceBuffer* data, WriteArgs args) override;
  const EventEngine::ResolvedAddress& GetPeerAddress() const override;
  const EventEngine::ResolvedAddress& GetLocalAddress() const override;
  std::shared_ptr<TelemetryInfo> GetTelemetryInfo() const override;

  // EndpointSupportsFdExtension. GetWrappedFd says -1 from Shutdown on.
  int GetWrappedFd() override;
  void Shutdown(absl::AnyInvocable<void(absl::StatusOr<int> release_fd)>
                    on_release_fd) override;

 private:
  const std::shared_ptr<LoopBridge> bridge_;
  std::shared_ptr<EndpointState> state_;
};

}  // namespace uvgrpc

#endif  // UVGRPC_IOMGR_UV_UV_ENDPOINT_H_
