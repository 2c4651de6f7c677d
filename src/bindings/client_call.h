// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// A call that this process makes.

#ifndef UVGRPC_BINDINGS_CLIENT_CALL_H_
#define UVGRPC_BINDINGS_CLIENT_CALL_H_

#include <grpc/grpc.h>
#include <grpc/support/time.h>

#include <memory>
#include <string>

#include "src/bindings/call.h"
#include "src/bindings/channel.h"
#include "src/bindings/completion.h"
#include "src/bindings/credentials.h"
#include "src/bindings/metadata.h"

namespace uvgrpc {

// One class for the four arities, which differ only by which operations they
// start. Unary-unary is one batch.
//
// The call starts with the other work of its loop turn. Its status arrives
// once, by PythonHooks::on_client_call_done; the results may be read from then
// on.
class ClientCall final : public Call {
 public:
  // What a call starts with. `request` is taken over.
  struct Arguments {
    void* method = nullptr;  // from Channel::RegisterMethod
    gpr_timespec deadline;
    uint32_t initial_metadata_flags = 0;
    grpc_slice request;
    SharedCallCredentials credentials;  // or null
  };

  // A call that begins with the reference of the caller.
  static ClientCall* NewUnary(std::shared_ptr<Channel> channel,
                              const Arguments& arguments);

  // To be filled before the turn ends.
  OutgoingMetadata* outgoing_metadata() { return &outgoing_; }

  // Ends the call with CANCELLED and `details`, unless it is over. One that has
  // not been started never will be.
  void Cancel(const char* details);

  // Cuts the tie to the Python object, which is going; cancels the call unless
  // it is over. Any thread, with the GIL. The caller's reference is dropped.
  void Abandon();

  bool is_done() const { return done_; }
  grpc_status_code code() const { return code_; }
  const grpc_slice& details() const { return details_; }
  // Core's account of what went wrong, or null.
  const char* error_string() const { return error_string_; }
  const grpc_metadata_array& initial_metadata() const { return initial_; }
  const grpc_metadata_array& trailing_metadata() const { return trailing_; }
  // Null when no message came.
  grpc_byte_buffer* response() const { return response_; }

 private:
  class Done final : public Completion {
   public:
    explicit Done(ClientCall* call)
        : Completion(call->context()), call_(call) {}

   private:
    bool Settle(bool ok) override { return call_->HandleDone(ok); }
    void Deliver() override { call_->DeliverDone(); }
    ClientCall* const call_;
  };

  ClientCall(std::shared_ptr<Channel> channel, const Arguments& arguments);
  ~ClientCall() override;

  void StartPending() override;
  void EndWithLoop() override;
  // Ends a call that core never saw.
  void FinishLocally(grpc_status_code code, const char* details);
  bool HandleDone(bool ok);
  void DeliverDone();

  const std::shared_ptr<Channel> channel_;
  Arguments arguments_;
  OutgoingMetadata outgoing_;
  Done done_tag_;
  bool done_ = false;
  bool cancelled_before_start_ = false;
  std::string cancel_details_;

  // Written by core.
  grpc_metadata_array initial_;
  grpc_metadata_array trailing_;
  grpc_byte_buffer* response_ = nullptr;
  grpc_status_code code_ = GRPC_STATUS_UNKNOWN;
  grpc_slice details_;
  const char* error_string_ = nullptr;
};

}  // namespace uvgrpc

#endif  // UVGRPC_BINDINGS_CLIENT_CALL_H_
