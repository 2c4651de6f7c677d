// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// Names as gRPC gives them to a resolver, and what getaddrinfo makes of them.

#ifndef UVGRPC_IOMGR_UV_HOSTNAME_QUERY_H_
#define UVGRPC_IOMGR_UV_HOSTNAME_QUERY_H_

#include <grpc/event_engine/event_engine.h>
#include <netdb.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "src/iomgr_uv/loop_bridge.h"
#include "src/iomgr_uv/uv_api.h"

namespace uvgrpc {

using ResolvedAddresses = std::vector<EventEngine::ResolvedAddress>;

// A name like "host:port", "[::1]:50051", "10.0.0.1" or "fe80::1%eth0", taken
// apart.
struct HostnameQuery {
  std::string name;     // as it was given, for messages
  std::string host;     // without brackets
  std::string service;  // a port number, or the name of a service

  // `default_port` counts when `name` has no port. INVALID_ARGUMENT says what
  // is wrong with the name.
  static absl::StatusOr<HostnameQuery> Parse(absl::string_view name,
                                             absl::string_view default_port);

  // The addresses when the host is one itself, with no need to ask anybody;
  // nullopt when it is a name. Never blocks.
  std::optional<absl::StatusOr<ResolvedAddresses>> LookupNumeric(
      const UvApi& uv) const;

  // Asks the system's resolver on this thread, which may take long.
  absl::StatusOr<ResolvedAddresses> LookupBlocking(const UvApi& uv) const;

  // The service as a port number.
  absl::StatusOr<int> LookupPort(const UvApi& uv) const;

  // The status for an error of uv_getaddrinfo. A name that does not exist is
  // NOT_FOUND; a resolver that cannot say is UNAVAILABLE.
  absl::Status ErrorStatus(const UvApi& uv, int uv_error) const;
};

// For stream sockets of both families. Without AI_ADDRCONFIG: it would hide ::1
// on machines whose only IPv6 interface is the loopback.
addrinfo AddrinfoHints(int flags = 0);

// The addresses of a list in its order, without duplicates.
ResolvedAddresses AddressesFrom(const addrinfo* list);

}  // namespace uvgrpc

#endif  // UVGRPC_IOMGR_UV_HOSTNAME_QUERY_H_
