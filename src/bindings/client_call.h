// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// A call that this process makes.

#ifndef UVGRPC_BINDINGS_CLIENT_CALL_H_
#define UVGRPC_BINDINGS_CLIENT_CALL_H_

#include <grpc/grpc.h>
#include <grpc/support/time.h>

#include <chrono>
#include <memory>
#include <string>

#include "src/bindings/call.h"
#include "src/bindings/channel.h"
#include "src/bindings/completion.h"
#include "src/bindings/credentials/credentials.h"
#include "src/bindings/incoming_messages.h"
#include "src/bindings/metadata.h"
#include "src/bindings/outgoing_messages.h"

namespace uvgrpc {

// One class for the four arities, which differ only by which operations they
// start. Unary-unary is one batch.
//
// The call starts with the other work of its loop turn. Its status arrives
// once, by PythonHooks::on_client_call_done; the results may be read from then
// on.
class ClientCall final : public Call {
 public:
  // What a call starts with.
  struct Arguments {
    void* method = nullptr;  // from Channel::RegisterMethod, or null
    // Taken over; for a method that was not registered.
    grpc_slice path;
    gpr_timespec deadline;
    uint32_t initial_metadata_flags = 0;
    bool request_streaming = false;
    bool response_streaming = false;
    // Taken over. Only for a request that is not streaming.
    grpc_slice request;
    SharedCallCredentials credentials;  // or null
  };

  // A call that begins with the reference of the caller. `metadata` is taken
  // over. It may start in any call into uvgrpc's native code.
  static ClientCall* New(std::shared_ptr<Channel> channel,
                         const Arguments& arguments,
                         OutgoingMetadata* metadata);

  // For a streaming request.
  OutgoingMessages* outgoing() { return &outgoing_; }
  // Says that no message follows; sent behind the last one. Idempotent.
  void HalfClose();
  // For a streaming response.
  IncomingMessages* incoming() { return &incoming_; }

  // Ends the call with CANCELLED and `details`, unless it is over. One that has
  // not been started never will be.
  void Cancel(const char* details);

  // The same for a program that has only lost interest: what it wrote just now
  // is handed to core, and the server is given some time to read it, before the
  // cancel makes it drop what it has not read. From the top of the stack.
  void Relinquish(const char* details);

  // Lets go of core's call, which keeps the channel's connection, if it is
  // over, all its batches are back and the channel is closed: the program may
  // keep this one as long as it likes.
  void ReleaseCore();

  // Cuts the tie to the Python object, which is going. Soon the call is
  // relinquished. Any thread, with the GIL. The caller's reference is dropped.
  void Abandon();

  // Whether the status may be told: it is known, and no message that came
  // before it waits to be read. A failure that need not be the server's word
  // does not wait.
  bool has_status() const { return done_ && !IsStatusHeld(); }
  // Whether it is known.
  bool is_done() const { return done_; }
  // Whether the request's metadata went out on a connection.
  bool is_connected() const { return connected_; }
  // Whether the server's initial metadata arrived, or never will.
  bool has_initial_metadata() const { return has_initial_metadata_; }
  // Has PythonHooks::on_client_call_progress called when one of the two above
  // changes.
  void set_wants_progress() { wants_progress_ = true; }

  grpc_status_code code() const { return code_; }
  const grpc_slice& details() const { return details_; }
  // Core's account of what went wrong, or null.
  const char* error_string() const { return error_string_; }
  const grpc_metadata_array& initial_metadata() const {
    return initial_metadata_;
  }
  const grpc_metadata_array& trailing_metadata() const {
    return trailing_metadata_;
  }
  // The response that is not streaming; null when no message came.
  grpc_byte_buffer* response() const { return response_; }

 private:
  // What a tag does when it completes.
  using Settler = bool (ClientCall::*)(bool ok);
  class Tag final : public Completion {
   public:
    Tag(ClientCall* call, Settler settle)
        : Completion(call->context()), call_(call), settle_(settle) {}

   private:
    bool Settle(bool ok) override { return (call_->*settle_)(ok); }
    // Only the status reaches Python by its own tag; the rest by Wake.
    void Deliver() override { call_->DeliverDone(); }
    ClientCall* const call_;
    const Settler settle_;
  };

  ClientCall(std::shared_ptr<Channel> channel, const Arguments& arguments);
  ~ClientCall() override;

  bool is_unary() const {
    return !arguments_.request_streaming && !arguments_.response_streaming;
  }
  bool IsStatusHeld() const;

  void StartPending() override;
  void EndWithLoop() override;
  void HandleIdle() override { ReleaseCore(); }
  // Makes core's call. False when the call is over before it began.
  bool Create();
  void StartUnary();
  void StartStreams();
  void StartSends();
  size_t AddRequestOps(grpc_op* ops);
  size_t AddStatusOp(grpc_op* op);

  // Cancels later, unless the call is over by then.
  void CancelAt(std::chrono::steady_clock::time_point when,
                const char* details);
  void StopTimer();

  // Ends a call that core never saw.
  void FinishLocally(grpc_status_code code, const char* details);
  bool HandleConnected(bool ok);
  bool HandleInitialMetadata(bool ok);
  bool HandleSent(bool ok);
  bool HandleDone(bool ok);
  void DeliverDone();
  void Wake() override;

  const std::shared_ptr<Channel> channel_;
  Arguments arguments_;
  OutgoingMetadata outgoing_metadata_;
  OutgoingMessages outgoing_;
  IncomingMessages incoming_;

  Tag done_tag_;
  Tag connected_tag_;
  Tag initial_metadata_tag_;
  Tag send_tag_;

  bool started_ = false;
  bool sending_ = false;
  bool half_close_requested_ = false;
  bool half_closed_ = false;
  bool connected_ = false;
  bool has_initial_metadata_ = false;
  bool cancelled_ = false;
  bool owns_metadata_ = false;
  bool wants_progress_ = false;
  bool done_ = false;
  bool cancelled_before_start_ = false;
  std::chrono::steady_clock::time_point half_close_time_;
  EventEngine::TaskHandle cancel_timer_ = EventEngine::TaskHandle::kInvalid;
  std::string cancel_details_;
  grpc_byte_buffer* request_ = nullptr;  // while StartBatch needs it

  // Written by core.
  grpc_metadata_array initial_metadata_;
  grpc_metadata_array trailing_metadata_;
  grpc_byte_buffer* response_ = nullptr;
  grpc_status_code code_ = GRPC_STATUS_UNKNOWN;
  grpc_slice details_;
  const char* error_string_ = nullptr;
};

}  // namespace uvgrpc

#endif  // UVGRPC_BINDINGS_CLIENT_CALL_H_
