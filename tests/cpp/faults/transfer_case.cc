// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// A connection whose two ends belong to one engine: made, used in both
// directions, ended by one of them.

#include <grpc/event_engine/slice_buffer.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "src/core/lib/event_engine/channel_args_endpoint_config.h"
#include "src/core/lib/event_engine/tcp_socket_utils.h"
#include "src/iomgr_uv/uv_status.h"
#include "tests/cpp/faults/rig.h"
#include "tests/cpp/socket_helpers.h"

namespace uvgrpc::faults {
namespace {

using grpc_event_engine::experimental::ChannelArgsEndpointConfig;
using grpc_event_engine::experimental::MemoryAllocator;
using grpc_event_engine::experimental::SliceBuffer;
using Endpoint = EventEngine::Endpoint;

// One end, which sends all it has and reads to the end.
struct Side {
  explicit Side(Rig* rig) : rig(rig) {}

  Rig* const rig;
  std::unique_ptr<Endpoint> endpoint;
  std::string to_send;
  size_t sent = 0;  // given to Write
  size_t expected = 0;
  std::string received;
  SliceBuffer read_buffer;
  bool reading = false;
  bool writing = false;
  int surplus = 0;  // callbacks that nobody waits for
  std::optional<absl::Status> read_end;
  std::optional<absl::Status> write_end;

  void Start(std::unique_ptr<Endpoint> connected) {
    endpoint = std::move(connected);
    Write();
    Read();
  }

  void Read() {
    while (endpoint != nullptr) {
      reading = true;
      if (!endpoint->Read([this](absl::Status status) { OnRead(status); },
                          &read_buffer, {})) {
        return;
      }
      reading = false;
      received += Text(&read_buffer);
    }
  }

  void OnRead(absl::Status status) {
    if (!std::exchange(reading, false)) ++surplus;
    if (!status.ok()) {
      read_end = status;
      return;
    }
    received += Text(&read_buffer);
    Read();
  }

