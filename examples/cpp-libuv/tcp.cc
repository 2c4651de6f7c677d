// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "tcp.h"

#include <utility>

namespace example {
namespace {

sockaddr_in Loopback(int port) {
  sockaddr_in address;
  uv_ip4_addr("127.0.0.1", port, &address);
  return address;
}

void Allocate(uv_handle_t* /*handle*/, size_t size, uv_buf_t* buffer) {
  *buffer = uv_buf_init(new char[size], static_cast<unsigned>(size));
}

uv_handle_t* AsHandle(uv_tcp_t* tcp) {
  return reinterpret_cast<uv_handle_t*>(tcp);
}

uv_stream_t* AsStream(uv_tcp_t* tcp) {
  return reinterpret_cast<uv_stream_t*>(tcp);
}

// A write and its bytes. `buffer` has been made with new[].
struct Write {
  uv_write_t request;
  uv_buf_t buffer;

  static void Start(uv_stream_t* stream, uv_buf_t buffer) {
    auto* const write = new Write{{}, buffer};
    write->request.data = write;
    const int error = uv_write(&write->request, stream, &buffer, 1, &OnWritten);
    if (error != 0) OnWritten(&write->request, error);
  }
  static void OnWritten(uv_write_t* request, int /*status*/) {
    auto* const write = static_cast<Write*>(request->data);
    delete[] write->buffer.base;
    delete write;
  }
};

// A connection of the server's.
void OnEchoRead(uv_stream_t* stream, ssize_t size, const uv_buf_t* buffer) {
  if (size > 0) {
    Write::Start(stream,
                 uv_buf_init(buffer->base, static_cast<unsigned>(size)));
    return;
  }
  delete[] buffer->base;
  if (size < 0) {
    uv_close(reinterpret_cast<uv_handle_t*>(stream), [](uv_handle_t* handle) {
      delete reinterpret_cast<uv_tcp_t*>(handle);
    });
  }
}

class TcpClient {
 public:
  TcpClient(uv_loop_t* loop, std::string text,
            std::function<void(std::string)> done)
      : text_(std::move(text)), done_(std::move(done)) {
    uv_tcp_init(loop, &tcp_);
    tcp_.data = this;
    connect_.data = this;
  }

  void Connect(int port) {
    const sockaddr_in address = Loopback(port);
    const int error = uv_tcp_connect(
        &connect_, &tcp_, reinterpret_cast<const sockaddr*>(&address),
        [](uv_connect_t* request, int status) {
          static_cast<TcpClient*>(request->data)->HandleConnected(status);
        });
    if (error != 0) Close();
  }

 private:
  void HandleConnected(int status) {
    if (status != 0) return Close();
    char* const copy = new char[text_.size()];
    text_.copy(copy, text_.size());
    Write::Start(AsStream(&tcp_),
                 uv_buf_init(copy, static_cast<unsigned>(text_.size())));
    uv_read_start(
        AsStream(&tcp_), &Allocate,
        [](uv_stream_t* stream, ssize_t size, const uv_buf_t* buffer) {
          static_cast<TcpClient*>(stream->data)->HandleRead(size, *buffer);
          delete[] buffer->base;
        });
  }

  void HandleRead(ssize_t size, const uv_buf_t& buffer) {
    if (size > 0) got_.append(buffer.base, static_cast<size_t>(size));
    if (size < 0 || got_.size() >= text_.size()) Close();
  }

  void Close() {
    uv_close(AsHandle(&tcp_), [](uv_handle_t* handle) {
      auto* const self = static_cast<TcpClient*>(handle->data);
      self->done_(self->got_);
      delete self;
    });
  }

  const std::string text_;
  const std::function<void(std::string)> done_;
  std::string got_;
  uv_tcp_t tcp_;
  uv_connect_t connect_;
};

}  // namespace

TcpEchoServer::TcpEchoServer(uv_loop_t* loop) {
  uv_tcp_init(loop, &listener_);
  sockaddr_in address = Loopback(0);
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  int size = sizeof(address);
  if (uv_tcp_bind(&listener_, any, 0) == 0 &&
      uv_listen(AsStream(&listener_), 16, &OnConnection) == 0 &&
      uv_tcp_getsockname(&listener_, any, &size) == 0) {
    port_ = ntohs(address.sin_port);
  }
}

void TcpEchoServer::Close() { uv_close(AsHandle(&listener_), nullptr); }

void TcpEchoServer::OnConnection(uv_stream_t* listener, int status) {
  if (status != 0) return;
  auto* const connection = new uv_tcp_t;
  uv_tcp_init(listener->loop, connection);
  uv_accept(listener, AsStream(connection));
  uv_read_start(AsStream(connection), &Allocate, &OnEchoRead);
}

void AskOverTcp(uv_loop_t* loop, int port, std::string text,
                std::function<void(std::string)> done) {
  auto* const client = new TcpClient(loop, std::move(text), std::move(done));
  client->Connect(port);  // it deletes itself
}

}  // namespace example
