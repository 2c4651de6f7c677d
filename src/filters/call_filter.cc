// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/filters/call_filter.h"

#include "src/core/util/debug_location.h"

namespace uvgrpc {

using grpc_core::CallCombinerClosureList;
using grpc_core::Closure;
using grpc_core::NewClosure;

void CallFilter::PassDown(grpc_transport_stream_op_batch* batch) {
  if (batch->send_message) {
    auto& sent = batch->payload->send_message;
    const absl::Status status =
        rules_.Send(arena_, messages_, *sent.send_message, sent.flags);
    if (!status.ok()) return Fail(batch, status);
  }
  if (batch->recv_message) {
    auto& received = batch->payload->recv_message;
    message_.message = received.recv_message;
    message_.flags =
        received.flags == nullptr ? &unwanted_flags_ : received.flags;
    received.flags = message_.flags;
    message_.completion =
        Intercept(received.recv_message_ready, &message_.ready);
  }
  grpc_call_next_op(element_, batch);
}

void CallFilter::MessageReady(void* arg, grpc_error_handle error) {
  auto* const self = static_cast<CallFilter*>(arg);
  auto& received = self->message_;
  if (error.ok() && received.message->has_value()) {
    const absl::Status status = self->rules_.Receive(
        self->arena_, self->messages_, **received.message, *received.flags);
    if (!status.ok()) {
      received.message->reset();
      return self->FailReceived(received.completion, status);
    }
  }
  Closure::Run(DEBUG_LOCATION, received.completion, error);
}

void CallFilter::Fail(grpc_transport_stream_op_batch* batch,
                      const absl::Status& error) {
  if (error_.ok()) error_ = error;
  CallCombinerClosureList closures;
  grpc_transport_stream_op_batch_queue_finish_with_failure(batch, error,
                                                           &closures);
  AddCancel(closures, error);
  closures.RunClosures(combiner_);
}

void CallFilter::FailReceived(grpc_closure* completion,
                              const absl::Status& error, bool tarpit) {
  if (error_.ok()) error_ = error;
  CallCombinerClosureList closures;
  closures.Add(completion, error, "received what is wrong");
  AddCancel(closures, error, tarpit);
  closures.RunClosures(combiner_);
}

void CallFilter::AddCancel(CallCombinerClosureList& closures,
                           const absl::Status& error, bool tarpit) {
  stack_->IncrementRefCount();
  auto* const batch = grpc_make_transport_stream_op(
      NewClosure([combiner = combiner_, stack = stack_](grpc_error_handle) {
        GRPC_CALL_COMBINER_STOP(combiner, "cancelled");
        stack->Unref();
      }));
  batch->cancel_stream = true;
  batch->payload->cancel_stream.cancel_error = error;
  batch->payload->cancel_stream.tarpit = tarpit;
  closures.Add(NewClosure([element = element_, batch](grpc_error_handle) {
                 grpc_call_next_op(element, batch);
               }),
               absl::OkStatus(), "cancel");
}

}  // namespace uvgrpc
