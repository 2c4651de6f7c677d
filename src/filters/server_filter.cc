// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/filters/server_filter.h"

#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "src/core/call/metadata_batch.h"
#include "src/core/ext/filters/http/server/http_server_filter.h"
#include "src/core/filter/auth/auth_filters.h"
#include "src/core/lib/promise/context.h"
#include "src/core/server/server_call_tracer_filter.h"
#include "src/core/util/debug_location.h"
#include "src/core/util/unique_type_name.h"
#include "src/filters/call_filter.h"
#include "src/filters/filter_table.h"

namespace uvgrpc {
namespace {

using grpc_core::Arena;
using grpc_core::Closure;
using grpc_core::HttpServerFilter;
using grpc_core::ServerAuthFilter;
using grpc_core::ServerCallTracerFilter;
using grpc_core::UniqueTypeName;
using grpc_core::promise_detail::Context;

// The status that metadata ends a call with.
absl::Status StatusOf(const grpc_metadata_batch& metadata) {
  const auto* const message =
      metadata.get_pointer(grpc_core::GrpcMessageMetadata());
  const auto code = metadata.get(grpc_core::GrpcStatusMetadata())
                        .value_or(GRPC_STATUS_UNKNOWN);
  return absl::Status(static_cast<absl::StatusCode>(code),
                      message == nullptr ? "" : message->as_string_view());
}

struct ServerChannel {
  absl::Status Init(const grpc_core::ChannelArgs& args) {
    rules.emplace(args, MessageRules::Side::kServer);
    const absl::Status status = Create(args, http);
    return status.ok() ? Create(args, auth) : status;
  }

  std::optional<MessageRules> rules;
  std::unique_ptr<HttpServerFilter> http;
  std::unique_ptr<ServerAuthFilter> auth;
};

class ServerCall final : public CallFilter {
 public:
  ServerCall(grpc_call_element* element, const grpc_call_element_args& args)
      : ServerCall(element, args,
                   *static_cast<ServerChannel*>(element->channel_data)) {}

  void StartBatch(grpc_transport_stream_op_batch* batch) {
    if (batch->recv_initial_metadata) {
      auto& received = batch->payload->recv_initial_metadata;
      metadata_ = received.recv_initial_metadata;
      completion_ =
          Intercept(received.recv_initial_metadata_ready, &metadata_ready_);
    }
    if (batch->send_initial_metadata || batch->send_trailing_metadata) {
      SendMetadata(*batch);
    }
    PassDown(batch);
  }

  void SetPollingEntity(grpc_polling_entity*) {}

  void End(const grpc_call_final_info* info) {
    const Context<Arena> context(arena_);
    tracer_.OnFinalize(info);
  }

 private:
  ServerCall(grpc_call_element* element, const grpc_call_element_args& args,
             ServerChannel& channel)
      : CallFilter(element, args, *channel.rules),
        channel_(channel),
        auth_(channel.auth.get()) {
    GRPC_CLOSURE_INIT(&metadata_ready_, MetadataReady, this, nullptr);
  }

  // In the order of core's filters, from the call to the connection.
  void SendMetadata(const grpc_transport_stream_op_batch& batch) {
    const Context<Arena> context(arena_);
    if (batch.send_initial_metadata) {
      auto& metadata =
          *batch.payload->send_initial_metadata.send_initial_metadata;
      http_.OnServerInitialMetadata(metadata);
      rules_.StartSending(arena_, metadata, messages_);
      tracer_.OnServerInitialMetadata(metadata);
    }
    if (batch.send_trailing_metadata) {
      auto& metadata =
          *batch.payload->send_trailing_metadata.send_trailing_metadata;
      http_.OnServerTrailingMetadata(metadata);
      tracer_.OnServerTrailingMetadata(metadata);
    }
  }

  // In the opposite order.
  static void MetadataReady(void* arg, grpc_error_handle error) {
    auto* const self = static_cast<ServerCall*>(arg);
    if (error.ok()) {
      const Context<Arena> context(self->arena_);
      self->tracer_.OnClientInitialMetadata(*self->metadata_);
      self->rules_.StartReceiving(self->arena_, *self->metadata_,
                                  self->messages_);
      const auto refusal = self->http_.OnClientInitialMetadata(
          *self->metadata_, self->channel_.http.get());
      if (refusal != nullptr) {
        return self->FailReceived(
            self->completion_, StatusOf(*refusal),
            refusal->get(grpc_core::GrpcTarPit()).has_value());
      }
    }
    Closure::Run(DEBUG_LOCATION, self->completion_, error);
  }

  ServerChannel& channel_;
  HttpServerFilter::Call http_;
  ServerCallTracerFilter::Call tracer_;
  ServerAuthFilter::Call auth_;

  grpc_metadata_batch* metadata_ = nullptr;
  grpc_closure* completion_ = nullptr;
  grpc_closure metadata_ready_;
};

}  // namespace

const grpc_channel_filter* ServerFilter() {
  static const UniqueTypeName::Factory name(
      "message_size+http-server+compression+server-auth+server_call_tracer");
  static const grpc_channel_filter filter =
      FilterTable<ServerChannel, ServerCall>(name.Create());
  return &filter;
}

const grpc_channel_filter* ServerFilterWithoutLimits() {
  static const UniqueTypeName::Factory name(
      "http-server+compression+server-auth+server_call_tracer");
  static const grpc_channel_filter filter =
      FilterTable<ServerChannel, ServerCall>(name.Create());
  return &filter;
}

}  // namespace uvgrpc
