// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// What a libuv program may have been before gRPC came: a TCP server that sends
// back whatever it gets, and a client. Nothing of gRPC's.

#ifndef UVGRPC_EXAMPLES_CPP_LIBUV_TCP_H_
#define UVGRPC_EXAMPLES_CPP_LIBUV_TCP_H_

#include <uv.h>

#include <functional>
#include <string>

namespace example {

// Listens on a port of 127.0.0.1 that the system chooses. Close() and a turn of
// the loop have to come before the destructor; connections go with their
// clients.
class TcpEchoServer {
 public:
  explicit TcpEchoServer(uv_loop_t* loop);
  TcpEchoServer(const TcpEchoServer&) = delete;
  TcpEchoServer& operator=(const TcpEchoServer&) = delete;

  int port() const { return port_; }  // 0: it could not listen
  void Close();

 private:
  static void OnConnection(uv_stream_t* listener, int status);

  uv_tcp_t listener_;
  int port_ = 0;
};

// Sends `text` to an echo server and calls `done` with what comes back, as much
// as was sent, or less if the connection ends.
void AskOverTcp(uv_loop_t* loop, int port, std::string text,
                std::function<void(std::string)> done);

}  // namespace example

#endif  // UVGRPC_EXAMPLES_CPP_LIBUV_TCP_H_
