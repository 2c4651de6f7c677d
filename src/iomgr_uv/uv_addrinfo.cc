// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/iomgr_uv/uv_addrinfo.h"

#include <uv.h>

#include <utility>

#include "absl/strings/str_cat.h"

namespace uvgrpc {

// One request of libuv's pool; deletes itself when libuv returns it, which may
// be after the loop object part of it let go.
class AddrinfoLookups::Request final : public LoopObject {
 public:
  Request(std::shared_ptr<AddrinfoLookups> lookups, uint64_t id,
          const HostnameQuery& query)
      : LoopObject(lookups->bridge_.get()),
        lookups_(std::move(lookups)),
        id_(id),
        query_(query) {}

  // On an error nothing is under way, and the caller deletes the request.
  int Start() {
    const LoopBridge& bridge = *lookups_->bridge_;
    const addrinfo hints = AddrinfoHints();
    request_.data = this;
    return bridge.uv().getaddrinfo(bridge.loop(), &request_, &Request::OnResult,
                                   query_.host.c_str(), query_.service.c_str(),
                                   &hints);
  }

  // Succeeds only while no thread of the pool has taken the request; libuv
  // returns it in either case.
  void Stop() {
    lookups_->bridge_->uv().cancel(reinterpret_cast<uv_req_t*>(&request_));
  }

  void HandleLoopClosing() override { lookups_->HandleLoopClosing(id_, this); }

 private:
  static void OnResult(uv_getaddrinfo_t* request, int error, addrinfo* list) {
    static_cast<Request*>(request->data)->HandleResult(error, list);
  }

  void HandleResult(int error, addrinfo* list) {
    const std::unique_ptr<Request> self(this);
    LoopBridge* const bridge = lookups_->bridge_.get();
    absl::StatusOr<ResolvedAddresses> result = AddressesFrom(list);
    if (error != 0) result = query_.ErrorStatus(bridge->uv(), error);
    bridge->uv().freeaddrinfo(list);
    if (bridge->is_closed()) return;
    LoopBridge::CallbackScope scope(bridge);
    {
      absl::MutexLock lock(lookups_->mu_);
      lookups_->requests_.erase(this);
    }
    lookups_->Complete(id_, std::move(result));
  }

  const std::shared_ptr<AddrinfoLookups> lookups_;
  const uint64_t id_;
  const HostnameQuery query_;
  uv_getaddrinfo_t request_;
};

AddrinfoLookups::AddrinfoLookups(std::shared_ptr<LoopBridge> bridge)
    : bridge_(std::move(bridge)) {}

void AddrinfoLookups::Start(HostnameQuery query, Callback callback) {
  uint64_t id;
  {
    absl::MutexLock lock(mu_);
    if (cancelled_) return PostCancelled(std::move(callback));
    id = next_id_++;
    callbacks_.emplace(id, std::move(callback));
  }
  bridge_->Post([self = shared_from_this(), id, query = std::move(query)] {
    self->StartRequest(id, query);
  });
}

void AddrinfoLookups::StartRequest(uint64_t id, const HostnameQuery& query) {
  if (bridge_->is_closed()) {
    Complete(id, absl::CancelledError(
                     absl::StrCat("address lookup of \"", query.name,
                                  "\": the event loop is closed")));
    return;
  }
  int error;
  {
    absl::MutexLock lock(mu_);
    if (!callbacks_.contains(id)) return;  // cancelled in the meantime
    auto request = std::make_unique<Request>(shared_from_this(), id, query);
    error = request->Start();
    if (error == 0) requests_.insert(request.release());
  }
  if (error != 0) Complete(id, query.ErrorStatus(bridge_->uv(), error));
}

void AddrinfoLookups::Complete(uint64_t id,
                               absl::StatusOr<ResolvedAddresses> result) {
  Callback callback = TakeCallback(id);
  if (callback != nullptr) callback(std::move(result));
}

void AddrinfoLookups::CancelAll() {
  absl::MutexLock lock(mu_);
  cancelled_ = true;
  for (auto& [id, callback] : callbacks_) PostCancelled(std::move(callback));
  callbacks_.clear();
  if (requests_.empty()) return;
  bridge_->Post([self = shared_from_this()] {
    absl::MutexLock lock(self->mu_);
    for (Request* request : self->requests_) request->Stop();
  });
}

void AddrinfoLookups::HandleLoopClosing(uint64_t id, Request* request) {
  {
    absl::MutexLock lock(mu_);
    requests_.erase(request);
  }
  bridge_->Post([self = shared_from_this(), id] {
    self->Complete(id, absl::CancelledError("the event loop was closed"));
  });
  request->Stop();
}

void AddrinfoLookups::PostCancelled(Callback callback) {
  bridge_->Post([callback = std::move(callback)]() mutable {
    callback(absl::CancelledError("the resolver was destroyed"));
  });
}

AddrinfoLookups::Callback AddrinfoLookups::TakeCallback(uint64_t id) {
  absl::MutexLock lock(mu_);
  auto node = callbacks_.extract(id);
  return node.empty() ? nullptr : std::move(node.mapped());
}

}  // namespace uvgrpc
