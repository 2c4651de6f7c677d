// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// The server's filters between its calls and their connection, as one.

#ifndef UVGRPC_FILTERS_SERVER_FILTER_H_
#define UVGRPC_FILTERS_SERVER_FILTER_H_

#include "src/core/lib/channel/channel_stack.h"

namespace uvgrpc {

// Does what core's filters of this name do: sizes, HTTP/2 headers, compression,
// security context, tracer.
const grpc_channel_filter* ServerFilter();
// The same for a server without limits of messages' sizes.
const grpc_channel_filter* ServerFilterWithoutLimits();

}  // namespace uvgrpc

#endif  // UVGRPC_FILTERS_SERVER_FILTER_H_
