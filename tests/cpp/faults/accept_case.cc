// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// Clients that connect while accepting fails: each is taken in the end, and the
// loop sleeps meanwhile.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "src/core/lib/event_engine/channel_args_endpoint_config.h"
#include "src/core/lib/event_engine/tcp_socket_utils.h"
#include "tests/cpp/faults/rig.h"
#include "tests/cpp/socket_helpers.h"

namespace uvgrpc::faults {

using grpc_event_engine::experimental::ChannelArgsEndpointConfig;
using grpc_event_engine::experimental::MemoryAllocator;
using grpc_event_engine::experimental::SliceBuffer;

void AcceptCase(Rig& rig) {
  rig.Choose({Site::kAccept, Site::kAccept, Site::kAccept, Site::kAccept,
              Site::kUvPollCallback, Site::kUvPollStart, Site::kUvPollInit,
              Site::kCalloc, Site::kSetsockopt, Site::kGetpeername});
  // An accepted connection that cannot be set up is closed; a listener that
  // cannot be polled is, or polls later.
  const bool loses_connections = !rig.must_succeed();
  rig.MakeEngine();
  std::vector<std::unique_ptr<EventEngine::Endpoint>> accepted;
  bool shut_down = false;
  auto listener = rig.engine()->CreateListener(
      [&](std::unique_ptr<EventEngine::Endpoint> endpoint, MemoryAllocator) {
        accepted.push_back(std::move(endpoint));
      },
      [&](absl::Status) { shut_down = true; },
      ChannelArgsEndpointConfig{grpc_core::ChannelArgs()},
      HeapAllocatorFactory());
  const bool is_unix = rig.Chance(30);
  ResolvedAddress address = Address(
      is_unix ? absl::StrCat("unix:", FreshUnixPath()) : "ipv4:127.0.0.1:0");
  const absl::StatusOr<int> port = (*listener)->Bind(address);
  rig.Check(port.ok(), "Bind");
  if (!is_unix) {
    grpc_event_engine::experimental::ResolvedAddressSetPort(address, *port);
  }
  rig.Arm();
  const absl::Status started = (*listener)->Start();
  rig.Check(started.ok() || !rig.must_succeed(), "Start");
  std::vector<OwnedFd> clients;
  const int count = rig.Between(1, 20);
  for (int i = 0; i < count; ++i) {
    clients.push_back(ConnectTo(address));
    rig.Check(clients.back().is_open() || loses_connections, "not connected");
  }
  // Each client is taken, or sees the end.
  for (const OwnedFd& client : clients) {
    if (client.is_open()) SendAll(client.get(), "x");
  }
  const auto ended = [](const OwnedFd& fd) {
    char byte;
    return !fd.is_open() || recv(fd.get(), &byte, 1, MSG_DONTWAIT) == 0 ||
           (errno != EAGAIN);
  };
  rig.RunUntil("all clients to be taken", [&] {
    size_t gone = 0;
    if (loses_connections) {
      for (const OwnedFd& client : clients) gone += ended(client) ? 1 : 0;
    }
    return accepted.size() + gone >= clients.size();
  });
  if (rig.must_succeed()) {
    rig.Check(accepted.size() == clients.size(), "not all were taken");
    for (const auto& endpoint : accepted) {
      SliceBuffer buffer;
      bool done = endpoint->Read(
          [&](absl::Status status) {
            done = true;
            rig.Check(status.ok(), status.ToString());
          },
          &buffer, {});
      rig.RunUntil("what a client sent", [&] { return done; });
      rig.Check(Text(&buffer) == "x", "another byte");
    }
  }
  // It listens on: one more.
  if (started.ok() && !clients.empty()) {
    const size_t before = accepted.size();
    FaultPlan::Get().Disarm();
    const OwnedFd late = ConnectTo(address);
    if (late.is_open()) {
      rig.RunUntil("one more client",
                   [&] { return accepted.size() > before || ended(late); });
    }
    rig.Check(accepted.size() > before || loses_connections,
              "it does not listen any more");
  }
  clients.clear();
  accepted.clear();
  listener->reset();
  rig.RunUntil("on_shutdown", [&] { return shut_down; });
}

}  // namespace uvgrpc::faults
