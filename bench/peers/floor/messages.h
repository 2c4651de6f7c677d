// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// The messages of bench.proto, read and written by hand, with the copies that
// protobuf makes in C++: one into a string, one out of it.

#ifndef UVGRPC_BENCH_PEERS_FLOOR_MESSAGES_H_
#define UVGRPC_BENCH_PEERS_FLOOR_MESSAGES_H_

#include <grpc/grpc.h>
#include <grpc/slice.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace uvgrpc::bench {

struct Request {
  std::string name;
  int32_t sleep_millisecond = 0;
};

// Nothing for bytes that are no such message.
std::optional<Request> ParseRequest(grpc_byte_buffer* message);
std::optional<std::string> ParsePayload(grpc_byte_buffer* message);

// The reply that greets `name`.
grpc_slice Greet(std::string_view name);
grpc_slice SerializePayload(std::string_view data);

}  // namespace uvgrpc::bench

#endif  // UVGRPC_BENCH_PEERS_FLOOR_MESSAGES_H_
