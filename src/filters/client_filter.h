// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// A client's filters between its calls and their connection, as one.

#ifndef UVGRPC_FILTERS_CLIENT_FILTER_H_
#define UVGRPC_FILTERS_CLIENT_FILTER_H_

#include "src/core/lib/channel/channel_stack.h"

namespace uvgrpc {

// Does what core's filters of this name do: authority, call credentials, sizes,
// HTTP/2 headers, compression.
const grpc_channel_filter* ClientFilter();

}  // namespace uvgrpc

#endif  // UVGRPC_FILTERS_CLIENT_FILTER_H_
