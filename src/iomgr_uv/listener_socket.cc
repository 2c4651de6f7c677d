// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/iomgr_uv/listener_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <limits.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "src/core/lib/event_engine/tcp_socket_utils.h"
#include "src/iomgr_uv/sockets.h"
#include "src/iomgr_uv/uv_status.h"

namespace uvgrpc {
namespace {

using grpc_event_engine::experimental::MaybeGetWildcardPortFromAddress;
using grpc_event_engine::experimental::ResolvedAddressGetPort;
using grpc_event_engine::experimental::ResolvedAddressMakeWild4;
using grpc_event_engine::experimental::ResolvedAddressMakeWild6;
using grpc_event_engine::experimental::ResolvedAddressSetPort;

// The kernel cuts it down to net.core.somaxconn.
constexpr int kBacklog = INT_MAX;
// How often another port is tried when the kernel may choose one.
constexpr int kPortAttempts = 10;

bool IsLinkLocal(const sockaddr* address) {
  if (address->sa_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(address);
    return ntohl(v4->sin_addr.s_addr) >> 16 == 0xA9FE;  // 169.254.0.0/16
  }
  const auto* v6 = reinterpret_cast<const sockaddr_in6*>(address);
  return IN6_IS_ADDR_LINKLOCAL(&v6->sin6_addr);
}

bool SameAddress(const ResolvedAddress& a, const ResolvedAddress& b) {
  return a.size() == b.size() &&
         std::memcmp(a.address(), b.address(), a.size()) == 0;
}

// The addresses of this machine's interfaces, without link-local ones.
absl::StatusOr<std::vector<ResolvedAddress>> LocalAddresses() {
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) return ErrnoStatus(errno, "getifaddrs");
  const std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> owner(list,
                                                               &freeifaddrs);
  std::vector<ResolvedAddress> addresses;
  for (const ifaddrs* it = list; it != nullptr; it = it->ifa_next) {
    if (it->ifa_addr == nullptr) continue;
    const int family = it->ifa_addr->sa_family;
    if (family != AF_INET && family != AF_INET6) continue;
    if (IsLinkLocal(it->ifa_addr)) continue;
    const ResolvedAddress address(it->ifa_addr, family == AF_INET
                                                    ? sizeof(sockaddr_in)
                                                    : sizeof(sockaddr_in6));
    // Bonded interfaces show the same address twice.
    if (std::none_of(addresses.begin(), addresses.end(),
                     [&](const ResolvedAddress& seen) {
                       return SameAddress(seen, address);
                     })) {
      addresses.push_back(address);
    }
  }
  return addresses;
}

absl::StatusOr<std::vector<ListenerSocket>> BindEach(
    std::vector<ResolvedAddress> addresses, int port,
    const TcpOptions& options) {
  std::vector<ListenerSocket> sockets;
  for (ResolvedAddress& address : addresses) {
    ResolvedAddressSetPort(address, port);
    absl::StatusOr<ListenerSocket> socket =
        ListenerSocket::Bind(address, options);
    if (!socket.ok()) return socket.status();
    // The kernel's choice for the first is the port of all.
    port = socket->port();
    sockets.push_back(*std::move(socket));
  }
  return sockets;
}

absl::StatusOr<std::vector<ListenerSocket>> BindLocalAddresses(
    int port, const TcpOptions& options) {
  const absl::StatusOr<std::vector<ResolvedAddress>> addresses =
      LocalAddresses();
  if (!addresses.ok()) return addresses.status();
  if (addresses->empty()) {
    return absl::FailedPreconditionError("no local addresses to listen at");
  }
  auto sockets = BindEach(*addresses, port, options);
  // A port that is free at one address may be taken at another.
  for (int i = 0; i < kPortAttempts && port == 0 && !sockets.ok(); ++i) {
    sockets = BindEach(*addresses, port, options);
  }
  return sockets;
}

absl::StatusOr<std::vector<ListenerSocket>> BindWildcard(
    int port, const TcpOptions& options) {
  std::vector<ListenerSocket> sockets;
  absl::StatusOr<ListenerSocket> v6 =
      ListenerSocket::Bind(ResolvedAddressMakeWild6(port), options);
  bool covers_v4 = false;
  if (v6.ok()) {
    int v6_only = 1;
    socklen_t size = sizeof(v6_only);
    covers_v4 =
        getsockopt(v6->fd(), IPPROTO_IPV6, IPV6_V6ONLY, &v6_only, &size) == 0 &&
        v6_only == 0;
    port = v6->port();
    sockets.push_back(*std::move(v6));
  }
  if (covers_v4) return sockets;
  absl::StatusOr<ListenerSocket> v4 =
      ListenerSocket::Bind(ResolvedAddressMakeWild4(port), options);
  if (v4.ok()) sockets.push_back(*std::move(v4));
  if (sockets.empty()) {
    return absl::Status(
        v4.status().code(),
        absl::StrCat("Failed to add any wildcard listeners: ",
                     v6.status().message(), "; ", v4.status().message()));
  }
  return sockets;
}

absl::StatusOr<std::vector<ListenerSocket>> Only(
    absl::StatusOr<ListenerSocket> socket) {
  if (!socket.ok()) return socket.status();
  std::vector<ListenerSocket> sockets;
  sockets.push_back(*std::move(socket));
  return sockets;
}

}  // namespace

