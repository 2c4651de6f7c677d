// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/iomgr_uv/uv_polled_fd.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include <cerrno>
#include <string>
#include <utility>

#include "absl/log/check.h"
#include "absl/strings/str_cat.h"
#include "src/iomgr_uv/socket_registry.h"
#include "src/iomgr_uv/sockets.h"
#include "src/iomgr_uv/uv_handle.h"
#include "src/iomgr_uv/uv_status.h"

namespace uvgrpc {
namespace {

// What c-ares knows as one use of a socket. Core makes another for the same
// socket when c-ares keeps it open and has a second query for it.
class UvPolledFd final : public GrpcPolledFd {
 public:
  UvPolledFd(ares_socket_t fd, std::shared_ptr<PolledSocket> socket)
      : fd_(fd),
        name_(absl::StrCat("c-ares fd ", fd)),
        socket_(std::move(socket)) {}

  void RegisterForOnReadableLocked(
      absl::AnyInvocable<void(absl::Status)> closure) override {
    socket_->NotifyWhenReady(PolledSocket::kRead, std::move(closure));
  }
  void RegisterForOnWriteableLocked(
      absl::AnyInvocable<void(absl::Status)> closure) override {
    socket_->NotifyWhenReady(PolledSocket::kWrite, std::move(closure));
  }
  // Only edge-triggered pollers must look for themselves.
  bool IsFdStillReadableLocked() override { return false; }
  bool ShutdownLocked(absl::Status error) override {
    // OK means that c-ares has no use for the socket at present; an error, that
    // the resolver goes.
    retired_ = error.ok();
    socket_->Cancel(std::move(error));
    return true;
  }
  ares_socket_t GetWrappedAresSocketLocked() override { return fd_; }
  const char* GetName() const override { return name_.c_str(); }
  // A retired one must not be found again for the same socket: core would never
  // shut it down a second time, and what it waits for would hold the resolver.
  bool IsCurrent() const override { return !retired_; }

 private:
  const ares_socket_t fd_;
  const std::string name_;
  const std::shared_ptr<PolledSocket> socket_;
  bool retired_ = false;
};

int Connect(ares_socket_t socket, const sockaddr* address,
            ares_socklen_t length, unsigned int /*flags*/,
            void* /*user_data*/) {
  return connect(socket, address, length);
}

// c-ares takes EINTR for an error of the server.
template <typename Call>
ares_ssize_t WithoutEintr(Call call) {
  ares_ssize_t size;
  do {
    size = call();
  } while (size < 0 && errno == EINTR);
  return size;
}

ares_ssize_t ReceiveFrom(ares_socket_t socket, void* buffer, size_t length,
                         int flags, sockaddr* address,
                         ares_socklen_t* address_length, void* /*user_data*/) {
  return WithoutEintr([&] {
    return recvfrom(socket, buffer, length, flags, address, address_length);
  });
}

ares_ssize_t SendTo(ares_socket_t socket, const void* buffer, size_t length,
                    int flags, const sockaddr* address,
                    ares_socklen_t address_length, void* /*user_data*/) {
  return WithoutEintr([&] {
    return sendto(socket, buffer, length, flags | kNoSigpipe, address,
                  address_length);
  });
}

// Buffer sizes, devices and TCP fast open, none of which core asks for.
int SetOption(ares_socket_t /*socket*/, ares_socket_opt_t /*option*/,
              const void* /*value*/, ares_socklen_t /*size*/,
              void* /*user_data*/) {
  errno = ENOSYS;
  return -1;
}

}  // namespace

// The loop's side of a socket, from its first use until c-ares lets go of it.
class PolledSocket::Poll final : public LoopObject {
 public:
  explicit Poll(std::shared_ptr<PolledSocket> socket)
      : LoopObject(socket->bridge_.get()), socket_(std::move(socket)) {}

  int Init(int fd) {
    LoopBridge* const bridge = socket_->bridge_.get();
    return handle_.Init(
        socket_->bridge_, this, UV_POLL, [bridge, fd](uv_poll_t* handle) {
          return bridge->uv().poll_init(bridge->loop(), handle, fd);
        });
  }

  int SetEvents(int events) {
    if (events == events_) return 0;
    const UvApi& uv = socket_->bridge_->uv();
    const int error =
        events == 0 ? uv.poll_stop(handle_.get())
                    : uv.poll_start(handle_.get(), events, &Poll::OnReady);
    // What failed is tried again by whoever asks next.
    events_ = error == 0 ? events : 0;
    return error;
  }

  void HandleLoopClosing() override {
    const std::shared_ptr<PolledSocket> socket = socket_;
    socket->HandleLoopClosing();
  }

 private:
  static void OnReady(uv_poll_t* handle, int error, int events) {
    Poll* self = UvHandle<uv_poll_t, Poll>::OwnerOf(handle);
    if (error != 0) self->events_ = 0;  // libuv has stopped it
    const std::shared_ptr<PolledSocket> socket = self->socket_;
    socket->HandleReady(error, events);
  }

