// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// The sockets of c-ares on the loop: what core's AresResolver needs in order to
// speak DNS through libuv.

#ifndef UVGRPC_IOMGR_UV_UV_POLLED_FD_H_
#define UVGRPC_IOMGR_UV_UV_POLLED_FD_H_

#include <grpc/event_engine/event_engine.h>
// ares.h wants event_engine.h first.
#include <ares.h>

#include <array>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "src/core/lib/event_engine/grpc_polled_fd.h"
#include "src/iomgr_uv/loop_bridge.h"

namespace uvgrpc {

using grpc_event_engine::experimental::GrpcPolledFd;
using grpc_event_engine::experimental::GrpcPolledFdFactory;

// One socket that c-ares opened. Any thread says what it waits for; a posted
// update makes a uv_poll_t follow, so that many changes cost one call and their
// order across threads does not matter.
//
// The descriptor is c-ares's to use and ours to close: when c-ares lets go of
// it from some thread, it stays open until the loop thread has closed the
// uv_poll_t. Otherwise the number could be given out again while epoll and
// core's list of sockets still know it as this one.
class PolledSocket final : public std::enable_shared_from_this<PolledSocket> {
 public:
  using Closure = absl::AnyInvocable<void(absl::Status)>;
  enum Direction { kRead, kWrite };

  // Takes `fd` over.
  PolledSocket(std::shared_ptr<LoopBridge> bridge, int fd);
  ~PolledSocket();

  // Calls `closure` once on the loop thread when the socket is ready, fails or
  // the loop closes. At most one a direction at a time.
  void NotifyWhenReady(Direction direction, Closure closure);

  // Posts both closures with `status`.
  void Cancel(absl::Status status);

  // c-ares is done with the socket.
  void Release();

 private:
  class Poll;

  // Brings the uv_poll_t in line with what is waited for. Loop thread.
  void Update();
  void PostUpdate() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Returns what libuv says.
  int SetEvents(int events) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void PostClosures(const absl::Status& status)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void CloseFdIfDone() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void HandleReady(int error, int events);
  void HandleLoopClosing();

  const std::shared_ptr<LoopBridge> bridge_;

  absl::Mutex mu_;
  int fd_ ABSL_GUARDED_BY(mu_);
  bool released_ ABSL_GUARDED_BY(mu_) = false;
  bool update_posted_ ABSL_GUARDED_BY(mu_) = false;
  std::array<Closure, 2> closures_ ABSL_GUARDED_BY(mu_);
  // Made and destroyed on the loop thread; holds a reference to this.
  std::unique_ptr<Poll> poll_ ABSL_GUARDED_BY(mu_);
};

// For one AresResolver, which calls it under its own lock.
class UvPolledFdFactory final : public GrpcPolledFdFactory {
 public:
  explicit UvPolledFdFactory(std::shared_ptr<LoopBridge> bridge);
  ~UvPolledFdFactory() override;

  void Initialize(grpc_core::Mutex* mutex, EventEngine* engine) override;
  std::unique_ptr<GrpcPolledFd> NewGrpcPolledFdLocked(
      ares_socket_t socket) override;
  void ConfigureAresChannelLocked(ares_channel channel) override;
  std::unique_ptr<GrpcPolledFdFactory> NewEmptyInstance() const override;

 private:
  // What c-ares calls instead of the system; `user_data` is the factory.
  static ares_socket_t OnOpen(int domain, int type, int protocol,
                              void* user_data);
  static int OnClose(ares_socket_t socket, void* user_data);

  const std::shared_ptr<LoopBridge> bridge_;
  // What c-ares has open.
  absl::flat_hash_map<ares_socket_t, std::shared_ptr<PolledSocket>> sockets_;
};

}  // namespace uvgrpc

#endif  // UVGRPC_IOMGR_UV_UV_POLLED_FD_H_
