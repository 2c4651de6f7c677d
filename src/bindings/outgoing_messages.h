// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// The messages that a stream sends.

#ifndef UVGRPC_BINDINGS_OUTGOING_MESSAGES_H_
#define UVGRPC_BINDINGS_OUTGOING_MESSAGES_H_

#include <Python.h>
#include <grpc/grpc.h>

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "src/bindings/fifo.h"
#include "src/bindings/waiters.h"

namespace uvgrpc {

class Call;

// A part of a call. Core takes one message at a time, and is done with it when
// flow control has let it through; the rest waits here.
//
// A writer may run ahead of that: what it writes during one turn of the loop is
// then sent together, when the turn ends. It must wait (MustWait) when too much
// has gathered, for the first message, in a turn that lasts long already, and
// once it has been seen to keep the loop from turning between two messages:
// what it wrote before would wait for what it computes next.
//
// Loop thread; what takes or drops a Python object needs the GIL.
class OutgoingMessages {
 public:
  explicit OutgoingMessages(Call* call) : call_(call) {}
  ~OutgoingMessages();
  OutgoingMessages(const OutgoingMessages&) = delete;
  OutgoingMessages& operator=(const OutgoingMessages&) = delete;

  // A message to send, taken over. Dropped when sending has failed.
  void Push(grpc_slice message, uint32_t flags);
  // When the last message was pushed; long ago if none was.
  std::chrono::steady_clock::time_point last_push() const { return last_push_; }
  // The application has come to this call again, to read or to write.
  void NoteActivity();

  bool empty() const { return !started_ && queue_.empty(); }
  // Whether a message waits for its turn.
  bool has_queued() const { return !queue_.empty(); }
  bool failed() const { return failed_; }
  // Whether a writer must not go on before Wait.
  bool MustWait() const;
  // Resolves `future` when core is done with all that was pushed: with true, or
  // with false when sending has failed. With the GIL.
  void Wait(PyObject* future);

  // Adds the operation that sends the next message; returns 1, or 0 when there
  // is none. Only when no message is with core.
  size_t AddOp(grpc_op* op);
  // After StartBatch of that operation, which took what it needs.
  void ReleaseStarted();
  // Core is done with it; returns whether somebody must be woken.
  bool Finish(bool ok);

  // The call is over. Those whose messages were through before are told so,
  // though they have not been woken yet; but what core is done with as the call
  // ends was not sent.
  void End();
  // Drops everything; nothing more will be sent.
  void Fail();
  bool has_waiters() const { return !waiters_.empty() || !done_.empty(); }
  // Wakes those whose messages are through. With the GIL.
  void WakeWaiters();

 private:
  void CountBytes(int64_t bytes);

  using Clock = std::chrono::steady_clock;
  struct Message {
    grpc_slice slice;
    uint32_t flags;
  };

  Call* const call_;
  Fifo<Message> queue_;
  size_t bytes_ = 0;  // in queue_
  // The message that is with core, while StartBatch needs it.
  grpc_byte_buffer* buffer_ = nullptr;
  bool started_ = false;
  bool failed_ = false;
  bool first_is_through_ = false;
  // What was seen of the writer.
  bool blocks_loop_ = false;
  uint64_t last_turn_ = 0;
  Clock::time_point last_push_;
  Waiters waiters_;
  // See End().
  uint64_t settled_at_ = 0;
  Waiters done_;
};

}  // namespace uvgrpc

#endif  // UVGRPC_BINDINGS_OUTGOING_MESSAGES_H_
