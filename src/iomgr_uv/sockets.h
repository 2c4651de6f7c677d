// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// Sockets as we want them on every system: non-blocking, closed by exec(), and
// without SIGPIPE. Linux has flags for that; elsewhere it takes a second step,
// between which a fork() and exec() of another thread may come.

#ifndef UVGRPC_IOMGR_UV_SOCKETS_H_
#define UVGRPC_IOMGR_UV_SOCKETS_H_

#include <sys/socket.h>

namespace uvgrpc {

// For send() and its kin. Where there is no such flag, OpenSocket() and
// AcceptSocket() set an option of the socket instead.
#ifdef MSG_NOSIGNAL
inline constexpr int kNoSigpipe = MSG_NOSIGNAL;
#else
inline constexpr int kNoSigpipe = 0;
#endif

// As socket(2).
int OpenSocket(int family, int type, int protocol);

// As accept(2), without the address.
int AcceptSocket(int listener);

// Whoever has the socket: it does not block. False, with errno, on failure.
bool SetNonBlocking(int fd);

// As socketpair(2), of Unix sockets that carry a stream.
int OpenSocketPair(int fds[2]);

// Puts `fd` in the place of `target`, closed by exec(). As dup2(2).
int ReplaceDescriptor(int fd, int target);

}  // namespace uvgrpc

#endif  // UVGRPC_IOMGR_UV_SOCKETS_H_
