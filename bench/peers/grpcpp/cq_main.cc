// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// A peer of the benchmark: grpc++'s asynchronous API, one completion queue that
// one thread works off.
//
//   grpcpp_cq serve --service unary|streaming|pingpong|upload
//   grpcpp_cq client --load unary|latency|streaming|pingpong|upload ...

#include <cstdio>
#include <string_view>

#include "cq.h"

int main(int argc, char** argv) {
  const std::string_view role = argc > 1 ? argv[1] : "";
  const Flags flags = ReadFlags(argc, argv);
  if (role == "serve") return Serve(flags);
  if (role == "client") return Load(flags);
  std::fprintf(stderr, "usage: grpcpp_cq serve|client [flags]\n");
  return 2;
}
