// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/iomgr_uv/uv_engine.h"

#include <atomic>
#include <utility>

#include "src/core/lib/resource_quota/resource_quota.h"
#include "src/iomgr_uv/default_engine.h"
#include "src/iomgr_uv/owned_fd.h"
#include "src/iomgr_uv/socket_address.h"
#include "src/iomgr_uv/tcp_options.h"
#include "src/iomgr_uv/uv_connect.h"
#include "src/iomgr_uv/uv_endpoint.h"
#include "src/iomgr_uv/uv_listener.h"
#include "src/iomgr_uv/uv_resolver.h"

namespace uvgrpc {
namespace {

// A connection handle is {engine << kSequenceBits | sequence, 0}: core passes
// on only its first key. A task handle is {timer ticket, engine}.
constexpr int kSequenceBits = 40;
constexpr uint64_t kSequenceMask = (uint64_t{1} << kSequenceBits) - 1;

uint32_t NextEngineId() {
  static std::atomic<uint32_t> next{1};
  return next.fetch_add(1, std::memory_order_relaxed);
}

// The allocator of the resource quota that a config carries.
MemoryAllocator AllocatorFor(const EndpointConfig& config) {
  auto* quota = static_cast<grpc_core::ResourceQuota*>(
      config.GetVoidPointer(GRPC_ARG_RESOURCE_QUOTA));
  if (quota == nullptr) return MemoryAllocator();
  return quota->memory_quota()->CreateMemoryAllocator("uv endpoint");
}

}  // namespace

absl::StatusOr<std::shared_ptr<UvEventEngine>> UvEventEngine::Create(
    uv_loop_t* loop, const UvApi& uv) {
  absl::StatusOr<std::shared_ptr<LoopBridge>> bridge =
      LoopBridge::Create(loop, uv);
  if (!bridge.ok()) return bridge.status();
  std::shared_ptr<TimerQueue> timers = TimerQueue::Create(*bridge);
  if (timers == nullptr) {
    (*bridge)->Shutdown();
    return absl::ResourceExhaustedError("libuv cannot make a timer");
  }
  auto engine =
      std::make_shared<UvEventEngine>(*std::move(bridge), std::move(timers));
  DefaultEngine::Get().Register(engine);
  return engine;
}

UvEventEngine::UvEventEngine(std::shared_ptr<LoopBridge> bridge,
                             std::shared_ptr<TimerQueue> timers)
    : bridge_(std::move(bridge)),
      timers_(std::move(timers)),
      connects_(std::make_shared<ConnectTable>(bridge_, timers_)),
      id_(NextEngineId()) {}

UvEventEngine::~UvEventEngine() {
  DefaultEngine::Get().Unregister(id_);
  if (bridge_->is_closed()) return;
  if (bridge_->InLoopThread()) {
    bridge_->Shutdown();
  } else {
    bridge_->Post([bridge = bridge_] { bridge->Shutdown(); });
  }
}

void UvEventEngine::Shutdown() {
  const std::shared_ptr<EventEngine> keep_alive = shared_from_this();
  DefaultEngine::Get().Unregister(id_);
  bridge_->Shutdown();
}

uint32_t UvEventEngine::EngineIdOf(TaskHandle handle) {
  return handle == TaskHandle::kInvalid ? 0
                                        : static_cast<uint32_t>(handle.keys[1]);
}

uint32_t UvEventEngine::EngineIdOf(ConnectionHandle handle) {
  if (handle.keys[0] == ConnectionHandle::kInvalid.keys[0]) return 0;
  return static_cast<uint32_t>(static_cast<uint64_t>(handle.keys[0]) >>
                               kSequenceBits);
}

EventEngine::TaskHandle UvEventEngine::TaskHandleFor(uint64_t ticket) const {
  if (ticket == TimerQueue::kNoTicket) return TaskHandle::kInvalid;
  return TaskHandle{
      {static_cast<intptr_t>(ticket), static_cast<intptr_t>(id_)}};
}

EventEngine::ConnectionHandle UvEventEngine::ConnectionHandleFor(
    uint64_t ticket) const {
  if (ticket == ConnectTable::kNoTicket) return ConnectionHandle::kInvalid;
  return ConnectionHandle{
      {static_cast<intptr_t>(uint64_t{id_} << kSequenceBits |
                             (ticket & kSequenceMask)),
       0}};
}

absl::StatusOr<std::unique_ptr<EventEngine::Listener>>
UvEventEngine::CreateListener(
    Listener::AcceptCallback on_accept,
    absl::AnyInvocable<void(absl::Status)> on_shutdown,
    const EndpointConfig& config,
    std::unique_ptr<MemoryAllocatorFactory> memory_allocator_factory) {
  return CreatePosixListener(
      [on_accept = std::move(on_accept)](
          int /*listener_fd*/, std::unique_ptr<Endpoint> endpoint,
          bool /*is_external*/, MemoryAllocator allocator,
          grpc_event_engine::experimental::SliceBuffer* /*pending*/) mutable {
        on_accept(std::move(endpoint), std::move(allocator));
      },
      std::move(on_shutdown), config, std::move(memory_allocator_factory));
}

absl::StatusOr<std::unique_ptr<EventEngine::Listener>>
UvEventEngine::CreatePosixListener(
    PosixAcceptCallback on_accept,
    absl::AnyInvocable<void(absl::Status)> on_shutdown,
    const EndpointConfig& config,
    std::unique_ptr<MemoryAllocatorFactory> memory_allocator_factory) {
  return UvListener::Create(bridge_, std::move(on_accept),
                            std::move(on_shutdown), TcpOptions(config),
                            std::move(memory_allocator_factory));
}

EventEngine::ConnectionHandle UvEventEngine::Connect(
    OnConnectCallback on_connect, const ResolvedAddress& addr,
    const EndpointConfig& args, MemoryAllocator memory_allocator,
    Duration timeout) {
  return ConnectionHandleFor(connects_->Connect(
      /*fd=*/-1, std::move(on_connect), addr, TcpOptions(args),
      std::move(memory_allocator), timeout));
}

EventEngine::ConnectionHandle UvEventEngine::CreateEndpointFromUnconnectedFd(
    int fd, OnConnectCallback on_connect, const ResolvedAddress& addr,
    const EndpointConfig& config, MemoryAllocator memory_allocator,
    Duration timeout) {
  return ConnectionHandleFor(
      connects_->Connect(fd, std::move(on_connect), addr, TcpOptions(config),
                         std::move(memory_allocator), timeout));
}

bool UvEventEngine::CancelConnect(ConnectionHandle handle) {
  if (EngineIdOf(handle) != id_) return false;
  return connects_->Cancel(static_cast<uint64_t>(handle.keys[0]) &
                           kSequenceMask);
}

absl::StatusOr<std::unique_ptr<EventEngine::Endpoint>>
UvEventEngine::CreatePosixEndpointFromFd(int fd, const EndpointConfig& config,
                                         MemoryAllocator memory_allocator) {
  return UvEndpoint::FromFd(bridge_, fd, TcpOptions(config),
                            std::move(memory_allocator));
}

absl::StatusOr<std::unique_ptr<EventEngine::Endpoint>>
UvEventEngine::CreateEndpointFromFd(int fd, const EndpointConfig& config) {
  // From outside, and perhaps made as sockets are by default.
  OwnedFd owned(fd);
  const absl::StatusOr<ResolvedAddress> local = LocalAddressOf(fd);
  absl::Status status = local.status();
  if (status.ok()) {
    status = PrepareClientSocket(fd, FamilyOf(*local), TcpOptions(config));
  }
  if (!status.ok()) return status;
  fd = owned.Take();
  return CreatePosixEndpointFromFd(fd, config, AllocatorFor(config));
}

bool UvEventEngine::IsWorkerThread() { return bridge_->InLoopThread(); }

absl::StatusOr<std::unique_ptr<EventEngine::DNSResolver>>
UvEventEngine::GetDNSResolver(const DNSResolver::ResolverOptions& options) {
  return UvResolver::Create(bridge_, shared_from_this(), options);
}

void UvEventEngine::Run(Closure* closure) { bridge_->Post(closure); }

void UvEventEngine::Run(absl::AnyInvocable<void()> closure) {
  bridge_->Post(std::move(closure));
}

EventEngine::TaskHandle UvEventEngine::RunAfter(Duration when,
                                                Closure* closure) {
  return TaskHandleFor(timers_->Add(when, closure));
}

EventEngine::TaskHandle UvEventEngine::RunAfter(
    Duration when, absl::AnyInvocable<void()> closure) {
  return TaskHandleFor(timers_->Add(when, std::move(closure)));
}

bool UvEventEngine::Cancel(TaskHandle handle) {
  if (EngineIdOf(handle) != id_) return false;
  return timers_->Cancel(static_cast<TimerQueue::Ticket>(handle.keys[0]));
}

}  // namespace uvgrpc
