// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// Unary RPCs over gRPC's C API on an engine's loop: as much of a client and a
// server as this program needs. Messages are bytes; a program with protobuf
// would parse and serialize here.

#ifndef UVGRPC_EXAMPLES_CPP_LIBUV_RPC_H_
#define UVGRPC_EXAMPLES_CPP_LIBUV_RPC_H_

#include <grpc/grpc.h>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "uvgrpc/engine.h"

namespace example {

struct Outcome {
  grpc_status_code code;
  std::string details;
  std::string reply;
};

class Channel {
 public:
  // `engine` must outlive it, and its calls.
  Channel(uvgrpc::Engine* engine, const std::string& target);
  ~Channel();
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  // Calls `method` ("/package.Service/Method"); `done` follows, not before this
  // returns.
  void Call(const std::string& method, const std::string& request,
            std::chrono::milliseconds timeout,
            std::function<void(Outcome)> done);

 private:
  uvgrpc::Engine* const engine_;
  grpc_channel* const core_;
};

class Server {
 public:
  // Answers a request, at once or later; without an answer the RPC lasts until
  // its client gives up.
  using Answer = std::function<void(const std::string& reply)>;
  using Handler = std::function<void(std::string request, Answer answer)>;

  // Listens on a port of 127.0.0.1 that the system chooses. `engine` must
  // outlive it.
  Server(uvgrpc::Engine* engine, std::map<std::string, Handler> handlers);
  // After the `done` of Shutdown.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  int port() const { return port_; }  // 0: it could not listen

  // No more RPCs; those that still run are cancelled.
  void Shutdown(std::function<void()> done);

 private:
  struct ServerCall;

  // Takes one RPC, and the next when it is there.
  void AwaitCall();
  void Serve(const std::shared_ptr<ServerCall>& call);
  void HandleRequest(const std::shared_ptr<ServerCall>& call);
  void Finish(const std::shared_ptr<ServerCall>& call, grpc_status_code code,
              const std::string& reply);

  uvgrpc::Engine* const engine_;
  const std::map<std::string, Handler> handlers_;
  grpc_server* const core_;
  int port_ = 0;
};

}  // namespace example

#endif  // UVGRPC_EXAMPLES_CPP_LIBUV_RPC_H_
