// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/filters/client_filter.h"

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "src/core/call/metadata.h"
#include "src/core/call/metadata_batch.h"
#include "src/core/ext/filters/http/client/http_client_filter.h"
#include "src/core/ext/filters/http/client_authority_filter.h"
#include "src/core/filter/auth/auth_filters.h"
#include "src/core/lib/iomgr/polling_entity.h"
#include "src/core/lib/promise/arena_promise.h"
#include "src/core/lib/promise/context.h"
#include "src/core/util/debug_location.h"
#include "src/core/util/unique_type_name.h"
#include "src/filters/call_activity.h"
#include "src/filters/call_filter.h"
#include "src/filters/filter_table.h"

namespace uvgrpc {
namespace {

using grpc_core::Arena;
using grpc_core::ArenaPromise;
using grpc_core::CallCombinerClosureList;
using grpc_core::ClientAuthFilter;
using grpc_core::ClientAuthorityFilter;
using grpc_core::ClientMetadataHandle;
using grpc_core::Closure;
using grpc_core::HttpClientFilter;
using grpc_core::NewClosure;
using grpc_core::UniqueTypeName;
using grpc_core::promise_detail::Context;

struct ClientChannel {
  absl::Status Init(const grpc_core::ChannelArgs& args) {
    rules.emplace(args, MessageRules::Side::kClient);
    absl::Status status = Create(args, authority);
    if (status.ok()) status = Create(args, auth);
    if (status.ok()) status = Create(args, http);
    return status;
  }

  std::optional<MessageRules> rules;
  std::unique_ptr<ClientAuthorityFilter> authority;
  std::unique_ptr<ClientAuthFilter> auth;
  std::unique_ptr<HttpClientFilter> http;
};

// Credentials may take their time: they are a promise, which the call polls.
// Batches wait meanwhile.
class ClientCall final : public CallFilter, public CallActivity {
 public:
  ClientCall(grpc_call_element* element, const grpc_call_element_args& args)
      : ClientCall(element, args,
                   *static_cast<ClientChannel*>(element->channel_data)) {}

  void StartBatch(grpc_transport_stream_op_batch* batch) {
    if (batch->cancel_stream) return Cancel(batch);
    // No batch overtakes those that wait.
    if (credentials_.has_value() || !waiting_.empty()) {
      waiting_.push_back(batch);
      GRPC_CALL_COMBINER_STOP(combiner_, "waits for credentials");
      return;
    }
    if (batch->send_initial_metadata) {
      // A call that has ended asks nobody.
      if (!cancelled_.ok()) return Fail(batch, cancelled_);
      return AskCredentials(batch);
    }
    Pass(batch);
  }

  void SetPollingEntity(grpc_polling_entity* entity) { entity_ = entity; }
  void End(const grpc_call_final_info*) {}

 private:
  using Credentials = ArenaPromise<absl::StatusOr<ClientMetadataHandle>>;

  // What promises find in their context.
  class Scope : private ScopedActivity,
                private Context<Arena>,
                private Context<grpc_polling_entity> {
   public:
    explicit Scope(ClientCall* call)
        : ScopedActivity(call),
          Context<Arena>(call->arena_),
          Context<grpc_polling_entity>(call->entity_) {}
  };

  ClientCall(grpc_call_element* element, const grpc_call_element_args& args,
             ClientChannel& channel)
      : CallFilter(element, args, *channel.rules),
        CallActivity(args.call_stack, args.call_combiner),
        channel_(channel) {
    GRPC_CLOSURE_INIT(&metadata_.ready, MetadataReady, this, nullptr);
    GRPC_CLOSURE_INIT(&trailing_metadata_.ready, TrailingMetadataReady, this,
                      nullptr);
  }

  // The call ends: what waits for credentials gets no further.
  void Cancel(grpc_transport_stream_op_batch* batch) {
    cancelled_ = batch->payload->cancel_stream.cancel_error;
    CallCombinerClosureList closures;
    FailWaiting(closures, cancelled_);
    closures.RunClosuresWithoutYielding(combiner_);
    grpc_call_next_op(element_, batch);
  }

  void FailWaiting(CallCombinerClosureList& closures,
                   const absl::Status& error) {
    if (credentials_.has_value()) {
      const Scope scope(this);
      credentials_.reset();
    }
    for (auto* const batch : std::exchange(waiting_, {})) {
      grpc_transport_stream_op_batch_queue_finish_with_failure(batch, error,
                                                               &closures);
    }
  }

  void AskCredentials(grpc_transport_stream_op_batch* batch) {
    auto& metadata =
        *batch->payload->send_initial_metadata.send_initial_metadata;
    std::optional<absl::Status> outcome;
    {
      const Scope scope(this);
      authority_.OnClientInitialMetadata(metadata, channel_.authority.get());
      credentials_.emplace(auth_.OnClientInitialMetadata(
          ClientMetadataHandle(&metadata, Arena::PooledDeleter(nullptr)),
          channel_.auth.get()));
      outcome = PollCredentials();
    }
    if (!outcome.has_value()) {
      waiting_.push_back(batch);
      GRPC_CALL_COMBINER_STOP(combiner_, "asked for credentials");
    } else if (!outcome->ok()) {
      Fail(batch, *outcome);
    } else {
      SendMetadata(batch);
    }
  }

