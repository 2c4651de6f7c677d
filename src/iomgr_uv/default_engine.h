// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// The engine behind gRPC's GetDefaultEventEngine().
//
// Channels and servers carry the engine of their loop as a channel argument,
// but some corners of core (cancelling a connection attempt, credentials that
// fetch tokens, xDS, a call's last unref) ask for *the* default engine of the
// process. With several loops there is none: this object stands in and sends
// each request to the engine it belongs to. It never starts a thread.

#ifndef UVGRPC_IOMGR_UV_DEFAULT_ENGINE_H_
#define UVGRPC_IOMGR_UV_DEFAULT_ENGINE_H_

#include <grpc/event_engine/event_engine.h>

#include <cstdint>
#include <map>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "src/iomgr_uv/uv_engine.h"

namespace uvgrpc {

// Requests that name a handle go to the engine that gave it out. New work goes
// to the engine of the calling thread, else to the one made last. With no
// engine left, closures wait in the OrphanQueue, timers are dropped and
// everything else fails with UNAVAILABLE. Any thread.
class DefaultEngine final : public EventEngine {
 public:
  // The process's instance; never destroyed.
  static DefaultEngine& Get();
  // The same, as gRPC wants it.
  static std::shared_ptr<EventEngine> GetShared();

  void Register(const std::shared_ptr<UvEventEngine>& engine);
  void Unregister(uint32_t id);

  // EventEngine
  absl::StatusOr<std::unique_ptr<Listener>> CreateListener(
      Listener::AcceptCallback on_accept,
      absl::AnyInvocable<void(absl::Status)> on_shutdown,
      const EndpointConfig& config,
      std::unique_ptr<MemoryAllocatorFactory> memory_allocator_factory)
      override;
  ConnectionHandle Connect(OnConnectCallback on_connect,
                           const ResolvedAddress& addr,
                           const EndpointConfig& args,
                           MemoryAllocator memory_allocator,
                           Duration timeout) override;
  bool CancelConnect(ConnectionHandle handle) override;
  bool IsWorkerThread() override;
  absl::StatusOr<std::unique_ptr<DNSResolver>> GetDNSResolver(
      const DNSResolver::ResolverOptions& options) override;
  void Run(Closure* closure) override;
  void Run(absl::AnyInvocable<void()> closure) override;
  TaskHandle RunAfter(Duration when, Closure* closure) override;
  TaskHandle RunAfter(Duration when,
                      absl::AnyInvocable<void()> closure) override;
  bool Cancel(TaskHandle handle) override;

 private:
  std::shared_ptr<UvEventEngine> EngineForThisThread();
  std::shared_ptr<UvEventEngine> EngineById(uint32_t id);

  absl::Mutex mu_;
  std::map<uint32_t, std::weak_ptr<UvEventEngine>> engines_
      ABSL_GUARDED_BY(mu_);
};

}  // namespace uvgrpc

#endif  // UVGRPC_IOMGR_UV_DEFAULT_ENGINE_H_
