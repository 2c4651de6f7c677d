// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "rpc.h"

#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/credentials.h>
#include <grpc/grpc_security.h>
#include <grpc/slice.h>
#include <grpc/support/time.h>

#include <cstdio>
#include <cstdlib>
#include <utility>

namespace example {
namespace {

std::string TextOf(const grpc_slice& slice) {
  return std::string(reinterpret_cast<const char*>(GRPC_SLICE_START_PTR(slice)),
                     GRPC_SLICE_LENGTH(slice));
}

std::string TextOf(grpc_byte_buffer* buffer) {
  grpc_byte_buffer_reader reader;
  if (buffer == nullptr || !grpc_byte_buffer_reader_init(&reader, buffer)) {
    return "";
  }
  const grpc_slice slice = grpc_byte_buffer_reader_readall(&reader);
  std::string text = TextOf(slice);
  grpc_slice_unref(slice);
  grpc_byte_buffer_reader_destroy(&reader);
  return text;
}

grpc_byte_buffer* BufferOf(const std::string& text) {
  grpc_slice slice = grpc_slice_from_copied_buffer(text.data(), text.size());
  grpc_byte_buffer* const buffer = grpc_raw_byte_buffer_create(&slice, 1);
  grpc_slice_unref(slice);
  return buffer;
}

grpc_op Op(grpc_op_type type) {
  grpc_op op{};
  op.op = type;
  return op;
}

// Core refuses only what is a mistake of the program's.
void Check(grpc_call_error error) {
  if (error == GRPC_CALL_OK) return;
  std::fprintf(stderr, "%s\n", grpc_call_error_to_string(error));
  std::abort();
}

// A call of a client's: six operations in one batch. Deletes itself.
class ClientCall final : public uvgrpc::Operation {
 public:
  ClientCall(uvgrpc::Engine* engine, grpc_call* core,
             const std::string& request, std::function<void(Outcome)> done)
      : Operation(engine),
        core_(core),
        request_(BufferOf(request)),
        done_(std::move(done)) {
    grpc_metadata_array_init(&initial_);
    grpc_metadata_array_init(&trailing_);
    grpc_op ops[] = {
        Op(GRPC_OP_SEND_INITIAL_METADATA),  Op(GRPC_OP_SEND_MESSAGE),
        Op(GRPC_OP_SEND_CLOSE_FROM_CLIENT), Op(GRPC_OP_RECV_INITIAL_METADATA),
        Op(GRPC_OP_RECV_MESSAGE),           Op(GRPC_OP_RECV_STATUS_ON_CLIENT)};
    ops[1].data.send_message.send_message = request_;
    ops[3].data.recv_initial_metadata.recv_initial_metadata = &initial_;
    ops[4].data.recv_message.recv_message = &reply_;
    ops[5].data.recv_status_on_client.trailing_metadata = &trailing_;
    ops[5].data.recv_status_on_client.status = &code_;
    ops[5].data.recv_status_on_client.status_details = &details_;
    Check(grpc_call_start_batch(core_, ops, 6, Tag(), nullptr));
  }

 private:
  ~ClientCall() {
    grpc_metadata_array_destroy(&initial_);
    grpc_metadata_array_destroy(&trailing_);
    grpc_byte_buffer_destroy(request_);
    grpc_byte_buffer_destroy(reply_);
    grpc_slice_unref(details_);
    grpc_call_unref(core_);
  }

  void Done(bool /*ok*/) override {
    const auto done = std::move(done_);
    Outcome outcome{code_, TextOf(details_), TextOf(reply_)};
    delete this;
    done(std::move(outcome));
  }

  grpc_call* const core_;
  grpc_byte_buffer* const request_;
  std::function<void(Outcome)> done_;
  // Written by core.
  grpc_metadata_array initial_;
  grpc_metadata_array trailing_;
  grpc_byte_buffer* reply_ = nullptr;
  grpc_status_code code_ = GRPC_STATUS_UNKNOWN;
  grpc_slice details_ = grpc_empty_slice();
};

grpc_channel* NewChannel(uvgrpc::Engine* engine, const std::string& target) {
  grpc_arg on_this_loop = engine->ChannelArg();
  const grpc_channel_args args = {1, &on_this_loop};
  grpc_channel_credentials* const credentials =
      grpc_insecure_credentials_create();
  grpc_channel* const channel =
      grpc_channel_create(target.c_str(), credentials, &args);
  grpc_channel_credentials_release(credentials);
  return channel;
}

grpc_server* NewServer(uvgrpc::Engine* engine) {
  grpc_arg on_this_loop = engine->ChannelArg();
  const grpc_channel_args args = {1, &on_this_loop};
  grpc_server* const server = grpc_server_create(&args, nullptr);
  grpc_server_register_completion_queue(server, engine->queue(), nullptr);
  return server;
}

}  // namespace

Channel::Channel(uvgrpc::Engine* engine, const std::string& target)
    : engine_(engine), core_(NewChannel(engine, target)) {}

Channel::~Channel() { grpc_channel_destroy(core_); }

void Channel::Call(const std::string& method, const std::string& request,
                   std::chrono::milliseconds timeout,
                   std::function<void(Outcome)> done) {
  const gpr_timespec deadline =
      gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                   gpr_time_from_millis(timeout.count(), GPR_TIMESPAN));
  const grpc_slice path =
      grpc_slice_from_copied_buffer(method.data(), method.size());
  grpc_call* const core = grpc_channel_create_call(
      core_, nullptr, GRPC_PROPAGATE_DEFAULTS, engine_->queue(), path, nullptr,
      deadline, nullptr);
  grpc_slice_unref(path);
  new ClientCall(engine_, core, request, std::move(done));
}

