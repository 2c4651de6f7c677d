// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/iomgr_uv/endpoint_state.h"

#include <errno.h>
#include <limits.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/log/check.h"
#include "absl/types/span.h"
#include "src/iomgr_uv/graceful_close.h"
#include "src/iomgr_uv/sockets.h"
#include "src/iomgr_uv/uv_status.h"

namespace uvgrpc {
namespace {

using grpc_event_engine::experimental::MemoryAllocator;
using grpc_event_engine::experimental::SliceBuffer;
using WriteEvent = EventEngine::Endpoint::WriteEvent;

// One system call takes this many pieces at most.
constexpr size_t kMaxPieces = IOV_MAX;

using Clock = std::chrono::steady_clock;
// A read that takes longer to deal with was too large a piece of work: the next
// is half of it, but not less than this. Bytes of headers may cost a thousand
// times as much as those of a message.
constexpr std::chrono::microseconds kLongRead{250};
constexpr size_t kSmallestPiece = 512;
// A connection that brought so much last time waits while deliveries are
// behind, for so many turns at most; those that bring little go on.
constexpr size_t kMuch = 4 * 1024;
constexpr int kMaxTurnsToWait = 256;
// How long one connection may read in a turn, if it brings more than one piece.
constexpr std::chrono::microseconds kReadTime{1000};
constexpr std::chrono::microseconds kReadTimeOfBurdens{250};
// Once a turn has lasted for kLongTurn, connections that bring much, and those
// of which little is known, leave their input to a later one. After
// kLongestWait one of them each kLongTurn goes on, however long the turn.
// New ones are among them since they may have a TLS handshake to do, which
// takes core about a millisecond: many of them come at a time. They, and those
// that are known to be a burden, wait sooner.
constexpr std::chrono::microseconds kLongTurnForBurdens{500};
constexpr std::chrono::milliseconds kLongestWait{80};
// A longer turn is not of our making: the program blocks the loop, and what it
// waits for, the answer to a ping perhaps, must not wait for other turns.
constexpr std::chrono::milliseconds kBlockedTurn{100};
// Reads after which a connection is known. Its pieces are small before: it may
// bring a hundred calls in a few kilobytes.
constexpr int kNewReads = 4;
// Core deals with all that it gets at once before it writes anything. A
// connection that left deliveries behind is held back: it gets its next pieces
// one a turn, of kMuch bytes, as long as each still completes so many things.
constexpr int kSmallPieces = 64;
constexpr uint64_t kMany = 32;

absl::Status EndpointClosed() {
  return absl::CancelledError("Endpoint closed");
}

// The first slices of `data` as pieces for the kernel, empty ones left out.
// Returns how many, and their bytes.
std::pair<size_t, size_t> Gather(SliceBuffer* data, iovec* pieces) {
  grpc_slice* const slices = data->c_slice_buffer()->slices;
  size_t used = 0;
  size_t bytes = 0;
  for (size_t i = 0; i < data->Count() && used < kMaxPieces; ++i) {
    const size_t size = GRPC_SLICE_LENGTH(slices[i]);
    if (size == 0) continue;
    pieces[used].iov_base = GRPC_SLICE_START_PTR(slices[i]);
    pieces[used++].iov_len = size;
    bytes += size;
  }
  return {used, bytes};
}

}  // namespace

EndpointState::EndpointState(const std::shared_ptr<LoopBridge>& bridge,
                             OwnedFd fd, int family, const TcpOptions& options,
                             MemoryAllocator allocator)
    : LoopObject(bridge.get(), LinkLater()),
      bridge_(bridge),
      family_(family),
      socket_(std::move(fd)),
      fd_(socket_.get()),
      new_reads_(kNewReads),
      arrival_(options.arrivals),
      read_buffer_(std::move(allocator), options.min_read_chunk_size,
                   options.read_chunk_size, options.max_read_chunk_size) {}

EndpointState::~EndpointState() = default;

absl::Status EndpointState::Attach() {
  if (closed_) return read_error_;
  if (handle_.is_open()) return absl::OkStatus();
  if (bridge_->is_closed()) {
    Close();
    return read_error_;
  }
  const int error =
      handle_.Init(bridge_, this, UV_POLL, [&](uv_poll_t* handle) {
        return bridge_->uv().poll_init(bridge_->loop(), handle, socket_.get());
      });
  if (error != 0) {
    Close(ConnectionLost("poll_init: ", -error));
    return read_error_;
  }
  Link();
  return absl::OkStatus();
}

int EndpointState::Connect(const ResolvedAddress& peer,
                           ConnectCallback on_connected) {
  // A signal does not end the attempt either.
  if (connect(socket_.get(), peer.address(), peer.size()) != 0 &&
      errno != EINPROGRESS && errno != EINTR) {
    return errno;
  }
  on_connected_ = std::move(on_connected);
  watch_writable_ = true;
  Watch();
  return closed_ ? EBADF : 0;
}

void EndpointState::HandleConnected() {
  int error = 0;
  socklen_t size = sizeof(error);
  if (getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) {
    error = errno;
  }
  std::exchange(on_connected_, nullptr)(error);
}

bool EndpointState::Read(Callback&& on_read, SliceBuffer* buffer) {
  CHECK(read_target_ == nullptr) << "a read is outstanding already";
  (void)Attach();
  buffer->Clear();
  if (incoming_.Length() > 0 && incoming_.Length() <= largest_piece_ &&
      !IsHeldBack()) {
    buffer->Swap(incoming_);
    StartReading();
    return true;
  }
  if (!read_error_.ok() && incoming_.Length() == 0) {
    CompleteLater(std::move(on_read), read_error_);
    return false;
  }
  on_read_ = std::move(on_read);
  read_target_ = buffer;
  if (incoming_.Length() > 0) {
    // Given at once, core would deal with it before it writes anything.
    bridge_->Post([self = shared_from_this()] { self->GiveBuffered(); });
  } else {
    StartReading();
  }
  return false;
}

bool EndpointState::IsHeldBack() {
  if (bridge_->IsBehind() ||
      (small_pieces_ > 0 &&
       bridge_->CompletionCount() - completions_before_ >= kMany)) {
    small_pieces_ = kSmallPieces;
  }
  return small_pieces_ > 0;
}

size_t EndpointState::NextPiece() {
  const bool held_back = IsHeldBack();
  completions_before_ = bridge_->CompletionCount();
  if (!held_back && new_reads_ == 0) return largest_piece_;
  if (held_back) --small_pieces_;
  return std::min(kMuch, largest_piece_);
}

void EndpointState::AdaptPiece(size_t size, Clock::duration took) {
  if (took > kLongRead) {
    read_buffer_.Shrink();
    largest_piece_ = std::max(kSmallestPiece, size / 2);
  } else if (largest_piece_ != kAnyPiece && took < kLongRead / 4) {
    largest_piece_ =
        largest_piece_ < kMaxReadPerTurn ? 2 * largest_piece_ : kAnyPiece;
  }
}

void EndpointState::GiveBuffered() {
  if (read_target_ == nullptr) return;  // closed meanwhile
  const size_t piece = NextPiece();
  if (incoming_.Length() <= piece) {
    read_target_->Swap(incoming_);
    StartReading();
  } else {
    incoming_.MoveFirstNBytesIntoSliceBuffer(piece, *read_target_);
  }
  FinishRead(absl::OkStatus());
}

void EndpointState::StartReading() {
  if (reading_ || !read_error_.ok()) return;
  reading_ = true;
  Watch();
}

void EndpointState::StopReading() {
  reading_ = false;
  Watch();
}

void EndpointState::Watch() {
  if (!handle_.is_open()) return;
  const int events =
      (reading_ ? UV_READABLE : 0) | (watch_writable_ ? UV_WRITABLE : 0);
  if (events == watched_) return;
  watched_ = events;
  const int error = bridge_->uv().poll_start(handle_.get(), events, &OnReady);
  if (error != 0) Close(ConnectionLost("poll_start: ", -error));
}

void EndpointState::OnReady(uv_poll_t* handle, int error, int events) {
  Handle::OwnerOf(handle)->HandleReady(error, events);
}

void EndpointState::HandleReady(int error, int events) {
  LoopBridge::CallbackScope scope(bridge_.get());
  if (error != 0) {
    // The socket has an error. libuv has stopped watching, and leaves it to us
    // to find out which, and what there is to read before it.
    watched_ = 0;
    events = UV_READABLE | UV_WRITABLE;
  }
  if ((events & UV_WRITABLE) != 0 && !write_outstanding_) {
    watch_writable_ = false;
  }
  // Each of these may close the endpoint, which leaves nothing to do for the
  // others; this object lives until libuv's close callback.
  if (on_connected_ != nullptr) {
    HandleConnected();
  } else {
    if ((events & UV_READABLE) != 0) HandleReadable();
    if ((events & UV_WRITABLE) != 0 && write_outstanding_) HandleWritable();
  }
  Watch();
}

bool EndpointState::LetsOthersGoFirst() {
  const bool brings_much = received_last_ >= kMuch;
  bool waits = false;
  if (brings_much || IsBurden()) {
    const Clock::time_point now = Clock::now();
    if (turns_waited_ == 0) waits_since_ = now;
    waits = (brings_much && bridge_->IsBehind() &&
             turns_waited_ < kMaxTurnsToWait) ||
            (IsLongTurn(now) && !MayReadInLongTurn(now));
  }
  turns_waited_ = waits ? turns_waited_ + 1 : 0;
  return waits;
}

bool EndpointState::IsLongTurn(Clock::time_point now) {
  const auto length = bridge_->TurnLength(now);
  const std::chrono::microseconds limit =
      IsBurden() ? kLongTurnForBurdens : LoopBridge::kLongTurn;
  return length > limit && length < kBlockedTurn;
}

bool EndpointState::MayReadInLongTurn(Clock::time_point now) const {
  return now - waits_since_ >= kLongestWait &&
         bridge_->TakeLateRead(now, LoopBridge::kLongTurn);
}

void EndpointState::HandleReadable() {
  // libuv says it again in the next turn.
  if (LetsOthersGoFirst()) return;
  if (new_reads_ > 0) --new_reads_;
  Clock::time_point began;
  size_t& received = received_last_;
  received = 0;
  while (reading_ && received < kMaxReadPerTurn &&
         (received == 0 || !bridge_->IsBehind())) {
    const absl::Span<uint8_t> space =
        read_buffer_.Prepare().subspan(0, NextPiece());
    if (closed_) return;  // to get the memory
    const ssize_t size =
        recv(socket_.get(), space.data(), space.size(), MSG_DONTWAIT);
    if (size > 0) {
      const auto bytes = static_cast<size_t>(size);
      received += bytes;
      // Most likely there is no more. If there is, libuv says so again.
      const bool is_full = bytes == space.size();
      if (!is_full && bytes < kMuch) return HandleReceived(bytes);
      const Clock::time_point start = Clock::now();
      if (began == Clock::time_point()) began = start;
      HandleReceived(bytes);
      const Clock::time_point end = Clock::now();
      AdaptPiece(bytes, end - start);
      // The time for the first piece is not known beforehand.
      if (!is_full ||
          end - began > (IsBurden() ? kReadTimeOfBurdens : kReadTime)) {
        return;
      }
    } else if (size == 0) {
      HandleReadEnd(absl::UnavailableError("Socket closed"));
    } else if (errno == EAGAIN) {
      return;
    } else if (errno != EINTR) {
      HandleReadEnd(ConnectionLost("recvmsg:", errno));
    }
  }
}

void EndpointState::HandleReceived(size_t size) {
  const grpc_slice slice = read_buffer_.Take(size);
  if (closed_) return grpc_slice_unref(slice);  // to get the memory
  if (arrival_.is_waiting()) arrival_.NoteBytes(*GRPC_SLICE_START_PTR(slice));
  if (read_target_ != nullptr && incoming_.Length() == 0) {
    grpc_slice_buffer_add_indexed(read_target_->c_slice_buffer(), slice);
    return FinishRead(absl::OkStatus());
  }
  grpc_slice_buffer_add_indexed(incoming_.c_slice_buffer(), slice);
  if (incoming_.Length() >= kMaxBuffered) StopReading();
}

void EndpointState::HandleReadEnd(absl::Status why) {
  read_error_ = std::move(why);
  StopReading();
  if (read_target_ != nullptr && incoming_.Length() == 0) {
    FinishRead(read_error_);
  }
}

void EndpointState::FinishRead(absl::Status status) {
  Callback on_read = std::move(on_read_);
  on_read_ = nullptr;
  read_target_ = nullptr;
  const LoopBridge::ReadScope scope(bridge_.get());
  // May destroy the endpoint, and with it everything but this object, which
  // its handle keeps until libuv's close callback.
  on_read(std::move(status));
}

bool EndpointState::Write(Callback&& on_writable, SliceBuffer* data,
                          std::optional<WriteEventSink> sink) {
  CHECK(!write_outstanding_) << "a write is outstanding already";
  (void)Attach();
  std::unique_ptr<WriteTracer> tracer;
  if (sink.has_value()) {
    tracer = std::make_unique<WriteTracer>(*std::move(sink));
  }
  if (!handle_.is_open()) {
    Trace(tracer.get(), WriteEvent::kClosed);
    CompleteLater(std::move(on_writable), read_error_);
    return false;
  }
  Trace(tracer.get(), WriteEvent::kSendMsg);
  const int error = Send(data);
  if (error == 0) {
    Trace(tracer.get(), WriteEvent::kSent);
    return true;
  }
  if (error != EAGAIN) {
    Trace(tracer.get(), WriteEvent::kClosed);
    CompleteLater(std::move(on_writable), ConnectionLost("sendmsg: ", error));
    return false;
  }
  outgoing_.Swap(*data);
  bridge_->CountUnsent(0, outgoing_.Length());
  write_outstanding_ = true;
  on_writable_ = std::move(on_writable);
  tracer_ = std::move(tracer);
  watch_writable_ = true;
  Watch();
  return false;
}

int EndpointState::Send(SliceBuffer* data) {
  iovec pieces[kMaxPieces];
  while (true) {
    const auto [count, bytes] = Gather(data, pieces);
    if (count == 0) break;  // empty slices, if any
    msghdr message{};
    message.msg_iov = pieces;
    message.msg_iovlen = static_cast<decltype(message.msg_iovlen)>(count);
    ssize_t sent;
    do {
      sent = sendmsg(socket_.get(), &message, kNoSigpipe | MSG_DONTWAIT);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0) return errno == ENOBUFS ? EAGAIN : errno;
    if (static_cast<size_t>(sent) == data->Length()) break;
    SliceBuffer gone;
    data->MoveFirstNBytesIntoSliceBuffer(static_cast<size_t>(sent), gone);
    if (static_cast<size_t>(sent) < bytes) return EAGAIN;
  }
  data->Clear();
  return 0;
}

void EndpointState::HandleWritable() {
  const size_t unsent = outgoing_.Length();
  const int error = Send(&outgoing_);
  if (error != EAGAIN) outgoing_.Clear();
  bridge_->CountUnsent(unsent, outgoing_.Length());
  if (error == EAGAIN) return;
  write_outstanding_ = false;
  Callback on_writable = std::move(on_writable_);
  on_writable_ = nullptr;
  Trace(tracer_.get(), error == 0 ? WriteEvent::kSent : WriteEvent::kClosed);
  tracer_.reset();
  on_writable(error == 0 ? absl::OkStatus()
                         : ConnectionLost("sendmsg: ", error));
}

void EndpointState::Trace(WriteTracer* tracer, WriteEvent event) {
  if (tracer != nullptr) tracer->Record(event, fd());
}

void EndpointState::Close() { Close(EndpointClosed()); }

void EndpointState::Close(absl::Status why) {
  if (closed_) return;
  closed_ = true;
  arrival_.Leave();
  read_error_ = std::move(why);
  reading_ = false;
  fd_.store(-1, std::memory_order_relaxed);
  // libuv lets go of the descriptor before it is closed.
  handle_.Close(shared_from_this());
  CloseGracefully(std::move(socket_), family_);
  incoming_.Clear();
  bridge_->CountUnsent(outgoing_.Length(), 0);
  outgoing_.Clear();
  read_buffer_.Release();
  on_connected_ = nullptr;
  if (read_target_ != nullptr) {
    read_target_ = nullptr;
    CompleteLater(std::exchange(on_read_, nullptr), read_error_);
  }
  if (write_outstanding_) {
    write_outstanding_ = false;
    Trace(tracer_.get(), WriteEvent::kClosed);
    tracer_.reset();
    CompleteLater(std::exchange(on_writable_, nullptr), read_error_);
  }
}

void EndpointState::ShutDown(ReleaseCallback on_release) {
  if (on_release != nullptr) {
    on_release_ = std::move(on_release);
    handle_.Close(shared_from_this());
    released_fd_ = std::move(socket_);
  }
  Close();
}

void EndpointState::HandleDestroyed() {
  Close();
  if (on_release_ == nullptr) return;
  bridge_->Post([on_release = std::exchange(on_release_, nullptr),
                 fd = std::move(released_fd_)]() mutable {
    if (!fd.is_open())
      return on_release(absl::UnavailableError("Socket closed"));
    on_release(fd.Release());
  });
}

void EndpointState::HandleLoopClosing() { Close(); }

void EndpointState::CompleteLater(Callback&& callback, absl::Status status) {
  bridge_->Post(
      [callback = std::move(callback), status = std::move(status)]() mutable {
        callback(std::move(status));
      });
}

}  // namespace uvgrpc
