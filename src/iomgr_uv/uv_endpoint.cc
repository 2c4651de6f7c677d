// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/iomgr_uv/uv_endpoint.h"

#include <optional>
#include <utility>

#include "src/iomgr_uv/endpoint_telemetry.h"

namespace uvgrpc {

using grpc_event_engine::experimental::MemoryAllocator;

absl::StatusOr<std::unique_ptr<EventEngine::Endpoint>> UvEndpoint::FromFd(
    const std::shared_ptr<LoopBridge>& bridge, int fd,
    const TcpOptions& options, MemoryAllocator allocator) {
  OwnedFd owned(fd);
  if (bridge->is_closed()) return absl::CancelledError("The loop is closed");
  const absl::StatusOr<ResolvedAddress> peer = PeerAddressOf(fd);
  if (!peer.ok()) return peer.status();
  const absl::StatusOr<ResolvedAddress> local = LocalAddressOf(fd);
  if (!local.ok()) return local.status();
  auto state = std::make_shared<EndpointState>(bridge, std::move(owned),
                                               FamilyOf(*local), options,
                                               std::move(allocator));
  state->SetAddresses(*peer, *local);
  if (bridge->InLoopThread()) {
    const absl::Status status = state->Attach();
    if (!status.ok()) return status;
  } else {
    // Calls that come before this has run attach, too.
    bridge->Post([state] { (void)state->Attach(); });
  }
  return std::make_unique<UvEndpoint>(std::move(state));
}

absl::StatusOr<std::unique_ptr<EventEngine::Endpoint>> UvEndpoint::FromState(
    std::shared_ptr<EndpointState> state) {
  const absl::StatusOr<ResolvedAddress> peer = PeerAddressOf(state->fd());
  const absl::StatusOr<ResolvedAddress> local = LocalAddressOf(state->fd());
  if (!peer.ok() || !local.ok()) {
    state->Close();
    return peer.ok() ? local.status() : peer.status();
  }
  state->SetAddresses(*peer, *local);
  return std::make_unique<UvEndpoint>(std::move(state));
}

UvEndpoint::UvEndpoint(std::shared_ptr<EndpointState> state)
    : bridge_(state->bridge()), state_(std::move(state)) {}

UvEndpoint::~UvEndpoint() {
  if (bridge_->InLoopThread()) {
    state_->HandleDestroyed();
    return;
  }
  // The last reference may be ours: it goes with the post, to be dropped there.
  bridge_->Post([state = std::move(state_)] { state->HandleDestroyed(); });
}

bool UvEndpoint::Read(absl::AnyInvocable<void(absl::Status)> on_read,
                      SliceBuffer* buffer, ReadArgs /*args*/) {
  if (bridge_->InLoopThread()) {
    return state_->Read(std::move(on_read), buffer);
  }
  bridge_->Post(
      [state = state_, on_read = std::move(on_read), buffer]() mutable {
        if (state->Read(std::move(on_read), buffer)) {
          on_read(absl::OkStatus());
        }
      });
  return false;
}

bool UvEndpoint::Write(absl::AnyInvocable<void(absl::Status)> on_writable,
                       SliceBuffer* data, WriteArgs args) {
  std::optional<WriteEventSink> sink;
  if (args.has_metrics_sink()) sink = args.TakeMetricsSink();
  if (bridge_->InLoopThread()) {
    return state_->Write(std::move(on_writable), data, std::move(sink));
  }
  bridge_->Post([state = state_, on_writable = std::move(on_writable),
                 taken = std::make_unique<SliceBuffer>(std::move(*data)),
                 sink = std::move(sink)]() mutable {
    if (state->Write(std::move(on_writable), taken.get(), std::move(sink))) {
      on_writable(absl::OkStatus());
    }
  });
  return false;
}

const EventEngine::ResolvedAddress& UvEndpoint::GetPeerAddress() const {
  return state_->peer();
}

const EventEngine::ResolvedAddress& UvEndpoint::GetLocalAddress() const {
  return state_->local();
}

std::shared_ptr<EventEngine::Endpoint::TelemetryInfo>
UvEndpoint::GetTelemetryInfo() const {
  return GetEndpointTelemetryInfo();
}

int UvEndpoint::GetWrappedFd() { return state_->fd(); }

void UvEndpoint::Shutdown(
    absl::AnyInvocable<void(absl::StatusOr<int> release_fd)> on_release_fd) {
  if (bridge_->InLoopThread()) {
    state_->ShutDown(std::move(on_release_fd));
    return;
  }
  bridge_->Post(
      [state = state_, on_release_fd = std::move(on_release_fd)]() mutable {
        state->ShutDown(std::move(on_release_fd));
      });
}

}  // namespace uvgrpc
