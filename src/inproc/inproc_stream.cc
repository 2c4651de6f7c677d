// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/inproc/inproc_stream.h"

#include <grpc/support/alloc.h>

#include <new>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "src/core/lib/iomgr/exec_ctx.h"
#include "src/core/lib/slice/slice.h"
#include "src/core/lib/transport/error_utils.h"
#include "src/core/util/debug_location.h"
#include "src/core/util/time.h"
#include "src/inproc/inproc_transport.h"

namespace uvgrpc {
namespace {

using grpc_core::ExecCtx;
using grpc_core::Slice;
using grpc_core::SliceBuffer;

// What a peer may have of a stream that it does not read. A connection over the
// loopback has as much in HTTP/2's windows and the sockets' buffers, and there
// are programs that need it: both sides write before they read.
constexpr size_t kWindow = size_t{4} << 20;

void Run(grpc_closure* closure, const absl::Status& status = absl::OkStatus()) {
  ExecCtx::Run(DEBUG_LOCATION, closure, status);
}

// Puts what would be sent by HTTP/2 into another batch.
class CopySink {
 public:
  explicit CopySink(grpc_metadata_batch* target) : target_(target) {}

  void Encode(const Slice& key, const Slice& value) {
    target_->Append(key.as_string_view(), value.AsOwned(),
                    [](absl::string_view, const Slice&) {});
  }
  template <typename Trait, typename Value>
  void Encode(Trait trait, Value value) {
    target_->Set(trait, value);
  }
  template <typename Trait>
  void Encode(Trait trait, const Slice& value) {
    target_->Set(trait, value.AsOwned());
  }

 private:
  grpc_metadata_batch* const target_;
};

void Copy(const grpc_metadata_batch& from, grpc_metadata_batch* to) {
  CopySink sink(to);
  from.Encode(&sink);
}

void SetStatus(const absl::Status& error, grpc_metadata_batch* metadata) {
  grpc_status_code code;
  std::string message;
  grpc_error_get_status(error, grpc_core::Timestamp::InfFuture(), &code,
                        &message, nullptr, nullptr);
  metadata->Set(grpc_core::GrpcStatusMetadata(), code);
  if (!message.empty()) {
    metadata->Set(grpc_core::GrpcMessageMetadata(),
                  Slice::FromCopiedString(std::move(message)));
  }
}

}  // namespace

InprocStream::InprocStream(InprocConnection* connection, InprocStream* client)
    : connection_(connection), is_client_(false), peer_(client) {
  client->peer_ = this;
}

InprocStream::~InprocStream() {
  if (!is_closed() || is_listed_) {
    const absl::Status gone = absl::CancelledError("The call is gone");
    if (peer_ != nullptr) peer_->Fail(gone);
    Fail(gone);
  }
  DropMessages();
  if (peer_ != nullptr) peer_->peer_ = nullptr;
}

// ---- what its call asks for

void InprocStream::Perform(grpc_transport_stream_op_batch* batch) {
  auto& payload = *batch->payload;
  // Null for a batch that only receives.
  grpc_closure* const on_complete = batch->on_complete;
  absl::Status error;
  bool blocked = false;
  if (batch->cancel_stream) {
    Cancel(payload.cancel_stream.cancel_error,
           std::move(payload.cancel_stream.send_trailing_metadata));
  }
  if (batch->send_initial_metadata) {
    error = SendInitialMetadata(
        *payload.send_initial_metadata.send_initial_metadata);
  }
  if (batch->send_message) {
    auto& sent = payload.send_message;
    // Not an error, after which core would cancel the call: its status may be
    // on its way.
    sent.stream_write_closed = write_closed_;
    blocked = !SendMessage(std::move(*sent.send_message), sent.flags);
  }
  if (batch->send_trailing_metadata) {
    auto& sent = payload.send_trailing_metadata;
    const absl::Status status =
        SendTrailingMetadata(*sent.send_trailing_metadata, sent.sent);
    if (error.ok()) error = status;
  }
  if (batch->recv_initial_metadata) {
    auto& wanted = payload.recv_initial_metadata;
    wanted_initial_metadata_ = {wanted.recv_initial_metadata,
                                wanted.trailing_metadata_available,
                                wanted.recv_initial_metadata_ready};
  }
  if (batch->recv_message) {
    auto& wanted = payload.recv_message;
    wanted_message_ = {wanted.recv_message, wanted.flags,
                       wanted.call_failed_before_recv_message,
                       wanted.recv_message_ready};
  }
  if (batch->recv_trailing_metadata) {
    auto& wanted = payload.recv_trailing_metadata;
    wanted_trailing_metadata_ = {wanted.recv_trailing_metadata, nullptr,
                                 wanted.recv_trailing_metadata_ready};
  }
  if (blocked && !write_closed_) {
    blocked_send_ = on_complete;
  } else if (on_complete != nullptr) {
    Run(on_complete, error);
  }
  Progress();
}

absl::Status InprocStream::SendInitialMetadata(
    const grpc_metadata_batch& metadata) {
  if (write_closed_) {
    return absl::UnknownError(
        "Attempt to send initial metadata after stream was closed");
  }
  absl::Status status = CheckSize(metadata);
  if (status.ok() && is_client_) status = connection_->Accept(this);
  if (!status.ok()) {
    Lose(status);
    return status;
  }
  peer_->ReceiveInitialMetadata(metadata);
  return absl::OkStatus();
}

absl::Status InprocStream::CheckSize(
    const grpc_metadata_batch& metadata) const {
  const size_t limit = connection_->metadata_limit(!is_client_);
  const size_t size = metadata.TransportSize();
  if (size <= limit) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat(
      "metadata size exceeds hard limit (", size, " vs. ", limit, ")"));
}

