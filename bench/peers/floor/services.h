// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#ifndef UVGRPC_BENCH_PEERS_FLOOR_SERVICES_H_
#define UVGRPC_BENCH_PEERS_FLOOR_SERVICES_H_

#include <string_view>

#include "bench/peers/floor/call.h"
#include "bench/peers/floor/host.h"

namespace uvgrpc::bench {

// A service of bench.proto: it has one method.
struct Service {
  std::string_view name;  // the harness's
  const char* path;
  bool reads_request;  // core reads the one message before it tells of the RPC
  Call* (*new_call)(Host* host);
};

// Null for a name that there is not.
const Service* FindService(std::string_view name);

}  // namespace uvgrpc::bench

#endif  // UVGRPC_BENCH_PEERS_FLOOR_SERVICES_H_