absl::StatusOr<ListenerSocket> ListenerSocket::Bind(
    const ResolvedAddress& address, const TcpOptions& options) {
  const std::string what =
      absl::StrCat("Failed to listen at ", Describe(address));
  const int family = FamilyOf(address);
  OwnedFd fd(OpenSocket(family, SOCK_STREAM, 0));
  if (!fd.is_open()) return ErrnoStatus(errno, absl::StrCat(what, ": socket"));
  if (family == AF_INET6) {
    // Whatever the system's default: where it can't be had, IPv6 only is fine.
    const int off = 0;
    (void)setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
  }
  const absl::Status status = PrepareListenerSocket(fd.get(), family, options);
  if (!status.ok()) {
    return absl::Status(status.code(),
                        absl::StrCat(what, ": ", status.message()));
  }
  UnixSocketFile::RemoveStale(address);
  if (bind(fd.get(), address.address(), address.size()) != 0) {
    return ErrnoStatus(errno, absl::StrCat(what, ": bind"));
  }
  if (listen(fd.get(), kBacklog) != 0) {
    return ErrnoStatus(errno, absl::StrCat(what, ": listen"));
  }
  const absl::StatusOr<ResolvedAddress> bound = LocalAddressOf(fd.get());
  if (!bound.ok()) return bound.status();
  return ListenerSocket(std::move(fd), *bound, UnixSocketFile(*bound));
}

absl::StatusOr<ListenerSocket> ListenerSocket::Adopt(
    int fd, const TcpOptions& options) {
  OwnedFd own(fcntl(fd, F_DUPFD_CLOEXEC, 0));
  if (!own.is_open()) return ErrnoStatus(errno, "fcntl(F_DUPFD_CLOEXEC)");
  const absl::StatusOr<ResolvedAddress> bound = LocalAddressOf(own.get());
  if (!bound.ok()) return bound.status();
  absl::Status status = CheckSupported(*bound);
  if (status.ok()) {
    status = PrepareAdoptedSocket(own.get(), FamilyOf(*bound), options);
  }
  if (!status.ok()) return status;
  int listens = 0;
  socklen_t size = sizeof(listens);
  if (getsockopt(own.get(), SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) != 0 ||
      listens == 0) {
    if (listen(own.get(), kBacklog) != 0) {
      return ErrnoStatus(
          errno, absl::StrCat("Failed to listen at ", Describe(*bound)));
    }
  }
  return ListenerSocket(std::move(own), *bound, UnixSocketFile(),
                        /*is_adopted=*/true);
}

int ListenerSocket::port() const { return ResolvedAddressGetPort(address_); }

void ListenerSocket::Close() {
  // In this order: as long as the socket is open, its file's number on the file
  // system cannot be another file's.
  file_.Remove();
  fd_.Reset();
}

absl::StatusOr<std::vector<ListenerSocket>> BindListenerSockets(
    const ResolvedAddress& address, const TcpOptions& options) {
  if (options.adopted_socket != TcpOptions::kUnset) {
    return Only(ListenerSocket::Adopt(options.adopted_socket, options));
  }
  absl::Status status = CheckSupported(address);
  if (!status.ok()) return status;
  const std::optional<int> wildcard_port =
      MaybeGetWildcardPortFromAddress(address);
  if (wildcard_port.has_value()) {
    return options.expand_wildcard_addresses
               ? BindLocalAddresses(*wildcard_port, options)
               : BindWildcard(*wildcard_port, options);
  }
  return Only(ListenerSocket::Bind(Unmapped(address), options));
}

}  // namespace uvgrpc
