// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "tests/cpp/conformance/event_engine_suite.h"

#include <optional>

#include "src/core/lib/event_engine/posix_engine/tcp_socket_utils.h"
#include "src/core/lib/event_engine/tcp_socket_utils.h"
#include "tests/cpp/socket_helpers.h"

namespace uvgrpc::conformance {
namespace {

using grpc_event_engine::experimental::ResolvedAddressSetPort;

// Reads into `buffer` until it holds `size` bytes. Owns itself.
class Reader {
 public:
  using Done = std::shared_ptr<Later<absl::StatusOr<std::string>>>;

  static void Start(EventEngine::Endpoint& endpoint, size_t size, Done done) {
    (new Reader(endpoint, size, std::move(done)))->Continue();
  }

 private:
  Reader(EventEngine::Endpoint& endpoint, size_t size, Done done)
      : endpoint_(endpoint), size_(size), done_(std::move(done)) {}

  void Continue() {
    while (text_.size() < size_) {
      EventEngine::Endpoint::ReadArgs args;
      args.set_read_hint_bytes(static_cast<int64_t>(size_ - text_.size()));
      // The callback may run on another thread before Read has returned.
      if (!endpoint_.Read([this](absl::Status status) { OnRead(status); },
                          &buffer_, std::move(args))) {
        return;
      }
      Take();
    }
    Finish(std::move(text_));
  }

  void OnRead(const absl::Status& status) {
    if (!status.ok()) return Finish(status);
    Take();
    Continue();
  }

  void Take() {
    text_ += Text(&buffer_);
    buffer_.Clear();
  }

  void Finish(absl::StatusOr<std::string> result) {
    const Done done = std::move(done_);
    delete this;
    done->Set(std::move(result));
  }

