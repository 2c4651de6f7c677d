// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// A connection inside a process, as core's channels know it.

#ifndef UVGRPC_INPROC_INPROC_TRANSPORT_H_
#define UVGRPC_INPROC_INPROC_TRANSPORT_H_

#include <cstddef>
#include <utility>

#include "absl/status/status.h"
#include "src/core/lib/slice/slice.h"
#include "src/core/lib/transport/connectivity_state.h"
#include "src/core/lib/transport/transport.h"
#include "src/core/util/ref_counted.h"
#include "src/core/util/ref_counted_ptr.h"
#include "src/inproc/inproc_stream.h"

namespace uvgrpc {

class InprocTransport;

// What the two ends share. Core has an inproc transport, too; but a server that
// shuts down ends its calls at once there, and it never hears that a channel
// has gone.
//
// Either end may say that there are to be no more calls: those under way go on,
// and with the last of them the connection closes, for both. Loop thread.
class InprocConnection final : public grpc_core::RefCounted<InprocConnection> {
 public:
  // The most bytes of metadata that the ends take.
  InprocConnection(size_t client_limit, size_t server_limit);

  // The state of an end, for those who watch it.
  grpc_core::ConnectivityStateTracker& state(bool is_client) {
    return is_client ? client_state_ : server_state_;
  }
  // What a server knows its peer by: "inproc:" and a number of its own.
  const grpc_core::Slice& peer() const { return peer_; }

  size_t metadata_limit(bool is_client) const {
    return is_client ? client_limit_ : server_limit_;
  }

  // `op` sets the server that calls go to.
  void SetServer(grpc_core::Transport* transport, const grpc_transport_op& op);

  // Gives a client's side its peer, in a call of the server's.
  absl::Status Accept(InprocStream* stream);
  // Notes on a request's metadata which registered method it is for.
  void MatchMethod(grpc_metadata_batch* metadata);
  // For InprocStream: a client's side is closed. Idempotent.
  void Remove(InprocStream* stream);

  // No more calls. `reason` is what calls that come later end with.
  void Drain(const absl::Status& reason);
  // Ends all calls with `reason`. Idempotent.
  void Close(const absl::Status& reason);

 private:
  void SetClosed();

  const size_t client_limit_;
  const size_t server_limit_;
  const grpc_core::Slice peer_;
  grpc_core::ConnectivityStateTracker client_state_;
  grpc_core::ConnectivityStateTracker server_state_;
  grpc_core::Transport* server_ = nullptr;
  void (*accept_)(void*, grpc_core::Transport*, const void*) = nullptr;
  void (*match_method_)(void*, grpc_core::ServerMetadata*) = nullptr;
  void* accept_data_ = nullptr;
  // What is wrong with new calls.
  absl::Status refusal_;
  bool is_closed_ = false;
  // Clients' sides that are open.
  InprocStream* streams_ = nullptr;
};

// One end of a connection. Goes with its channel's stack.
class InprocTransport final : public grpc_core::FilterStackTransport {
 public:
  InprocTransport(grpc_core::RefCountedPtr<InprocConnection> connection,
                  bool is_client)
      : connection_(std::move(connection)), is_client_(is_client) {}

  grpc_core::FilterStackTransport* filter_stack_transport() override {
    return this;
  }
  grpc_core::ClientTransport* client_transport() override { return nullptr; }
  grpc_core::ServerTransport* server_transport() override { return nullptr; }
  // Core gives those with "http" in their name the filters of HTTP/2. So calls
  // are here what they are there, and our fused filters do for them, too.
  absl::string_view GetTransportName() const override { return "inproc-http"; }
  void SetPollset(grpc_stream*, grpc_pollset*) override {}
  void SetPollsetSet(grpc_stream*, grpc_pollset_set*) override {}
  void PerformOp(grpc_transport_op* op) override;
  void StartWatch(grpc_core::RefCountedPtr<StateWatcher>) override {}
  void StopWatch(grpc_core::RefCountedPtr<StateWatcher>) override {}
  grpc_core::RefCountedPtr<grpc_core::channelz::SocketNode> GetSocketNode()
      const override {
    return nullptr;
  }
  void Orphan() override;

  size_t SizeOfStream() const override { return sizeof(InprocStream); }
  void InitStream(grpc_stream* stream, grpc_stream_refcount* refcount,
                  const void* server_data, grpc_core::Arena* arena) override;
  bool HackyDisableStreamOpBatchCoalescingInConnectedChannel() const override {
    return false;
  }
  void PerformStreamOp(grpc_stream* stream,
                       grpc_transport_stream_op_batch* batch) override;
  void DestroyStream(grpc_stream* stream,
                     grpc_closure* then_schedule_closure) override;

 private:
  const grpc_core::RefCountedPtr<InprocConnection> connection_;
  const bool is_client_;
};

}  // namespace uvgrpc

#endif  // UVGRPC_INPROC_INPROC_TRANSPORT_H_
