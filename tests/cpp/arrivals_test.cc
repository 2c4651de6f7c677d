// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/iomgr_uv/arrivals.h"

#include <grpc/event_engine/slice_buffer.h>

#include <chrono>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "src/core/lib/event_engine/channel_args_endpoint_config.h"
#include "src/iomgr_uv/tcp_options.h"
#include "src/iomgr_uv/uv_listener.h"
#include "tests/cpp/loop_fixture.h"
#include "tests/cpp/socket_helpers.h"

namespace uvgrpc {
namespace {

using namespace std::chrono_literals;
using grpc_event_engine::experimental::ChannelArgsEndpointConfig;
using grpc_event_engine::experimental::MemoryAllocator;
using grpc_event_engine::experimental::SliceBuffer;

class ArrivalsTest : public LoopFixture {
 protected:
  std::unique_ptr<EventEngine::Listener> Make(int adopted = -1) {
    TcpOptions options;
    options.arrivals = arrivals_;
    options.adopted_socket = adopted;
    auto listener = UvListener::Create(
        bridge(),
        [this](int, std::unique_ptr<EventEngine::Endpoint> endpoint, bool,
               MemoryAllocator, SliceBuffer*) {
          accepted_.push_back(std::move(endpoint));
          if (ends_listener_ != nullptr) ends_listener_->reset();
        },
        [this](absl::Status) { ++shutdowns_; }, options,
        HeapAllocatorFactory());
    EXPECT_TRUE(listener.ok()) << listener.status();
    const auto port = (*listener)->Bind(Address("ipv4:127.0.0.1:0"));
    EXPECT_TRUE(port.ok()) << port.status();
    address_ = Address(absl::StrCat("ipv4:127.0.0.1:", *port));
    EXPECT_TRUE((*listener)->Start().ok());
    return *std::move(listener);
  }

  // What a server's side of a connection gets next.
  void Read(EventEngine::Endpoint* endpoint) {
    SliceBuffer buffer;
    bool done = false;
    if (endpoint->Read([&](absl::Status) { done = true; }, &buffer, {})) return;
    ASSERT_TRUE(RunUntil([&] { return done; }));
  }

  bool Waits() { return arrivals_->AwaitsGreetings(10s); }

  const std::shared_ptr<Arrivals> arrivals_ = std::make_shared<Arrivals>();
  std::vector<std::unique_ptr<EventEngine::Endpoint>> accepted_;
  std::unique_ptr<EventEngine::Listener>* ends_listener_ = nullptr;
  ResolvedAddress address_;
  int shutdowns_ = 0;
};

TEST_F(ArrivalsTest, WhatWaitsIsAcceptedBeforeTheSocketCloses) {
  auto listener = Make();
  std::vector<OwnedFd> clients;
  for (int i = 0; i < 100; ++i) clients.push_back(ConnectTo(address_));
  EXPECT_TRUE(accepted_.empty());
  arrivals_->StopListening();
  EXPECT_EQ(accepted_.size(), 100u);
  EXPECT_FALSE(ConnectTo(address_).is_open());
  SendAll(clients[99].get(), "PRI");
  Read(accepted_[99].get());
  arrivals_->StopListening();
  EXPECT_EQ(accepted_.size(), 100u);
}

TEST_F(ArrivalsTest, EachListenerStopsOnceAlsoOneThatEndsMeanwhile) {
  auto first = Make();
  const ResolvedAddress address = address_;
  auto second = Make();
  OwnedFd clients[] = {ConnectTo(address_), ConnectTo(address)};
  ends_listener_ = &first;
  arrivals_->StopListening();
  EXPECT_EQ(accepted_.size(), 1u);
  EXPECT_FALSE(ConnectTo(address_).is_open());
  EXPECT_FALSE(ConnectTo(address).is_open());
  ASSERT_TRUE(RunUntil([&] { return shutdowns_ == 1; }));
}

TEST_F(ArrivalsTest, WhatWaitsAtAnAdoptedSocketIsItsOwners) {
  PlainListener given = Listen("ipv4:127.0.0.1:0");
  auto listener = Make(given.fd.get());
  OwnedFd client = ConnectTo(given.address);
  arrivals_->StopListening();
  EXPECT_TRUE(accepted_.empty());
  EXPECT_TRUE(Accept(given).is_open());
}

TEST_F(ArrivalsTest, AConnectionWaitsUntilItHasSpoken) {
  auto listener = Make();
  EXPECT_FALSE(Waits());
  OwnedFd plain = ConnectTo(address_);
  ASSERT_TRUE(RunUntil([&] { return accepted_.size() == 1; }));
  EXPECT_TRUE(Waits());
  EXPECT_FALSE(arrivals_->AwaitsGreetings(0ms));
  SendAll(plain.get(), "PRI");
  Read(accepted_[0].get());
  EXPECT_FALSE(Waits());
}

TEST_F(ArrivalsTest, AConnectionWaitsUntilItsHandshakeIsOver) {
  auto listener = Make();
  OwnedFd client = ConnectTo(address_);
  ASSERT_TRUE(RunUntil([&] { return accepted_.size() == 1; }));
  SendAll(client.get(), "\x16\x03\x01 hello");
  Read(accepted_[0].get());
  EXPECT_TRUE(Waits());
  SendAll(client.get(), "\x17\x03\x03 finished");
  Read(accepted_[0].get());
  EXPECT_FALSE(Waits());
}

TEST_F(ArrivalsTest, AConnectionThatIsDestroyedWaitsNoLonger) {
  auto listener = Make();
  OwnedFd client = ConnectTo(address_);
  ASSERT_TRUE(RunUntil([&] { return accepted_.size() == 1; }));
  accepted_.clear();
  EXPECT_FALSE(Waits());
}

TEST_F(ArrivalsTest, OutlivesListenersAndTheLoop) {
  auto listener = Make();
  OwnedFd client = ConnectTo(address_);
  ASSERT_TRUE(RunUntil([&] { return accepted_.size() == 1; }));
  CloseLoop();
  EXPECT_FALSE(Waits());
  arrivals_->StopListening();
  EXPECT_EQ(shutdowns_, 1);
}

TEST_F(ArrivalsTest, IsAnArgumentThatCopiesShare) {
  std::shared_ptr<Arrivals> given = arrivals_;
  const long before = given.use_count();
  {
    const grpc_arg arg = Arrivals::Argument(&given);
    const grpc_channel_args c_args{1, const_cast<grpc_arg*>(&arg)};
    const grpc_core::ChannelArgs args =
        grpc_core::ChannelArgs::FromC(&c_args).Set("other", 1);
    const TcpOptions options{ChannelArgsEndpointConfig(args)};
    EXPECT_EQ(options.arrivals, arrivals_);
    EXPECT_GT(given.use_count(), before);
  }
  EXPECT_EQ(given.use_count(), before);
  EXPECT_EQ(
      TcpOptions(ChannelArgsEndpointConfig(grpc_core::ChannelArgs())).arrivals,
      nullptr);
}

}  // namespace
}  // namespace uvgrpc
