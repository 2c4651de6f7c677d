// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// How much of a connection's input is dealt with at once.

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "tests/cpp/endpoint_fixture.h"

namespace uvgrpc {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

class EndpointPiecesTest : public EndpointFixture {
 protected:
  void SetUp() override { MakeTcp(); }

  // Has the peer send so much, and reads it; each byte takes `each`. The sizes
  // of what core would have got.
  std::vector<size_t> ReadAll(size_t total, std::chrono::nanoseconds each) {
    std::thread peer([&] { SendAll(peer_.get(), std::string(total, 'x')); });
    std::vector<size_t> sizes;
    size_t received = 0;
    const auto deal = [&] {
      sizes.push_back(buffer_.Length());
      received += sizes.back();
      const auto end = Clock::now() + each * sizes.back();
      while (Clock::now() < end) {
      }
    };
    std::function<void()> read = [&] {
      while (received < total && endpoint_->Read(
                                     [&](absl::Status status) {
                                       ASSERT_TRUE(status.ok()) << status;
                                       deal();
                                       read();
                                     },
                                     &buffer_, {})) {
        deal();
      }
    };
    read();
    EXPECT_TRUE(RunUntil([&] { return received >= total; }));
    peer.join();
    EXPECT_EQ(received, total);
    return sizes;
  }

  static size_t Largest(const std::vector<size_t>& sizes, size_t from) {
    return *std::max_element(sizes.begin() + static_cast<ptrdiff_t>(from),
                             sizes.end());
  }

  SliceBuffer buffer_;
};

TEST_F(EndpointPiecesTest, InputThatTakesLongComesInSmallPieces) {
  // A KiB takes half a millisecond, which is what a piece may take.
  const std::vector<size_t> sizes = ReadAll(64 << 10, 500ns);
  ASSERT_GT(sizes.size(), 20u);
  EXPECT_LE(Largest(sizes, 10), 4096u);
}

TEST_F(EndpointPiecesTest, NoPieceIsSmallerThanThat) {
  const std::vector<size_t> sizes = ReadAll(32 << 10, 5us);
  // But for those that the peer's writes end in.
  EXPECT_GE(std::count(sizes.begin(), sizes.end(), 512), 20);
  EXPECT_LE(sizes.size(), 80u);
}

TEST_F(EndpointPiecesTest, PiecesGrowAgainOnceItIsQuick) {
  ReadAll(16 << 10, 2us);
  const std::vector<size_t> sizes = ReadAll(4 << 20, 0ns);
  EXPECT_GE(Largest(sizes, 0), 32u << 10);
}

}  // namespace
}  // namespace uvgrpc
