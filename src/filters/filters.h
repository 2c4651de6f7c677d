// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// Where uvgrpc's filters take the place of core's.

#ifndef UVGRPC_FILTERS_FILTERS_H_
#define UVGRPC_FILTERS_FILTERS_H_

namespace uvgrpc {

// Core puts each filter of a channel behind an adapter between its promises and
// batches; five of them are a fifth of the CPU of a call. Ours do in one step,
// without promises, what those that every channel has do. Channels whose
// filters are others (xDS, authorization policies, ORCA) keep core's. Called
// once, before grpc_init().
void RegisterFilters();

}  // namespace uvgrpc

#endif  // UVGRPC_FILTERS_FILTERS_H_
