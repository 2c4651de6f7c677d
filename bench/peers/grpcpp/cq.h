// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#ifndef UVGRPC_BENCH_PEERS_GRPCPP_CQ_H_
#define UVGRPC_BENCH_PEERS_GRPCPP_CQ_H_

#include "bench.h"

// What waits in a completion queue. A call has one operation under way at a
// time, so that it can be its tag.
class Tag {
 public:
  virtual ~Tag() = default;
  virtual void Proceed(bool ok) = 0;
};

// Prints its port, serves until SIGTERM; the exit code.
int Serve(const Flags& flags);

// Puts a load on a server for a while, after a warm-up, and prints what was
// done; the exit code. Every reply is compared.
int Load(const Flags& flags);

#endif  // UVGRPC_BENCH_PEERS_GRPCPP_CQ_H_
