// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// An EventEngine that is easy to believe: blocking sockets, a thread for each
// thing that waits. Slow, and only for tests.

#ifndef UVGRPC_TESTS_CPP_CONFORMANCE_ORACLE_ENGINE_H_
#define UVGRPC_TESTS_CPP_CONFORMANCE_ORACLE_ENGINE_H_

#include <grpc/event_engine/event_engine.h>

#include <cstdint>
#include <map>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/synchronization/mutex.h"

namespace uvgrpc::conformance {

using grpc_event_engine::experimental::EventEngine;

// Detached threads that are waited for at the end.
class OracleThreads : public std::enable_shared_from_this<OracleThreads> {
 public:
  void Start(absl::AnyInvocable<void()> work);
  // Waits until none is left.
  void Join();

 private:
  absl::Mutex mu_;
  int running_ ABSL_GUARDED_BY(mu_) = 0;
};

// Its destructor waits until all its threads have ended: endpoints, listeners
// and timers must be gone or about to go.
class OracleEngine final : public EventEngine {
 public:
  OracleEngine();
  ~OracleEngine() override;

  absl::StatusOr<std::unique_ptr<Listener>> CreateListener(
      Listener::AcceptCallback on_accept,
      absl::AnyInvocable<void(absl::Status)> on_shutdown,
      const grpc_event_engine::experimental::EndpointConfig& config,
      std::unique_ptr<grpc_event_engine::experimental::MemoryAllocatorFactory>
          memory_allocator_factory) override;
  ConnectionHandle Connect(
      OnConnectCallback on_connect, const ResolvedAddress& address,
      const grpc_event_engine::experimental::EndpointConfig& config,
      grpc_event_engine::experimental::MemoryAllocator memory_allocator,
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
  // What waits to happen, by number: whoever takes it out decides.
  template <typename T>
  class Table;

  const std::shared_ptr<OracleThreads> threads_;
  const std::shared_ptr<Table<absl::AnyInvocable<void()>>> timers_;
  const std::shared_ptr<Table<OnConnectCallback>> attempts_;
};

}  // namespace uvgrpc::conformance

#endif  // UVGRPC_TESTS_CPP_CONFORMANCE_ORACLE_ENGINE_H_
