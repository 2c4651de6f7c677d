// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/iomgr_uv/endpoint_state.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/socket.h>

#include <algorithm>
#include <utility>

#include "absl/log/check.h"
#include "absl/strings/str_cat.h"
#include "src/iomgr_uv/uv_status.h"

namespace uvgrpc {
namespace {

using grpc_event_engine::experimental::MemoryAllocator;
using grpc_event_engine::experimental::SliceBuffer;
using WriteEvent = EventEngine::Endpoint::WriteEvent;

// One system call takes this many pieces at most.
constexpr size_t kMaxPieces = IOV_MAX;

absl::Status EndpointClosed() {
  return absl::CancelledError("Endpoint closed");
}

// Walks the bytes of a slice buffer as pieces for libuv, empty slices left out.
class Pieces {
 public:
  Pieces(SliceBuffer* data, size_t skip)
      : slices_(data->c_slice_buffer()->slices), count_(data->Count()) {
    Skip(skip);
  }

  bool done() const { return index_ == count_; }

  // Fills `bufs` with up to `capacity` pieces from here on, without moving.
  // Returns how many, and their bytes.
  std::pair<unsigned, size_t> Fill(uv_buf_t* bufs, size_t capacity) const {
    unsigned used = 0;
    size_t bytes = 0;
    size_t offset = offset_;
    for (size_t i = index_; i < count_ && used < capacity; ++i, offset = 0) {
      const size_t size = GRPC_SLICE_LENGTH(slices_[i]) - offset;
      if (size == 0) continue;
      bufs[used].base =
          reinterpret_cast<char*>(GRPC_SLICE_START_PTR(slices_[i])) + offset;
      bufs[used++].len = size;
      bytes += size;
    }
    return {used, bytes};
  }

  void Skip(size_t bytes) {
    offset_ += bytes;
    for (; index_ < count_; ++index_) {
      const size_t size = GRPC_SLICE_LENGTH(slices_[index_]);
      if (offset_ < size) break;
      offset_ -= size;
    }
  }

