// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// Which descriptors of this process are sockets of ours, for fork().
//
// A child of fork() has the parent's sockets, and the parent's epoll instance.
// Whatever core does in the child to a connection of the parent's - a GOAWAY
// from a channel that is collected, a RST_STREAM from a call - the peer would
// take for the parent's; and a socket that only the child still holds keeps its
// connection, or its port, in use. So the child exchanges all of them, at
// once, for a socket that leads nowhere. The descriptors keep their numbers:
// what core and libuv know of them stays true, their epoll_ctl(DEL) finds
// nothing in the parent's epoll instance, and no new socket is taken for an old
// one.

#ifndef UVGRPC_IOMGR_UV_SOCKET_REGISTRY_H_
#define UVGRPC_IOMGR_UV_SOCKET_REGISTRY_H_

#include <vector>

namespace uvgrpc {

// Any thread; no locks, for the child of a process that had several threads has
// nobody to unlock them. Descriptors from 2^20 on are not kept.
void NoteSocket(int fd);
// Before the descriptor is closed. Does nothing for one that was not noted.
void ForgetSocket(int fd);

// Whether the descriptor is one that was noted, and leads where it did.
bool IsNotedSocket(int fd);

// The descriptors that are noted, at about this time.
std::vector<int> NotedSockets();

// In the child: exchanges all sockets that were noted, and forgets them. What
// is written to them disappears, nothing is ever read, no event occurs; they
// share one connection, which nobody may shut down. Returns their number.
int ReplaceSockets();

}  // namespace uvgrpc

#endif  // UVGRPC_IOMGR_UV_SOCKET_REGISTRY_H_
