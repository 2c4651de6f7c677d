// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// The engine behind gRPC's GetDefaultEventEngine().
//
// Channels and servers carry the engine of their loop as a channel argument,
// but some corners of core (cancelling a connection attempt, credentials that
// fetch tokens, a call's last unref) ask for *the* default engine of the
// process. With several loops there is none: this object stands in and sends
// each request to the engine it belongs to. It never starts a thread.

#ifndef UVGRPC_IOMGR_UV_DEFAULT_ENGINE_H_
#define UVGRPC_IOMGR_UV_DEFAULT_ENGINE_H_

#include <grpc/event_engine/event_engine.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/synchronization/mutex.h"
#include "src/iomgr_uv/uv_engine.h"

namespace uvgrpc {

// Requests that name a handle go to the engine that gave it out. New work goes
// to the engine of the calling thread. A thread that has no loop, or several,
// leaves it to the loops: a closure waits in the OrphanQueue and every open
// loop is woken, a timer is set on each, and whichever of them runs takes it.
// What cannot be offered to several (a connection, a listener, a resolver) gets
// the thread's newest engine, else the oldest of the process, which is rather a
// program's main loop than a passing one.
//
// Nothing that was accepted is lost when a loop closes: its timers go to the
// others, or wait for the next loop when there is none. With no engine open
// closures wait too, and everything else fails with UNAVAILABLE. Any thread.
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
  using Engines = std::vector<std::shared_ptr<UvEventEngine>>;
  using Clock = std::chrono::steady_clock;

  struct Timer {
    absl::AnyInvocable<void()> closure;
    Clock::time_point deadline;
    // Whether any loop may run it, those to come included.
    bool for_any_engine;
    // By the engine's number.
    std::map<uint32_t, TaskHandle> armed;
  };

  // Open engines, oldest first. The caller holds on to them until it has let go
  // of the lock: dropping the last reference unregisters.
  Engines OpenEngines() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // The engines of the calling thread; usually one, or none.
  static Engines OfThisThread(const Engines& engines);
  // For what only one engine can do; null when none is open.
  std::shared_ptr<UvEventEngine> PickEngine();
  std::shared_ptr<UvEventEngine> EngineById(uint32_t id);

  void Arm(uint64_t ticket, Timer& timer, UvEventEngine& engine)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Fire(uint64_t ticket);
  // Also takes it from the engines it is armed on. Null when it is gone.
  [[nodiscard]] absl::AnyInvocable<void()> TakeTimer(uint64_t ticket);

  absl::Mutex mu_;
  std::map<uint32_t, std::weak_ptr<UvEventEngine>> engines_
      ABSL_GUARDED_BY(mu_);
  uint64_t next_ticket_ ABSL_GUARDED_BY(mu_) = 1;
  std::map<uint64_t, Timer> timers_ ABSL_GUARDED_BY(mu_);
};

}  // namespace uvgrpc

#endif  // UVGRPC_IOMGR_UV_DEFAULT_ENGINE_H_
