// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// A program in which another gRPC's core has won over ours.

#include <grpc/grpc.h>
#include <uv.h>

#include <cstdio>
#include <string>

#include "uvgrpc/engine.h"

const char* grpc_version_string() { return "29.0.0"; }

int main() {
  uv_loop_t loop;
  if (uv_loop_init(&loop) != 0) return 2;
  std::string error;
  const auto engine = uvgrpc::Engine::Create(&loop, &error);
  std::printf("%s\n", error.c_str());
  if (engine != nullptr || uv_loop_close(&loop) != 0) return 3;
  return error.find("linked with gRPC core 29.0.0") != std::string::npos ? 0
                                                                         : 1;
}