bool InprocStream::SendMessage(SliceBuffer data, uint32_t flags) {
  return write_closed_ || peer_->ReceiveMessage(std::move(data), flags);
}

absl::Status InprocStream::SendTrailingMetadata(
    const grpc_metadata_batch& metadata, bool* sent) {
  if (write_closed_) {
    if (metadata.empty()) return absl::OkStatus();
    return absl::UnknownError(
        "Attempt to send trailing metadata after stream was closed");
  }
  const absl::Status status = CheckSize(metadata);
  if (!status.ok()) {
    Lose(status);
    return status;
  }
  if (sent != nullptr) *sent = true;
  if (is_client_) {
    write_closed_ = true;
    peer_->ReceiveTrailingMetadata(metadata);
    return absl::OkStatus();
  }
  peer_->ReceiveTrailingMetadata(metadata);
  // That was the last word, whatever the client still sends.
  DropMessages();
  read_closed_ = true;
  CloseWrites(absl::OkStatus());
  return absl::OkStatus();
}

void InprocStream::Cancel(const absl::Status& error,
                          grpc_core::ServerMetadataHandle trailing_metadata) {
  if (peer_ != nullptr && !is_closed()) {
    if (is_client_) {
      peer_->Fail(absl::CancelledError("The client cancelled the call"));
    } else if (write_closed_ ||
               (absl::IsUnknown(error) && trailing_metadata == nullptr)) {
      peer_->Fail(error);
    } else if (trailing_metadata != nullptr) {
      peer_->ReceiveTrailingMetadata(*trailing_metadata);
    } else {
      grpc_metadata_batch metadata;
      SetStatus(error, &metadata);
      peer_->ReceiveTrailingMetadata(metadata);
    }
  }
  Fail(error);
}

void InprocStream::Lose(const absl::Status& error) {
  if (peer_ != nullptr) peer_->Fail(error);
  Fail(error);
}

// ---- what its peer sends

void InprocStream::ReceiveInitialMetadata(const grpc_metadata_batch& metadata) {
  has_initial_metadata_ = true;
  // Mostly somebody waits for it.
  Copy(metadata, wanted_initial_metadata_.ready != nullptr
                     ? wanted_initial_metadata_.batch
                     : &initial_metadata_);
  ProgressInitialMetadata();
}

