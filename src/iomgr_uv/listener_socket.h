// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// Sockets that listen.

#ifndef UVGRPC_IOMGR_UV_LISTENER_SOCKET_H_
#define UVGRPC_IOMGR_UV_LISTENER_SOCKET_H_

#include <vector>

#include "absl/status/statusor.h"
#include "src/iomgr_uv/owned_fd.h"
#include "src/iomgr_uv/socket_address.h"
#include "src/iomgr_uv/tcp_options.h"

namespace uvgrpc {

// A socket that is bound and listens; connections wait in the kernel's queue
// until somebody accepts them. Any thread. Not polled by anybody when it is
// closed or destroyed, which also removes the file of a Unix socket that was
// bound here.
class ListenerSocket {
 public:
  ListenerSocket(ListenerSocket&&) = default;
  ListenerSocket& operator=(ListenerSocket&&) = default;
  ~ListenerSocket() { Close(); }

  // Listens at `address`. The error's message names address and reason.
  static absl::StatusOr<ListenerSocket> Bind(const ResolvedAddress& address,
                                             const TcpOptions& options);

  // Listens on a socket that was bound elsewhere, and may listen already. `fd`
  // stays the caller's: this one is another descriptor of the socket, whose
  // file, if it has one, is left alone at the end.
  static absl::StatusOr<ListenerSocket> Adopt(int fd,
                                              const TcpOptions& options);

  int fd() const { return fd_.get(); }
  // Whether others may have it, too: what they do to it is done to all.
  bool is_adopted() const { return is_adopted_; }
  // What the socket is bound to.
  const ResolvedAddress& address() const { return address_; }
  // 1 for a Unix socket.
  int port() const;

  void Close();

 private:
  ListenerSocket(OwnedFd fd, const ResolvedAddress& address,
                 UnixSocketFile file, bool is_adopted = false)
      : fd_(std::move(fd)),
        address_(address),
        file_(std::move(file)),
        is_adopted_(is_adopted) {}

  OwnedFd fd_;
  ResolvedAddress address_;
  UnixSocketFile file_;
  bool is_adopted_;
};

// Listens at an address that a user gave: a wildcard (0.0.0.0 or ::) means both
// IP versions where there are both, on one dual-stack socket where that can be,
// or each local address when the options ask for that. At least one socket, all
// with the same port, or the reasons why there is none. Just the socket that
// the options name, if they name one.
absl::StatusOr<std::vector<ListenerSocket>> BindListenerSockets(
    const ResolvedAddress& address, const TcpOptions& options);

}  // namespace uvgrpc

#endif  // UVGRPC_IOMGR_UV_LISTENER_SOCKET_H_
