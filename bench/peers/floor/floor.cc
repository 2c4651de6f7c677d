// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// A peer of the benchmark: what is left of uvgrpc's server without Python. One
// thread, a plain libuv loop, the project's engine and core.

#include <uv.h>

#include <csignal>

#include "bench/peers/floor/loop_host.h"
#include "bench/peers/floor/program.h"
#include "src/core/server/server.h"
#include "src/engine/core_init.h"

namespace uvgrpc::bench {
namespace {

class ShutdownTag final : public Tag {
 public:
  explicit ShutdownTag(LoopHost* host) : Tag(host) {}
  void Done(bool /*ok*/) override { PrintOverAndExit(); }
};

struct Serving {
  LoopHost* host;
  grpc_server* server;
};

void OnSigterm(uv_signal_t* handle, int /*number*/) {
  const auto* const serving = static_cast<Serving*>(handle->data);
  LoopBridge::CallbackScope scope(serving->host->bridge());
  static ShutdownTag tag(serving->host);
  grpc_server_shutdown_and_notify(serving->server, serving->host->cq(),
                                  tag.core());
  grpc_server_cancel_all_calls(serving->server);
}

void Serve(const Service& service) {
  InitCore();
  uv_loop_t* const loop = uv_default_loop();
  auto* const host = new LoopHost(loop);
  BenchServer server;
  {
    LoopBridge::CallScope scope(host->bridge());
    server = MakeServer(service, host->cq(), host->EngineArg());
    grpc_core::Server::FromC(server.core)
        ->SetRegisteredMethodAllocator(host->cq(), server.method, [&, host] {
          Call* const call = service.new_call(host);
          Call::Slots* const slots = call->slots();
          return grpc_core::Server::RegisteredCallAllocation{
              call->arrived()->core(),
              &slots->core,
              &slots->metadata,
              &slots->deadline,
              service.reads_request ? &slots->request : nullptr,
              host->cq()};
        });
    grpc_server_start(server.core);
  }
  Serving serving{host, server.core};
  uv_signal_t sigterm;
  uv_signal_init(loop, &sigterm);
  sigterm.data = &serving;
  uv_signal_start(&sigterm, &OnSigterm, SIGTERM);
  PrintReady(server);
  uv_run(loop, UV_RUN_DEFAULT);
}

}  // namespace
}  // namespace uvgrpc::bench

int main(int argc, char** argv) {
  uvgrpc::bench::Serve(uvgrpc::bench::ServiceToServe(argc, argv));
  return 1;  // the loop has nothing to end for
}