 private:
  grpc_slice* const slices_;
  const size_t count_;
  size_t index_ = 0;
  size_t offset_ = 0;
};

}  // namespace

EndpointState::EndpointState(const std::shared_ptr<LoopBridge>& bridge,
                             OwnedFd fd, int family, const TcpOptions& options,
                             MemoryAllocator allocator)
    : LoopObject(bridge.get(), LinkLater()),
      bridge_(bridge),
      family_(family),
      unattached_fd_(std::move(fd)),
      fd_(unattached_fd_.get()),
      read_buffer_(std::move(allocator), options.min_read_chunk_size,
                   options.read_chunk_size, options.max_read_chunk_size) {}

EndpointState::~EndpointState() {
  if (released_fd_.ok()) OwnedFd(*released_fd_).Reset();
}

absl::Status EndpointState::Attach() {
  if (closed_) return read_error_;
  if (!unattached_fd_.is_open()) return absl::OkStatus();
  if (bridge_->is_closed()) {
    Close();
    return read_error_;
  }
  const UvApi& uv = bridge_->uv();
  const bool is_tcp = family_ != AF_UNIX;
  int error = handle_.Init(
      bridge_, this, is_tcp ? UV_TCP : UV_NAMED_PIPE, [&](uv_stream_t* stream) {
        return is_tcp ? uv.tcp_init(bridge_->loop(),
                                    reinterpret_cast<uv_tcp_t*>(stream))
                      : uv.pipe_init(bridge_->loop(),
                                     reinterpret_cast<uv_pipe_t*>(stream), 0);
      });
  if (error == 0) {
    const int fd = unattached_fd_.get();
    error = is_tcp
                ? uv.tcp_open(reinterpret_cast<uv_tcp_t*>(handle_.get()), fd)
                : uv.pipe_open(reinterpret_cast<uv_pipe_t*>(handle_.get()), fd);
  }
  if (error != 0) {
    Close();
    read_error_ = SocketError(error, "setting up the socket");
    return read_error_;
  }
  (void)unattached_fd_.Take();  // libuv closes it now
  Link();
  return absl::OkStatus();
}

int EndpointState::ConnectTcp(uv_connect_t* request,
                              const ResolvedAddress& peer,
                              uv_connect_cb on_connected) {
  return bridge_->uv().tcp_connect(request,
                                   reinterpret_cast<uv_tcp_t*>(handle_.get()),
                                   peer.address(), on_connected);
}

bool EndpointState::Read(Callback&& on_read, SliceBuffer* buffer,
                         int64_t hint) {
  CHECK(read_target_ == nullptr) << "a read is outstanding already";
  if (unattached_fd_.is_open()) (void)Attach();
  buffer->Clear();
  read_hint_ =
      static_cast<size_t>(std::clamp<int64_t>(hint, 1, int64_t{kMaxBuffered}));
  const size_t available = incoming_.Length();
  if (available >= read_hint_ || (available > 0 && !read_error_.ok())) {
    buffer->Swap(incoming_);
    StartReading();
    return true;
  }
  if (!read_error_.ok()) {
    CompleteLater(std::move(on_read), read_error_);
    return false;
  }
  on_read_ = std::move(on_read);
  read_target_ = buffer;
  StartReading();
  return false;
}

void EndpointState::StartReading() {
  if (reading_ || !read_error_.ok() || !handle_.is_open()) return;
  CHECK_EQ(bridge_->uv().read_start(handle_.stream(), &OnAlloc, &OnRead), 0);
  reading_ = true;
}

void EndpointState::StopReading() {
  bridge_->uv().read_stop(handle_.stream());
  reading_ = false;
}

void EndpointState::OnAlloc(uv_handle_t* handle, size_t, uv_buf_t* buffer) {
  *buffer = Handle::OwnerOf(handle)->read_buffer_.Prepare();
}

void EndpointState::OnRead(uv_stream_t* stream, ssize_t size, const uv_buf_t*) {
  if (size != 0) Handle::OwnerOf(stream)->HandleRead(size);
}

void EndpointState::HandleRead(ssize_t size) {
  LoopBridge::CallbackScope scope(bridge_.get());
  if (size < 0) return HandleReadError(static_cast<int>(size));
  const grpc_slice slice = read_buffer_.Take(static_cast<size_t>(size));
  if (read_target_ != nullptr && incoming_.Length() == 0 &&
      static_cast<size_t>(size) >= read_hint_) {
    grpc_slice_buffer_add_indexed(read_target_->c_slice_buffer(), slice);
    return FinishRead(absl::OkStatus());
  }
  grpc_slice_buffer_add_indexed(incoming_.c_slice_buffer(), slice);
  if (read_target_ == nullptr) {
    if (incoming_.Length() >= kMaxBuffered) StopReading();
  } else if (incoming_.Length() >= read_hint_) {
    read_target_->Swap(incoming_);
    FinishRead(absl::OkStatus());
  }
}

void EndpointState::HandleReadError(int error) {
  if (reading_) StopReading();
  read_error_ = error == UV_EOF ? absl::UnavailableError("Socket closed")
                                : SocketError(error, "read");
  if (read_target_ == nullptr) return;
  if (incoming_.Length() == 0) return FinishRead(read_error_);
  read_target_->Swap(incoming_);
  FinishRead(absl::OkStatus());
}

void EndpointState::FinishRead(absl::Status status) {
  Callback on_read = std::move(on_read_);
  on_read_ = nullptr;
  read_target_ = nullptr;
  // May destroy the endpoint, and with it everything but this object, which
  // its handle keeps until libuv's close callback.
  on_read(std::move(status));
}

bool EndpointState::Write(Callback&& on_writable, SliceBuffer* data,
                          std::optional<WriteEventSink> sink) {
  CHECK(!write_outstanding_) << "a write is outstanding already";
  if (unattached_fd_.is_open()) (void)Attach();
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
  int64_t sent = TryWrite(data);
  if (sent >= 0) {
    if (static_cast<size_t>(sent) == data->Length()) {
      data->Clear();
      Trace(tracer.get(), WriteEvent::kSent);
      return true;
    }
    sent = WriteRest(data, static_cast<size_t>(sent));
    if (sent == 0) {
      write_outstanding_ = true;
      on_writable_ = std::move(on_writable);
      tracer_ = std::move(tracer);
      return false;
    }
    outgoing_.Clear();
  }
  Trace(tracer.get(), WriteEvent::kClosed);
  CompleteLater(std::move(on_writable),
                SocketError(static_cast<int>(sent), "write"));
  return false;
}

int64_t EndpointState::TryWrite(SliceBuffer* data) {
  uv_buf_t bufs[kMaxPieces];
  Pieces pieces(data, 0);
  int64_t sent = 0;
  while (!pieces.done()) {
    const auto [count, bytes] = pieces.Fill(bufs, kMaxPieces);
    if (count == 0) break;  // only empty slices are left
    const int result = bridge_->uv().try_write(handle_.stream(), bufs, count);
    if (result == UV_EAGAIN) break;
    if (result < 0) return result;
    sent += result;
    if (static_cast<size_t>(result) < bytes) break;
    pieces.Skip(bytes);
  }
  return sent;
}

int EndpointState::WriteRest(SliceBuffer* data, size_t sent) {
  outgoing_.Clear();
  outgoing_.Swap(*data);
  outgoing_bufs_.resize(outgoing_.Count());
  const auto [count, bytes] =
      Pieces(&outgoing_, sent)
          .Fill(outgoing_bufs_.data(), outgoing_bufs_.size());
  return bridge_->uv().write(&write_request_, handle_.stream(),
                             outgoing_bufs_.data(), count, &OnWritten);
}

void EndpointState::OnWritten(uv_write_t* request, int error) {
  Handle::OwnerOf(request->handle)->HandleWritten(error);
}

void EndpointState::HandleWritten(int error) {
  LoopBridge::CallbackScope scope(bridge_.get());
  outgoing_.Clear();
  // Close has completed the write already.
  if (!write_outstanding_) return;
  write_outstanding_ = false;
  Callback on_writable = std::move(on_writable_);
  on_writable_ = nullptr;
  Trace(tracer_.get(), error == 0 ? WriteEvent::kSent : WriteEvent::kClosed);
  tracer_.reset();
  on_writable(error == 0 ? absl::OkStatus() : SocketError(error, "write"));
}

void EndpointState::Trace(WriteTracer* tracer, WriteEvent event) {
  if (tracer != nullptr) tracer->Record(event, fd());
}

void EndpointState::Close() {
  if (closed_) return;
  closed_ = true;
  read_error_ = EndpointClosed();
  reading_ = false;
  // Also closes the descriptor. libuv runs OnWritten before it lets go of us.
  fd_.store(-1, std::memory_order_relaxed);
  handle_.Close(shared_from_this());
  unattached_fd_.Reset();
  incoming_.Clear();
  read_buffer_.Release();
  if (read_target_ != nullptr) {
    read_target_ = nullptr;
    CompleteLater(std::exchange(on_read_, nullptr), EndpointClosed());
  }
  if (write_outstanding_) {
    write_outstanding_ = false;
    Trace(tracer_.get(), WriteEvent::kClosed);
    tracer_.reset();
    CompleteLater(std::exchange(on_writable_, nullptr), EndpointClosed());
  }
}

void EndpointState::ShutDown(ReleaseCallback on_release) {
  if (on_release != nullptr) {
    on_release_ = std::move(on_release);
    const int fd = this->fd();
    if (fd >= 0) {
      // libuv closes the one it has.
      const int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
      if (copy >= 0) {
        released_fd_ = copy;
      } else {
        released_fd_ = ErrnoStatus(errno, "dup");
      }
    }
  }
  Close();
}

void EndpointState::HandleDestroyed() {
  Close();
  if (on_release_ == nullptr) return;
  bridge_->Post([on_release = std::exchange(on_release_, nullptr),
                 fd = std::exchange(
                     released_fd_, absl::UnavailableError("taken"))]() mutable {
    on_release(std::move(fd));
  });
}

void EndpointState::HandleLoopClosing() { Close(); }

absl::Status EndpointState::SocketError(int uv_error, const char* what) const {
  return UvStatus(bridge_->uv(), uv_error,
                  absl::StrCat(what, " (peer ", Describe(peer_), ")"));
}

void EndpointState::CompleteLater(Callback&& callback, absl::Status status) {
  bridge_->Post(
      [callback = std::move(callback), status = std::move(status)]() mutable {
        callback(std::move(status));
      });
}

}  // namespace uvgrpc
