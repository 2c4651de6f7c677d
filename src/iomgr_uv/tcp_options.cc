// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/iomgr_uv/tcp_options.h"

#include <errno.h>
#include <fcntl.h>
#include <grpc/impl/channel_arg_names.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <climits>
#include <optional>

#include "absl/strings/str_cat.h"
#include "src/iomgr_uv/sockets.h"
#include "src/iomgr_uv/uv_status.h"

namespace uvgrpc {
namespace {

using grpc_event_engine::experimental::EndpointConfig;

constexpr int kLargestChunk = 32 * 1024 * 1024;
// gRFC A18: servers give up on a silent peer after this, clients only with
// keepalive.
constexpr int kDefaultUserTimeoutMs = 20000;

int IntOr(int fallback, int smallest, int largest, std::optional<int> value) {
  return value.has_value() && *value >= smallest && *value <= largest
             ? *value
             : fallback;
}

absl::Status SetOption(int fd, int level, int name, int value,
                       absl::string_view label) {
  if (setsockopt(fd, level, name, &value, sizeof(value)) == 0) {
    return absl::OkStatus();
  }
  return ErrnoStatus(errno, absl::StrCat("setsockopt(", label, ")"));
}

// As OpenSocket(), for sockets that others have made.
absl::Status SetFlags(int fd) {
  if (!SetNonBlocking(fd)) return ErrnoStatus(errno, "fcntl(O_NONBLOCK)");
  const int descriptor_flags = fcntl(fd, F_GETFD);
  if (descriptor_flags < 0 ||
      fcntl(fd, F_SETFD, descriptor_flags | FD_CLOEXEC) != 0) {
    return ErrnoStatus(errno, "fcntl(FD_CLOEXEC)");
  }
#ifdef SO_NOSIGPIPE
  return SetOption(fd, SOL_SOCKET, SO_NOSIGPIPE, 1, "SO_NOSIGPIPE");
#else
  return absl::OkStatus();
#endif
}

// The upper six bits of the byte are the code point, the lower two belong to
// congestion notification and are kept. A dual-stack socket has both options.
absl::Status SetDscp(int fd, int dscp) {
  const struct {
    int level;
    int name;
    const char* label;
  } kOptions[] = {{IPPROTO_IP, IP_TOS, "IP_TOS"},
                  {IPPROTO_IPV6, IPV6_TCLASS, "IPV6_TCLASS"}};
  if (dscp == TcpOptions::kUnset) return absl::OkStatus();
  for (const auto& option : kOptions) {
    int present = 0;
    socklen_t size = sizeof(present);
    if (getsockopt(fd, option.level, option.name, &present, &size) != 0) {
      continue;  // not an option of this family
    }
    const absl::Status status = SetOption(
        fd, option.level, option.name, dscp << 2 | (present & 3), option.label);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

// How long the kernel waits for acknowledgement of sent data.
void SetUserTimeout(int fd, const TcpOptions& options, bool is_client) {
  bool wanted = !is_client;
  if (options.keepalive_time_ms > 0) {
    wanted = options.keepalive_time_ms != INT_MAX;
  }
  if (!wanted) return;
#ifdef TCP_USER_TIMEOUT
  // A kernel that does not have it is no reason to fail.
  (void)SetOption(fd, IPPROTO_TCP, TCP_USER_TIMEOUT,
                  options.keepalive_timeout_ms > 0
                      ? options.keepalive_timeout_ms
                      : kDefaultUserTimeoutMs,
                  "TCP_USER_TIMEOUT");
#endif
}

absl::Status Mutate(int fd, grpc_fd_usage usage, const TcpOptions& options) {
  if (options.socket_mutator == nullptr ||
      grpc_socket_mutator_mutate_fd(options.socket_mutator.get(), fd, usage)) {
    return absl::OkStatus();
  }
  return absl::InternalError("grpc_socket_mutator failed.");
}

// What clients' and listeners' TCP sockets have in common.
absl::Status PrepareTcp(int fd, const TcpOptions& options, bool is_client) {
  absl::Status status =
      SetOption(fd, IPPROTO_TCP, TCP_NODELAY, 1, "TCP_NODELAY");
  if (status.ok()) {
    status = SetOption(fd, SOL_SOCKET, SO_REUSEADDR, 1, "SO_REUSEADDR");
  }
  if (status.ok()) status = SetDscp(fd, options.dscp);
  SetUserTimeout(fd, options, is_client);
  return status;
}

}  // namespace

TcpOptions::TcpOptions(const EndpointConfig& config) {
  max_read_chunk_size = IntOr(max_read_chunk_size, 1, kLargestChunk,
                              config.GetInt(GRPC_ARG_TCP_MAX_READ_CHUNK_SIZE));
  min_read_chunk_size =
      std::min(max_read_chunk_size,
               IntOr(min_read_chunk_size, 1, kLargestChunk,
                     config.GetInt(GRPC_ARG_TCP_MIN_READ_CHUNK_SIZE)));
  read_chunk_size =
      std::clamp(IntOr(read_chunk_size, 1, kLargestChunk,
                       config.GetInt(GRPC_ARG_TCP_READ_CHUNK_SIZE)),
                 min_read_chunk_size, max_read_chunk_size);
  receive_buffer_size = IntOr(kUnset, 0, INT_MAX,
                              config.GetInt(GRPC_ARG_TCP_RECEIVE_BUFFER_SIZE));
  keepalive_time_ms =
      IntOr(0, 1, INT_MAX, config.GetInt(GRPC_ARG_KEEPALIVE_TIME_MS));
  keepalive_timeout_ms =
      IntOr(0, 1, INT_MAX, config.GetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS));
  dscp = IntOr(kUnset, 0, 63, config.GetInt(GRPC_ARG_DSCP));
  allow_reuse_port = config.GetInt(GRPC_ARG_ALLOW_REUSEPORT).value_or(1) > 0;
  expand_wildcard_addresses =
      config.GetInt(GRPC_ARG_EXPAND_WILDCARD_ADDRS).value_or(0) > 0;
  adopted_socket = IntOr(kUnset, 0, INT_MAX, config.GetInt(kAdoptedSocketArg));
  arrivals = Arrivals::FromArgument(config.GetVoidPointer(kArrivalsArg));
  auto* mutator = static_cast<grpc_socket_mutator*>(
      config.GetVoidPointer(GRPC_ARG_SOCKET_MUTATOR));
  if (mutator != nullptr) {
    socket_mutator.reset(grpc_socket_mutator_ref(mutator),
                         &grpc_socket_mutator_unref);
  }
}

absl::Status PrepareClientSocket(int fd, int family,
                                 const TcpOptions& options) {
  absl::Status status = SetFlags(fd);
  if (status.ok() && options.receive_buffer_size != TcpOptions::kUnset) {
    status = SetOption(fd, SOL_SOCKET, SO_RCVBUF, options.receive_buffer_size,
                       "SO_RCVBUF");
  }
  if (status.ok() && family != AF_UNIX) {
    status = PrepareTcp(fd, options, /*is_client=*/true);
  }
  if (!status.ok()) return status;
  return Mutate(fd, GRPC_FD_CLIENT_CONNECTION_USAGE, options);
}

absl::Status PrepareListenerSocket(int fd, int family,
                                   const TcpOptions& options) {
  absl::Status status = SetFlags(fd);
  if (status.ok() && family != AF_UNIX) {
    if (options.allow_reuse_port) {
      status = SetOption(fd, SOL_SOCKET, SO_REUSEPORT, 1, "SO_REUSEPORT");
    }
    if (status.ok()) status = PrepareTcp(fd, options, /*is_client=*/false);
  }
  if (!status.ok()) return status;
  return Mutate(fd, GRPC_FD_SERVER_LISTENER_USAGE, options);
}

absl::Status PrepareAdoptedSocket(int fd, int family,
                                  const TcpOptions& options) {
  absl::Status status = SetFlags(fd);
  if (status.ok() && family != AF_UNIX) {
    status = SetDscp(fd, options.dscp);
    SetUserTimeout(fd, options, /*is_client=*/false);
  }
  if (!status.ok()) return status;
  return Mutate(fd, GRPC_FD_SERVER_LISTENER_USAGE, options);
}

absl::Status PrepareAcceptedSocket(int fd, int family,
                                   const TcpOptions& options) {
  if (family != AF_UNIX) {
    const absl::Status status =
        SetOption(fd, IPPROTO_TCP, TCP_NODELAY, 1, "TCP_NODELAY");
    if (!status.ok()) return status;
  }
  return Mutate(fd, GRPC_FD_SERVER_CONNECTION_USAGE, options);
}

}  // namespace uvgrpc
