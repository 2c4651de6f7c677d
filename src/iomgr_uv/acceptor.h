// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// Takes connections from a listening socket.

#ifndef UVGRPC_IOMGR_UV_ACCEPTOR_H_
#define UVGRPC_IOMGR_UV_ACCEPTOR_H_

#include <uv.h>

#include <memory>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "src/iomgr_uv/listener_socket.h"
#include "src/iomgr_uv/loop_bridge.h"
#include "src/iomgr_uv/owned_fd.h"
#include "src/iomgr_uv/uv_handle.h"

namespace uvgrpc {

// Polls a socket and accepts a bounded number of connections at a time, itself
// instead of through uv_listen: that accepts one connection a callback and,
// when descriptors run out, drops all that wait. Here they go on waiting, and
// the loop sleeps meanwhile. So it does when libuv cannot poll the socket.
//
// Part of a LoopObject. Loop thread.
class Acceptor {
 public:
  using OnAccepted = absl::AnyInvocable<void(int listener_fd, OwnedFd fd)>;

  // `on_accepted` may call Close.
  Acceptor(std::shared_ptr<LoopBridge> bridge, ListenerSocket socket,
           OnAccepted on_accepted);

  // Fails only when there is not even memory to try again later with.
  absl::Status Open();

  // Accepts what waits now, some thousands at most. Who has the socket in
  // common with others leaves that to them.
  void AcceptRest();

  // Stops, and closes the socket. Idempotent. `keep_alive` keeps this object
  // until libuv has closed the handles.
  void Close(const std::shared_ptr<void>& keep_alive);

 private:
  using PollHandle = UvHandle<uv_poll_t, Acceptor>;
  using TimerHandle = UvHandle<uv_timer_t, Acceptor>;

  static void OnReadable(uv_poll_t* handle, int error, int events);
  static void OnPauseOver(uv_timer_t* handle);

  // Polls, or tries to after a pause.
  void StartPolling();
  void HandleReadable();
  // Whether there was a connection to accept. Says of any other error than that
  // there was none in `error`.
  bool AcceptOne(int* error);
  void HandlePauseOver();
  void Pause(int uv_error);
  absl::Status ErrorStatus(int uv_error) const;

  const std::shared_ptr<LoopBridge> bridge_;
  ListenerSocket socket_;
  OnAccepted on_accepted_;
  PollHandle poll_;
  TimerHandle pause_;
};

}  // namespace uvgrpc

#endif  // UVGRPC_IOMGR_UV_ACCEPTOR_H_
