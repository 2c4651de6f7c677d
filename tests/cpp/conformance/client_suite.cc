// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include <netinet/in.h>
#include <sys/socket.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "src/core/lib/event_engine/tcp_socket_utils.h"
#include "tests/cpp/conformance/event_engine_suite.h"
#include "tests/cpp/socket_helpers.h"

namespace uvgrpc::conformance {
namespace {

using grpc_event_engine::experimental::ResolvedAddressToString;
using std::chrono::milliseconds;
using testing::HasSubstr;
using Clock = std::chrono::steady_clock;

// An address where a connection neither succeeds nor fails: the queue of the
// listener is full, and nobody accepts.
class FullListener {
 public:
  FullListener() : listener_(Listen("ipv4:127.0.0.1:0", 0)) {
    // The kernel takes one or two more than it was told.
    for (int i = 0; i < 8; ++i) {
      OwnedFd fd(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
      connect(fd.get(), address().address(), address().size());
      clients_.push_back(std::move(fd));
    }
  }
  const EventEngine::ResolvedAddress& address() const {
    return listener_.address;
  }

 private:
  PlainListener listener_;
  std::vector<OwnedFd> clients_;
};

// An address at which nobody listens, and nobody else will.
struct NobodysAddress {
  NobodysAddress() : fd(socket(AF_INET, SOCK_STREAM, 0)) {
    const EventEngine::ResolvedAddress any = Address("ipv4:127.0.0.1:0");
    EXPECT_EQ(bind(fd.get(), any.address(), any.size()), 0);
    address = LocalAddressOf(fd.get()).value();
  }
  OwnedFd fd;
  EventEngine::ResolvedAddress address;
};

TEST_P(ClientSuite, AConnectionIsMadeToEachFamily) {
  for (const std::string& uri : ListenUris()) {
    SCOPED_TRACE(uri);
    Connection connection = ConnectToOracle(uri);
    ASSERT_NE(connection.mine, nullptr);
    ASSERT_NE(connection.oracles, nullptr);
    Transfer(*connection.mine, *connection.oracles, "hello");
    Transfer(*connection.oracles, *connection.mine, "hello yourself");
  }
}

TEST_P(ClientSuite, BothEndsAgreeOnTheirAddresses) {
  Connection connection = ConnectToOracle("ipv4:127.0.0.1:0");
  ASSERT_NE(connection.mine, nullptr);
  const auto text = [](const EventEngine::ResolvedAddress& address) {
    return ResolvedAddressToString(address).value();
  };
  EXPECT_EQ(text(connection.mine->GetPeerAddress()),
            text(connection.oracles->GetLocalAddress()));
  EXPECT_EQ(text(connection.mine->GetLocalAddress()),
            text(connection.oracles->GetPeerAddress()));
}

TEST_P(ClientSuite, MessagesOfRandomSizesArriveInBothDirections) {
  for (const std::string& uri : ListenUris()) {
    SCOPED_TRACE(uri);
    Connection connection = ConnectToOracle(uri);
    ASSERT_NE(connection.mine, nullptr);
    PingPong(connection, 30, 200'000);
  }
}

TEST_P(ClientSuite, BothDirectionsMayBeBusyAtOnce) {
  Connection connection = ConnectToOracle("ipv4:127.0.0.1:0");
  ASSERT_NE(connection.mine, nullptr);
  ExchangeAtOnce(connection, 8'000'000);
}

TEST_P(ClientSuite, ManyConnectionsWorkSideBySide) {
  constexpr int kConnections = 50;
  const auto server = Serve(oracle(), {"ipv4:127.0.0.1:0"});
  std::vector<Connection> connections;
  for (int i = 0; i < kConnections; ++i) {
    auto mine = Connect(engine(), server->address);
    ASSERT_TRUE(mine.ok()) << mine.status();
    connections.push_back({*std::move(mine), TakeAccepted(*server)});
    ASSERT_NE(connections.back().oracles, nullptr);
  }
  for (Connection& connection : connections) PingPong(connection, 2, 5000);
  server->listener.reset();
  EXPECT_TRUE(Wait(server->shutdown.ready()));
}

TEST_P(ClientSuite, ConnectionsMayBeMadeAtTheSameTime) {
  constexpr int kConnections = 40;
  const auto server = Serve(oracle(), {"ipv4:127.0.0.1:0"});
  Countdown countdown(kConnections);
  absl::Mutex mu;
  std::vector<EndpointPtr> endpoints;
  for (int i = 0; i < kConnections; ++i) {
    engine().Connect(
        [&](absl::StatusOr<EndpointPtr> endpoint) {
          EXPECT_TRUE(endpoint.ok()) << endpoint.status();
          {
            absl::MutexLock lock(mu);
            if (endpoint.ok()) endpoints.push_back(*std::move(endpoint));
          }
          countdown.Done();
        },
        server->address, config_,
        HeapAllocatorFactory()->CreateMemoryAllocator("test"),
        std::chrono::seconds(30));
  }
  ASSERT_TRUE(Wait(countdown.zero()));
  EXPECT_EQ(endpoints.size(), static_cast<size_t>(kConnections));
  server->listener.reset();
  EXPECT_TRUE(Wait(server->shutdown.ready()));
}

TEST_P(ClientSuite, ARefusedConnectionIsAnErrorInGrpcsWords) {
  const NobodysAddress nobody;
  const auto endpoint = Connect(engine(), nobody.address);
  EXPECT_EQ(endpoint.status(),
            absl::UnknownError(
                "Failed to connect to remote host: Connection refused"));
}

TEST_P(ClientSuite, AUnixSocketThatIsNotThereIsAnErrorInGrpcsWords) {
  const auto endpoint = Connect(engine(), Address("unix:" + FreshUnixPath()));
  EXPECT_EQ(endpoint.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(endpoint.status().message()),
              HasSubstr("error: No such file or directory"));
}

TEST_P(ClientSuite, ACancelledConnectNeverCallsBack) {
  const FullListener full;
  auto called = std::make_shared<std::atomic<bool>>(false);
  const auto handle = engine().Connect(
      [called](const auto&) { *called = true; }, full.address(), config_,
      HeapAllocatorFactory()->CreateMemoryAllocator("test"),
      std::chrono::seconds(30));
  // Cancelled when it is surely under way.
  absl::Notification later;
  engine().RunAfter(milliseconds(50), [&] { later.Notify(); });
  ASSERT_TRUE(Wait(later));
  EXPECT_TRUE(engine().CancelConnect(handle));
  EXPECT_EQ(called.use_count(), 1);
  EXPECT_FALSE(engine().CancelConnect(handle));
  absl::Notification much_later;
  engine().RunAfter(milliseconds(50), [&] { much_later.Notify(); });
  ASSERT_TRUE(Wait(much_later));
  EXPECT_FALSE(*called);
}

TEST_P(ClientSuite, ConnectsMayBeCancelledAtOnce) {
  const auto server = Serve(oracle(), {"ipv4:127.0.0.1:0"});
  constexpr int kAttempts = 100;
  Countdown countdown(kAttempts);
  std::atomic<int> callbacks{0};
  int cancels = 0;
  for (int i = 0; i < kAttempts; ++i) {
    const auto handle = engine().Connect(
        [&](const auto&) {
          ++callbacks;
          countdown.Done();
        },
        server->address, config_,
        HeapAllocatorFactory()->CreateMemoryAllocator("test"),
        std::chrono::seconds(30));
    if (i % 3 == 0 && engine().CancelConnect(handle)) {
      ++cancels;
      countdown.Done();
    }
  }
  ASSERT_TRUE(Wait(countdown.zero())) << countdown.left();
  EXPECT_EQ(callbacks + cancels, kAttempts);
  server->listener.reset();
  EXPECT_TRUE(Wait(server->shutdown.ready()));
}

TEST_P(ClientSuite, CancelOfAFinishedConnectSaysFalse) {
  const auto server = Serve(oracle(), {"ipv4:127.0.0.1:0"});
  Later<absl::StatusOr<EndpointPtr>> endpoint;
  const auto handle = engine().Connect(
      [&](absl::StatusOr<EndpointPtr> result) {
        endpoint.Set(std::move(result));
      },
      server->address, config_,
      HeapAllocatorFactory()->CreateMemoryAllocator("test"),
      std::chrono::seconds(30));
  ASSERT_TRUE(Wait(endpoint.ready()));
  EXPECT_TRUE(endpoint.value().ok());
  EXPECT_FALSE(engine().CancelConnect(handle));
  server->listener.reset();
  EXPECT_TRUE(Wait(server->shutdown.ready()));
}

TEST_P(ClientSuite, AConnectEndsAtItsDeadlineAndNotBefore) {
  const FullListener full;
  const Clock::time_point start = Clock::now();
  const auto endpoint = Connect(engine(), full.address(), milliseconds(150));
  EXPECT_EQ(endpoint.status().code(), absl::StatusCode::kDeadlineExceeded)
      << endpoint.status();
  EXPECT_GE(Clock::now() - start, milliseconds(150));
}

TEST_P(ClientSuite, TheEndOfTheStreamIsAnError) {
  Connection connection = ConnectToOracle("ipv4:127.0.0.1:0");
  ASSERT_NE(connection.mine, nullptr);
  auto read = std::make_shared<Later<absl::StatusOr<std::string>>>();
  StartRead(*connection.mine, 1, read);
  connection.oracles.reset();
  ASSERT_TRUE(Wait(read->ready()));
  EXPECT_EQ(read->value().status(), absl::UnavailableError("Socket closed"));
}

// Core hands the status of a lost connection to its RPCs as it is: whatever the
// error, the code has to be the one that says "try again".
TEST_P(ClientSuite, ALostConnectionIsUnavailableInTheWordsOfTheCLibrary) {
  for (const char* const uri : {"ipv4:127.0.0.1:0", "unix:"}) {
    SCOPED_TRACE(uri);
    const bool is_tcp = *uri == 'i';
    const PlainListener listener = Listen(is_tcp ? uri : uri + FreshUnixPath());
    auto mine = Connect(engine(), listener.address);
    ASSERT_TRUE(mine.ok()) << mine.status();
    OwnedFd peer = Accept(listener);
    auto read = std::make_shared<Later<absl::StatusOr<std::string>>>();
    StartRead(**mine, 1, read);
    const linger abrupt{1, 0};
    setsockopt(peer.get(), SOL_SOCKET, SO_LINGER, &abrupt, sizeof(abrupt));
    peer.Reset();
    ASSERT_TRUE(Wait(read->ready()));
    EXPECT_EQ(
        read->value().status(),
        absl::UnavailableError(is_tcp ? "recvmsg:Connection reset by peer (104)"
                                      : "Socket closed"));
    auto written = std::make_shared<Later<absl::Status>>();
    StartWrite(**mine, "nobody hears this", written);
    ASSERT_TRUE(Wait(written->ready()));
    EXPECT_EQ(written->value(),
              absl::UnavailableError("sendmsg: Broken pipe (32)"));
  }
}

TEST_P(ClientSuite, AReadCompletesWithWhatIsThere) {
  const PlainListener listener = Listen("ipv4:127.0.0.1:0");
  auto mine = Connect(engine(), listener.address);
  ASSERT_TRUE(mine.ok()) << mine.status();
  const OwnedFd peer = Accept(listener);
  SliceBuffer buffer;
  Later<absl::Status> read;
  Endpoint::ReadArgs args;
  // A hint of more than will come.
  args.set_read_hint_bytes(1000);
  ASSERT_FALSE((*mine)->Read(
      [&read](absl::Status status) { read.Set(std::move(status)); }, &buffer,
      std::move(args)));
  SendAll(peer.get(), "a little");
  ASSERT_TRUE(Wait(read.ready()));
  EXPECT_TRUE(read.value().ok()) << read.value();
  EXPECT_EQ(Text(&buffer), "a little");
}

TEST_P(ClientSuite, UnreadInputDoesNotCostThePeerWhatWasWritten) {
  const PlainListener listener = Listen("ipv4:127.0.0.1:0");
  auto mine = Connect(engine(), listener.address);
  ASSERT_TRUE(mine.ok()) << mine.status();
  const OwnedFd peer = Accept(listener);
  SendAll(peer.get(), "unread");
  auto written = std::make_shared<Later<absl::Status>>();
  StartWrite(**mine, "goodbye", written);
  ASSERT_TRUE(Wait(written->ready()));
  mine->reset();
  EXPECT_EQ(Receive(peer.get(), 7), "goodbye");
  char byte;
  EXPECT_EQ(recv(peer.get(), &byte, 1, 0), 0) << "a reset, not the end";
}

TEST_P(ClientSuite, DataBeforeTheEndOfTheStreamIsRead) {
  Connection connection = ConnectToOracle("ipv4:127.0.0.1:0");
  ASSERT_NE(connection.mine, nullptr);
  const std::string data = RandomText(50'000);
  auto written = std::make_shared<Later<absl::Status>>();
  StartWrite(*connection.oracles, data, written);
  ASSERT_TRUE(Wait(written->ready()));
  connection.oracles.reset();
  auto read = std::make_shared<Later<absl::StatusOr<std::string>>>();
  StartRead(*connection.mine, data.size(), read);
  ASSERT_TRUE(Wait(read->ready()));
  ASSERT_TRUE(read->value().ok()) << read->value().status();
  EXPECT_TRUE(*read->value() == data);
}

TEST_P(ClientSuite, DestroyingAnEndpointEndsItsReadOnce) {
  Connection connection = ConnectToOracle("ipv4:127.0.0.1:0");
  ASSERT_NE(connection.mine, nullptr);
  auto read = std::make_shared<Later<absl::StatusOr<std::string>>>();
  StartRead(*connection.mine, 1, read);
  auto peer_read = std::make_shared<Later<absl::StatusOr<std::string>>>();
  StartRead(*connection.oracles, 1, peer_read);
  connection.mine.reset();
  ASSERT_TRUE(Wait(read->ready()));
  EXPECT_FALSE(read->value().ok());
  ASSERT_TRUE(Wait(peer_read->ready()));
  EXPECT_FALSE(peer_read->value().ok());
}

TEST_P(ClientSuite, WhatAWriteTookArrivesThoughTheEndpointGoesAtOnce) {
  // The oracle's writes are too slow for that.
  if (GetParam().name == "Oracle") GTEST_SKIP();
  Connection connection = ConnectToOracle("ipv4:127.0.0.1:0");
  ASSERT_NE(connection.mine, nullptr);
  // Small enough for the socket's buffer.
  const std::string data = RandomText(10'000);
  auto written = std::make_shared<Later<absl::Status>>();
  StartWrite(*connection.mine, data, written);
  connection.mine.reset();
  auto read = std::make_shared<Later<absl::StatusOr<std::string>>>();
  StartRead(*connection.oracles, data.size(), read);
  ASSERT_TRUE(Wait(written->ready()));
  ASSERT_TRUE(Wait(read->ready()));
  ASSERT_TRUE(read->value().ok()) << read->value().status();
  EXPECT_TRUE(*read->value() == data);
}

TEST_P(ClientSuite, AWriteThatNobodyReadsEndsWithTheEndpoint) {
  Connection connection = ConnectToOracle("ipv4:127.0.0.1:0");
  ASSERT_NE(connection.mine, nullptr);
  auto written = std::make_shared<Later<absl::Status>>();
  StartWrite(*connection.mine, RandomText(30'000'000), written);
  absl::Notification later;
  engine().RunAfter(milliseconds(50), [&] { later.Notify(); });
  ASSERT_TRUE(Wait(later));
  EXPECT_FALSE(written->is_set());
  connection.mine.reset();
  ASSERT_TRUE(Wait(written->ready()));
  EXPECT_FALSE(written->value().ok());
}

TEST_P(ClientSuite, AnEmptyWriteCompletes) {
  Connection connection = ConnectToOracle("ipv4:127.0.0.1:0");
  ASSERT_NE(connection.mine, nullptr);
  auto written = std::make_shared<Later<absl::Status>>();
  StartWrite(*connection.mine, "", written);
  ASSERT_TRUE(Wait(written->ready()));
  EXPECT_TRUE(written->value().ok()) << written->value();
}

}  // namespace
}  // namespace uvgrpc::conformance
