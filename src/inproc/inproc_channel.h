// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// Channels to a server of the same process and loop, without a socket.

#ifndef UVGRPC_INPROC_INPROC_CHANNEL_H_
#define UVGRPC_INPROC_INPROC_CHANNEL_H_

#include <grpc/grpc.h>

#include "absl/functional/any_invocable.h"

namespace uvgrpc {

// A channel to `server`, which must have started. Calls go through the filters
// of an insecure HTTP/2 channel, but there is no load balancing, and so no
// retries. `args` as of any channel, with the engine of the server's loop.
//
// `on_state` hears of the connection's state when it changes: TRANSIENT_FAILURE
// when the server takes no more calls, SHUTDOWN when the last of them is over.
// Loop thread, from the depth of core's stack; it goes with the connection,
// which may outlive the channel.
grpc_channel* CreateInprocChannel(
    grpc_server* server, const grpc_channel_args* args,
    absl::AnyInvocable<void(grpc_connectivity_state)> on_state);

}  // namespace uvgrpc

#endif  // UVGRPC_INPROC_INPROC_CHANNEL_H_
