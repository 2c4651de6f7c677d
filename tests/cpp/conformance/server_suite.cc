// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "src/core/lib/event_engine/tcp_socket_utils.h"
#include "tests/cpp/conformance/event_engine_suite.h"
#include "tests/cpp/socket_helpers.h"

namespace uvgrpc::conformance {
namespace {

using grpc_event_engine::experimental::ResolvedAddressSetPort;

TEST_P(ServerSuite, AConnectionIsAcceptedFromEachFamily) {
  for (const std::string& uri : ListenUris()) {
    SCOPED_TRACE(uri);
    Connection connection = ConnectFromOracle(uri);
    ASSERT_NE(connection.mine, nullptr);
    ASSERT_NE(connection.oracles, nullptr);
    Transfer(*connection.oracles, *connection.mine, "hello");
    Transfer(*connection.mine, *connection.oracles, "hello yourself");
  }
}

TEST_P(ServerSuite, MessagesOfRandomSizesArriveInBothDirections) {
  for (const std::string& uri : ListenUris()) {
    SCOPED_TRACE(uri);
    Connection connection = ConnectFromOracle(uri);
    ASSERT_NE(connection.mine, nullptr);
    PingPong(connection, 30, 200'000);
    ExchangeAtOnce(connection, 1'000'000);
  }
}

TEST_P(ServerSuite, AListenerMayBindSeveralAddresses) {
  auto shutdown = std::make_shared<Later<absl::Status>>();
  auto accepted = std::make_shared<Countdown>(6);
  auto listener = engine().CreateListener(
      [accepted](EndpointPtr endpoint, auto) {
        EXPECT_NE(endpoint, nullptr);
        accepted->Done();
      },
      [shutdown](absl::Status status) { shutdown->Set(status); }, config_,
      HeapAllocatorFactory());
  ASSERT_TRUE(listener.ok()) << listener.status();
  std::vector<EventEngine::ResolvedAddress> addresses;
  for (const std::string& uri :
       {std::string("ipv4:127.0.0.1:0"), std::string("ipv4:127.0.0.2:0"),
        "unix:" + FreshUnixPath()}) {
    EventEngine::ResolvedAddress address = Address(uri);
    const auto port = (*listener)->Bind(address);
    ASSERT_TRUE(port.ok()) << uri << ": " << port.status();
    EXPECT_GT(*port, 0);
    if (!IsUnixAddress(address)) ResolvedAddressSetPort(address, *port);
    addresses.push_back(address);
  }
  ASSERT_TRUE((*listener)->Start().ok());
  std::vector<EndpointPtr> clients;
  for (int round = 0; round < 2; ++round) {
    for (const auto& address : addresses) {
      auto client = Connect(oracle(), address);
      ASSERT_TRUE(client.ok()) << client.status();
      clients.push_back(*std::move(client));
    }
  }
  EXPECT_TRUE(Wait(accepted->zero())) << accepted->left();
  listener->reset();
  EXPECT_TRUE(Wait(shutdown->ready()));
}

TEST_P(ServerSuite, ManyClientsAreAccepted) {
  constexpr int kClients = 60;
  const auto server = Serve(engine(), {"ipv4:127.0.0.1:0"});
  std::vector<Connection> connections(kClients);
  for (Connection& connection : connections) {
    auto client = Connect(oracle(), server->address);
    ASSERT_TRUE(client.ok()) << client.status();
    connection.oracles = *std::move(client);
  }
  // Which is whose does not matter for what follows: they are paired by what
  // they say.
  for (Connection& connection : connections) {
    connection.mine = TakeAccepted(*server);
    ASSERT_NE(connection.mine, nullptr);
    auto written = std::make_shared<Later<absl::Status>>();
    StartWrite(*connection.mine, "welcome", written);
    ASSERT_TRUE(Wait(written->ready()));
  }
  for (Connection& connection : connections) {
    auto read = std::make_shared<Later<absl::StatusOr<std::string>>>();
    StartRead(*connection.oracles, 7, read);
    ASSERT_TRUE(Wait(read->ready()));
    ASSERT_TRUE(read->value().ok()) << read->value().status();
    EXPECT_EQ(*read->value(), "welcome");
  }
  server->listener.reset();
  EXPECT_TRUE(Wait(server->shutdown.ready()));
}

TEST_P(ServerSuite, ShutdownLeavesConnectionsOpen) {
  const auto server = Serve(engine(), {"ipv4:127.0.0.1:0"});
  auto client = Connect(oracle(), server->address);
  ASSERT_TRUE(client.ok()) << client.status();
  Connection connection{TakeAccepted(*server), *std::move(client)};
  ASSERT_NE(connection.mine, nullptr);
  server->listener.reset();
  ASSERT_TRUE(Wait(server->shutdown.ready()));
  EXPECT_TRUE(server->shutdown.value().ok()) << server->shutdown.value();
  PingPong(connection, 5, 20'000);
  // Nobody listens any more.
  EXPECT_FALSE(Connect(oracle(), server->address).ok());
}

// Later::Set fails a second time.
TEST_P(ServerSuite, ShutdownIsToldOnceAndNotBeforeTheListenerGoes) {
  const auto server = Serve(engine(), {"ipv4:127.0.0.1:0"});
  absl::Notification later;
  engine().RunAfter(std::chrono::milliseconds(30), [&] { later.Notify(); });
  ASSERT_TRUE(Wait(later));
  EXPECT_FALSE(server->shutdown.is_set());
  server->listener.reset();
  ASSERT_TRUE(Wait(server->shutdown.ready()));
  EXPECT_TRUE(server->shutdown.value().ok()) << server->shutdown.value();
}

TEST_P(ServerSuite, AListenerThatWasNeverStartedIsShutDownToo) {
  auto shutdown = std::make_shared<Later<absl::Status>>();
  const auto make = [&] {
    return engine().CreateListener(
        [](EndpointPtr, auto) { ADD_FAILURE(); },
        [shutdown](absl::Status status) { shutdown->Set(status); }, config_,
        HeapAllocatorFactory());
  };
  auto listener = make();
  ASSERT_TRUE(listener.ok());
  listener->reset();
  ASSERT_TRUE(Wait(shutdown->ready()));
  shutdown = std::make_shared<Later<absl::Status>>();
  listener = make();
  ASSERT_TRUE(listener.ok());
  ASSERT_TRUE((*listener)->Bind(Address("ipv4:127.0.0.1:0")).ok());
  listener->reset();
  ASSERT_TRUE(Wait(shutdown->ready()));
}

TEST_P(ServerSuite, NoConnectionIsAcceptedAfterShutdownWasTold) {
  for (int round = 0; round < 10; ++round) {
    const auto server = Serve(engine(), {"ipv4:127.0.0.1:0"});
    // Clients that come while the listener goes.
    Countdown done(10);
    for (int i = 0; i < 10; ++i) {
      oracle().Connect([&](const auto&) { done.Done(); }, server->address,
                       config_,
                       HeapAllocatorFactory()->CreateMemoryAllocator("test"),
                       std::chrono::seconds(30));
    }
    if (round % 2 == 0) {
      absl::Notification turn;
      engine().Run([&] { turn.Notify(); });
      ASSERT_TRUE(Wait(turn));
    }
    server->listener.reset();
    ASSERT_TRUE(Wait(server->shutdown.ready()));
    ASSERT_TRUE(Wait(done.zero()));
    absl::Notification turn;
    engine().Run([&] { turn.Notify(); });
    ASSERT_TRUE(Wait(turn));
    absl::MutexLock lock(server->mu);
    EXPECT_EQ(server->accepted_after_shutdown, 0);
    server->accepted.clear();
  }
}

TEST_P(ServerSuite, AnAcceptedEndpointMayBeDestroyedInItsCallback) {
  auto shutdown = std::make_shared<Later<absl::Status>>();
  auto listener = engine().CreateListener(
      [](EndpointPtr endpoint, auto) { endpoint.reset(); },
      [shutdown](absl::Status status) { shutdown->Set(status); }, config_,
      HeapAllocatorFactory());
  ASSERT_TRUE(listener.ok());
  EventEngine::ResolvedAddress address = Address("ipv4:127.0.0.1:0");
  const auto port = (*listener)->Bind(address);
  ASSERT_TRUE(port.ok());
  ResolvedAddressSetPort(address, *port);
  ASSERT_TRUE((*listener)->Start().ok());
  for (int i = 0; i < 10; ++i) {
    auto client = Connect(oracle(), address);
    ASSERT_TRUE(client.ok()) << client.status();
    auto read = std::make_shared<Later<absl::StatusOr<std::string>>>();
    StartRead(**client, 1, read);
    ASSERT_TRUE(Wait(read->ready()));
    EXPECT_FALSE(read->value().ok());
  }
  listener->reset();
  EXPECT_TRUE(Wait(shutdown->ready()));
}

}  // namespace
}  // namespace uvgrpc::conformance
