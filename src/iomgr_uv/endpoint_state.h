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
#include <chrono>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "src/iomgr_uv/arrivals.h"
#include "src/iomgr_uv/endpoint_telemetry.h"
#include "src/iomgr_uv/loop_bridge.h"
#include "src/iomgr_uv/owned_fd.h"
#include "src/iomgr_uv/read_buffer.h"
#include "src/iomgr_uv/socket_address.h"
#include "src/iomgr_uv/tcp_options.h"
#include "src/iomgr_uv/uv_handle.h"

namespace uvgrpc {

// A stream socket on the loop, TCP or Unix. Made on any thread; then, except
// where it says otherwise, for the loop thread only. References that other
// threads hold are given back to the loop thread with the post that closes the
// endpoint.
//
// libuv only tells when the socket is ready; the system calls are ours, because
// those of a uv_stream_t raise SIGPIPE, whose default action ends the process.
//
// States: unattached (libuv does not know the descriptor yet), open, closed.
// Whatever is called on a closed endpoint completes with CANCELLED, later.
// Callbacks run from libuv's callbacks or from a post, never inside the call
// that they belong to.
//
// Reading starts with the first Read and goes on between Reads, until
// kMaxBuffered bytes wait that nobody asked for: so a peer that sends steadily
// costs one recv() a readiness and no change of the poll set.
class EndpointState final : public LoopObject,
                            public std::enable_shared_from_this<EndpointState> {
 public:
  using Callback = absl::AnyInvocable<void(absl::Status)>;
  using ConnectCallback = absl::AnyInvocable<void(int error)>;
  using ReleaseCallback = absl::AnyInvocable<void(absl::StatusOr<int>)>;
  using SliceBuffer = grpc_event_engine::experimental::SliceBuffer;
  using WriteEventSink = EventEngine::Endpoint::WriteEventSink;

  // What is read ahead of need.
  static constexpr size_t kMaxBuffered = 64 * 1024;
  // After so much the rest waits for the next turn, behind everything else.
  static constexpr size_t kMaxReadPerTurn = 256 * 1024;

  // `family` is the socket's. Any thread.
  EndpointState(const std::shared_ptr<LoopBridge>& bridge, OwnedFd fd,
                int family, const TcpOptions& options,
                grpc_event_engine::experimental::MemoryAllocator allocator);
  ~EndpointState() override;

  // Has libuv watch the descriptor. Idempotent. On failure, or when the loop is
  // closed, the endpoint is closed and has the status as its error.
  absl::Status Attach();

  // Starts to connect. Returns 0, and later calls `on_connected` with 0 or the
  // errno value, unless the endpoint is closed first; or returns the errno
  // value of an attempt that failed at once. Attached, and before a façade is
  // made.
  int Connect(const ResolvedAddress& peer, ConnectCallback on_connected);

  // See EventEngine::Endpoint. Attach if that has not happened yet. The
  // callback is taken only when they return false. A Read completes with
  // whatever is there: core's hint of how much it could use is not something to
  // wait for, since the peer may wait for us to act on less.
  bool Read(Callback&& on_read, SliceBuffer* buffer);
  bool Write(Callback&& on_writable, SliceBuffer* data,
             std::optional<WriteEventSink> sink);

  // Closes the socket; what is outstanding completes with CANCELLED, from a
  // post. What the kernel took still goes to the peer. Idempotent.
  void Close();

  // Closes, but keeps the connection open: `on_release` gets the descriptor
  // when the endpoint is destroyed. A null one just closes.
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
  using Handle = UvHandle<uv_poll_t, EndpointState>;

  static void OnReady(uv_poll_t* handle, int error, int events);

  void HandleReady(int error, int events);
  void HandleConnected();
  void HandleReadable();
  // Whether this connection brings more than can be dealt with.
  bool IsHeldBack();
  // How much core may get at once.
  size_t NextPiece();
  // Dealing with `size` bytes took so long.
  void AdaptPiece(size_t size, std::chrono::steady_clock::duration took);
  // Completes the outstanding Read with what was read ahead, or a part of it.
  void GiveBuffered();
  // Whether this connection is to wait for a turn in which there is less to do.
  bool LetsOthersGoFirst();
  // Whether its input takes core, or may take it, much longer than its size
  // says.
  bool IsBurden() const {
    return new_reads_ > 0 || largest_piece_ != kAnyPiece;
  }
  // Whether this turn is one of those that are filled by connections' input.
  bool IsLongTurn(std::chrono::steady_clock::time_point now);
  // Whether it has waited for so long that it goes on in one, too.
  bool MayReadInLongTurn(std::chrono::steady_clock::time_point now) const;
  void HandleWritable();
  void HandleReceived(size_t size);
  // There will be no more to read.
  void HandleReadEnd(absl::Status why);
  // Completes the outstanding Read.
  void FinishRead(absl::Status status);
  void StartReading();
  void StopReading();

  // Has libuv watch for what reading_ and watch_writable_ say.
  void Watch();

  // Gives the kernel as much of `data` as it takes at once; what it took is
  // gone from `data`. Returns 0 when that was all, or the errno value: EAGAIN
  // when the rest has to wait.
  int Send(SliceBuffer* data);
  void Trace(WriteTracer* tracer, EventEngine::Endpoint::WriteEvent event);

  // Close, with the status that calls get from now on.
  void Close(absl::Status why);
  void CompleteLater(Callback&& callback, absl::Status status);

  const std::shared_ptr<LoopBridge> bridge_;
  const int family_;
  OwnedFd socket_;
  std::atomic<int> fd_;  // that of socket_
  int new_reads_;        // until the connection is known
  Arrivals::Ticket arrival_;
  ResolvedAddress peer_;
  ResolvedAddress local_;
  bool closed_ = false;
  Handle handle_;
  int watched_ = 0;  // the events that libuv watches for
  // Once a write needed it, until the socket is writable without need: so a row
  // of writes that each fill the socket changes the poll set once.
  bool watch_writable_ = false;
  ConnectCallback on_connected_;

  // The outstanding read: its buffer is the caller's. Null buffer: none.
  Callback on_read_;
  SliceBuffer* read_target_ = nullptr;
  // Why there will be no more to read; what is in `incoming_` goes first.
  absl::Status read_error_;
  // Read, but not yet asked for.
  SliceBuffer incoming_;
  ReadBuffer read_buffer_;
  size_t received_last_ = 0;  // in the last turn in which it read
  int turns_waited_ = 0;      // since then
  std::chrono::steady_clock::time_point waits_since_;
  static constexpr size_t kAnyPiece = std::numeric_limits<size_t>::max();
  size_t largest_piece_ = kAnyPiece;  // that core deals with in a short time
  int small_pieces_ = 0;              // still to come
  uint64_t completions_before_ = 0;   // before the last piece
  bool reading_ = false;

  // The outstanding write, and what is left of it.
  Callback on_writable_;
  bool write_outstanding_ = false;
  SliceBuffer outgoing_;
  std::unique_ptr<WriteTracer> tracer_;

  ReleaseCallback on_release_;
  OwnedFd released_fd_;
};

}  // namespace uvgrpc

#endif  // UVGRPC_IOMGR_UV_ENDPOINT_STATE_H_
