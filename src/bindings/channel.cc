// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/bindings/channel.h"

#include <grpc/support/time.h>

#include <utility>
#include <vector>

#include "src/bindings/client_call.h"
#include "src/bindings/py_ref.h"
#include "src/bindings/waiters.h"

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

std::shared_ptr<Channel> Channel::New(std::shared_ptr<LoopContext> context,
                                      const std::string& target,
                                      grpc_channel_credentials* credentials,
                                      ChannelArgs* args) {
  LoopBridge::CallScope scope(context->bridge());
  args->Add(context->EngineArg());
  grpc_channel* channel =
      grpc_channel_create(target.c_str(), credentials, args->core());
  // The last reference may be dropped on any thread.
  return std::shared_ptr<Channel>(
      new Channel(std::move(context), channel), [](Channel* self) {
        const std::shared_ptr<LoopContext> loop = self->context_;
        loop->RunFromPython([self] { delete self; });
      });
}

Channel::Channel(std::shared_ptr<LoopContext> context, grpc_channel* channel)
    : LoopResident(context.get()),
      context_(std::move(context)),
      channel_(channel) {}

Channel::~Channel() {
  Close();
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
  grpc_channel_watch_connectivity_state(channel_, last,
                                        gpr_inf_future(GPR_CLOCK_MONOTONIC),
                                        context_->cq(), watch->tag());
}

}  // namespace uvgrpc
