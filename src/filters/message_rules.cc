// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/filters/message_rules.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"
#include "src/core/call/message.h"

namespace uvgrpc {
namespace {

using grpc_core::Arena;
using grpc_core::CallTracer;
using grpc_core::Message;
using grpc_core::MessageHandle;
using grpc_core::MessageSizeParsedConfig;
using grpc_core::SliceBuffer;

MessageHandle Take(SliceBuffer& message, uint32_t flags) {
  SliceBuffer payload;
  payload.Swap(&message);
  return Arena::MakePooled<Message>(std::move(payload), flags);
}

void PutBack(MessageHandle handle, SliceBuffer& message, uint32_t& flags) {
  message.Swap(handle->payload());
  flags = handle->flags();
}

// Of two limits, of which each may be none.
std::optional<uint32_t> Smaller(std::optional<uint32_t> one,
                                std::optional<uint32_t> other) {
  if (!one.has_value()) return other;
  return other.has_value() ? std::min(*one, *other) : one;
}

}  // namespace

MessageRules::MessageRules(const grpc_core::ChannelArgs& args, Side side)
    : is_client_(side == Side::kClient),
      max_sent_(grpc_core::GetMaxSendSizeFromChannelArgs(args)),
      max_received_(grpc_core::GetMaxRecvSizeFromChannelArgs(args)),
      config_index_(grpc_core::MessageSizeParser::ParserIndex()),
      compression_(args) {}

const MessageSizeParsedConfig* MessageRules::ConfigOf(Arena* arena) const {
  if (!is_client_) return nullptr;
  return MessageSizeParsedConfig::GetFromCallContext(arena, config_index_);
}

void MessageRules::StartSending(Arena* arena, grpc_metadata_batch& metadata,
                                OfCall& call) {
  const MessageSizeParsedConfig* const config = ConfigOf(arena);
  call.max_sent = config == nullptr
                      ? max_sent_
                      : Smaller(max_sent_, config->max_send_size());
  call.sent_with = compression_.HandleOutgoingMetadata(metadata);
}

void MessageRules::StartReceiving(Arena* arena,
                                  const grpc_metadata_batch& metadata,
                                  OfCall& call) const {
  const MessageSizeParsedConfig* const config = ConfigOf(arena);
  call.received.algorithm = metadata.get(grpc_core::GrpcEncodingMetadata())
                                .value_or(GRPC_COMPRESS_NONE);
  call.received.max_recv_message_length =
      config == nullptr ? max_received_
                        : Smaller(max_received_, config->max_recv_size());
}

absl::Status MessageRules::TooLarge(const char* what,
                                    const SliceBuffer& message,
                                    uint32_t most) const {
  return absl::ResourceExhaustedError(absl::StrFormat(
      "%s: %s message larger than max (%u vs. %d)",
      is_client_ ? "CLIENT" : "SERVER", what, message.Length(), most));
}

absl::Status MessageRules::Send(Arena* arena, const OfCall& call,
                                SliceBuffer& message, uint32_t& flags) const {
  if (call.max_sent.has_value() && message.Length() > *call.max_sent) {
    return TooLarge("Sent", message, *call.max_sent);
  }
  auto* const tracer = arena->GetContext<CallTracer>();
  if (call.sent_with == GRPC_COMPRESS_NONE && tracer == nullptr) {
    return absl::OkStatus();
  }
  PutBack(compression_.CompressMessage(Take(message, flags), call.sent_with,
                                       tracer),
          message, flags);
  return absl::OkStatus();
}

absl::Status MessageRules::Receive(Arena* arena, const OfCall& call,
                                   SliceBuffer& message,
                                   uint32_t& flags) const {
  auto* const tracer = arena->GetContext<CallTracer>();
  const std::optional<uint32_t>& most = call.received.max_recv_message_length;
  if ((flags & GRPC_WRITE_INTERNAL_COMPRESS) == 0 && tracer == nullptr &&
      (!most.has_value() || message.Length() <= *most)) {
    return absl::OkStatus();
  }
  auto plain = compression_.DecompressMessage(is_client_, Take(message, flags),
                                              call.received, tracer);
  if (!plain.ok()) return plain.status();
  PutBack(*std::move(plain), message, flags);
  // Core's decompression stops a block after the limit, not at it.
  if (most.has_value() && message.Length() > *most) {
    return TooLarge("Received", message, *most);
  }
  return absl::OkStatus();
}

}  // namespace uvgrpc
