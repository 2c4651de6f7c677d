// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/bindings/server.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>

#include "src/bindings/py_ref.h"
#include "src/bindings/python_hooks.h"
#include "src/bindings/server_call.h"
#include "src/core/credentials/transport/security_connector.h"
#include "src/core/credentials/transport/transport_credentials.h"
#include "src/core/ext/transport/chttp2/server/chttp2_server.h"
#include "src/core/lib/channel/channel_args.h"
#include "src/core/lib/iomgr/exec_ctx.h"
#include "src/core/server/server.h"
#include "src/iomgr_uv/socket_address.h"
#include "src/iomgr_uv/tcp_options.h"

namespace uvgrpc {
namespace {

// A server that drains looks after its connections so often.
constexpr std::chrono::milliseconds kFirstLook{1};
constexpr std::chrono::milliseconds kLaterLook{16};
// What a connection that has just come may take for its greeting, or TLS
// handshake, when its server stops.
constexpr std::chrono::milliseconds kGreetingTime{1000};

}  // namespace

Server* Server::New(std::shared_ptr<LoopContext> context, ChannelArgs* args,
                    PyObject* owner) {
  return new Server(std::move(context), args, owner);
}

Server::Server(std::shared_ptr<LoopContext> context, ChannelArgs* args,
               PyObject* owner)
    : LoopResident(context.get()),
      context_(std::move(context)),
      owner_(owner),
      shutdown_tag_(this) {
  LoopBridge::CallScope scope(context_->bridge());
  args->Add(context_->EngineArg());
  args->Add(Arrivals::Argument(&arrivals_));
  server_ = grpc_server_create(args->core(), nullptr);
  grpc_server_register_completion_queue(server_, context_->cq(), nullptr);
}

Server::~Server() { DestroyCore(); }

void Server::DestroyCore() {
  if (server_ == nullptr) return;
  LoopBridge::CallScope scope(context_->bridge());
  grpc_server_destroy(std::exchange(server_, nullptr));
}

void Server::AddCall(ServerCall* call) {
  Ref();
  call->next_ = calls_;
  if (calls_ != nullptr) calls_->prev_ = call;
  calls_ = call;
}

void Server::RemoveCall(ServerCall* call) {
  if (call->next_ != nullptr) call->next_->prev_ = call->prev_;
  (call->prev_ != nullptr ? call->prev_->next_ : calls_) = call->next_;
  if (calls_ == nullptr && stopped_) DestroyCore();
  Unref();
}

void Server::ReleaseCore() {
  bool any = false;
  for (ServerCall* call = calls_; call != nullptr; call = call->next_) {
    call->ReleaseCore();
    any |= call->has_core();
  }
  if (!any) DestroyCore();
}

void Server::Unref() {
  if (refs_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  context_->RunInLoop([this, keep_alive = context_] { delete this; });
}

void Server::Abandon() {
  owner_.store(nullptr, std::memory_order_relaxed);
  // Not at once: replies that were asked for in this turn are to go first.
  context_->bridge()->Post([this, keep_alive = context_] {
    if (!context_->is_closed()) Shutdown();
    Unref();
  });
}

int Server::AddPort(const std::string& address,
                    grpc_server_credentials* credentials) {
  if (shutdown_started_) return 0;
  LoopBridge::CallScope scope(context_->bridge());
  return grpc_server_add_http2_port(server_, address.c_str(), credentials);
}

absl::StatusOr<int> Server::AddSocket(int fd,
                                      grpc_server_credentials* credentials) {
  if (shutdown_started_) {
    return absl::FailedPreconditionError("the server was stopped");
  }
  LoopBridge::CallScope scope(context_->bridge());
  grpc_core::ExecCtx exec_ctx;
  const absl::StatusOr<ResolvedAddress> address = LocalAddressOf(fd);
  if (!address.ok()) return address.status();
  auto connector =
      credentials->create_security_connector(grpc_core::ChannelArgs());
  if (connector == nullptr) {
    return absl::InvalidArgumentError("the credentials cannot be used");
  }
  // What core's own AddPort does, but for the name that it looks up.
  grpc_core::Server* core = grpc_core::Server::FromC(server_);
  int port = 0;
  const absl::Status status = grpc_core::NewChttp2ServerListener::Create(
      core, *address,
      core->channel_args()
          .SetObject(credentials->Ref())
          .SetObject(std::move(connector))
          .Set(kAdoptedSocketArg, fd),
      &port);
  if (!status.ok()) return status;
  return port;
}

int Server::AddMethod(const std::string& path, bool reads_request) {
  methods_.push_back(
      Method{grpc_server_register_method(
                 server_, path.c_str(), /*host=*/nullptr,
                 reads_request ? GRPC_SRM_PAYLOAD_READ_INITIAL_BYTE_BUFFER
                               : GRPC_SRM_PAYLOAD_NONE,
                 /*flags=*/0),
             reads_request});
  return static_cast<int>(methods_.size()) - 1;
}

void Server::Start() {
  if (shutdown_started_) return;
  LoopBridge::CallScope scope(context_->bridge());
  grpc_core::Server* core = grpc_core::Server::FromC(server_);
  for (size_t i = 0; i < methods_.size(); ++i) {
    core->SetRegisteredMethodAllocator(
        context_->cq(), methods_[i].core,
        [this, index = static_cast<int>(i),
         reads_request = methods_[i].reads_request] {
          return ServerCall::AllocateRegistered(this, index, reads_request);
        });
  }
  core->SetBatchMethodAllocator(
      context_->cq(), [this] { return ServerCall::AllocateGeneric(this); });
  grpc_server_start(server_);
}

void Server::Drain() {
  if (shutdown_started_ || std::exchange(drain_started_, true)) return;
  LoopBridge::CallScope scope(context_->bridge());
  arrivals_->StopListening();
  {
    grpc_core::ExecCtx exec_ctx;
    grpc_core::Server::FromC(server_)->SendGoaways();
  }
  ShutdownWithoutConnections(kFirstLook);
}

// Core drops the connections that have not got past their handshake.
void Server::EndListeners() {
  LoopBridge::CallScope scope(context_->bridge());
  grpc_core::ExecCtx exec_ctx;
  grpc_core::Server::FromC(server_)->StopListening();
  // To those that have come in since the others had theirs.
  grpc_core::Server::FromC(server_)->SendGoaways();
}

// Core does not say when the last one goes.
void Server::ShutdownWithoutConnections(std::chrono::milliseconds look_again) {
  if (shutdown_started_) return;
  if (!listeners_ended_ && !arrivals_->AwaitsGreetings(kGreetingTime)) {
    listeners_ended_ = true;
    EndListeners();
  }
  if (listeners_ended_ &&
      !grpc_core::Server::FromC(server_)->HasOpenConnections()) {
    return Shutdown();
  }
  struct Release {
    void operator()(Server* server) const { server->Unref(); }
  };
  Ref();
  context_->engine()->RunAfter(
      look_again, [self = std::unique_ptr<Server, Release>(this), look_again] {
        self->ShutdownWithoutConnections(std::min(2 * look_again, kLaterLook));
      });
}

void Server::Shutdown() {
  if (std::exchange(shutdown_started_, true)) return;
  LoopBridge::CallScope scope(context_->bridge());
  Ref();
  grpc_server_shutdown_and_notify(server_, context_->cq(), shutdown_tag_.tag());
}

void Server::CancelAllCalls() {
  if (server_ == nullptr) return;
  Shutdown();
  LoopBridge::CallScope scope(context_->bridge());
  grpc_server_cancel_all_calls(server_);
}

void Server::EndWithLoop() { CancelAllCalls(); }

bool Server::HandleShutdown() {
  Leave();
  stopped_ = true;
  return true;
}

void Server::DeliverShutdown() {
  ReleaseCore();
  if (const PyRef listener = PyRef::BorrowIfAlive(owner())) {
    g_python.on_server_shutdown(listener.get());
    context_->NoteException();
  }
  Unref();
}

}  // namespace uvgrpc