  // None as long as the credentials are not there.
  std::optional<absl::Status> PollCredentials() {
    do {
      auto result = (*credentials_)();
      if (auto* const metadata = result.value_if_ready()) {
        absl::Status status = metadata->status();
        if (status.ok()) with_credentials_ = *std::move(*metadata);
        credentials_.reset();
        return status;
      }
    } while (TakePollAgain());
    return std::nullopt;
  }

  // In the order of core's filters, from the call to the connection.
  void SendMetadata(grpc_transport_stream_op_batch* batch) {
    auto& sent = batch->payload->send_initial_metadata.send_initial_metadata;
    sent = with_credentials_.get();
    http_.OnClientInitialMetadata(*sent, channel_.http.get());
    rules_.StartSending(arena_, *sent, messages_);
    Pass(batch);
  }

  void Pass(grpc_transport_stream_op_batch* batch) {
    if (batch->recv_initial_metadata) {
      auto& received = batch->payload->recv_initial_metadata;
      metadata_.batch = received.recv_initial_metadata;
      metadata_.completion =
          Intercept(received.recv_initial_metadata_ready, &metadata_.ready);
    }
    if (batch->recv_trailing_metadata) {
      auto& received = batch->payload->recv_trailing_metadata;
      trailing_metadata_.batch = received.recv_trailing_metadata;
      trailing_metadata_.completion = Intercept(
          received.recv_trailing_metadata_ready, &trailing_metadata_.ready);
    }
    PassDown(batch);
  }

  static void MetadataReady(void* arg, grpc_error_handle error) {
    auto* const self = static_cast<ClientCall*>(arg);
    auto& received = self->metadata_;
    if (error.ok()) {
      self->rules_.StartReceiving(self->arena_, *received.batch,
                                  self->messages_);
      const absl::Status status =
          self->http_.OnServerInitialMetadata(*received.batch);
      if (!status.ok()) {
        return self->FailReceived(received.completion, status);
      }
    }
    Closure::Run(DEBUG_LOCATION, received.completion, error);
  }

  // A failure of ours is the status of the call, whatever the server said.
  static void TrailingMetadataReady(void* arg, grpc_error_handle error) {
    auto* const self = static_cast<ClientCall*>(arg);
    auto& received = self->trailing_metadata_;
    absl::Status status = self->error_;
    if (status.ok() && error.ok()) {
      status = self->http_.OnServerTrailingMetadata(*received.batch);
    }
    if (!status.ok()) {
      *received.batch = std::move(*grpc_core::ServerMetadataFromStatus(status));
      error = absl::OkStatus();
    }
    Closure::Run(DEBUG_LOCATION, received.completion, error);
  }

  // CallActivity.
  void Wake() override {
    if (!credentials_.has_value()) {
      GRPC_CALL_COMBINER_STOP(combiner_, "has its credentials");
      return;
    }
    std::optional<absl::Status> outcome;
    {
      const Scope scope(this);
      outcome = PollCredentials();
    }
    if (outcome.has_value() && outcome->ok()) return PassWaiting();
    CallCombinerClosureList closures;
    if (outcome.has_value()) {
      if (error_.ok()) error_ = *outcome;
      FailWaiting(closures, *outcome);
      AddCancel(closures, *outcome);
    }
    closures.RunClosures(combiner_);
  }

  // One at a time, because passing a batch gives the combiner back.
  void PassWaiting() {
    if (waiting_.empty()) {
      GRPC_CALL_COMBINER_STOP(combiner_, "cancelled meanwhile");
      return;
    }
    auto* const batch = waiting_.front();
    waiting_.erase(waiting_.begin());
    if (!waiting_.empty()) {
      stack_->IncrementRefCount();
      GRPC_CALL_COMBINER_START(combiner_, NewClosure([this](grpc_error_handle) {
                                 auto* const stack = stack_;
                                 PassWaiting();
                                 stack->Unref();
                               }),
                               absl::OkStatus(), "has its credentials");
    }
    if (batch->send_initial_metadata) {
      SendMetadata(batch);
    } else {
      Pass(batch);
    }
  }

  ClientChannel& channel_;
  ClientAuthorityFilter::Call authority_;
  ClientAuthFilter::Call auth_;
  HttpClientFilter::Call http_;
  grpc_polling_entity* entity_ = nullptr;

  std::optional<Credentials> credentials_;
  ClientMetadataHandle with_credentials_;
  // Of the call while credentials_ are asked for, and until they have passed.
  std::vector<grpc_transport_stream_op_batch*> waiting_;
  absl::Status cancelled_;

  struct Receiving {
    grpc_metadata_batch* batch = nullptr;
    grpc_closure* completion = nullptr;
    grpc_closure ready;
  };
  Receiving metadata_;
  Receiving trailing_metadata_;
};

}  // namespace

const grpc_channel_filter* ClientFilter() {
  static const UniqueTypeName::Factory name(
      "authority+client-auth-filter+message_size+http-client+compression");
  static const grpc_channel_filter filter =
      FilterTable<ClientChannel, ClientCall>(name.Create());
  return &filter;
}

}  // namespace uvgrpc
