// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// The messages that a call receives.

#ifndef UVGRPC_BINDINGS_INCOMING_MESSAGES_H_
#define UVGRPC_BINDINGS_INCOMING_MESSAGES_H_

#include <Python.h>
#include <grpc/grpc.h>

#include <cstddef>

#include "src/bindings/completion.h"
#include "src/bindings/fifo.h"
#include "src/bindings/waiters.h"

namespace uvgrpc {

class Call;

// A part of a call. Once Python has asked for a message, core is asked for the
// next ones before Python wants them: a reader that is behind finds them here
// and need not suspend. What waits here is bounded, so the sender still feels a
// slow reader through HTTP/2's flow control.
//
// Loop thread; what takes or drops a Python object needs the GIL.
class IncomingMessages {
 public:
  explicit IncomingMessages(Call* call);
  ~IncomingMessages();
  IncomingMessages(const IncomingMessages&) = delete;
  IncomingMessages& operator=(const IncomingMessages&) = delete;

  // A message that core read by itself before anybody asked. Taken over; null
  // says that none will ever come.
  void Seed(grpc_byte_buffer* message);

  bool has_message() const { return !queue_.empty(); }
  // Whether every message was taken and none will follow.
  bool at_end() const { return ended_ && !has_message(); }
  // Whether core has no message left to give.
  bool has_ended() const { return ended_; }

  // The next message, the caller's from now on; null when there is none yet, or
  // none any more.
  [[nodiscard]] grpc_byte_buffer* Take();

  // Asks for messages though nobody waits for one, up to the bounds.
  void ReadAhead();
  bool has_room() const;

  // Resolves `future` with true when there is a message, or none will come.
  // With the GIL.
  void Wait(PyObject* future);

  // Asks core for a message, if one is wanted. Under an ExecCtx.
  void Start();

  // Nothing will come: the call ended before core heard of it.
  void End() { ended_ = true; }

  bool has_waiters() const { return !waiters_.empty(); }
  // With the GIL.
  void WakeWaiters() { waiters_.Wake(true); }

 private:
  class ReceiveTag final : public Completion {
   public:
    ReceiveTag(LoopContext* context, IncomingMessages* messages)
        : Completion(context), messages_(messages) {}

   private:
    bool Settle(bool ok) override { return messages_->HandleReceived(ok); }
    void Deliver() override {}
    IncomingMessages* const messages_;
  };

  bool HandleReceived(bool ok);
  void Push(grpc_byte_buffer* message);

  ReceiveTag receive_tag_;
  Call* const call_;
  Fifo<grpc_byte_buffer*> queue_;  // what waits for Python
  size_t bytes_ = 0;
  grpc_byte_buffer* slot_ = nullptr;  // written by core
  bool wanted_ = false;
  bool receiving_ = false;
  bool ended_ = false;
  Waiters waiters_;
};

}  // namespace uvgrpc

#endif  // UVGRPC_BINDINGS_INCOMING_MESSAGES_H_
