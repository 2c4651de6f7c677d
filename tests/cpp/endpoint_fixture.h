// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#ifndef UVGRPC_TESTS_CPP_ENDPOINT_FIXTURE_H_
#define UVGRPC_TESTS_CPP_ENDPOINT_FIXTURE_H_

#include <grpc/event_engine/slice_buffer.h>

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "gtest/gtest.h"
#include "src/iomgr_uv/uv_endpoint.h"
#include "tests/cpp/loop_fixture.h"
#include "tests/cpp/socket_helpers.h"

namespace uvgrpc {

// What a callback reported, and how often.
struct Outcome {
  std::atomic<int> calls{0};
  absl::Status status = absl::UnknownError("not called");

  absl::AnyInvocable<void(absl::Status)> Callback() {
    return [this](absl::Status result) {
      status = std::move(result);
      ++calls;
    };
  }
  bool done() const { return calls != 0; }
};

// A test with an endpoint and the plain socket at its other end.
class EndpointFixture : public LoopFixture {
 protected:
  using Endpoint = EventEngine::Endpoint;
  using MemoryAllocator = grpc_event_engine::experimental::MemoryAllocator;
  using SliceBuffer = grpc_event_engine::experimental::SliceBuffer;

  std::unique_ptr<Endpoint> Make(OwnedFd fd, TcpOptions options = {},
                                 MemoryAllocator allocator = {}) {
    auto endpoint =
        UvEndpoint::FromFd(bridge(), fd.Take(), options, std::move(allocator));
    EXPECT_TRUE(endpoint.ok()) << endpoint.status();
    return *std::move(endpoint);
  }

  void MakeTcp(TcpOptions options = {}, MemoryAllocator allocator = {}) {
    auto [ours, theirs] = TcpPair();
    endpoint_ = Make(std::move(ours), options, std::move(allocator));
    peer_ = std::move(theirs);
  }

  // Reads once; the text, or nothing on an error (in `status_`).
  std::optional<std::string> ReadText(int64_t hint = 1) {
    SliceBuffer buffer;
    Outcome read;
    Endpoint::ReadArgs args;
    args.set_read_hint_bytes(hint);
    if (!endpoint_->Read(read.Callback(), &buffer, args)) {
      EXPECT_TRUE(RunUntil([&] { return read.done(); }));
      status_ = read.status;
      if (!read.status.ok()) return std::nullopt;
    }
    return Text(&buffer);
  }

  void WriteText(absl::string_view text) {
    SliceBuffer buffer;
    Append(&buffer, text);
    Outcome write;
    if (endpoint_->Write(write.Callback(), &buffer, {})) return;
    EXPECT_TRUE(RunUntil([&] { return write.done(); }));
    EXPECT_TRUE(write.status.ok()) << write.status;
  }

  // A write too large for the kernel's buffers.
  std::string LargeText() { return std::string(16 << 20, 'x'); }

  std::unique_ptr<Endpoint> endpoint_;
  OwnedFd peer_;
  absl::Status status_;
};

}  // namespace uvgrpc

#endif  // UVGRPC_TESTS_CPP_ENDPOINT_FIXTURE_H_
