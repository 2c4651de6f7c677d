// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "bench/peers/floor/messages.h"

#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>

#include <algorithm>
#include <cstring>

#include "utf8_range.h"

namespace uvgrpc::bench {
namespace {

constexpr uint8_t kFirstBytes = 1 << 3 | 2;    // field 1, bytes or a string
constexpr uint8_t kSecondVarint = 2 << 3 | 0;  // field 2, a number

// Reads a message from one slice after the other.
class Reader {
 public:
  explicit Reader(grpc_byte_buffer* message)
      : is_open_(grpc_byte_buffer_reader_init(&reader_, message) != 0) {}
  ~Reader() {
    if (is_open_) grpc_byte_buffer_reader_destroy(&reader_);
  }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  bool is_open() const { return is_open_; }

  bool AtEnd() {
    while (position_ == end_) {
      grpc_slice* slice;
      if (grpc_byte_buffer_reader_peek(&reader_, &slice) == 0) return true;
      position_ = GRPC_SLICE_START_PTR(*slice);
      end_ = GRPC_SLICE_END_PTR(*slice);
    }
    return false;
  }

  bool ReadByte(uint8_t* byte) {
    if (AtEnd()) return false;
    *byte = *position_++;
    return true;
  }

  bool ReadVarint(uint64_t* value) {
    *value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      uint8_t byte;
      if (!ReadByte(&byte)) return false;
      *value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return true;
    }
    return false;
  }

  bool ReadBytes(std::string* bytes) {
    uint64_t left;
    if (!ReadVarint(&left) || left > INT32_MAX) return false;
    bytes->clear();
    bytes->reserve(left);
    while (left > 0) {
      if (AtEnd()) return false;
      const size_t size =
          std::min<size_t>(left, static_cast<size_t>(end_ - position_));
      bytes->append(reinterpret_cast<const char*>(position_), size);
      position_ += size;
      left -= size;
    }
    return true;
  }

 private:
  grpc_byte_buffer_reader reader_;
  const bool is_open_;
  const uint8_t* position_ = nullptr;
  const uint8_t* end_ = nullptr;
};

// A message whose first field is `parts`, written one after the other.
template <typename... Parts>
grpc_slice Serialize(Parts... parts) {
  const size_t size = (parts.size() + ...);
  uint8_t head[1 + 10] = {kFirstBytes};
  size_t used = 1;
  for (uint64_t left = size; used == 1 || left > 0; left >>= 7) {
    head[used++] = static_cast<uint8_t>((left & 0x7f) | (left > 0x7f) << 7);
  }
  grpc_slice slice = grpc_slice_malloc(used + size);
  uint8_t* out = GRPC_SLICE_START_PTR(slice);
  const auto append = [&out](const void* data, size_t count) {
    std::memcpy(out, data, count);
    out += count;
  };
  append(head, used);
  (append(parts.data(), parts.size()), ...);
  return slice;
}

}  // namespace

std::optional<Request> ParseRequest(grpc_byte_buffer* message) {
  if (message == nullptr) return std::nullopt;
  Reader reader(message);
  if (!reader.is_open()) return std::nullopt;
  Request request;
  while (!reader.AtEnd()) {
    uint8_t field = 0;
    uint64_t number;
    (void)reader.ReadByte(&field);
    if (field == kFirstBytes) {
      if (!reader.ReadBytes(&request.name)) return std::nullopt;
    } else if (field == kSecondVarint && reader.ReadVarint(&number)) {
      request.sleep_millisecond = static_cast<int32_t>(number);
    } else {
      return std::nullopt;
    }
  }
  if (utf8_range_IsValid(request.name.data(), request.name.size()) == 0) {
    return std::nullopt;
  }
  return request;
}

std::optional<std::string> ParsePayload(grpc_byte_buffer* message) {
  if (message == nullptr) return std::nullopt;
  Reader reader(message);
  if (!reader.is_open()) return std::nullopt;
  std::string data;
  while (!reader.AtEnd()) {
    uint8_t field = 0;
    if (!reader.ReadByte(&field) || field != kFirstBytes ||
        !reader.ReadBytes(&data)) {
      return std::nullopt;
    }
  }
  return data;
}

grpc_slice Greet(std::string_view name) {
  return Serialize(std::string_view("Hello, "), name, std::string_view("!"));
}

grpc_slice SerializePayload(std::string_view data) { return Serialize(data); }

}  // namespace uvgrpc::bench
