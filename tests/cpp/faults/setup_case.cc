// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// Engines, listeners and endpoints that cannot be made, or can.

#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "src/core/lib/event_engine/channel_args_endpoint_config.h"
#include "src/iomgr_uv/uv_status.h"
#include "tests/cpp/faults/rig.h"
#include "tests/cpp/socket_helpers.h"

namespace uvgrpc::faults {
namespace {

using grpc_event_engine::experimental::ChannelArgsEndpointConfig;
using grpc_event_engine::experimental::MemoryAllocator;
using grpc_event_engine::experimental::SliceBuffer;

void Listeners(Rig& rig) {
  const ChannelArgsEndpointConfig config{grpc_core::ChannelArgs().Set(
      GRPC_ARG_EXPAND_WILDCARD_ADDRS, rig.Between(0, 1))};
  bool shut_down = false;
  int accepted = 0;
  auto listener =
      rig.engine()->CreateListener([&](std::unique_ptr<EventEngine::Endpoint>,
                                       MemoryAllocator) { ++accepted; },
                                   [&](absl::Status status) {
                                     rig.Check(status.ok(), status.ToString());
                                     shut_down = true;
                                   },
                                   config, HeapAllocatorFactory());
  const absl::StatusOr<int> port = (*listener)->Bind(
      Address(rig.Chance(50) ? "ipv6:[::]:0" : "ipv4:0.0.0.0:0"));
  if (port.ok()) {
    (void)(*listener)->Start();
    const OwnedFd client =
        ConnectTo(Address(absl::StrCat("ipv4:127.0.0.1:", *port)));
    // Connected ones are taken; what cannot be listened at, refuses.
    if (client.is_open()) {
      rig.RunUntil("a client to be taken, or refused", [&] {
        char byte;
        return accepted > 0 ||
               recv(client.get(), &byte, 1, MSG_DONTWAIT) == 0 ||
               errno != EAGAIN;
      });
    }
  } else {
    rig.Check(
        !rig.must_succeed() && absl::StrContains(port.status().message(),
                                                 ErrnoText(rig.fault().error)),
        absl::StrCat("Bind: ", port.status().ToString()));
  }
  listener->reset();
  rig.RunUntil("on_shutdown", [&] { return shut_down; });
}

void Endpoints(Rig& rig, OwnedFd ours, OwnedFd theirs) {
  auto endpoint = rig.engine()->CreatePosixEndpointFromFd(
      ours.Take(), ChannelArgsEndpointConfig{grpc_core::ChannelArgs()}, {});
  if (!endpoint.ok()) {
    rig.Check(!rig.must_succeed() && !endpoint.status().message().empty(),
              absl::StrCat("no endpoint: ", endpoint.status().ToString()));
    rig.Check(SeesEof(theirs.get()), "the descriptor is still open");
    return;
  }
  SliceBuffer buffer;
  bool done = false;
  if ((*endpoint)->Read(
          [&](absl::Status status) {
            rig.Check(!done, "on_read twice");
            done = true;
            rig.Check(status.ok() ||
                          (!rig.must_succeed() && absl::IsUnavailable(status)),
                      status.ToString());
          },
          &buffer, {})) {
    done = true;
  }
  rig.RunUntil("a read", [&] { return done; });
}

}  // namespace

void SetupCase(Rig& rig) {
  rig.Choose({Site::kUvAsyncInit, Site::kUvPrepareInit, Site::kUvTimerInit,
              Site::kCalloc, Site::kSocket, Site::kBind, Site::kListen,
              Site::kGetifaddrs, Site::kSetsockopt, Site::kFcntl,
              Site::kGetsockname, Site::kUvPollInit, Site::kUvPollStart,
              Site::kGetpeername, Site::kUvPollCallback});
  auto [ours, theirs] = rig.Chance(50) ? TcpPair() : UnixPair();
  SendAll(theirs.get(), "x");
  rig.Arm();
  rig.MakeEngine();
  if (rig.engine() == nullptr) {
    rig.Check(absl::IsResourceExhausted(rig.engine_status()),
              rig.engine_status().ToString());
    return;
  }
  if (rig.Chance(60)) Listeners(rig);
  if (rig.Chance(60)) Endpoints(rig, std::move(ours), std::move(theirs));
}

}  // namespace uvgrpc::faults
