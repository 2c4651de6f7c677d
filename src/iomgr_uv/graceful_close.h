// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// The end of a connection.

#ifndef UVGRPC_IOMGR_UV_GRACEFUL_CLOSE_H_
#define UVGRPC_IOMGR_UV_GRACEFUL_CLOSE_H_

#include "src/iomgr_uv/owned_fd.h"

namespace uvgrpc {

// Closes a stream socket such that the peer reads all that the kernel took for
// it, and then the end.
//
// Just closing a socket that has unread input resets the connection: the kernel
// drops what it has not sent yet, such as a last GOAWAY, and the peer sees an
// error instead of the end. So our side is ended first, and input that is there
// is thrown away. Input that comes later still resets: nobody is left to take
// it. But then the end of our side is already on its way.
//
// Never blocks. `fd` need not be open. In the child of a fork it is only
// closed, for there it leads elsewhere (socket_registry.h).
void CloseGracefully(OwnedFd fd, int family);

}  // namespace uvgrpc

#endif  // UVGRPC_IOMGR_UV_GRACEFUL_CLOSE_H_
