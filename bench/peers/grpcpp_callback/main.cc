// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// A peer of the benchmark: grpc++'s callback API. The harness starts it as
//
//   grpcpp_callback serve --service unary|streaming|pingpong|echo
//
// It prints a line of JSON with its port, and serves until SIGTERM. It has no
// client: then it prints so and ends with the code for that (see
// peers/program.py).

#include <grpcpp/grpcpp.h>

#include <csignal>
#include <cstdio>
#include <memory>
#include <string_view>

#include "services.h"

namespace {

constexpr int kNotYet = 3;
constexpr int kLargest = 16 << 20;  // bytes of a message

int Serve(std::string_view name) {
  // Before any thread is there, so that all of them leave the signal to
  // sigwait().
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  std::unique_ptr<grpc::Service> service = MakeService(name);
  if (service == nullptr) {
    std::fprintf(stderr, "no such service\n");
    return 2;
  }
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                           &port);
  builder.RegisterService(service.get());
  if (name == "echo") builder.SetMaxReceiveMessageSize(kLargest);
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr || port == 0) {
    std::fprintf(stderr, "the server did not start\n");
    return 1;
  }
  std::printf("{\"port\": %d, \"versions\": {\"grpc++\": \"%s\"}}\n", port,
              grpc::Version().c_str());
  std::fflush(stdout);
  int signal = 0;
  sigwait(&signals, &signal);
  server->Shutdown();
  std::printf("{}\n");
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 4 && std::string_view(argv[1]) == "serve" &&
      std::string_view(argv[2]) == "--service") {
    return Serve(argv[3]);
  }
  std::printf("{\"not_yet\": \"only a server\"}\n");
  return kNotYet;
}
