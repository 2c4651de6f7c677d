// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// The half of an endpoint that lives on the loop.

#ifndef UVGRPC_IOMGR_UV_ENDPOINT_STATE_H_
#define UVGRPC_IOMGR_UV_ENDPOINT_STATE_H_

#include <grpc/event_engine/event_engine.h>
#include <grpc/event_engine/memory_allocator.h>
#include <grpc/event_engine/slice_buffer.h>
#include <uv.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "src/iomgr_uv/endpoint_telemetry.h"
#include "src/iomgr_uv/loop_bridge.h"
#include "src/iomgr_uv/owned_fd.h"
#include "src/iomgr_uv/read_buffer.h"
#include "src/iomgr_uv/socket_address.h"
#include "src/iomgr_uv/tcp_options.h"
#include "src/iomgr_uv/uv_handle.h"

namespace uvgrpc {

// A stream socket on the loop. Made on any thread; then, except where it says
// otherwise, for the loop thread only. References that other threads hold are
// given back to the loop thread with the post that closes the endpoint.
//
// States: unattached (the descriptor is ours, libuv does not know it yet),
// open, closed. Whatever is called on a closed endpoint completes with
// CANCELLED, later. Callbacks run from libuv's callbacks or from a post, never
// inside the call that they belong to.
//
// Reading starts with the first Read and goes on between Reads, until
// kMaxBuffered bytes wait that nobody asked for: so a peer that sends steadily
// costs one read() a readiness and no change of the poll set.
class EndpointState final : public LoopObject,
                            public std::enable_shared_from_this<EndpointState> {
 public:
  using Callback = absl::AnyInvocable<void(absl::Status)>;
  using ReleaseCallback = absl::AnyInvocable<void(absl::StatusOr<int>)>;
  using SliceBuffer = grpc_event_engine::experimental::SliceBuffer;
  using WriteEventSink = EventEngine::Endpoint::WriteEventSink;

  // What is read ahead of need, and the most that a read hint makes us wait
  // for.
  static constexpr size_t kMaxBuffered = 256 * 1024;

  // `family` is the socket's. Any thread.
  EndpointState(const std::shared_ptr<LoopBridge>& bridge, OwnedFd fd,
                int family, const TcpOptions& options,
                grpc_event_engine::experimental::MemoryAllocator allocator);
  ~EndpointState() override;

  // Hands the descriptor to libuv. Idempotent. On failure, or when the loop is
  // closed, the endpoint is closed and has the status as its error.
  absl::Status Attach();

  // Starts to connect a TCP socket; returns libuv's error. `request` outlives
  // the call of `on_connected`, which libuv makes exactly once after success,
  // with UV_ECANCELED when the endpoint is closed first. Attached.
  int ConnectTcp(uv_connect_t* request, const ResolvedAddress& peer,
                 uv_connect_cb on_connected);

  // See EventEngine::Endpoint. Attach if that has not happened yet. The
  // callback is taken only when they return false.
  bool Read(Callback&& on_read, SliceBuffer* buffer, int64_t hint);
  bool Write(Callback&& on_writable, SliceBuffer* data,
             std::optional<WriteEventSink> sink);

  // Closes the socket; what is outstanding completes with CANCELLED, from a
  // post. Idempotent.
  void Close();

  // Closes, but keeps the connection open under another descriptor, which
  // `on_release` gets when the endpoint is destroyed. A null one just closes.
  void ShutDown(ReleaseCallback on_release);

  // The façade is gone.
  void HandleDestroyed();

  void HandleLoopClosing() override;

  const std::shared_ptr<LoopBridge>& bridge() const { return bridge_; }
  // The descriptor; -1 once closed. Any thread.
  int fd() const { return fd_.load(std::memory_order_relaxed); }

  // Set once, before a façade is made; then constant. Any thread.
  void SetAddresses(const ResolvedAddress& peer, const ResolvedAddress& local) {
    peer_ = peer;
    local_ = local;
  }
  const ResolvedAddress& peer() const { return peer_; }
  const ResolvedAddress& local() const { return local_; }

 private:
  using Handle = UvHandle<uv_stream_t, EndpointState>;

  static void OnAlloc(uv_handle_t* handle, size_t suggested, uv_buf_t* buffer);
  static void OnRead(uv_stream_t* stream, ssize_t size, const uv_buf_t* buffer);
  static void OnWritten(uv_write_t* request, int error);

  void HandleRead(ssize_t size);
  void HandleReadError(int error);
  void HandleWritten(int error);
  // Completes the outstanding Read.
  void FinishRead(absl::Status status);
  void StartReading();
  void StopReading();

  // Gives the kernel as much of `data` as it takes at once. Returns the bytes
  // taken, or libuv's error.
  int64_t TryWrite(SliceBuffer* data);
  // Hands libuv what is left of `data` after the first `sent` bytes.
  int WriteRest(SliceBuffer* data, size_t sent);
  void Trace(WriteTracer* tracer, EventEngine::Endpoint::WriteEvent event);

  // Why nothing can be read or written any more.
  absl::Status SocketError(int uv_error, const char* what) const;
  void CompleteLater(Callback&& callback, absl::Status status);

  const std::shared_ptr<LoopBridge> bridge_;
  const int family_;
  OwnedFd unattached_fd_;
  std::atomic<int> fd_;
  ResolvedAddress peer_;
  ResolvedAddress local_;
  bool closed_ = false;
  Handle handle_;

  // The outstanding read: its buffer is the caller's. Null buffer: none.
  Callback on_read_;
  SliceBuffer* read_target_ = nullptr;
  size_t read_hint_ = 1;
  // Why there will be no more to read; what is in `incoming_` goes first.
  absl::Status read_error_;
  // Read, but not yet asked for, or less than asked for.
  SliceBuffer incoming_;
  ReadBuffer read_buffer_;
  bool reading_ = false;

  // The outstanding write. libuv reads from `outgoing_` until HandleWritten,
  // also after the endpoint was closed.
  Callback on_writable_;
  bool write_outstanding_ = false;
  SliceBuffer outgoing_;
  std::vector<uv_buf_t> outgoing_bufs_;
  uv_write_t write_request_;
  std::unique_ptr<WriteTracer> tracer_;

  ReleaseCallback on_release_;
  absl::StatusOr<int> released_fd_ = absl::UnavailableError("socket closed");
};

}  // namespace uvgrpc

#endif  // UVGRPC_IOMGR_UV_ENDPOINT_STATE_H_
