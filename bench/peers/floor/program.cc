// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "bench/peers/floor/program.h"

#include <grpc/credentials.h>
#include <grpc/grpc_security.h>
#include <grpc/impl/channel_arg_names.h>

#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace uvgrpc::bench {
namespace {

constexpr int kNotYet = 3;
constexpr int kLargest = 16 << 20;  // bytes of a message to echo

}  // namespace

const Service& ServiceToServe(int argc, char** argv) {
  if (argc != 4 || std::string_view(argv[1]) != "serve") {
    std::printf("{\"not_yet\": \"only a server\"}\n");
    std::exit(kNotYet);
  }
  const Service* const service = FindService(argv[3]);
  if (service == nullptr) {
    std::printf("{\"not_yet\": \"no service %s\"}\n", argv[3]);
    std::exit(kNotYet);
  }
  return *service;
}

BenchServer MakeServer(const Service& service, grpc_completion_queue* cq,
                       std::optional<grpc_arg> engine) {
  grpc_arg args[2];
  grpc_channel_args all{0, args};
  if (engine.has_value()) args[all.num_args++] = *engine;
  if (service.name == "echo") {
    grpc_arg& most = args[all.num_args++];
    most.type = GRPC_ARG_INTEGER;
    most.key = const_cast<char*>(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH);
    most.value.integer = kLargest;
  }
  BenchServer server{};
  server.core = grpc_server_create(&all, nullptr);
  grpc_server_register_completion_queue(server.core, cq, nullptr);
  grpc_server_credentials* const credentials =
      grpc_insecure_server_credentials_create();
  server.port =
      grpc_server_add_http2_port(server.core, "127.0.0.1:0", credentials);
  grpc_server_credentials_release(credentials);
  server.method = grpc_server_register_method(
      server.core, service.path, nullptr,
      service.reads_request ? GRPC_SRM_PAYLOAD_READ_INITIAL_BYTE_BUFFER
                            : GRPC_SRM_PAYLOAD_NONE,
      0);
  if (server.port == 0) {
    std::fprintf(stderr, "the server has no port\n");
    std::exit(1);
  }
  return server;
}

void PrintReady(const BenchServer& server) {
  std::printf("{\"port\": %d, \"versions\": {\"gRPC core\": \"%s\"}}\n",
              server.port, UVGRPC_BENCH_GRPC_VERSION);
  std::fflush(stdout);
}

void PrintOverAndExit() {
  std::printf("{}\n");
  std::fflush(stdout);
  std::_Exit(0);
}

}  // namespace uvgrpc::bench
