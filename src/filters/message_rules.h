// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// What a channel allows and does to messages: their sizes, their compression.

#ifndef UVGRPC_FILTERS_MESSAGE_RULES_H_
#define UVGRPC_FILTERS_MESSAGE_RULES_H_

#include <grpc/impl/compression_types.h>

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "src/core/call/metadata_batch.h"
#include "src/core/ext/filters/http/message_compress/compression_filter.h"
#include "src/core/lib/channel/channel_args.h"
#include "src/core/lib/resource_quota/arena.h"
#include "src/core/lib/slice/slice_buffer.h"
#include "src/core/telemetry/call_tracer.h"
#include "src/core/transport/message_size_service_config.h"

namespace uvgrpc {

class MessageRules {
 public:
  enum class Side { kClient, kServer };

  // What the metadata of one call made of the rules.
  struct OfCall {
    std::optional<uint32_t> max_sent;
    grpc_compression_algorithm sent_with = GRPC_COMPRESS_NONE;
    grpc_core::ChannelCompression::DecompressArgs received{GRPC_COMPRESS_NONE,
                                                           std::nullopt};
  };

  MessageRules(const grpc_core::ChannelArgs& args, Side side);

  // Metadata on its way out: says how messages will be compressed. In both
  // directions the service config of the call may allow less than the channel.
  void StartSending(grpc_core::Arena* arena, grpc_metadata_batch& metadata,
                    OfCall& call);
  // Metadata that came in: says how messages are compressed.
  void StartReceiving(grpc_core::Arena* arena,
                      const grpc_metadata_batch& metadata, OfCall& call) const;

  // A message on its way out: compressed in place, or RESOURCE_EXHAUSTED.
  absl::Status Send(grpc_core::Arena* arena, const OfCall& call,
                    grpc_core::SliceBuffer& message, uint32_t& flags) const;
  // A message that came in: decompressed in place, or the status that its call
  // ends with.
  absl::Status Receive(grpc_core::Arena* arena, const OfCall& call,
                       grpc_core::SliceBuffer& message, uint32_t& flags) const;

 private:
  // What the service config of a call says; null if nothing.
  const grpc_core::MessageSizeParsedConfig* ConfigOf(
      grpc_core::Arena* arena) const;
  absl::Status TooLarge(const char* what, const grpc_core::SliceBuffer& message,
                        uint32_t most) const;

  const bool is_client_;
  const std::optional<uint32_t> max_sent_;
  const std::optional<uint32_t> max_received_;
  // Where a service config has its limits; only clients have one.
  const size_t config_index_;
  grpc_core::ChannelCompression compression_;
};

}  // namespace uvgrpc

#endif  // UVGRPC_FILTERS_MESSAGE_RULES_H_
