// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// Hostname lookups through uv_getaddrinfo.

#ifndef UVGRPC_IOMGR_UV_UV_ADDRINFO_H_
#define UVGRPC_IOMGR_UV_UV_ADDRINFO_H_

#include <grpc/event_engine/event_engine.h>

#include <cstdint>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "src/iomgr_uv/hostname_query.h"
#include "src/iomgr_uv/loop_bridge.h"

namespace uvgrpc {

// The lookups that one resolver has under way. They run in libuv's thread pool
// and see what the system sees: /etc/hosts, nsswitch.conf, mDNS. Callbacks run
// on the loop thread, each exactly once. Any thread.
//
// A lookup that a thread of the pool works on cannot be stopped: its request
// goes on without the resolver and frees itself. libuv counts it, so the owner
// of the loop cannot close it before the system's resolver gives up; uvloop's
// Loop.close() waits for that, as it does for its own getaddrinfo.
class AddrinfoLookups final
    : public std::enable_shared_from_this<AddrinfoLookups> {
 public:
  using Callback = EventEngine::DNSResolver::LookupHostnameCallback;

  explicit AddrinfoLookups(std::shared_ptr<LoopBridge> bridge);

  // Never calls back before it returns. CANCELLED after CancelAll.
  void Start(HostnameQuery query, Callback callback);

  // Posts CANCELLED to every callback that is still owed, and stops what can be
  // stopped.
  void CancelAll();

 private:
  class Request;

  // Loop thread.
  void StartRequest(uint64_t id, const HostnameQuery& query);
  void Complete(uint64_t id, absl::StatusOr<ResolvedAddresses> result);
  void HandleLoopClosing(uint64_t id, Request* request);

  void PostCancelled(Callback callback);
  // Null when somebody else took it before.
  [[nodiscard]] Callback TakeCallback(uint64_t id);

  const std::shared_ptr<LoopBridge> bridge_;

  absl::Mutex mu_;
  bool cancelled_ ABSL_GUARDED_BY(mu_) = false;
  uint64_t next_id_ ABSL_GUARDED_BY(mu_) = 1;
  absl::flat_hash_map<uint64_t, Callback> callbacks_ ABSL_GUARDED_BY(mu_);
  // What libuv has in hand. Empty once the loop is closed.
  absl::flat_hash_set<Request*> requests_ ABSL_GUARDED_BY(mu_);
};

}  // namespace uvgrpc

#endif  // UVGRPC_IOMGR_UV_UV_ADDRINFO_H_
