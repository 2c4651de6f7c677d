// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/inproc/inproc_transport.h"

#include <atomic>
#include <cstdint>
#include <new>
#include <utility>

#include "absl/strings/str_cat.h"
#include "src/core/lib/iomgr/exec_ctx.h"
#include "src/core/util/debug_location.h"

namespace uvgrpc {
namespace {

using grpc_core::ExecCtx;
using grpc_core::Slice;

constexpr char kServerStopped[] =
    "The server of this in-process channel has stopped";

InprocStream* StreamOf(grpc_stream* stream) {
  return reinterpret_cast<InprocStream*>(stream);
}

uint64_t NextNumber() {
  static std::atomic<uint64_t> next{1};
  return next.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace

InprocConnection::InprocConnection(size_t client_limit, size_t server_limit)
    : client_limit_(client_limit),
      server_limit_(server_limit),
      peer_(Slice::FromCopiedString(absl::StrCat("inproc:", NextNumber()))),
      client_state_("inproc_client", GRPC_CHANNEL_READY),
      server_state_("inproc_server", GRPC_CHANNEL_READY) {}

void InprocConnection::SetServer(grpc_core::Transport* transport,
                                 const grpc_transport_op& op) {
  server_ = transport;
  accept_ = op.set_accept_stream_fn;
  match_method_ = op.set_registered_method_matcher_fn;
  accept_data_ = op.set_accept_stream_user_data;
}

absl::Status InprocConnection::Accept(InprocStream* stream) {
  if (!refusal_.ok()) return refusal_;
  if (accept_ == nullptr) return absl::UnavailableError(kServerStopped);
  stream->next_ = streams_;
  if (streams_ != nullptr) streams_->prev_ = stream;
  streams_ = stream;
  stream->is_listed_ = true;
  accept_(accept_data_, server_, stream);
  if (stream->has_peer()) return absl::OkStatus();
  return absl::UnavailableError("The server did not accept the call");
}

void InprocConnection::MatchMethod(grpc_metadata_batch* metadata) {
  if (match_method_ != nullptr) match_method_(accept_data_, metadata);
}

void InprocConnection::Remove(InprocStream* stream) {
  if (!std::exchange(stream->is_listed_, false)) return;
  InprocStream* const next = std::exchange(stream->next_, nullptr);
  InprocStream* const prev = std::exchange(stream->prev_, nullptr);
  if (next != nullptr) next->prev_ = prev;
  (prev != nullptr ? prev->next_ : streams_) = next;
  if (streams_ == nullptr && !refusal_.ok()) SetClosed();
}

void InprocConnection::Drain(const absl::Status& reason) {
  if (!refusal_.ok()) return;
  refusal_ = reason;
  if (streams_ == nullptr) return SetClosed();
  client_state_.SetState(GRPC_CHANNEL_TRANSIENT_FAILURE, reason, "drains");
}

void InprocConnection::Close(const absl::Status& reason) {
  if (refusal_.ok()) refusal_ = reason;
  while (streams_ != nullptr) {
    InprocStream* const first = streams_;
    first->Lose(reason);
    // It is off the list by now, unless its call had ended already.
    Remove(first);
  }
  SetClosed();
}

void InprocConnection::SetClosed() {
  if (std::exchange(is_closed_, true)) return;
  client_state_.SetState(GRPC_CHANNEL_SHUTDOWN, refusal_, "closed");
  server_state_.SetState(GRPC_CHANNEL_SHUTDOWN, refusal_, "closed");
}

void InprocTransport::PerformOp(grpc_transport_op* op) {
  const auto keep_alive = connection_;
  auto& state = connection_->state(is_client_);
  if (op->start_connectivity_watch != nullptr) {
    state.AddWatcher(op->start_connectivity_watch_state,
                     std::move(op->start_connectivity_watch));
  }
  if (op->stop_connectivity_watch != nullptr) {
    state.RemoveWatcher(op->stop_connectivity_watch);
  }
  if (op->set_accept_stream) connection_->SetServer(this, *op);
  for (grpc_closure* done : {op->send_ping.on_initiate, op->send_ping.on_ack}) {
    if (done != nullptr) ExecCtx::Run(DEBUG_LOCATION, done, absl::OkStatus());
  }
  if (is_client_ && !op->disconnect_with_error.ok()) {
    // The channel was closed: as with HTTP/2, its calls go on.
    connection_->Drain(absl::UnavailableError("The channel is closed"));
  } else if (!op->disconnect_with_error.ok()) {
    connection_->Close(absl::UnavailableError(kServerStopped));
  } else if (!op->goaway_error.ok()) {
    connection_->Drain(absl::UnavailableError(kServerStopped));
  }
  ExecCtx::Run(DEBUG_LOCATION, op->on_consumed, absl::OkStatus());
}

void InprocTransport::Orphan() {
  connection_->Close(absl::UnavailableError(is_client_ ? "The channel is closed"
                                                       : kServerStopped));
  Unref();
}

void InprocTransport::InitStream(grpc_stream* stream, grpc_stream_refcount*,
                                 const void* server_data, grpc_core::Arena*) {
  if (is_client_) {
    new (stream) InprocStream(connection_.get());
  } else {
    // Core passes on what Accept gave it.
    auto* const client = const_cast<InprocStream*>(
        static_cast<const InprocStream*>(server_data));
    new (stream) InprocStream(connection_.get(), client);
  }
}

void InprocTransport::PerformStreamOp(grpc_stream* stream,
                                      grpc_transport_stream_op_batch* batch) {
  StreamOf(stream)->Perform(batch);
}

void InprocTransport::DestroyStream(grpc_stream* stream,
                                    grpc_closure* then_schedule_closure) {
  StreamOf(stream)->~InprocStream();
  ExecCtx::Run(DEBUG_LOCATION, then_schedule_closure, absl::OkStatus());
}

}  // namespace uvgrpc
