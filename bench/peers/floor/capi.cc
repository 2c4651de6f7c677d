// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// A peer of the benchmark: the server of floor.cc by gRPC's C API alone, on
// gRPC's own engine, whose threads poll the sockets. One thread polls the
// completion queue.

#include <grpc/grpc.h>

#include <csignal>
#include <cstdlib>
#include <thread>

#include "bench/peers/floor/program.h"

namespace uvgrpc::bench {
namespace {

// Core matches an RPC with a call that waits for one.
constexpr int kWaiting = 200;

class QueueHost final : public Host {
 public:
  explicit QueueHost(const Service& service)
      : service_(service),
        cq_(grpc_completion_queue_create_for_next(nullptr)),
        server_(MakeServer(service, cq_, /*engine=*/{})) {}

  [[noreturn]] void Serve() {
    grpc_server_start(server_.core);
    for (int i = 0; i < kWaiting; ++i) HandleArrival();
    PrintReady(server_);
    while (true) {
      const grpc_event event = grpc_completion_queue_next(
          cq_, gpr_inf_future(GPR_CLOCK_REALTIME), nullptr);
      Tag::FromCore(event.tag)->Done(event.success != 0);
    }
  }

  // Any thread.
  void Shutdown() {
    grpc_server_shutdown_and_notify(server_.core, cq_, shutdown_.core());
    grpc_server_cancel_all_calls(server_.core);
  }

  // Host
  void Start(grpc_call* call, const grpc_op* ops, size_t count,
             Tag* tag) override {
    if (grpc_call_start_batch(call, ops, count, tag->core(), nullptr) !=
        GRPC_CALL_OK) {
      std::abort();
    }
  }
  void Complete(Tag* /*tag*/, bool /*ok*/) override { std::abort(); }
  void HandleArrival() override {
    Call* const call = service_.new_call(this);
    Call::Slots* const slots = call->slots();
    if (grpc_server_request_registered_call(
            server_.core, server_.method, &slots->core, &slots->deadline,
            &slots->metadata,
            service_.reads_request ? &slots->request : nullptr, cq_, cq_,
            call->arrived()->core()) != GRPC_CALL_OK) {
      std::abort();
    }
  }

 private:
  class ShutdownTag final : public Tag {
   public:
    using Tag::Tag;
    void Done(bool /*ok*/) override { PrintOverAndExit(); }
  };

  const Service& service_;
  grpc_completion_queue* const cq_;
  const BenchServer server_;
  ShutdownTag shutdown_{this};
};

void Serve(const Service& service) {
  // Before any thread is there, so that all of them leave it to sigwait().
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  grpc_init();
  QueueHost host(service);
  std::thread([&host, signals] {
    int number = 0;
    sigwait(&signals, &number);
    host.Shutdown();
  }).detach();
  host.Serve();
}

}  // namespace
}  // namespace uvgrpc::bench

int main(int argc, char** argv) {
  uvgrpc::bench::Serve(uvgrpc::bench::ServiceToServe(argc, argv));
}
