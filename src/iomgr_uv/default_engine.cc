// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/iomgr_uv/default_engine.h"

#include <utility>
#include <vector>

#include "src/core/lib/event_engine/default_event_engine_factory.h"
#include "src/iomgr_uv/orphan_queue.h"

namespace uvgrpc {
namespace {

absl::Status NoLoop() {
  return absl::UnavailableError(
      "no event loop with a uvgrpc engine is open in this process");
}

}  // namespace

DefaultEngine& DefaultEngine::Get() {
  return *static_cast<DefaultEngine*>(GetShared().get());
}

std::shared_ptr<EventEngine> DefaultEngine::GetShared() {
  static auto* const shared =
      new std::shared_ptr<EventEngine>(std::make_shared<DefaultEngine>());
  return *shared;
}

void DefaultEngine::Register(const std::shared_ptr<UvEventEngine>& engine) {
  absl::MutexLock lock(mu_);
  engines_[engine->id()] = engine;
}

void DefaultEngine::Unregister(uint32_t id) {
  absl::MutexLock lock(mu_);
  engines_.erase(id);
}

std::shared_ptr<UvEventEngine> DefaultEngine::EngineForThisThread() {
  // Outlives the lock: dropping the last reference unregisters the engine.
  std::vector<std::shared_ptr<UvEventEngine>> seen;
  absl::MutexLock lock(mu_);
  for (auto it = engines_.rbegin(); it != engines_.rend(); ++it) {
    std::shared_ptr<UvEventEngine> engine = it->second.lock();
    if (engine == nullptr) continue;
    if (engine->IsWorkerThread()) return engine;
    seen.push_back(std::move(engine));
  }
  return seen.empty() ? nullptr : seen.front();
}

std::shared_ptr<UvEventEngine> DefaultEngine::EngineById(uint32_t id) {
  absl::MutexLock lock(mu_);
  const auto it = engines_.find(id);
  return it == engines_.end() ? nullptr : it->second.lock();
}

absl::StatusOr<std::unique_ptr<EventEngine::Listener>>
DefaultEngine::CreateListener(
    Listener::AcceptCallback on_accept,
    absl::AnyInvocable<void(absl::Status)> on_shutdown,
    const EndpointConfig& config,
    std::unique_ptr<MemoryAllocatorFactory> memory_allocator_factory) {
  const auto engine = EngineForThisThread();
  if (engine == nullptr) return NoLoop();
  return engine->CreateListener(std::move(on_accept), std::move(on_shutdown),
                                config, std::move(memory_allocator_factory));
}

EventEngine::ConnectionHandle DefaultEngine::Connect(
    OnConnectCallback on_connect, const ResolvedAddress& addr,
    const EndpointConfig& args, MemoryAllocator memory_allocator,
    Duration timeout) {
  const auto engine = EngineForThisThread();
  if (engine != nullptr) {
    return engine->Connect(std::move(on_connect), addr, args,
                           std::move(memory_allocator), timeout);
  }
  Run([on_connect = std::move(on_connect)]() mutable { on_connect(NoLoop()); });
  return ConnectionHandle::kInvalid;
}

bool DefaultEngine::CancelConnect(ConnectionHandle handle) {
  const auto engine = EngineById(UvEventEngine::EngineIdOf(handle));
  return engine != nullptr && engine->CancelConnect(handle);
}

bool DefaultEngine::IsWorkerThread() {
  const auto engine = EngineForThisThread();
  return engine != nullptr && engine->IsWorkerThread();
}

absl::StatusOr<std::unique_ptr<EventEngine::DNSResolver>>
DefaultEngine::GetDNSResolver(const DNSResolver::ResolverOptions& options) {
  const auto engine = EngineForThisThread();
  if (engine == nullptr) return NoLoop();
  return engine->GetDNSResolver(options);
}

void DefaultEngine::Run(Closure* closure) {
  const auto engine = EngineForThisThread();
  if (engine != nullptr) return engine->Run(closure);
  OrphanQueue::Get().Push([closure] { closure->Run(); });
}

void DefaultEngine::Run(absl::AnyInvocable<void()> closure) {
  const auto engine = EngineForThisThread();
  if (engine != nullptr) return engine->Run(std::move(closure));
  OrphanQueue::Get().Push(std::move(closure));
}

EventEngine::TaskHandle DefaultEngine::RunAfter(Duration when,
                                                Closure* closure) {
  const auto engine = EngineForThisThread();
  return engine == nullptr ? TaskHandle::kInvalid
                           : engine->RunAfter(when, closure);
}

EventEngine::TaskHandle DefaultEngine::RunAfter(
    Duration when, absl::AnyInvocable<void()> closure) {
  const auto engine = EngineForThisThread();
  return engine == nullptr ? TaskHandle::kInvalid
                           : engine->RunAfter(when, std::move(closure));
}

bool DefaultEngine::Cancel(TaskHandle handle) {
  const auto engine = EngineById(UvEventEngine::EngineIdOf(handle));
  return engine != nullptr && engine->Cancel(handle);
}

}  // namespace uvgrpc

// gRPC's own factory, which would start poller threads, is left out of the core
// library; this is the definition the linker finds.
namespace grpc_event_engine::experimental {

std::shared_ptr<EventEngine> DefaultEventEngineFactory() {
  return uvgrpc::DefaultEngine::GetShared();
}

}  // namespace grpc_event_engine::experimental
