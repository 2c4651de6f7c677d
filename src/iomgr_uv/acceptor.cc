// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/iomgr_uv/acceptor.h"

#include <errno.h>

#include <chrono>
#include <cstdint>
#include <utility>

#include "absl/log/log.h"
#include "absl/strings/str_cat.h"
#include "src/iomgr_uv/socket_address.h"
#include "src/iomgr_uv/sockets.h"
#include "src/iomgr_uv/uv_status.h"

namespace uvgrpc {
namespace {

// Connections accepted in one callback before others get their turn; so long
// as that is no long one.
constexpr int kMaxAcceptsPerCallback = 32;
// The longest queue that Linux makes (net.core.somaxconn).
constexpr int kMaxRest = 4096;
// Out of descriptors or memory: look again after this. Until then the socket is
// not polled, since it would stay readable and keep the loop busy.
constexpr uint64_t kPauseMilliseconds = 200;

// Errors of the connection that was to be accepted (accept(2)); it is gone from
// the queue. All others are those of this process or of the listening socket.
bool IsConnectionError(int error) {
  switch (error) {
    case EINTR:
    case ECONNABORTED:
    case EPROTO:
    case EPERM:
    case ENOPROTOOPT:
    case ENETDOWN:
    case ENETUNREACH:
#ifdef ENONET
    case ENONET:
#endif
    case EHOSTDOWN:
    case EHOSTUNREACH:
      return true;
    default:
      return false;
  }
}

}  // namespace

Acceptor::Acceptor(std::shared_ptr<LoopBridge> bridge, ListenerSocket socket,
                   OnAccepted on_accepted)
    : bridge_(std::move(bridge)),
      socket_(std::move(socket)),
      on_accepted_(std::move(on_accepted)) {}

absl::Status Acceptor::Open() {
  const int error =
      pause_.Init(bridge_, this, UV_TIMER, [&](uv_timer_t* timer) {
        return bridge_->uv().timer_init(bridge_->loop(), timer);
      });
  if (error != 0) return ErrorStatus(error);
  StartPolling();
  return absl::OkStatus();
}

void Acceptor::StartPolling() {
  int error = 0;
  if (!poll_.is_open()) {
    error = poll_.Init(bridge_, this, UV_POLL, [&](uv_poll_t* handle) {
      return bridge_->uv().poll_init(bridge_->loop(), handle, socket_.fd());
    });
  }
  if (error == 0) {
    error = bridge_->uv().poll_start(poll_.get(), UV_READABLE, &OnReadable);
  }
  if (error != 0) Pause(error);
}

void Acceptor::Close(const std::shared_ptr<void>& keep_alive) {
  // libuv must have let go of the descriptor before it is closed.
  poll_.Close(keep_alive);
  pause_.Close(keep_alive);
  socket_.Close();
}

void Acceptor::OnReadable(uv_poll_t* handle, int error, int) {
  Acceptor* self = PollHandle::OwnerOf(handle);
  self->HandleReadable();
  // libuv has stopped polling. What it reports shows in accept, too, or goes.
  if (error != 0 && self->poll_.is_open()) self->Pause(error);
}

void Acceptor::HandleReadable() {
  LoopBridge::CallbackScope scope(bridge_.get());
  for (int i = 0; i < kMaxAcceptsPerCallback && poll_.is_open(); ++i) {
    if (i > 0 && bridge_->TurnLength(std::chrono::steady_clock::now()) >
                     LoopBridge::kLongTurn) {
      return;
    }
    int error = 0;
    if (AcceptOne(&error)) continue;
    if (error != 0) Pause(-error);
    return;
  }
}

void Acceptor::AcceptRest() {
  if (socket_.is_adopted()) return;
  LoopBridge::CallbackScope scope(bridge_.get());
  int error = 0;
  for (int i = 0; i < kMaxRest && poll_.is_open(); ++i) {
    if (!AcceptOne(&error)) return;
  }
}

bool Acceptor::AcceptOne(int* error) {
  // Who has it in common with us may have made it one that blocks, and take
  // what it was readable for.
  if (socket_.is_adopted()) (void)SetNonBlocking(socket_.fd());
  OwnedFd accepted(AcceptSocket(socket_.fd()));
  if (accepted.is_open()) {
    on_accepted_(socket_.fd(), std::move(accepted));
    return true;
  }
  if (IsConnectionError(errno)) return true;
  if (errno != EAGAIN) *error = errno;
  return false;
}

void Acceptor::Pause(int uv_error) {
  LOG_EVERY_N_SEC(ERROR, 10)
      << ErrorStatus(uv_error).message() << "; connections wait";
  if (poll_.is_open()) bridge_->uv().poll_stop(poll_.get());
  bridge_->uv().timer_start(pause_.get(), &OnPauseOver, kPauseMilliseconds, 0);
}

absl::Status Acceptor::ErrorStatus(int uv_error) const {
  return UvStatus(bridge_->uv(), uv_error,
                  absl::StrCat("accept at ", Describe(socket_.address())));
}

void Acceptor::OnPauseOver(uv_timer_t* handle) {
  TimerHandle::OwnerOf(handle)->HandlePauseOver();
}

void Acceptor::HandlePauseOver() {
  LoopBridge::CallbackScope scope(bridge_.get());
  StartPolling();
}

}  // namespace uvgrpc