// An RPC that is served. Gone when core has no operation of it any more, and
// nobody can answer it.
struct Server::ServerCall {
  ServerCall() {
    grpc_call_details_init(&details);
    grpc_metadata_array_init(&metadata);
  }
  ~ServerCall() {
    grpc_call_details_destroy(&details);
    grpc_metadata_array_destroy(&metadata);
    grpc_byte_buffer_destroy(request);
    grpc_byte_buffer_destroy(reply);
    if (core != nullptr) grpc_call_unref(core);
  }

  // Written by core.
  grpc_call* core = nullptr;
  grpc_call_details details;
  grpc_metadata_array metadata;
  grpc_byte_buffer* request = nullptr;
  int cancelled = 0;

  grpc_byte_buffer* reply = nullptr;
  bool is_over = false;  // answered, or given up by its client
};

Server::Server(uvgrpc::Engine* engine, std::map<std::string, Handler> handlers)
    : engine_(engine),
      handlers_(std::move(handlers)),
      core_(NewServer(engine)) {
  grpc_server_credentials* const credentials =
      grpc_insecure_server_credentials_create();
  port_ = grpc_server_add_http2_port(core_, "127.0.0.1:0", credentials);
  grpc_server_credentials_release(credentials);
  grpc_server_start(core_);
  AwaitCall();
}

Server::~Server() { grpc_server_destroy(core_); }

void Server::Shutdown(std::function<void()> done) {
  grpc_server_shutdown_and_notify(
      core_, engine_->queue(),
      engine_->OnDone([done = std::move(done)](bool /*ok*/) { done(); }));
  grpc_server_cancel_all_calls(core_);
}

void Server::AwaitCall() {
  const auto call = std::make_shared<ServerCall>();
  Check(grpc_server_request_call(
      core_, &call->core, &call->details, &call->metadata, engine_->queue(),
      engine_->queue(), engine_->OnDone([this, call](bool ok) {
        if (!ok) return;  // the server shuts down
        AwaitCall();
        Serve(call);
      })));
}

void Server::Serve(const std::shared_ptr<ServerCall>& call) {
  // The one comes back with the RPC's end, whatever ends it.
  grpc_op end = Op(GRPC_OP_RECV_CLOSE_ON_SERVER);
  end.data.recv_close_on_server.cancelled = &call->cancelled;
  Check(grpc_call_start_batch(
      call->core, &end, 1,
      engine_->OnDone([call](bool /*ok*/) { call->is_over = true; }), nullptr));
  grpc_op request = Op(GRPC_OP_RECV_MESSAGE);
  request.data.recv_message.recv_message = &call->request;
  Check(grpc_call_start_batch(
      call->core, &request, 1,
      engine_->OnDone([this, call](bool /*ok*/) { HandleRequest(call); }),
      nullptr));
}

void Server::HandleRequest(const std::shared_ptr<ServerCall>& call) {
  const auto handler = handlers_.find(TextOf(call->details.method));
  if (handler == handlers_.end()) {
    return Finish(call, GRPC_STATUS_UNIMPLEMENTED, "");
  }
  handler->second(TextOf(call->request),
                  [this, call](const std::string& reply) {
                    Finish(call, GRPC_STATUS_OK, reply);
                  });
}

void Server::Finish(const std::shared_ptr<ServerCall>& call,
                    grpc_status_code code, const std::string& reply) {
  if (std::exchange(call->is_over, true)) return;
  call->reply = BufferOf(reply);
  grpc_op ops[] = {Op(GRPC_OP_SEND_INITIAL_METADATA),
                   Op(GRPC_OP_SEND_STATUS_FROM_SERVER),
                   Op(GRPC_OP_SEND_MESSAGE)};
  ops[1].data.send_status_from_server.status = code;
  ops[2].data.send_message.send_message = call->reply;
  Check(grpc_call_start_batch(call->core, ops, code == GRPC_STATUS_OK ? 3 : 2,
                              engine_->OnDone([call](bool /*ok*/) {}),
                              nullptr));
}

}  // namespace example
