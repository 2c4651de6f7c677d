// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// A call in a channel's stack: what clients' and servers' filters share.

#ifndef UVGRPC_FILTERS_CALL_FILTER_H_
#define UVGRPC_FILTERS_CALL_FILTER_H_

#include <cstdint>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "src/core/lib/channel/channel_stack.h"
#include "src/core/lib/iomgr/call_combiner.h"
#include "src/core/lib/iomgr/closure.h"
#include "src/core/lib/resource_quota/arena.h"
#include "src/core/lib/slice/slice_buffer.h"
#include "src/core/lib/transport/transport.h"
#include "src/filters/message_rules.h"

namespace uvgrpc {

// Runs in the call's combiner. Whoever gets a batch or a completion passes it
// on, which in the end gives the combiner back.
class CallFilter {
 protected:
  CallFilter(grpc_call_element* element, const grpc_call_element_args& args,
             MessageRules& rules)
      : element_(element),
        stack_(args.call_stack),
        combiner_(args.call_combiner),
        arena_(args.arena),
        rules_(rules) {
    GRPC_CLOSURE_INIT(&message_.ready, MessageReady, this, nullptr);
  }
  CallFilter(const CallFilter&) = delete;
  CallFilter& operator=(const CallFilter&) = delete;
  ~CallFilter() = default;

  // Applies the rules to the message of a batch, if it has one, asks to see the
  // message that it will receive, and hands it to the connection.
  void PassDown(grpc_transport_stream_op_batch* batch);
  // The batch and the call have failed.
  void Fail(grpc_transport_stream_op_batch* batch, const absl::Status& error);
  // What was received makes the call fail. With tarpit the peer learns of it
  // a little later.
  void FailReceived(grpc_closure* completion, const absl::Status& error,
                    bool tarpit = false);
  // Adds what ends the call at the connection.
  void AddCancel(grpc_core::CallCombinerClosureList& closures,
                 const absl::Status& error, bool tarpit = false);

  grpc_call_element* const element_;
  grpc_call_stack* const stack_;
  grpc_core::CallCombiner* const combiner_;
  grpc_core::Arena* const arena_;
  MessageRules& rules_;
  MessageRules::OfCall messages_;
  // Of the first failure that this filter caused.
  absl::Status error_;

 private:
  static void MessageReady(void* self, grpc_error_handle error);

  // A receive that is under way.
  struct {
    std::optional<grpc_core::SliceBuffer>* message = nullptr;
    uint32_t* flags = nullptr;
    grpc_closure* completion = nullptr;
    grpc_closure ready;
  } message_;
  uint32_t unwanted_flags_ = 0;
};

// Puts a closure of ours before the one that a batch asks to be called.
inline grpc_closure* Intercept(grpc_closure*& completion, grpc_closure* ours) {
  return std::exchange(completion, ours);
}

}  // namespace uvgrpc

#endif  // UVGRPC_FILTERS_CALL_FILTER_H_
