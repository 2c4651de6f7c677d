// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// An RPC that this process serves.

#ifndef UVGRPC_BINDINGS_SERVER_CALL_H_
#define UVGRPC_BINDINGS_SERVER_CALL_H_

#include <Python.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpc/support/time.h>

#include <atomic>
#include <cstdint>
#include <string>

#include "src/bindings/call.h"
#include "src/bindings/completion.h"
#include "src/bindings/incoming_messages.h"
#include "src/bindings/metadata.h"
#include "src/bindings/outgoing_messages.h"
#include "src/bindings/server.h"
#include "src/core/server/server.h"

namespace uvgrpc {

// Made by core's request for an allocation; delivered to Python by
// PythonHooks::on_request, where the _core.ServicerContext takes a reference.
//
// What Python asks for during a turn is collected and started before the loop
// polls: messages one after the other, as core takes them, and what can go with
// one of them in its batch. The wait for the RPC's end (RECV_CLOSE_ON_SERVER,
// which tells of a cancellation) goes with the reply, unless WaitForEnd asked
// for it before: a unary RPC whose handler never suspends costs one batch in
// all.
class ServerCall final : public Call {
 public:
  // The result of a handler, or of its failure.
  struct Reply {
    grpc_status_code code = GRPC_STATUS_OK;
    std::string details;
    OutgoingMetadata trailing_metadata;
  };

  static grpc_core::Server::RegisteredCallAllocation AllocateRegistered(
      Server* server, int method, bool reads_request);
  static grpc_core::Server::BatchCallAllocation AllocateGeneric(Server* server);

  // Cuts the tie to the Python context, which is going. An RPC that was not
  // answered is ended with an error. Drops the caller's reference. Any thread,
  // with the GIL.
  void Abandon();

  // The path, for an RPC of a method that was not registered: text as it came,
  // which need not be UTF-8. Empty else.
  const grpc_slice& generic_path() const { return details_.method; }
  gpr_timespec deadline() const { return deadline_; }
  const grpc_metadata_array& request_metadata() const {
    return request_metadata_;
  }
  IncomingMessages* incoming() { return &incoming_; }
  OutgoingMessages* outgoing() { return &outgoing_; }

  // What SendInitialMetadata, or the first message or the reply if that comes
  // first, will send.
  OutgoingMetadata* initial_metadata() { return &initial_metadata_; }
  // Sends it in this turn. Not after SendReply.
  void SendInitialMetadata();

  // The handler will not answer at once: asks to hear of the RPC's end.
  // Idempotent.
  void WaitForEnd();

  // To be filled before SendReply.
  Reply* reply() { return &reply_; }
  // Ends the RPC, behind the messages that were pushed. Once.
  void SendReply();

  // Whether on_server_call_closed must be called for an RPC that went well; it
  // always is for one that was cancelled before its reply.
  void set_wants_close() { wants_close_ = true; }

  // Lets go of core's call, if the RPC is over and all its batches are back;
  // what may still be asked of this one is kept. With the GIL.
  void ReleaseCore();
  // As of Call, also afterwards. Any thread, with the GIL.
  std::string Peer() const;
  // What is known of the client, as a new reference; null when nothing is. Any
  // thread, with the GIL.
  grpc_auth_context* NewAuthContext() const;

  // These three may be asked on any thread.
  bool reply_sent() const { return reply_requested_; }
  // Whether the RPC is over, for either side.
  bool is_closed() const { return closed_; }
  // Whether it ended other than by our status reaching the client's side.
  bool is_cancelled() const { return closed_ && cancelled_ != 0; }

 private:
  // What a tag does when it completes.
  using Settler = bool (ServerCall::*)(bool ok);
  using Deliverer = void (ServerCall::*)();
  class Tag final : public Completion {
   public:
    Tag(ServerCall* call, Settler settle, Deliverer deliver,
        bool begins_call = false)
        : Completion(call->context(), begins_call),
          call_(call),
          settle_(settle),
          deliver_(deliver) {}

   private:
    bool Settle(bool ok) override { return (call_->*settle_)(ok); }
    void Deliver() override { (call_->*deliver_)(); }
    ServerCall* const call_;
    const Settler settle_;
    const Deliverer deliver_;
  };
  ServerCall(Server* server, int method, bool reads_request);
  ~ServerCall() override;

  void StartPending() override;
  void EndWithLoop() override;
  void Cancel(grpc_status_code code, const char* details);
  void StartSends();
  size_t AddInitialMetadata(grpc_op* op);
  size_t AddStatus(grpc_op* op);
  size_t AddClose(grpc_op* op);

  bool HandleRequest(bool ok);
  void DeliverRequest();
  bool HandleClosed(bool ok);
  void DeliverClosed();
  bool HandleSent(bool ok);
  void Wake() override;

  friend class Server;
  Server* const server_;  // counted, and this is on its list
  ServerCall* prev_ = nullptr;
  ServerCall* next_ = nullptr;
  const int method_;
  const bool reads_request_;

  // Written by core when the RPC arrives.
  grpc_metadata_array request_metadata_;
  grpc_call_details details_;
  gpr_timespec deadline_;
  grpc_byte_buffer* request_ = nullptr;

  IncomingMessages incoming_;
  OutgoingMessages outgoing_;
  OutgoingMetadata initial_metadata_;
  Reply reply_;
  grpc_slice reply_details_;

  Tag request_tag_;
  Tag close_tag_;
  Tag send_tag_;

  // Asked for by Python, started by StartPending.
  bool close_requested_ = false;
  bool initial_metadata_requested_ = false;
  std::atomic<bool> reply_requested_{false};
  // Started.
  bool close_started_ = false;
  bool closes_with_reply_ = false;
  bool initial_metadata_started_ = false;
  bool reply_started_ = false;
  bool sending_ = false;
  // Over.
  std::atomic<bool> closed_{false};
  int cancelled_ = 0;  // written by core
  bool wants_close_ = false;
  // Kept when core's call was let go.
  bool owns_metadata_ = false;
  std::string peer_;
  grpc_auth_context* auth_context_ = nullptr;
};

}  // namespace uvgrpc

#endif  // UVGRPC_BINDINGS_SERVER_CALL_H_