  void Write() {
    while (endpoint != nullptr && sent < to_send.size()) {
      const size_t size = std::min(
          to_send.size() - sent, static_cast<size_t>(rig->Between(1, 60'000)));
      SliceBuffer data;
      Append(&data, absl::string_view(to_send).substr(sent, size),
             static_cast<size_t>(rig->Between(1, 20) == 1 ? 50 : 10'000));
      sent += size;
      writing = true;
      if (!endpoint->Write([this](absl::Status status) { OnWritten(status); },
                           &data, {})) {
        return;
      }
      writing = false;
    }
  }

  void OnWritten(absl::Status status) {
    if (!std::exchange(writing, false)) ++surplus;
    if (!status.ok()) {
      write_end = status;
      return;
    }
    Write();
  }

  bool has_failed() const {
    return read_end.has_value() || write_end.has_value();
  }
  bool is_done() const {
    return has_failed() ||
           (sent == to_send.size() && !writing && received.size() >= expected);
  }
  bool is_quiet() const { return !reading && !writing; }
};

bool IsOfConnection(const absl::Status& status, bool ended_by_us) {
  return absl::IsUnavailable(status) ||
         (ended_by_us && absl::IsCancelled(status));
}

std::string RandomUri(Rig& rig) {
  switch (rig.Between(0, 3)) {
    case 0:
      return "ipv4:127.0.0.1:0";
    case 1:
      return absl::StrCat("unix:", FreshUnixPath());
    case 2:
      return absl::StrCat("unix-abstract:uvgrpc-fault-", FreshUnixPath());
    default:
      return "ipv6:[::1]:0";
  }
}

void CheckSide(Rig& rig, const Side& side, const Side& other,
               absl::string_view name, bool ended_by_us) {
  rig.Check(side.surplus == 0, absl::StrCat(name, ": a callback too many"));
  rig.Check(absl::StartsWith(other.to_send, side.received),
            absl::StrCat(name, " read what was not sent"));
  for (const auto& status : {side.read_end, side.write_end}) {
    rig.Check(!status.has_value() || IsOfConnection(*status, ended_by_us),
              absl::StrCat(name, " ended with ",
                           status.value_or(absl::OkStatus()).ToString()));
  }
  if (rig.must_succeed()) {
    rig.Check(side.received.size() == other.to_send.size(),
              absl::StrCat(name, " read ", side.received.size(), " of ",
                           other.to_send.size(), " bytes"));
  }
}

}  // namespace

void TransferCase(Rig& rig) {
  rig.Choose({Site::kRecv,        Site::kRecv,          Site::kRecv,
              Site::kRecv,        Site::kSendmsg,       Site::kSendmsg,
              Site::kSendmsg,     Site::kSendmsg,       Site::kConnect,
              Site::kSocketError, Site::kAccept,        Site::kSocket,
              Site::kBind,        Site::kListen,        Site::kSetsockopt,
              Site::kGetpeername, Site::kGetsockname,   Site::kShutdown,
              Site::kFcntl,       Site::kCalloc,        Site::kUvPollInit,
              Site::kUvPollStart, Site::kUvPollCallback});
  const int arm_at = rig.Between(0, 9);
  rig.MakeEngine();
  if (arm_at < 2) rig.Arm();

  const ChannelArgsEndpointConfig config{grpc_core::ChannelArgs()};
  Side server(&rig);
  Side client(&rig);
  std::optional<absl::Status> on_shutdown;
  auto listener = rig.engine()->CreateListener(
      [&](std::unique_ptr<Endpoint> endpoint, MemoryAllocator) {
        rig.Check(server.endpoint == nullptr, "accepted twice");
        server.Start(std::move(endpoint));
      },
      [&](absl::Status status) {
        rig.Check(!on_shutdown.has_value(), "on_shutdown twice");
        on_shutdown = std::move(status);
      },
      config, HeapAllocatorFactory());
  rig.Check(listener.ok(), "no listener");
  if (!listener.ok()) return;
  ResolvedAddress address = Address(RandomUri(rig));
  const absl::StatusOr<int> port = (*listener)->Bind(address);
  if (!port.ok()) {
    rig.Check(
        !rig.must_succeed() && absl::StrContains(port.status().message(),
                                                 ErrnoText(rig.fault().error)),
        absl::StrCat("Bind: ", port.status().ToString()));
    listener->reset();
    rig.RunUntil("on_shutdown", [&] { return on_shutdown.has_value(); });
    return;
  }
  if (!IsUnixAddress(address)) {
    grpc_event_engine::experimental::ResolvedAddressSetPort(address, *port);
  }
  if (arm_at == 2) rig.Arm();
  rig.Check((*listener)->Start().ok() || !rig.must_succeed(), "Start");
  if (arm_at > 2 && arm_at < 7) rig.Arm();

  client.to_send = rig.RandomText(
      static_cast<size_t>(rig.Between(1, rig.Chance(10) ? 800'000 : 60'000)));
  server.to_send = rig.RandomText(
      static_cast<size_t>(rig.Between(1, rig.Chance(10) ? 800'000 : 60'000)));
  client.expected = server.to_send.size();
  server.expected = client.to_send.size();
  std::optional<absl::Status> connected;
  rig.engine()->Connect(
      [&](absl::StatusOr<std::unique_ptr<Endpoint>> result) {
        rig.Check(!connected.has_value(), "on_connect twice");
        connected = result.status();
        if (arm_at >= 7) rig.Arm();
        if (result.ok()) client.Start(*std::move(result));
      },
      address, config, MemoryAllocator(), std::chrono::seconds(20));
  rig.Check(!connected.has_value(), "on_connect inside Connect");
  // A part of the cases closes the loop in the middle.
  const bool closes_loop = rig.Chance(8);
  int turns = closes_loop ? rig.Between(1, 12) : 0;
  rig.RunUntil("the transfer", [&] {
    if (closes_loop && --turns < 0) return true;
    // As core does, an end that has failed is destroyed.
    if (client.has_failed()) client.endpoint.reset();
    if (server.has_failed()) server.endpoint.reset();
    if (!connected.has_value()) return false;
    if (!connected->ok()) return true;
    return client.is_done() && (server.is_done() || client.has_failed());
  });
  if (closes_loop) {
    rig.engine()->Shutdown();
    rig.Check(connected.has_value(), "no on_connect from a loop that closes");
    rig.Check(on_shutdown.has_value(), "no on_shutdown from it");
    rig.Check(client.is_quiet() && server.is_quiet(),
              "a callback is still owed by a loop that is closed");
    client.endpoint.reset();
    server.endpoint.reset();
    listener->reset();
    return;
  }
  if (!connected->ok()) {
    rig.Check(!rig.must_succeed() &&
                  absl::StartsWith(connected->message(),
                                   "Failed to connect to remote host"),
              absl::StrCat("Connect: ", connected->ToString()));
    rig.Check(!absl::IsDeadlineExceeded(*connected), "Connect timed out");
  } else {
    rig.RunUntil("the server's end", [&] {
      return server.endpoint == nullptr || server.is_done();
    });
    // The server ends; the client reads that.
    server.endpoint.reset();
    rig.RunUntil("the end", [&] {
      return client.endpoint == nullptr || client.has_failed();
    });
    client.endpoint.reset();
    rig.RunUntil("callbacks",
                 [&] { return client.is_quiet() && server.is_quiet(); });
    CheckSide(rig, client, server, "the client", /*ended_by_us=*/true);
    CheckSide(rig, server, client, "the server", /*ended_by_us=*/true);
  }
  listener->reset();
  rig.RunUntil("on_shutdown", [&] { return on_shutdown.has_value(); });
  // Connections that were taken too late.
  server.endpoint.reset();
  rig.RunUntil("callbacks", [&] { return server.is_quiet(); });
  rig.Check(on_shutdown->ok(),
            absl::StrCat("on_shutdown: ", on_shutdown->ToString()));
}

}  // namespace uvgrpc::faults
