// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// A channel of core's on one loop.

#ifndef UVGRPC_BINDINGS_CHANNEL_H_
#define UVGRPC_BINDINGS_CHANNEL_H_

#include <Python.h>
#include <grpc/credentials.h>
#include <grpc/grpc.h>

#include <array>
#include <memory>
#include <string>

#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "src/bindings/channel_args.h"
#include "src/bindings/loop_context.h"

namespace uvgrpc {

class ClientCall;
class Server;

// Loop thread, but for CheckConnectivity; shared by the Python object and the
// calls on it, which may drop it on any thread.
class Channel final : public LoopResident,
                      public std::enable_shared_from_this<Channel> {
 public:
  // `credentials` are borrowed; without any (null) every call fails. `args`
  // needs no engine argument.
  static std::shared_ptr<Channel> New(std::shared_ptr<LoopContext> context,
                                      const std::string& target,
                                      grpc_channel_credentials* credentials,
                                      ChannelArgs* args);
  // A channel to a server of the same loop, which has started and not begun to
  // shut down.
  static std::shared_ptr<Channel> NewInproc(
      std::shared_ptr<LoopContext> context, Server* server, ChannelArgs* args);

  // A channel over a connected stream socket, which is taken over in any case,
  // and nothing else: see connected_channel.h. Fails when it is not fit for it.
  static absl::StatusOr<std::shared_ptr<Channel>> NewConnected(
      std::shared_ptr<LoopContext> context, int fd,
      grpc_channel_credentials* credentials, ChannelArgs* args);

  const std::shared_ptr<LoopContext>& shared_context() const {
    return context_;
  }
  grpc_channel* core() const { return channel_; }

  // Destroys core's channel. Calls that are on it go on; watches end.
  void Close();
  bool is_closed() const { return channel_ == nullptr; }

  // The handle of a method for ClientCall. Valid as long as the channel is
  // open.
  void* RegisterMethod(const std::string& method);

  // A list of the Python objects of the calls on this channel that are not over
  // yet, or whose status waits behind messages; null with an exception. With
  // the GIL.
  PyObject* CallOwners() const;

  // For ClientCall: all its life.
  void AddCall(ClientCall* call) { calls_.insert(call); }
  void RemoveCall(ClientCall* call) { calls_.erase(call); }

  // GRPC_CHANNEL_SHUTDOWN once closed. Any thread, with the GIL.
  grpc_connectivity_state CheckConnectivity(bool try_to_connect);

  // Resolves `future` (an asyncio future) with true when the state is no longer
  // `last`. With the GIL. The channel must be open.
  void WatchConnectivity(grpc_connectivity_state last, PyObject* future);

 private:
  class Watch;
  struct Connection;

  ~Channel();
  Channel(std::shared_ptr<LoopContext> context, grpc_channel* channel,
          std::shared_ptr<Connection> connection);
  static std::shared_ptr<Channel> Share(std::shared_ptr<LoopContext> context,
                                        grpc_channel* channel,
                                        std::shared_ptr<Connection> connection);
  // Ends the watches for a change of another state than `state`.
  void EndWatches(grpc_connectivity_state state);
  void EndWithLoop() override { Close(); }

  const std::shared_ptr<LoopContext> context_;
  grpc_channel* channel_;
  // Of a channel inside the process: core knows no state of these.
  const std::shared_ptr<Connection> connection_;
  // What core watches, by the state that is to change: core cannot be told that
  // nobody wants to know any more.
  std::array<Watch*, GRPC_CHANNEL_SHUTDOWN + 1> watches_{};
  absl::flat_hash_set<ClientCall*> calls_;
};

}  // namespace uvgrpc

#endif  // UVGRPC_BINDINGS_CHANNEL_H_
