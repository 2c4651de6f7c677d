// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// The channel arguments that concern sockets, and what they do to one.

#ifndef UVGRPC_IOMGR_UV_TCP_OPTIONS_H_
#define UVGRPC_IOMGR_UV_TCP_OPTIONS_H_

#include <grpc/event_engine/endpoint_config.h>

#include <memory>

#include "absl/status/status.h"
#include "src/core/net/socket_mutator.h"
#include "src/iomgr_uv/arrivals.h"

namespace uvgrpc {

// The channel argument of a listener that has its socket already.
inline constexpr char kAdoptedSocketArg[] = "uvgrpc.adopted_socket";

// A value: read once from an EndpointConfig, which need not outlive it. Names,
// ranges and defaults are those of gRPC's own engine; a value out of range
// counts as not given.
struct TcpOptions {
  static constexpr int kUnset = -1;

  TcpOptions() = default;
  explicit TcpOptions(
      const grpc_event_engine::experimental::EndpointConfig& config);

  // Bytes that one read asks for: at first, and the bounds between which that
  // adapts. min <= initial <= max.
  int read_chunk_size = 8 * 1024;
  int min_read_chunk_size = 256;
  int max_read_chunk_size = 64 * 1024;
  // SO_RCVBUF of a client's socket.
  int receive_buffer_size = kUnset;
  // 0 when not given; INT_MAX as the time switches keepalive off. They set
  // TCP_USER_TIMEOUT (gRFC A18); the pings themselves are core's business.
  int keepalive_time_ms = 0;
  int keepalive_timeout_ms = 0;
  // Differentiated services code point, 0 to 63.
  int dscp = kUnset;
  bool allow_reuse_port = true;
  // Whether to bind a wildcard to each local address instead.
  bool expand_wildcard_addresses = false;
  // kAdoptedSocketArg: a bound socket that a listener takes in place of one of
  // its own, whatever address it is asked to bind. Borrowed until then.
  int adopted_socket = kUnset;
  // Null when not given.
  std::shared_ptr<grpc_socket_mutator> socket_mutator;
  // kArrivalsArg, on a listener and on what it accepts; null when not given.
  std::shared_ptr<Arrivals> arrivals;
};

// These prepare a fresh socket of `family` (AF_INET, AF_INET6 or AF_UNIX): not
// blocking, closed on exec, without Nagle's delay, and with what the options
// ask for. Any thread. On failure the socket is not fit for use.

// A client's socket, before it connects.
absl::Status PrepareClientSocket(int fd, int family, const TcpOptions& options);
// A listening socket, before it is bound.
absl::Status PrepareListenerSocket(int fd, int family,
                                   const TcpOptions& options);
// A socket that somebody else has bound, and may share: what it was bound with
// stays as it is.
absl::Status PrepareAdoptedSocket(int fd, int family,
                                  const TcpOptions& options);
// A socket that AcceptSocket() gave out, which made it non-blocking and closed
// on exec; most else it has from its listener.
absl::Status PrepareAcceptedSocket(int fd, int family,
                                   const TcpOptions& options);

}  // namespace uvgrpc

#endif  // UVGRPC_IOMGR_UV_TCP_OPTIONS_H_
