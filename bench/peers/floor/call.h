// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// An RPC that is served.

#ifndef UVGRPC_BENCH_PEERS_FLOOR_CALL_H_
#define UVGRPC_BENCH_PEERS_FLOOR_CALL_H_

#include <grpc/grpc.h>
#include <grpc/support/time.h>

#include <cstdint>
#include <string_view>

#include "bench/peers/floor/host.h"

namespace uvgrpc::bench {

// Batches are those of src/bindings: one in all for an RPC that is answered at
// once; else one that waits for the RPC's end, and one for each message.
//
// Owns itself: gone when its status was sent and no batch is with core.
class Call {
 public:
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  // What core fills in when an RPC arrives; `arrived` follows then.
  struct Slots {
    grpc_call* core = nullptr;
    grpc_metadata_array metadata{};
    gpr_timespec deadline{};
    grpc_byte_buffer* request = nullptr;  // of a method that reads it
  };
  Slots* slots() { return &slots_; }
  Tag* arrived() { return &arrived_; }

 protected:
  explicit Call(Host* host);
  virtual ~Call();

  // It has arrived.
  virtual void Begin() = 0;
  // A message is with core. `ok`: the next one can be sent.
  virtual void HandleSent(bool ok);
  // Null when no message will come any more.
  virtual void HandleMessage(grpc_byte_buffer* message);

  grpc_byte_buffer* request() { return slots_.request; }
  // One at a time; takes the slice over. With kLast the status OK goes with it.
  enum class More { kYes, kLast };
  void Send(grpc_slice message, uint32_t flags, More more);
  // The last that is sent. `details` must be a literal.
  void End(grpc_status_code code, const char* details = "");
  // Asks for a message; one at a time.
  void Receive();
  // Asks to hear of the RPC's end, which otherwise comes with the status.
  void WaitForEnd();

 private:
  class CallTag final : public Tag {
   public:
    using Handler = void (Call::*)(bool ok);
    CallTag(Host* host, Call* call, Handler handler)
        : Tag(host), call_(call), handler_(handler) {}
    void Done(bool ok) override { (call_->*handler_)(ok); }

   private:
    Call* const call_;
    const Handler handler_;
  };

  void HandleArrived(bool ok);
  void HandleSendDone(bool ok);
  void HandleReceived(bool ok);
  void HandleClosed(bool ok);
  size_t AddInitialMetadata(grpc_op* op);
  size_t AddStatus(grpc_op* op, grpc_status_code code, grpc_slice* details);
  size_t AddClose(grpc_op* op);
  void Start(const grpc_op* ops, size_t count, Tag* tag);
  void EndBatch();

  Host* const host_;
  Slots slots_;
  CallTag arrived_;
  CallTag sent_;
  CallTag received_;
  CallTag closed_;
  grpc_byte_buffer* message_ = nullptr;  // written by core
  int cancelled_ = 0;                    // written by core
  int batches_ = 0;                      // with core
  bool has_initial_metadata_ = false;
  bool has_status_ = false;
  bool has_close_ = false;
};

}  // namespace uvgrpc::bench

#endif  // UVGRPC_BENCH_PEERS_FLOOR_CALL_H_
