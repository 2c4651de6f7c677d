// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// A server of core's on one loop.

#ifndef UVGRPC_BINDINGS_SERVER_H_
#define UVGRPC_BINDINGS_SERVER_H_

#include <Python.h>
#include <grpc/credentials.h>
#include <grpc/grpc.h>

#include <atomic>
#include <chrono>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "src/bindings/channel_args.h"
#include "src/bindings/completion.h"
#include "src/bindings/loop_context.h"
#include "src/core/server/server.h"
#include "src/iomgr_uv/arrivals.h"

namespace uvgrpc {

class ServerCall;

// RPCs are not asked for one by one: core calls an allocator when one arrives,
// which makes a ServerCall for it. Registered methods have an allocator of
// their own and, where the request is a single message, come with that message.
//
// Counted: one reference of the Python object, one of each ServerCall, one of a
// shutdown under way. Core's server goes as soon as it has shut down and none
// of its calls is left, though this one may be held on to. Loop thread, but for
// Ref, Unref and Abandon.
class Server final : public LoopResident {
 public:
  // A server with the reference of the caller. `owner` (borrowed) hears of RPCs
  // and of the end, until Abandon. With the GIL.
  static Server* New(std::shared_ptr<LoopContext> context, ChannelArgs* args,
                     PyObject* owner);

  void Ref() { refs_.fetch_add(1, std::memory_order_relaxed); }
  void Unref();

  // The caller's object is going, and with it all handlers have: shuts down.
  // Replies that are still on their way arrive. Drops the caller's reference.
  // Any thread, with the GIL.
  void Abandon();

  // RPCs that come while so many wait to be delivered are refused, without
  // Python.
  void set_max_waiting(int count) { max_waiting_ = count; }

  // Returns the port, or 0 when the address cannot be bound, the credentials
  // cannot be used or the server was shut down. Before Start. `credentials` are
  // borrowed and may be null.
  int AddPort(const std::string& address, grpc_server_credentials* credentials);

  // Listens on `fd`, a stream socket that is bound, which stays the caller's.
  // Returns the port, 1 for a Unix socket. As AddPort.
  absl::StatusOr<int> AddSocket(int fd, grpc_server_credentials* credentials);

  // Returns the index that on_request will name. With `reads_request`, RPCs are
  // delivered with their request message. Before Start; each path once.
  int AddMethod(const std::string& path, bool reads_request);

  void Start();

  // Stops listening and has the clients open no more RPCs. Connections that
  // have come are made, and RPCs that come before a client has heard of it
  // served. Then Shutdown, once the connections have gone, as they do after the
  // last RPC. Idempotent.
  void Drain();

  // Stops listening and refuses new RPCs; on_server_shutdown follows when the
  // last RPC is over. Idempotent.
  void Shutdown();

  // Shuts down and ends all RPCs that are under way.
  void CancelAllCalls();

  // Null once destroyed.
  grpc_server* core() const { return server_; }

  // Whether it has shut down: no RPC is under way.
  bool is_stopped() const { return stopped_; }

  // For ServerCall: all its life. Takes and drops a reference.
  void AddCall(ServerCall* call);
  void RemoveCall(ServerCall* call);
  // Lets go of core's calls that are over, and of core's server when that was
  // the last of them. Once stopped. With the GIL.
  void ReleaseCore();

  // For ServerCall: it waits to be delivered, unless there is no room; and no
  // longer does.
  [[nodiscard]] bool AddWaiting() {
    if (waiting_ >= max_waiting_) return false;
    ++waiting_;
    return true;
  }
  void RemoveWaiting() { --waiting_; }

  // The borrowed Python object or null. Without the GIL only good to see that
  // nobody listens any more.
  PyObject* owner() const { return owner_.load(std::memory_order_relaxed); }
  const std::shared_ptr<LoopContext>& shared_context() const {
    return context_;
  }

 private:
  struct Method {
    void* core;
    bool reads_request;
  };
  class ShutdownDone final : public Completion {
   public:
    explicit ShutdownDone(Server* server)
        : Completion(server->context_.get()), server_(server) {}

   private:
    bool Settle(bool /*ok*/) override { return server_->HandleShutdown(); }
    void Deliver() override { server_->DeliverShutdown(); }
    Server* const server_;
  };

  Server(std::shared_ptr<LoopContext> context, ChannelArgs* args,
         PyObject* owner);
  ~Server();

  void EndWithLoop() override;
  void EndListeners();
  void ShutdownWithoutConnections(std::chrono::milliseconds look_again);
  void DestroyCore();
  bool HandleShutdown();
  void DeliverShutdown();

  const std::shared_ptr<LoopContext> context_;
  std::shared_ptr<Arrivals> arrivals_ = std::make_shared<Arrivals>();
  grpc_server* server_;  // null once destroyed
  std::atomic<PyObject*> owner_;
  std::atomic<int> refs_{1};
  std::vector<Method> methods_;
  ShutdownDone shutdown_tag_;
  bool drain_started_ = false;
  bool listeners_ended_ = false;
  bool shutdown_started_ = false;
  bool stopped_ = false;
  int max_waiting_ = std::numeric_limits<int>::max();
  int waiting_ = 0;
  ServerCall* calls_ = nullptr;
};

}  // namespace uvgrpc

#endif  // UVGRPC_BINDINGS_SERVER_H_
