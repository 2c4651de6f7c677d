// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/bindings/channel.h"

#include <grpc/support/time.h>

#include <atomic>
#include <utility>
#include <vector>

#include "src/bindings/client_call.h"
#include "src/bindings/connected_channel.h"
#include "src/bindings/py_ref.h"
#include "src/bindings/server.h"
#include "src/bindings/waiters.h"
#include "src/inproc/inproc_channel.h"

namespace uvgrpc {

// Owns itself until it is delivered. Everybody who waits for the same change
// shares one.
class Channel::Watch final : public Completion {
 public:
  Watch(Channel* channel, grpc_connectivity_state last)
      : Completion(channel->context_.get()),
        context_(channel->context_),
        place_(&channel->watches_[last]) {
    *place_ = this;
  }

  // With the GIL.
  void Add(PyObject* future) { waiters_.Add(future); }
  // The channel goes, or whoever asks from now on needs another.
  void Detach() {
    if (place_ != nullptr) *std::exchange(place_, nullptr) = nullptr;
  }
  // In place of core, when it does not watch.
  void End() {
    Detach();
    functor_run(this, /*ok=*/1);
  }

 private:
  bool Settle(bool ok) override {
    changed_ = ok;
    Detach();
    return true;
  }
  void Deliver() override {
    waiters_.Wake(changed_);
    delete this;
  }

  const std::shared_ptr<LoopContext> context_;
  Watch** place_;
  Waiters waiters_;
  bool changed_ = false;
};

// A connection inside the process. It may outlive its channel.
struct Channel::Connection {
  std::atomic<grpc_connectivity_state> state{GRPC_CHANNEL_READY};
  Channel* channel = nullptr;
};

std::shared_ptr<Channel> Channel::New(std::shared_ptr<LoopContext> context,
                                      const std::string& target,
                                      grpc_channel_credentials* credentials,
                                      ChannelArgs* args) {
  LoopBridge::CallScope scope(context->bridge());
  args->Add(context->EngineArg());
  grpc_channel* channel =
      grpc_channel_create(target.c_str(), credentials, args->core());
  return Share(std::move(context), channel, nullptr);
}

std::shared_ptr<Channel> Channel::NewInproc(
    std::shared_ptr<LoopContext> context, Server* server, ChannelArgs* args) {
  LoopBridge::CallScope scope(context->bridge());
  args->Add(context->EngineArg());
  auto connection = std::make_shared<Connection>();
  grpc_channel* channel = CreateInprocChannel(
      server->core(), args->core(),
      [connection](grpc_connectivity_state state) {
        // What has ended does not come back, but it is the channel that says
        // when it is shut down.
        if (state == GRPC_CHANNEL_SHUTDOWN) {
          state = GRPC_CHANNEL_TRANSIENT_FAILURE;
        }
        connection->state.store(state, std::memory_order_relaxed);
        if (connection->channel != nullptr) {
          connection->channel->EndWatches(state);
        }
      });
  return Share(std::move(context), channel, std::move(connection));
}

absl::StatusOr<std::shared_ptr<Channel>> Channel::NewConnected(
    std::shared_ptr<LoopContext> context, int fd,
    grpc_channel_credentials* credentials, ChannelArgs* args) {
  LoopBridge::CallScope scope(context->bridge());
  args->Add(context->EngineArg());
  absl::StatusOr<grpc_channel*> channel =
      CreateConnectedChannel(fd, credentials, args->core());
  if (!channel.ok()) return channel.status();
  return Share(std::move(context), *channel, nullptr);
}

std::shared_ptr<Channel> Channel::Share(
    std::shared_ptr<LoopContext> context, grpc_channel* channel,
    std::shared_ptr<Connection> connection) {
  // The last reference may be dropped on any thread.
  return std::shared_ptr<Channel>(
      new Channel(std::move(context), channel, std::move(connection)),
      [](Channel* self) {
        const std::shared_ptr<LoopContext> loop = self->context_;
        loop->RunFromPython([self] { delete self; });
      });
}

Channel::Channel(std::shared_ptr<LoopContext> context, grpc_channel* channel,
                 std::shared_ptr<Connection> connection)
    : LoopResident(context.get()),
      context_(std::move(context)),
      channel_(channel),
      connection_(std::move(connection)) {
  if (connection_ != nullptr) connection_->channel = this;
}

Channel::~Channel() {
  Close();
  if (connection_ != nullptr) connection_->channel = nullptr;
  for (Watch* watch : watches_) {
    if (watch != nullptr) watch->Detach();
  }
}

void Channel::Close() {
  if (channel_ == nullptr) return;
  LoopBridge::CallScope scope(context_->bridge());
  Leave();
  grpc_channel_destroy(std::exchange(channel_, nullptr));
  for (ClientCall* call : calls_) call->ReleaseCore();
  if (connection_ != nullptr) EndWatches(GRPC_CHANNEL_SHUTDOWN);
}

void Channel::EndWatches(grpc_connectivity_state state) {
  for (size_t last = 0; last < watches_.size(); ++last) {
    if (watches_[last] != nullptr && last != static_cast<size_t>(state)) {
      watches_[last]->End();
    }
  }
}

void* Channel::RegisterMethod(const std::string& method) {
  return grpc_channel_register_call(channel_, method.c_str(), nullptr, nullptr);
}

PyObject* Channel::CallOwners() const {
  // Making the list may run other code of Python's, which makes and drops
  // calls: not while calls_ is looked through.
  std::vector<PyRef> owners;
  for (const ClientCall* call : calls_) {
    if (call->has_status()) continue;
    PyRef owner = PyRef::BorrowIfAlive(call->owner());
    if (owner) owners.push_back(std::move(owner));
  }
  PyObject* list = PyList_New(static_cast<Py_ssize_t>(owners.size()));
  for (size_t i = 0; list != nullptr && i < owners.size(); ++i) {
    PyList_SET_ITEM(list, static_cast<Py_ssize_t>(i), owners[i].Release());
  }
  return list;
}

grpc_connectivity_state Channel::CheckConnectivity(bool try_to_connect) {
  if (channel_ == nullptr) return GRPC_CHANNEL_SHUTDOWN;
  if (connection_ != nullptr) {
    return connection_->state.load(std::memory_order_relaxed);
  }
  if (context_->InLoopThread()) {
    LoopBridge::CallScope scope(context_->bridge());
    return grpc_channel_check_connectivity_state(channel_,
                                                 try_to_connect ? 1 : 0);
  }
  if (try_to_connect) {
    context_->bridge()->Post(
        [self = shared_from_this()] { (void)self->CheckConnectivity(true); });
  }
  // Only looks; the GIL keeps the channel from being closed meanwhile.
  return grpc_channel_check_connectivity_state(channel_, 0);
}

void Channel::WatchConnectivity(grpc_connectivity_state last,
                                PyObject* future) {
  LoopBridge::CallScope scope(context_->bridge());
  if (watches_[last] != nullptr) return watches_[last]->Add(future);
  auto* watch = new Watch(this, last);
  watch->Add(future);
  if (connection_ != nullptr) {
    if (connection_->state.load(std::memory_order_relaxed) != last) {
      watch->End();
    }
    return;
  }
  grpc_channel_watch_connectivity_state(channel_, last,
                                        gpr_inf_future(GPR_CLOCK_MONOTONIC),
                                        context_->cq(), watch->tag());
}

}  // namespace uvgrpc
