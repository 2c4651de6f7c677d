// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// One side of a call on an in-process connection.

#ifndef UVGRPC_INPROC_INPROC_STREAM_H_
#define UVGRPC_INPROC_INPROC_STREAM_H_

#include <cstddef>
#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "src/core/call/metadata_batch.h"
#include "src/core/lib/iomgr/closure.h"
#include "src/core/lib/slice/slice_buffer.h"
#include "src/core/lib/transport/transport.h"

namespace uvgrpc {

class InprocConnection;

// What a side sends is at its peer at once: metadata is copied, messages move.
// A side keeps what it was sent until its call asks for it. The rules of when
// an operation completes, and with what, are those of core's HTTP/2 transport.
//
// In memory of its call, which goes when no operation is left. Loop thread.
class InprocStream {
 public:
  // A client's side, without a peer.
  explicit InprocStream(InprocConnection* connection)
      : connection_(connection), is_client_(true) {}
  // The server's side of what `client` is the client's side of.
  InprocStream(InprocConnection* connection, InprocStream* client);
  InprocStream(const InprocStream&) = delete;
  InprocStream& operator=(const InprocStream&) = delete;
  ~InprocStream();

  void Perform(grpc_transport_stream_op_batch* batch);

  // Both sides end with `error`.
  void Lose(const absl::Status& error);

  bool has_peer() const { return peer_ != nullptr; }

 private:
  friend class InprocConnection;

  struct Message {
    grpc_core::SliceBuffer data;
    uint32_t flags;
    Message* next;
  };

  // What its call waits for; the closure is null when it does not.
  struct WantedMetadata {
    grpc_metadata_batch* batch = nullptr;
    bool* trailing_available = nullptr;
    grpc_closure* ready = nullptr;
  };
  struct WantedMessage {
    std::optional<grpc_core::SliceBuffer>* message = nullptr;
    uint32_t* flags = nullptr;
    bool* failed = nullptr;
    grpc_closure* ready = nullptr;
  };

  // What its call asks for.
  absl::Status SendInitialMetadata(const grpc_metadata_batch& metadata);
  // Whether the peer takes metadata of that size.
  absl::Status CheckSize(const grpc_metadata_batch& metadata) const;
  // Whether the next one may follow at once.
  bool SendMessage(grpc_core::SliceBuffer data, uint32_t flags);
  absl::Status SendTrailingMetadata(const grpc_metadata_batch& metadata,
                                    bool* sent);
  void Cancel(const absl::Status& error,
              grpc_core::ServerMetadataHandle trailing_metadata);

  // What its peer sends.
  void ReceiveInitialMetadata(const grpc_metadata_batch& metadata);
  bool ReceiveMessage(grpc_core::SliceBuffer data, uint32_t flags);
  void ReceiveTrailingMetadata(const grpc_metadata_batch& metadata);

  // This side ends with `error`, if its call has not heard of an end yet.
  void Fail(const absl::Status& error);
  // Nothing can be sent any more. Ends a send that waits.
  void CloseWrites(const absl::Status& error);
  void DropMessages();
  // Completes what can be.
  void Progress();
  void ProgressInitialMetadata();
  void ProgressMessage();
  void ProgressTrailingMetadata();
  bool is_closed() const { return read_closed_ && write_closed_; }

  InprocConnection* const connection_;
  const bool is_client_;
  InprocStream* peer_ = nullptr;
  // Of a client's side: its place among the connection's, while it is open.
  InprocStream* prev_ = nullptr;
  InprocStream* next_ = nullptr;
  bool is_listed_ = false;

  bool has_initial_metadata_ = false;
  bool read_closed_ = false;
  bool write_closed_ = false;
  // It ended otherwise than by its peer's trailing metadata.
  bool failed_ = false;
  bool is_over_ = false;  // its call has heard of the end

  WantedMetadata wanted_initial_metadata_;
  WantedMessage wanted_message_;
  WantedMetadata wanted_trailing_metadata_;

  grpc_metadata_batch initial_metadata_;
  grpc_metadata_batch trailing_metadata_;
  Message* first_message_ = nullptr;
  Message** last_message_ = &first_message_;
  size_t bytes_ = 0;  // of the messages
  // Of a message that was sent, while the peer has more than it should.
  grpc_closure* blocked_send_ = nullptr;
};

}  // namespace uvgrpc

#endif  // UVGRPC_INPROC_INPROC_STREAM_H_