  EventEngine::Endpoint& endpoint_;
  const size_t size_;
  Done done_;
  SliceBuffer buffer_;
  std::string text_;
};

}  // namespace

EventEngineSuite::EventEngineSuite()
    : under_test_(GetParam().make_engine()),
      oracle_(GetParam().make_oracle()) {}

EventEngineSuite::~EventEngineSuite() {
  EXPECT_TRUE(under_test_->WaitUntilIdle()) << "sockets are left open";
  oracle_.reset();
  under_test_.reset();
}

std::shared_ptr<EventEngineSuite::Server> EventEngineSuite::Serve(
    EventEngine& engine, const std::vector<std::string>& uris) {
  auto server = std::make_shared<Server>();
  auto listener = engine.CreateListener(
      [server](EndpointPtr endpoint, auto /*allocator*/) {
        absl::MutexLock lock(server->mu);
        server->accepted_in_all += 1;
        if (server->shutdown.is_set()) server->accepted_after_shutdown += 1;
        server->accepted.push_back(std::move(endpoint));
        if (server->one_accepted != nullptr &&
            !server->one_accepted->HasBeenNotified()) {
          server->one_accepted->Notify();
        }
      },
      [server](absl::Status status) { server->shutdown.Set(status); }, config_,
      HeapAllocatorFactory());
  EXPECT_TRUE(listener.ok()) << listener.status();
  server->listener = *std::move(listener);
  for (size_t i = 0; i < uris.size(); ++i) {
    EventEngine::ResolvedAddress address = Address(uris[i]);
    const auto port = server->listener->Bind(address);
    EXPECT_TRUE(port.ok()) << uris[i] << ": " << port.status();
    if (!port.ok()) continue;
    if (!IsUnixAddress(address)) ResolvedAddressSetPort(address, *port);
    if (i == 0) server->address = address;
  }
  EXPECT_TRUE(server->listener->Start().ok());
  return server;
}

EventEngineSuite::EndpointPtr EventEngineSuite::TakeAccepted(Server& server) {
  auto one_accepted = std::make_unique<absl::Notification>();
  absl::Notification* const waited_for = one_accepted.get();
  {
    absl::MutexLock lock(server.mu);
    server.one_accepted = std::move(one_accepted);
    if (!server.accepted.empty()) waited_for->Notify();
  }
  if (!Wait(*waited_for)) return nullptr;
  absl::MutexLock lock(server.mu);
  EndpointPtr endpoint = std::move(server.accepted.front());
  server.accepted.erase(server.accepted.begin());
  return endpoint;
}

absl::StatusOr<EventEngineSuite::EndpointPtr> EventEngineSuite::Connect(
    EventEngine& engine, const EventEngine::ResolvedAddress& address,
    EventEngine::Duration timeout) {
  auto result = std::make_shared<Later<absl::StatusOr<EndpointPtr>>>();
  engine.Connect(
      [result](absl::StatusOr<EndpointPtr> endpoint) {
        result->Set(std::move(endpoint));
      },
      address, config_, HeapAllocatorFactory()->CreateMemoryAllocator("test"),
      timeout);
  if (!Wait(result->ready())) return absl::UnknownError("no callback");
  return std::move(result->value());
}

EventEngineSuite::Connection EventEngineSuite::ConnectToOracle(
    const std::string& uri) {
  const auto server = Serve(oracle(), {uri});
  auto mine = Connect(engine(), server->address);
  EXPECT_TRUE(mine.ok()) << mine.status();
  if (!mine.ok()) return {};
  Connection connection{*std::move(mine), TakeAccepted(*server)};
  server->listener.reset();
  EXPECT_TRUE(Wait(server->shutdown.ready()));
  return connection;
}

EventEngineSuite::Connection EventEngineSuite::ConnectFromOracle(
    const std::string& uri) {
  const auto server = Serve(engine(), {uri});
  auto oracles = Connect(oracle(), server->address);
  EXPECT_TRUE(oracles.ok()) << oracles.status();
  if (!oracles.ok()) return {};
  Connection connection{TakeAccepted(*server), *std::move(oracles)};
  server->listener.reset();
  EXPECT_TRUE(Wait(server->shutdown.ready()));
  return connection;
}

void EventEngineSuite::StartWrite(Endpoint& endpoint, const std::string& data,
                                  std::shared_ptr<Later<absl::Status>> done) {
  // Lives until the callback; slices of different sizes.
  auto buffer = std::make_shared<SliceBuffer>();
  Append(buffer.get(), data, 10007);
  if (endpoint.Write([done, buffer](absl::Status status) { done->Set(status); },
                     buffer.get(), EventEngine::Endpoint::WriteArgs())) {
    done->Set(absl::OkStatus());
  }
}

void EventEngineSuite::StartRead(
    Endpoint& endpoint, size_t size,
    std::shared_ptr<Later<absl::StatusOr<std::string>>> done) {
  Reader::Start(endpoint, size, std::move(done));
}

void EventEngineSuite::Transfer(Endpoint& from, Endpoint& to,
                                const std::string& data) {
  auto written = std::make_shared<Later<absl::Status>>();
  auto read = std::make_shared<Later<absl::StatusOr<std::string>>>();
  StartRead(to, data.size(), read);
  StartWrite(from, data, written);
  ASSERT_TRUE(Wait(written->ready()));
  EXPECT_TRUE(written->value().ok()) << written->value();
  ASSERT_TRUE(Wait(read->ready()));
  ASSERT_TRUE(read->value().ok()) << read->value().status();
  // Not EXPECT_EQ: the texts are long.
  EXPECT_TRUE(*read->value() == data);
}

void EventEngineSuite::PingPong(Connection& connection, int rounds,
                                size_t max_size) {
  std::uniform_int_distribution<size_t> size(1, max_size);
  for (int i = 0; i < rounds && !HasFatalFailure(); ++i) {
    Transfer(*connection.mine, *connection.oracles, RandomText(size(random_)));
    Transfer(*connection.oracles, *connection.mine, RandomText(size(random_)));
  }
}

void EventEngineSuite::ExchangeAtOnce(Connection& connection, size_t size) {
  const std::string to_oracle = RandomText(size);
  const std::string to_mine = RandomText(size);
  auto mine_wrote = std::make_shared<Later<absl::Status>>();
  auto oracle_wrote = std::make_shared<Later<absl::Status>>();
  auto mine_read = std::make_shared<Later<absl::StatusOr<std::string>>>();
  auto oracle_read = std::make_shared<Later<absl::StatusOr<std::string>>>();
  StartRead(*connection.mine, size, mine_read);
  StartRead(*connection.oracles, size, oracle_read);
  StartWrite(*connection.mine, to_oracle, mine_wrote);
  StartWrite(*connection.oracles, to_mine, oracle_wrote);
  ASSERT_TRUE(Wait(mine_wrote->ready()));
  ASSERT_TRUE(Wait(oracle_wrote->ready()));
  ASSERT_TRUE(Wait(mine_read->ready()));
  ASSERT_TRUE(Wait(oracle_read->ready()));
  ASSERT_TRUE(mine_read->value().ok()) << mine_read->value().status();
  ASSERT_TRUE(oracle_read->value().ok()) << oracle_read->value().status();
  EXPECT_TRUE(*mine_read->value() == to_mine);
  EXPECT_TRUE(*oracle_read->value() == to_oracle);
}

std::vector<std::string> EventEngineSuite::ListenUris() {
  std::vector<std::string> uris = {"ipv4:127.0.0.1:0",
                                   "unix:" + FreshUnixPath()};
  if (grpc_event_engine::experimental::IsIpv6LoopbackAvailable()) {
    uris.push_back("ipv6:[::1]:0");
  }
  return uris;
}

std::string EventEngineSuite::RandomText(size_t size) {
  std::string text(size, '\0');
  for (char& c : text) c = static_cast<char>(random_());
  return text;
}

}  // namespace uvgrpc::conformance