  const std::shared_ptr<PolledSocket> socket_;
  UvHandle<uv_poll_t, Poll> handle_;
  int events_ = 0;  // what the handle is started for
};

PolledSocket::PolledSocket(std::shared_ptr<LoopBridge> bridge, int fd)
    : bridge_(std::move(bridge)), fd_(fd) {}

PolledSocket::~PolledSocket() { CHECK_EQ(fd_, -1); }

void PolledSocket::NotifyWhenReady(Direction direction, Closure closure) {
  absl::MutexLock lock(mu_);
  CHECK(closures_[direction] == nullptr);
  closures_[direction] = std::move(closure);
  PostUpdate();
}

void PolledSocket::Cancel(absl::Status status) {
  absl::MutexLock lock(mu_);
  PostClosures(status);
  PostUpdate();
}

void PolledSocket::Release() {
  absl::MutexLock lock(mu_);
  released_ = true;
  CloseFdIfDone();
  if (poll_ != nullptr) PostUpdate();
}

void PolledSocket::PostUpdate() {
  if (std::exchange(update_posted_, true)) return;
  bridge_->Post([self = shared_from_this()] { self->Update(); });
}

void PolledSocket::Update() {
  absl::MutexLock lock(mu_);
  update_posted_ = false;
  if (released_) {
    poll_.reset();
    CloseFdIfDone();
    return;
  }
  const int error = SetEvents((closures_[kRead] != nullptr ? UV_READABLE : 0) |
                              (closures_[kWrite] != nullptr ? UV_WRITABLE : 0));
  if (error != 0) {
    PostClosures(UvStatus(bridge_->uv(), error, "watching a socket of c-ares"));
  }
}

int PolledSocket::SetEvents(int events) {
  if (poll_ == nullptr) {
    if (events == 0) return 0;
    if (bridge_->is_closed()) return UV_ECANCELED;
    auto poll = std::make_unique<Poll>(shared_from_this());
    const int error = poll->Init(fd_);
    if (error != 0) return error;
    poll_ = std::move(poll);
  }
  return poll_->SetEvents(events);
}

void PolledSocket::PostClosures(const absl::Status& status) {
  for (Closure& closure : closures_) {
    if (closure == nullptr) continue;
    bridge_->Post([closure = std::exchange(closure, nullptr),
                   status]() mutable { closure(std::move(status)); });
  }
}

void PolledSocket::CloseFdIfDone() {
  if (released_ && poll_ == nullptr && fd_ != -1) {
    ForgetSocket(fd_);
    close(std::exchange(fd_, -1));
  }
}

void PolledSocket::HandleReady(int error, int events) {
  LoopBridge::CallbackScope scope(bridge_.get());
  // An error on the socket is c-ares's to find when it reads or writes: it then
  // tries the next server.
  if (error != 0) events = UV_READABLE | UV_WRITABLE;
  std::array<Closure, 2> ready;
  {
    absl::MutexLock lock(mu_);
    if ((events & UV_READABLE) != 0) ready[kRead].swap(closures_[kRead]);
    if ((events & UV_WRITABLE) != 0) ready[kWrite].swap(closures_[kWrite]);
    PostUpdate();  // runs when the scope ends, after what the closures ask for
  }
  for (Closure& closure : ready) {
    if (closure != nullptr) closure(absl::OkStatus());
  }
}

void PolledSocket::HandleLoopClosing() {
  absl::MutexLock lock(mu_);
  poll_.reset();
  PostClosures(absl::CancelledError("the event loop was closed"));
  CloseFdIfDone();
}

UvPolledFdFactory::UvPolledFdFactory(std::shared_ptr<LoopBridge> bridge)
    : bridge_(std::move(bridge)) {}

UvPolledFdFactory::~UvPolledFdFactory() { CHECK(sockets_.empty()); }

void UvPolledFdFactory::Initialize(grpc_core::Mutex* /*mutex*/,
                                   EventEngine* /*engine*/) {}

std::unique_ptr<GrpcPolledFd> UvPolledFdFactory::NewGrpcPolledFdLocked(
    ares_socket_t socket) {
  const auto it = sockets_.find(socket);
  CHECK(it != sockets_.end());
  return std::make_unique<UvPolledFd>(socket, it->second);
}

void UvPolledFdFactory::ConfigureAresChannelLocked(ares_channel channel) {
  ares_socket_functions_ex functions = {};
  functions.version = 1;
  functions.flags = ARES_SOCKFUNC_FLAG_NONBLOCKING;
  functions.asocket = &UvPolledFdFactory::OnOpen;
  functions.aclose = &UvPolledFdFactory::OnClose;
  functions.asetsockopt = &SetOption;
  functions.aconnect = &Connect;
  functions.arecvfrom = &ReceiveFrom;
  functions.asendto = &SendTo;
  CHECK_EQ(ares_set_socket_functions_ex(channel, &functions, this),
           ARES_SUCCESS);
}

std::unique_ptr<GrpcPolledFdFactory> UvPolledFdFactory::NewEmptyInstance()
    const {
  return std::make_unique<UvPolledFdFactory>(bridge_);
}

ares_socket_t UvPolledFdFactory::OnOpen(int domain, int type, int protocol,
                                        void* user_data) {
  auto* self = static_cast<UvPolledFdFactory*>(user_data);
  const int fd = OpenSocket(domain, type, protocol);
  if (fd < 0) return ARES_SOCKET_BAD;
  NoteSocket(fd);
  if (type == SOCK_STREAM) {
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  }
  self->sockets_[fd] = std::make_shared<PolledSocket>(self->bridge_, fd);
  return fd;
}

int UvPolledFdFactory::OnClose(ares_socket_t socket, void* user_data) {
  auto* self = static_cast<UvPolledFdFactory*>(user_data);
  auto node = self->sockets_.extract(socket);
  CHECK(!node.empty());
  node.mapped()->Release();
  return 0;
}

}  // namespace uvgrpc
