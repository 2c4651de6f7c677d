// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/iomgr_uv/sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

namespace uvgrpc {

bool SetNonBlocking(int fd) {
  const int flags = fcntl(fd, F_GETFL);
  if (flags < 0) return false;
  return (flags & O_NONBLOCK) != 0 ||
         fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0;
}

#ifdef __linux__

int OpenSocket(int family, int type, int protocol) {
  return socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
}

int AcceptSocket(int listener) {
  return accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

int OpenSocketPair(int fds[2]) {
  return socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
                    fds);
}

int ReplaceDescriptor(int fd, int target) {
  return dup3(fd, target, O_CLOEXEC);
}

#else

namespace {

// Closes the descriptor, and returns -1, if it cannot be done.
int Prepared(int fd) {
  if (fd < 0) return fd;
  bool done = fcntl(fd, F_SETFD, FD_CLOEXEC) == 0;
  done = done && SetNonBlocking(fd);
#ifdef SO_NOSIGPIPE
  const int on = 1;
  done = done && setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof(on)) == 0;
#endif
  if (done) return fd;
  const int error = errno;
  close(fd);
  errno = error;
  return -1;
}

}  // namespace

int OpenSocket(int family, int type, int protocol) {
  return Prepared(socket(family, type, protocol));
}

int AcceptSocket(int listener) {
  return Prepared(accept(listener, nullptr, nullptr));
}

int OpenSocketPair(int fds[2]) {
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0) return -1;
  fds[0] = Prepared(fds[0]);
  fds[1] = Prepared(fds[1]);
  if (fds[0] >= 0 && fds[1] >= 0) return 0;
  if (fds[0] >= 0) close(fds[0]);
  if (fds[1] >= 0) close(fds[1]);
  return -1;
}

int ReplaceDescriptor(int fd, int target) {
  const int result = dup2(fd, target);
  if (result >= 0) (void)fcntl(target, F_SETFD, FD_CLOEXEC);
  return result;
}

#endif

}  // namespace uvgrpc