bool InprocStream::ReceiveMessage(SliceBuffer data, uint32_t flags) {
  if (read_closed_) return true;
  if (wanted_message_.ready != nullptr && first_message_ == nullptr) {
    *wanted_message_.message = std::move(data);
    *wanted_message_.flags = flags;
    Run(std::exchange(wanted_message_.ready, nullptr));
    return true;
  }
  bytes_ += data.Length();
  auto* const message = new (gpr_malloc(sizeof(Message)))
      Message{std::move(data), flags, nullptr};
  *last_message_ = message;
  last_message_ = &message->next;
  return bytes_ < kWindow;
}

void InprocStream::ReceiveTrailingMetadata(
    const grpc_metadata_batch& metadata) {
  if (read_closed_) return;
  read_closed_ = true;
  Copy(metadata, &trailing_metadata_);
  // A server ends a call, whether or not the client has said all.
  if (is_client_) CloseWrites(absl::OkStatus());
  Progress();
}

// ---- the end

void InprocStream::Fail(const absl::Status& error) {
  if (!is_over_) {
    failed_ = true;
    read_closed_ = true;
    SetStatus(error, &trailing_metadata_);
    DropMessages();
  }
  CloseWrites(error);
  Progress();
}

void InprocStream::CloseWrites(const absl::Status& error) {
  write_closed_ = true;
  if (blocked_send_ != nullptr) {
    Run(std::exchange(blocked_send_, nullptr), error);
  }
  if (is_client_ && read_closed_) connection_->Remove(this);
}

void InprocStream::DropMessages() {
  while (Message* const message = first_message_) {
    first_message_ = message->next;
    message->~Message();
    gpr_free(message);
  }
  last_message_ = &first_message_;
  bytes_ = 0;
}

// ---- completing

void InprocStream::Progress() {
  if (wanted_initial_metadata_.ready != nullptr) ProgressInitialMetadata();
  if (wanted_message_.ready != nullptr) ProgressMessage();
  if (wanted_trailing_metadata_.ready != nullptr) ProgressTrailingMetadata();
}

void InprocStream::ProgressInitialMetadata() {
  auto& wanted = wanted_initial_metadata_;
  if (wanted.ready == nullptr || (!has_initial_metadata_ && !read_closed_)) {
    return;
  }
  if (!initial_metadata_.empty()) *wanted.batch = std::move(initial_metadata_);
  if (!has_initial_metadata_ && wanted.trailing_available != nullptr) {
    *wanted.trailing_available = true;
  }
  wanted.batch->Set(grpc_core::PeerString(), connection_->peer().Ref());
  if (!is_client_) connection_->MatchMethod(wanted.batch);
  Run(std::exchange(wanted.ready, nullptr));
}

void InprocStream::ProgressMessage() {
  auto& wanted = wanted_message_;
  if (Message* const message = first_message_) {
    bytes_ -= message->data.Length();
    first_message_ = message->next;
    if (first_message_ == nullptr) last_message_ = &first_message_;
    *wanted.message = std::move(message->data);
    *wanted.flags = message->flags;
    message->~Message();
    gpr_free(message);
    if (bytes_ < kWindow && peer_ != nullptr &&
        peer_->blocked_send_ != nullptr) {
      Run(std::exchange(peer_->blocked_send_, nullptr));
    }
  } else if (read_closed_) {
    wanted.message->reset();
    if (wanted.failed != nullptr) *wanted.failed = failed_;
  } else {
    return;
  }
  Run(std::exchange(wanted.ready, nullptr));
}

void InprocStream::ProgressTrailingMetadata() {
  if (!is_closed() || first_message_ != nullptr) return;
  is_over_ = true;
  *wanted_trailing_metadata_.batch = std::move(trailing_metadata_);
  Run(std::exchange(wanted_trailing_metadata_.ready, nullptr));
}

}  // namespace uvgrpc
