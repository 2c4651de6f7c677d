// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// What the two programs share: command line, server, lines of JSON (see
// peers/program.py).

#ifndef UVGRPC_BENCH_PEERS_FLOOR_PROGRAM_H_
#define UVGRPC_BENCH_PEERS_FLOOR_PROGRAM_H_

#include <grpc/grpc.h>

#include <optional>

#include "bench/peers/floor/services.h"

namespace uvgrpc::bench {

// The service that the command line asks for. Ends the program if it asks for
// anything else: there is no client.
const Service& ServiceToServe(int argc, char** argv);

// A server and its one method, not started yet.
struct BenchServer {
  grpc_server* core;
  void* method;
  int port;
};

// `engine`: the argument that puts the server on an engine, if not on the
// default one.
BenchServer MakeServer(const Service& service, grpc_completion_queue* cq,
                       std::optional<grpc_arg> engine);

void PrintReady(const BenchServer& server);

// The process's end frees what is left.
[[noreturn]] void PrintOverAndExit();

}  // namespace uvgrpc::bench

#endif  // UVGRPC_BENCH_PEERS_FLOOR_PROGRAM_H_
