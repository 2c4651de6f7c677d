// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// A peer of the benchmark: grpc++'s callback API, a server only.
//
//   grpcpp_callback serve --service unary|streaming|pingpong|upload|echo

#include <grpcpp/grpcpp.h>

#include <cstdio>
#include <memory>
#include <string_view>

#include "bench.h"
#include "callback_services.h"

namespace {

constexpr int kLargest = 16 << 20;  // bytes of a message

int Serve(const Flags& flags) {
  BlockStop();
  std::unique_ptr<grpc::Service> service = MakeService(flags.at("service"));
  if (service == nullptr) return NotYet("grpc++ has no such service here");
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", Credentials(flags), &port);
  builder.RegisterService(service.get());
  if (flags.at("service") == "echo") builder.SetMaxReceiveMessageSize(kLargest);
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr || port == 0) {
    std::fprintf(stderr, "the server did not start\n");
    return 1;
  }
  PrintPort(port);
  WaitForStop();
  server->Shutdown();
  std::printf("{}\n");
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const Flags flags = ReadFlags(argc, argv);
  if (argc > 1 && std::string_view(argv[1]) == "serve" &&
      flags.count("service") == 1) {
    return Serve(flags);
  }
  return NotYet("only a server");
}
