// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// Channels over a socket that a program has connected.

#ifndef UVGRPC_BINDINGS_CONNECTED_CHANNEL_H_
#define UVGRPC_BINDINGS_CONNECTED_CHANNEL_H_

#include <grpc/credentials.h>
#include <grpc/grpc.h>

#include "absl/status/statusor.h"

namespace uvgrpc {

// A channel that has the connection `fd`, taken over in any case, and never
// makes another: once that is lost, the channel's connection attempts fail with
// UNAVAILABLE, saying so. (Core's CreateChannelFromFd connects anew, to the
// address that the socket was connected to.) It begins with the handshakes of
// `credentials` at once. Fails when `fd` is no connected socket. `args` has the
// engine of the loop, whose thread this is.
absl::StatusOr<grpc_channel*> CreateConnectedChannel(
    int fd, grpc_channel_credentials* credentials,
    const grpc_channel_args* args);

}  // namespace uvgrpc

#endif  // UVGRPC_BINDINGS_CONNECTED_CHANNEL_H_
