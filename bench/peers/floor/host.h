// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// What the calls of a server need of the program that runs them.

#ifndef UVGRPC_BENCH_PEERS_FLOOR_HOST_H_
#define UVGRPC_BENCH_PEERS_FLOOR_HOST_H_

#include <grpc/grpc.h>

#include <cstddef>

namespace uvgrpc::bench {

class Tag;

// One thread calls everything here, and every tag.
class Host {
 public:
  // Starts a batch; `tag` follows.
  virtual void Start(grpc_call* call, const grpc_op* ops, size_t count,
                     Tag* tag) = 0;
  // A tag of a callback queue has come back, from deep inside core's stack.
  virtual void Complete(Tag* tag, bool ok) = 0;
  // An RPC has arrived: the next one needs a call of its own.
  virtual void HandleArrival() = 0;

 protected:
  ~Host() = default;
};

// What core hands back when an operation is done: of a callback queue or of one
// that is polled.
class Tag : public grpc_completion_queue_functor {
 public:
  explicit Tag(Host* host) : host_(host) {
    functor_run = [](grpc_completion_queue_functor* functor, int ok) {
      auto* const self = static_cast<Tag*>(functor);
      self->host_->Complete(self, ok != 0);
    };
    inlineable = 1;
    internal_success = 0;
    internal_next = nullptr;
  }
  Tag(const Tag&) = delete;
  Tag& operator=(const Tag&) = delete;

  void* core() { return static_cast<grpc_completion_queue_functor*>(this); }
  static Tag* FromCore(void* tag) {
    return static_cast<Tag*>(static_cast<grpc_completion_queue_functor*>(tag));
  }

  // At the top of the stack. The tag may be gone afterwards.
  virtual void Done(bool ok) = 0;

 protected:
  ~Tag() = default;

 private:
  friend class LoopHost;
  Host* const host_;
  // While it waits for Done.
  Tag* next_ = nullptr;
  bool ok_ = false;
};

}  // namespace uvgrpc::bench

#endif  // UVGRPC_BENCH_PEERS_FLOOR_HOST_H_
