// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/iomgr_uv/graceful_close.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cstddef>

#include "src/iomgr_uv/socket_registry.h"

namespace uvgrpc {
namespace {

constexpr size_t kPiece = 16 * 1024;

// What is there at present: a peer that goes on sending, which is what making
// room lets it do, is not waited for.
void DiscardInput(int fd, int family) {
  int left = 0;
  if (ioctl(fd, FIONREAD, &left) != 0) return;
  char piece[kPiece];
  while (left > 0) {
    // TCP throws away without copying.
    const ssize_t size = family == AF_UNIX
                             ? recv(fd, piece, sizeof(piece), MSG_DONTWAIT)
                             : recv(fd, nullptr, static_cast<size_t>(left),
                                    MSG_TRUNC | MSG_DONTWAIT);
    if (size == 0 || (size < 0 && errno != EINTR)) return;
    if (size > 0) left -= static_cast<int>(size);
  }
}

}  // namespace

void CloseGracefully(OwnedFd fd, int family) {
  if (!IsNotedSocket(fd.get())) return;
  // With its reading side shut down as well a TCP socket would reset the
  // connection at the next byte that comes, before its input is thrown away. On
  // a Unix socket it keeps the peer from sending more meanwhile.
  if (shutdown(fd.get(), family == AF_UNIX ? SHUT_RDWR : SHUT_WR) != 0) return;
  DiscardInput(fd.get(), family);
}

}  // namespace uvgrpc
