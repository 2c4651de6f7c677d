// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "src/core/lib/event_engine/tcp_socket_utils.h"
#include "tests/cpp/conformance/event_engine_suite.h"
#include "tests/cpp/dns_test_server.h"

namespace uvgrpc::conformance {
namespace {

using ::testing::AnyOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;
using DNSResolver = EventEngine::DNSResolver;
using Addresses = std::vector<EventEngine::ResolvedAddress>;

template <typename T>
using Reply = std::shared_ptr<Later<absl::StatusOr<T>>>;

template <typename T>
Reply<T> MakeReply() {
  return std::make_shared<Later<absl::StatusOr<T>>>();
}

// Fails when it is called twice.
template <typename T>
absl::AnyInvocable<void(absl::StatusOr<T>)> Into(Reply<T> reply) {
  return [reply](absl::StatusOr<T> result) { reply->Set(std::move(result)); };
}

std::unique_ptr<DNSResolver> MakeResolver(EventEngine& engine,
                                          std::string dns_server = "") {
  auto resolver = engine.GetDNSResolver({std::move(dns_server)});
  EXPECT_TRUE(resolver.ok()) << resolver.status();
  return *std::move(resolver);
}

std::vector<std::string> Texts(const Addresses& addresses) {
  std::vector<std::string> texts;
  for (const auto& address : addresses) {
    texts.push_back(
        grpc_event_engine::experimental::ResolvedAddressToString(address)
            .value());
  }
  return texts;
}

void Teach(DnsTestServer& server) {
  server.AddA("host.test", "192.0.2.1");
  server.AddAaaa("host.test", "2001:db8::1");
  server.AddSrv("_grpclb._tcp.host.test", 0, 0, 1234, "balancer.test");
  server.AddTxt("_grpc_config.host.test", {"grpc_config=[]"});
  server.Ignore("silent.test");
  server.Start();
}

TEST_P(DnsSuite, AddressesAreTheirOwnAnswer) {
  auto resolver = MakeResolver(engine());
  for (const auto& [name, expected] :
       std::vector<std::pair<std::string, std::string>>{
           {"127.0.0.1:80", "127.0.0.1:80"},
           {"[::1]:443", "[::1]:443"},
           {"10.0.0.1", "10.0.0.1:443"}}) {
    auto reply = MakeReply<Addresses>();
    resolver->LookupHostname(Into<Addresses>(reply), name, "https");
    ASSERT_TRUE(Wait(reply->ready()));
    ASSERT_TRUE(reply->value().ok()) << reply->value().status();
    EXPECT_THAT(Texts(*reply->value()), ElementsAre(expected));
  }
}

TEST_P(DnsSuite, LocalhostIsALoopbackAddress) {
  auto resolver = MakeResolver(engine());
  auto reply = MakeReply<Addresses>();
  resolver->LookupHostname(Into<Addresses>(reply), "localhost:1", "");
  ASSERT_TRUE(Wait(reply->ready()));
  ASSERT_TRUE(reply->value().ok()) << reply->value().status();
  EXPECT_THAT(Texts(*reply->value()),
              Contains(AnyOf("127.0.0.1:1", "[::1]:1")));
}

TEST_P(DnsSuite, ANameWithoutAPortIsAnError) {
  auto resolver = MakeResolver(engine());
  auto reply = MakeReply<Addresses>();
  resolver->LookupHostname(Into<Addresses>(reply), "localhost", "");
  ASSERT_TRUE(Wait(reply->ready()));
  EXPECT_EQ(reply->value().status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_P(DnsSuite, ADnsServerIsAskedForEachKindOfRecord) {
  DnsTestServer server;
  Teach(server);
  auto resolver = MakeResolver(engine(), server.address());
  auto hostname = MakeReply<Addresses>();
  auto srv = MakeReply<std::vector<DNSResolver::SRVRecord>>();
  auto txt = MakeReply<std::vector<std::string>>();
  resolver->LookupHostname(Into<Addresses>(hostname), "host.test:5", "");
  resolver->LookupSRV(Into<std::vector<DNSResolver::SRVRecord>>(srv),
                      "_grpclb._tcp.host.test");
  resolver->LookupTXT(Into<std::vector<std::string>>(txt),
                      "_grpc_config.host.test");
  ASSERT_TRUE(Wait(hostname->ready()));
  ASSERT_TRUE(hostname->value().ok()) << hostname->value().status();
  EXPECT_THAT(Texts(*hostname->value()),
              UnorderedElementsAre("192.0.2.1:5", "[2001:db8::1]:5"));
  ASSERT_TRUE(Wait(srv->ready()));
  ASSERT_TRUE(srv->value().ok()) << srv->value().status();
  ASSERT_EQ(srv->value()->size(), 1u);
  EXPECT_EQ(srv->value()->front().host, "balancer.test");
  EXPECT_EQ(srv->value()->front().port, 1234);
  ASSERT_TRUE(Wait(txt->ready()));
  ASSERT_TRUE(txt->value().ok()) << txt->value().status();
  EXPECT_THAT(*txt->value(), ElementsAre("grpc_config=[]"));
}

TEST_P(DnsSuite, AnUnknownNameIsNotFound) {
  DnsTestServer server;
  Teach(server);
  auto resolver = MakeResolver(engine(), server.address());
  auto hostname = MakeReply<Addresses>();
  auto txt = MakeReply<std::vector<std::string>>();
  resolver->LookupHostname(Into<Addresses>(hostname), "nobody.test:5", "");
  resolver->LookupTXT(Into<std::vector<std::string>>(txt), "nobody.test");
  ASSERT_TRUE(Wait(hostname->ready()));
  EXPECT_EQ(hostname->value().status().code(), absl::StatusCode::kNotFound);
  ASSERT_TRUE(Wait(txt->ready()));
  EXPECT_EQ(txt->value().status().code(), absl::StatusCode::kNotFound);
}

TEST_P(DnsSuite, DestructionCancelsWhatIsUnderWay) {
  DnsTestServer server;
  Teach(server);
  auto resolver = MakeResolver(engine(), server.address());
  auto hostname = MakeReply<Addresses>();
  auto srv = MakeReply<std::vector<DNSResolver::SRVRecord>>();
  auto txt = MakeReply<std::vector<std::string>>();
  resolver->LookupHostname(Into<Addresses>(hostname), "silent.test:5", "");
  resolver->LookupSRV(Into<std::vector<DNSResolver::SRVRecord>>(srv),
                      "silent.test");
  resolver->LookupTXT(Into<std::vector<std::string>>(txt), "silent.test");
  resolver.reset();
  ASSERT_TRUE(Wait(hostname->ready()));
  EXPECT_EQ(hostname->value().status().code(), absl::StatusCode::kCancelled);
  ASSERT_TRUE(Wait(srv->ready()));
  EXPECT_EQ(srv->value().status().code(), absl::StatusCode::kCancelled);
  ASSERT_TRUE(Wait(txt->ready()));
  EXPECT_EQ(txt->value().status().code(), absl::StatusCode::kCancelled);
}

TEST_P(DnsSuite, AResolverMayBeDestroyedAtAnyMoment) {
  for (int i = 0; i < 50; ++i) {
    auto resolver = MakeResolver(engine());
    auto reply = MakeReply<Addresses>();
    resolver->LookupHostname(Into<Addresses>(reply), "localhost:1", "");
    if (i % 2 == 0) {
      absl::Notification turn;
      engine().Run([&] { turn.Notify(); });
      ASSERT_TRUE(Wait(turn));
    }
    resolver.reset();
    ASSERT_TRUE(Wait(reply->ready()));
    if (!reply->value().ok()) {
      EXPECT_EQ(reply->value().status().code(), absl::StatusCode::kCancelled);
    }
  }
}

TEST_P(DnsSuite, AResolverMayBeDestroyedInItsCallback) {
  DnsTestServer server;
  Teach(server);
  for (const std::string& dns_server : {std::string(), server.address()}) {
    auto resolver = MakeResolver(engine(), dns_server);
    DNSResolver* const raw = resolver.release();
    absl::Notification done;
    raw->LookupHostname(
        [&, raw](const auto&) {
          delete raw;
          done.Notify();
        },
        dns_server.empty() ? "localhost:1" : "host.test:1", "");
    ASSERT_TRUE(Wait(done));
  }
}

}  // namespace
}  // namespace uvgrpc::conformance
