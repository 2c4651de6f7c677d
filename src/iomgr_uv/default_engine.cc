// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/iomgr_uv/default_engine.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "src/core/lib/event_engine/default_event_engine_factory.h"
#include "src/iomgr_uv/orphan_queue.h"

namespace uvgrpc {
namespace {

// A task handle of ours is {ticket, kOwnTimer}: no engine has this number.
constexpr intptr_t kOwnTimer = 0;
// Longer delays are cut to this, so that deadlines do not overflow.
constexpr EventEngine::Duration kLongestDelay = std::chrono::hours(24 * 36500);

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
  for (auto& [ticket, timer] : timers_) {
    if (timer.for_any_engine) Arm(ticket, timer, *engine);
  }
}

void DefaultEngine::Unregister(uint32_t id) {
  Engines engines;
  absl::MutexLock lock(mu_);
  engines_.erase(id);
  engines = OpenEngines();
  for (auto& [ticket, timer] : timers_) {
    if (timer.armed.erase(id) == 0 || !timer.armed.empty()) continue;
    timer.for_any_engine = true;
    for (const auto& engine : engines) Arm(ticket, timer, *engine);
  }
}

DefaultEngine::Engines DefaultEngine::OpenEngines() {
  Engines engines;
  for (const auto& [id, weak] : engines_) {
    auto engine = weak.lock();
    if (engine != nullptr) engines.push_back(std::move(engine));
  }
  return engines;
}

DefaultEngine::Engines DefaultEngine::OfThisThread(const Engines& engines) {
  Engines own;
  std::copy_if(engines.begin(), engines.end(), std::back_inserter(own),
               [](const auto& engine) { return engine->IsWorkerThread(); });
  return own;
}

std::shared_ptr<UvEventEngine> DefaultEngine::PickEngine() {
  Engines engines;
  absl::MutexLock lock(mu_);
  engines = OpenEngines();
  const Engines own = OfThisThread(engines);
  if (!own.empty()) return own.back();
  return engines.empty() ? nullptr : engines.front();
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
  const auto engine = PickEngine();
  if (engine == nullptr) return NoLoop();
  return engine->CreateListener(std::move(on_accept), std::move(on_shutdown),
                                config, std::move(memory_allocator_factory));
}

EventEngine::ConnectionHandle DefaultEngine::Connect(
    OnConnectCallback on_connect, const ResolvedAddress& addr,
    const EndpointConfig& args, MemoryAllocator memory_allocator,
    Duration timeout) {
  const auto engine = PickEngine();
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
  const auto engine = PickEngine();
  return engine != nullptr && engine->IsWorkerThread();
}

absl::StatusOr<std::unique_ptr<EventEngine::DNSResolver>>
DefaultEngine::GetDNSResolver(const DNSResolver::ResolverOptions& options) {
  const auto engine = PickEngine();
  if (engine == nullptr) return NoLoop();
  return engine->GetDNSResolver(options);
}

void DefaultEngine::Run(Closure* closure) {
  Run([closure] { closure->Run(); });
}

void DefaultEngine::Run(absl::AnyInvocable<void()> closure) {
  Engines engines;
  {
    absl::MutexLock lock(mu_);
    engines = OpenEngines();
  }
  Engines own = OfThisThread(engines);
  if (own.size() == 1) return own.front()->Run(std::move(closure));
  OrphanQueue::Get().Push(std::move(closure));
  for (const auto& engine : own.empty() ? engines : own) {
    engine->Run([] { OrphanQueue::Get().Drain(); });
  }
}

EventEngine::TaskHandle DefaultEngine::RunAfter(Duration when,
                                                Closure* closure) {
  return RunAfter(when, [closure] { closure->Run(); });
}

EventEngine::TaskHandle DefaultEngine::RunAfter(
    Duration when, absl::AnyInvocable<void()> closure) {
  Engines engines;
  absl::MutexLock lock(mu_);
  engines = OpenEngines();
  const Engines own = OfThisThread(engines);
  const uint64_t ticket = next_ticket_++;
  Timer& timer = timers_[ticket];
  timer.closure = std::move(closure);
  timer.deadline = Clock::now() + std::min(when, kLongestDelay);
  timer.for_any_engine = own.empty();
  for (const auto& engine : own.empty() ? engines : own) {
    Arm(ticket, timer, *engine);
  }
  return TaskHandle{{static_cast<intptr_t>(ticket), kOwnTimer}};
}

bool DefaultEngine::Cancel(TaskHandle handle) {
  if (handle.keys[1] == kOwnTimer) {
    return TakeTimer(static_cast<uint64_t>(handle.keys[0])) != nullptr;
  }
  const auto engine = EngineById(UvEventEngine::EngineIdOf(handle));
  return engine != nullptr && engine->Cancel(handle);
}

void DefaultEngine::Arm(uint64_t ticket, Timer& timer, UvEventEngine& engine) {
  const TaskHandle handle = engine.RunAfter(timer.deadline - Clock::now(),
                                            [this, ticket] { Fire(ticket); });
  if (handle != TaskHandle::kInvalid) timer.armed[engine.id()] = handle;
}

void DefaultEngine::Fire(uint64_t ticket) {
  auto closure = TakeTimer(ticket);
  if (closure != nullptr) closure();
}

absl::AnyInvocable<void()> DefaultEngine::TakeTimer(uint64_t ticket) {
  Engines engines;
  absl::MutexLock lock(mu_);
  auto node = timers_.extract(ticket);
  if (node.empty()) return nullptr;
  engines = OpenEngines();
  for (const auto& engine : engines) {
    const auto armed = node.mapped().armed.find(engine->id());
    if (armed != node.mapped().armed.end()) engine->Cancel(armed->second);
  }
  return std::move(node.mapped().closure);
}

}  // namespace uvgrpc

// gRPC's own factory, which would start poller threads, is left out of the core
// library; this is the definition the linker finds.
namespace grpc_event_engine::experimental {

std::shared_ptr<EventEngine> DefaultEventEngineFactory() {
  return uvgrpc::DefaultEngine::GetShared();
}

}  // namespace grpc_event_engine::experimental
