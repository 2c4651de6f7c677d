// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/iomgr_uv/uv_listener.h"

#include <fcntl.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/log/log.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "src/core/lib/event_engine/tcp_socket_utils.h"
#include "src/iomgr_uv/acceptor.h"
#include "src/iomgr_uv/listener_socket.h"
#include "src/iomgr_uv/owned_fd.h"
#include "src/iomgr_uv/socket_address.h"
#include "src/iomgr_uv/uv_endpoint.h"

namespace uvgrpc {
namespace {

using grpc_event_engine::experimental::MemoryAllocator;
using grpc_event_engine::experimental::MemoryAllocatorFactory;
using grpc_event_engine::experimental::SliceBuffer;

}  // namespace

// The half that lives on the loop. Sockets belong to the lock until the
// listener is started, then to the loop thread.
class ListenerState final : public LoopObject,
                            public Arrivals::Listener,
                            public std::enable_shared_from_this<ListenerState> {
 public:
  ListenerState(std::shared_ptr<LoopBridge> bridge,
                UvListener::PosixAcceptCallback on_accept,
                absl::AnyInvocable<void(absl::Status)> on_shutdown,
                TcpOptions options,
                std::unique_ptr<MemoryAllocatorFactory> allocators)
      : LoopObject(bridge.get(), LinkLater()),
        bridge_(std::move(bridge)),
        options_(std::move(options)),
        on_accept_(std::move(on_accept)),
        on_shutdown_(std::move(on_shutdown)),
        allocators_(std::move(allocators)) {}

  const std::shared_ptr<LoopBridge>& bridge() const { return bridge_; }

  // Any thread.
  absl::StatusOr<int> Bind(
      const ResolvedAddress& address,
      grpc_event_engine::experimental::ListenerSupportsFdExtension::
          OnPosixBindNewFdCallback on_bind_new_fd);
  bool MarkStarted();
  void CloseUnstarted();
  absl::Status TakeExternal(int listener_fd, OwnedFd fd,
                            SliceBuffer* pending_data);

  // Loop thread.
  void Register();
  void StartAccepting();
  void StopAccepting();
  void StopGently() override;
  // The façade is gone.
  void HandleDestroyed();
  void HandleLoopClosing() override;
  void HandleAccepted(int listener_fd, OwnedFd fd, bool is_external,
                      SliceBuffer* pending_data);

 private:
  void ShutDown(absl::Status status);

  const std::shared_ptr<LoopBridge> bridge_;
  const TcpOptions options_;

  // Loop thread.
  UvListener::PosixAcceptCallback on_accept_;
  absl::AnyInvocable<void(absl::Status)> on_shutdown_;
  const std::unique_ptr<MemoryAllocatorFactory> allocators_;
  std::vector<std::unique_ptr<Acceptor>> acceptors_;
  bool stopped_ = false;    // no more accepting
  bool shut_down_ = false;  // no more on_accept; on_shutdown has been posted

  absl::Mutex mu_;
  std::vector<ListenerSocket> sockets_ ABSL_GUARDED_BY(mu_);
  bool started_ ABSL_GUARDED_BY(mu_) = false;
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
};

absl::StatusOr<int> ListenerState::Bind(
    const ResolvedAddress& address,
    grpc_event_engine::experimental::ListenerSupportsFdExtension::
        OnPosixBindNewFdCallback on_bind_new_fd) {
  absl::MutexLock lock(mu_);
  if (closed_) {
    return absl::FailedPreconditionError("Listener is shut down");
  }
  if (started_) {
    return absl::FailedPreconditionError(
        "Listener is already started, ports can no longer be bound");
  }
  ResolvedAddress wanted = address;
  if (options_.adopted_socket == TcpOptions::kUnset &&
      CheckSupported(address).ok() && !IsUnixAddress(address) &&
      grpc_event_engine::experimental::ResolvedAddressGetPort(address) == 0) {
    for (const ListenerSocket& socket : sockets_) {
      if (IsUnixAddress(socket.address())) continue;
      grpc_event_engine::experimental::ResolvedAddressSetPort(wanted,
                                                              socket.port());
      break;
    }
  }
  absl::StatusOr<std::vector<ListenerSocket>> bound =
      BindListenerSockets(wanted, options_);
  if (!bound.ok()) {
    if (on_bind_new_fd != nullptr) {
      on_bind_new_fd(absl::FailedPreconditionError(bound.status().message()));
    }
    return bound.status();
  }
  const int port = bound->front().port();
  for (ListenerSocket& socket : *bound) {
    if (on_bind_new_fd != nullptr) on_bind_new_fd(socket.fd());
    sockets_.push_back(std::move(socket));
  }
  return port;
}

bool ListenerState::MarkStarted() {
  absl::MutexLock lock(mu_);
  return !std::exchange(started_, true) && !closed_;
}

void ListenerState::CloseUnstarted() {
  std::vector<ListenerSocket> sockets;
  absl::MutexLock lock(mu_);
  closed_ = true;
  if (!started_) sockets_.swap(sockets);
}

absl::Status ListenerState::TakeExternal(int listener_fd, OwnedFd fd,
                                         SliceBuffer* pending_data) {
  if (listener_fd < 0) {
    return absl::UnknownError(absl::StrCat(
        "HandleExternalConnection: Invalid listener socket: ", listener_fd));
  }
  if (!fd.is_open()) {
    return absl::UnknownError(absl::StrCat(
        "HandleExternalConnection: Invalid peer socket: ", fd.get()));
  }
  const absl::StatusOr<ResolvedAddress> peer = PeerAddressOf(fd.get());
  if (!peer.ok()) {
    return absl::UnknownError(
        absl::StrCat("HandleExternalConnection: peer not connected: ",
                     peer.status().message()));
  }
  if (bridge_->is_closed()) {
    return absl::CancelledError("HandleExternalConnection: the loop is closed");
  }
  (void)fcntl(fd.get(), F_SETFD, FD_CLOEXEC);
  auto pending = std::make_unique<SliceBuffer>();
  if (pending_data != nullptr) pending->Swap(*pending_data);
  bridge_->Post([self = shared_from_this(), listener_fd, fd = std::move(fd),
                 pending = std::move(pending)]() mutable {
    self->HandleAccepted(listener_fd, std::move(fd), /*is_external=*/true,
                         pending.get());
  });
  return absl::OkStatus();
}

void ListenerState::Register() {
  if (bridge_->is_closed()) {
    HandleLoopClosing();
  } else {
    Link();
    if (options_.arrivals != nullptr) options_.arrivals->Add(this);
  }
}

void ListenerState::StartAccepting() {
  if (stopped_ || bridge_->is_closed()) return;
  std::vector<ListenerSocket> sockets;
  {
    absl::MutexLock lock(mu_);
    sockets_.swap(sockets);
  }
  for (ListenerSocket& socket : sockets) {
    auto acceptor = std::make_unique<Acceptor>(
        bridge_, std::move(socket), [this](int listener_fd, OwnedFd fd) {
          HandleAccepted(listener_fd, std::move(fd), /*is_external=*/false,
                         /*pending_data=*/nullptr);
        });
    const absl::Status status = acceptor->Open();
    if (status.ok()) {
      acceptors_.push_back(std::move(acceptor));
    } else {
      LOG(ERROR) << status.message();
      // libuv may know its handle already.
      acceptor->Close(shared_from_this());
    }
  }
}

void ListenerState::StopAccepting() {
  if (std::exchange(stopped_, true)) return;
  std::vector<ListenerSocket> sockets;
  {
    absl::MutexLock lock(mu_);
    closed_ = true;
    sockets_.swap(sockets);
  }
  // Destroyed with this object, which the handles keep until they are closed.
  for (const auto& acceptor : acceptors_) acceptor->Close(shared_from_this());
}

void ListenerState::StopGently() {
  for (const auto& acceptor : acceptors_) acceptor->AcceptRest();
  StopAccepting();
}

void ListenerState::HandleDestroyed() { ShutDown(absl::OkStatus()); }

void ListenerState::HandleLoopClosing() {
  ShutDown(absl::CancelledError("The loop is closed"));
}

void ListenerState::ShutDown(absl::Status status) {
  StopAccepting();
  if (std::exchange(shut_down_, true)) return;
  if (options_.arrivals != nullptr) options_.arrivals->Remove(this);
  // From a post, so that no on_accept is on the stack.
  bridge_->Post([self = shared_from_this(), status = std::move(status)] {
    self->on_accept_ = nullptr;
    auto on_shutdown = std::exchange(self->on_shutdown_, nullptr);
    if (on_shutdown != nullptr) on_shutdown(status);
  });
}

void ListenerState::HandleAccepted(int listener_fd, OwnedFd fd,
                                   bool is_external,
                                   SliceBuffer* pending_data) {
  if (shut_down_) return;
  const absl::StatusOr<ResolvedAddress> peer = PeerAddressOf(fd.get());
  // The peer has gone already.
  if (!peer.ok()) return;
  const std::string name = Describe(*peer);
  const absl::Status status =
      PrepareAcceptedSocket(fd.get(), FamilyOf(*peer), options_);
  if (!status.ok()) {
    LOG_EVERY_N_SEC(ERROR, 10)
        << "connection from " << name << " dropped: " << status.message();
    return;
  }
  absl::StatusOr<std::unique_ptr<EventEngine::Endpoint>> endpoint =
      UvEndpoint::FromFd(bridge_, fd.Take(), options_,
                         allocators_->CreateMemoryAllocator(absl::StrCat(
                             "endpoint-tcp-server-connection: ", name)));
  if (!endpoint.ok()) return;
  on_accept_(listener_fd, *std::move(endpoint), is_external,
             allocators_->CreateMemoryAllocator(
                 absl::StrCat("on-accept-tcp-server-connection: ", name)),
             pending_data);
}

absl::StatusOr<std::unique_ptr<EventEngine::Listener>> UvListener::Create(
    std::shared_ptr<LoopBridge> bridge, PosixAcceptCallback on_accept,
    absl::AnyInvocable<void(absl::Status)> on_shutdown, TcpOptions options,
    std::unique_ptr<MemoryAllocatorFactory> memory_allocator_factory) {
  if (bridge->is_closed()) return absl::CancelledError("The loop is closed");
  auto state = std::make_shared<ListenerState>(
      bridge, std::move(on_accept), std::move(on_shutdown), std::move(options),
      std::move(memory_allocator_factory));
  if (bridge->InLoopThread()) {
    state->Register();
  } else {
    bridge->Post([state] { state->Register(); });
  }
  return std::make_unique<UvListener>(std::move(state));
}

UvListener::UvListener(std::shared_ptr<ListenerState> state)
    : bridge_(state->bridge()), state_(std::move(state)) {}

UvListener::~UvListener() {
  if (bridge_->InLoopThread()) {
    state_->HandleDestroyed();
    return;
  }
  // The last reference may be ours: it goes with the post, to be dropped there.
  bridge_->Post([state = std::move(state_)] { state->HandleDestroyed(); });
}

absl::StatusOr<int> UvListener::Bind(const EventEngine::ResolvedAddress& addr) {
  return state_->Bind(addr, nullptr);
}

absl::StatusOr<int> UvListener::BindWithFd(
    const EventEngine::ResolvedAddress& addr,
    OnPosixBindNewFdCallback on_bind_new_fd) {
  return state_->Bind(addr, std::move(on_bind_new_fd));
}

absl::Status UvListener::Start() {
  if (!state_->MarkStarted()) return absl::OkStatus();
  if (bridge_->InLoopThread()) {
    state_->StartAccepting();
  } else {
    bridge_->Post([state = state_] { state->StartAccepting(); });
  }
  return absl::OkStatus();
}

absl::Status UvListener::HandleExternalConnection(int listener_fd, int fd,
                                                  SliceBuffer* pending_data) {
  return state_->TakeExternal(listener_fd, OwnedFd(fd), pending_data);
}

void UvListener::ShutdownListeningFds() {
  state_->CloseUnstarted();
  if (bridge_->InLoopThread()) {
    state_->StopAccepting();
  } else {
    bridge_->Post([state = state_] { state->StopAccepting(); });
  }
}

}  // namespace uvgrpc
