// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/iomgr_uv/graceful_close.h"

#include <errno.h>
#include <sys/socket.h>

#include <cstddef>

#include "src/iomgr_uv/socket_registry.h"

namespace uvgrpc {
namespace {

// Together more than a socket holds, unless it was told to. A peer that goes on
// sending is not waited for.
constexpr size_t kPiece = 16 * 1024;
constexpr int kMaxPieces = 512;

void DiscardInput(int fd) {
  char piece[kPiece];
  for (int i = 0; i < kMaxPieces; ++i) {
    const ssize_t size = recv(fd, piece, sizeof(piece), MSG_DONTWAIT);
    if (size == 0 || (size < 0 && errno != EINTR)) return;
  }
}

}  // namespace

void CloseGracefully(OwnedFd fd, int family) {
  if (!IsNotedSocket(fd.get())) return;
  // With its reading side shut down as well a TCP socket would reset the
  // connection at the next byte that comes, before its input is thrown away. On
  // a Unix socket it keeps the peer from sending more meanwhile.
  if (shutdown(fd.get(), family == AF_UNIX ? SHUT_RDWR : SHUT_WR) != 0) return;
  DiscardInput(fd.get());
}

}  // namespace uvgrpc
