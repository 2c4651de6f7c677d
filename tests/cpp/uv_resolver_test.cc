// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/iomgr_uv/uv_resolver.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "src/core/lib/event_engine/extensions/blocking_dns.h"
#include "src/iomgr_uv/orphan_queue.h"
#include "tests/cpp/dns_test_server.h"
#include "tests/cpp/resolver_fixture.h"
#include "tests/cpp/socket_helpers.h"

namespace uvgrpc {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

class UvResolverTest : public ResolverFixture {};

TEST_F(UvResolverTest, NumericAddressesNeedNoServerAndNoThread) {
  auto resolver = MakeResolver();
  EXPECT_THAT(*Lookup(resolver.get(), "127.0.0.1:50051"),
              ElementsAre("127.0.0.1:50051"));
  EXPECT_THAT(*Lookup(resolver.get(), "[2001:db8::1]:443"),
              ElementsAre("[2001:db8::1]:443"));
  EXPECT_THAT(*Lookup(resolver.get(), "::1", "8080"),
              ElementsAre("[::1]:8080"));
  EXPECT_THAT(*Lookup(resolver.get(), "10.1.2.3", "https"),
              ElementsAre("10.1.2.3:443"));
  EXPECT_THAT(*Lookup(resolver.get(), "0.0.0.0:0"), ElementsAre("0.0.0.0:0"));
  // One callback of libuv each, from the post.
  EXPECT_EQ(engine()->bridge()->callback_count(), 5u);
}

TEST_F(UvResolverTest, AScopeOfALinkLocalAddressIsKept) {
  auto resolver = MakeResolver();
  HostnameReply reply;
  resolver->LookupHostname(reply.Callback(), "[fe80::1%lo]:1", "");
  EXPECT_TRUE(RunUntil([&] { return reply.done; }));
  ASSERT_TRUE(reply.result.ok()) << reply.result.status();
  ASSERT_THAT(*reply.result, SizeIs(1));
  const auto* address =
      reinterpret_cast<const sockaddr_in6*>(reply.result->front().address());
  EXPECT_NE(address->sin6_scope_id, 0u);
}

TEST_F(UvResolverTest, BadNamesSayWhatIsWrongWithThem) {
  auto resolver = MakeResolver();
  const auto message = [&](absl::string_view name) {
    const absl::Status status = Lookup(resolver.get(), name).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    return std::string(status.message());
  };
  EXPECT_THAT(message("localhost"), HasSubstr("it has no port"));
  EXPECT_THAT(message("10.0.0.1:99999"), HasSubstr("\"99999\" is not a port"));
  EXPECT_THAT(message("10.0.0.1:-1"), HasSubstr("\"-1\" is not a port"));
  EXPECT_THAT(message(":80"), HasSubstr("it has no host"));
  EXPECT_THAT(message("[::1"), HasSubstr("not of the form host:port"));
  EXPECT_THAT(message(absl::string_view("a\0b:80", 6)),
              HasSubstr("not of the form host:port"));
  EXPECT_THAT(message("localhost:no-such-service"),
              HasSubstr("localhost:no-such-service"));
}

TEST_F(UvResolverTest, AnUnknownNameIsNamedInTheError) {
  auto resolver = MakeResolver();
  // A label of 64 letters is one too long for any server to be asked.
  const std::string name = std::string(64, 'x') + ".invalid";
  const absl::Status status = Lookup(resolver.get(), name + ":80").status();
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(std::string(status.message()), HasSubstr(name));
}

TEST_F(UvResolverTest, AnotherThreadMayLookUp) {
  auto resolver = MakeResolver();
  HostnameReply reply;
  std::thread([&] {
    resolver->LookupHostname(reply.Callback(), "localhost:1", "");
  }).join();
  EXPECT_TRUE(RunUntil([&] { return reply.done; }));
  EXPECT_TRUE(reply.result.ok()) << reply.result.status();
}

TEST_F(UvResolverTest, TheLoopMayCloseWithLookupsInFlight) {
  auto resolver = MakeResolver();
  std::vector<HostnameReply> replies(10);
  for (auto& reply : replies) {
    resolver->LookupHostname(reply.Callback(), "localhost:1", "");
  }
  engine()->Shutdown();
  for (auto& reply : replies) EXPECT_TRUE(reply.done);
  // As uvloop does: run until nothing is active, requests included.
  uv_run(loop(), UV_RUN_DEFAULT);
  CloseLoop();
  for (auto& reply : replies) EXPECT_EQ(reply.times, 1);
  // A lookup on the closed loop is refused, soon or when somebody drains.
  HostnameReply late;
  resolver->LookupHostname(late.Callback(), "localhost:1", "");
  EXPECT_FALSE(late.done);
  OrphanQueue::Get().Drain();
  EXPECT_EQ(late.result.status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(UvResolverTest, BlockingLookupsDoNotNeedTheLoop) {
  auto resolver = MakeResolver();
  auto* blocking = grpc_event_engine::experimental::QueryExtension<
      grpc_event_engine::experimental::ResolverSupportsBlockingLookups>(
      resolver.get());
  ASSERT_NE(blocking, nullptr);
  EXPECT_THAT(
      Texts(*blocking->LookupHostnameBlocking("127.0.0.1:50051", "https")),
      ElementsAre("127.0.0.1:50051"));
  EXPECT_THAT(Texts(*blocking->LookupHostnameBlocking("[::]:0", "https")),
              ElementsAre("[::]:0"));
  EXPECT_THAT(Texts(*blocking->LookupHostnameBlocking("localhost", "https")),
              Contains(HasSubstr(":443")));
  const absl::Status unknown =
      blocking->LookupHostnameBlocking(std::string(64, 'x') + ":1", "")
          .status();
  EXPECT_FALSE(unknown.ok());
  EXPECT_THAT(std::string(unknown.message()), HasSubstr("xxxx"));
  EXPECT_EQ(blocking->LookupSRVBlocking("a.test").status().code(),
            absl::StatusCode::kUnimplemented);
  EXPECT_EQ(blocking->LookupTXTBlocking("a.test").status().code(),
            absl::StatusCode::kUnimplemented);
  EXPECT_EQ(engine()->bridge()->callback_count(), 0u);
}

TEST_F(UvResolverTest, ADnsServerMustBeAnAddress) {
  for (const char* server :
       {"localhost:53", "1.2.3.4:x", "[::1", "1.2.3.4.5"}) {
    const auto resolver = engine()->GetDNSResolver({server});
    EXPECT_EQ(resolver.status().code(), absl::StatusCode::kInvalidArgument)
        << server << ": " << resolver.status();
  }
  EXPECT_TRUE(engine()->GetDNSResolver({"1.2.3.4"}).ok());
  EXPECT_TRUE(engine()->GetDNSResolver({"[::1]:5353"}).ok());
}

class UvResolverDnsTest : public UvResolverTest {
 protected:
  UvResolverDnsTest() {
    server_.AddA("both.test", "192.0.2.1");
    server_.AddA("both.test", "192.0.2.2");
    server_.AddAaaa("both.test", "2001:db8::7");
    server_.AddSrv("_grpclb._tcp.lb.test", 1, 2, 3456, "balancer.test");
    server_.AddSrv("_grpclb._tcp.lb.test", 5, 6, 7890, "other.test");
    server_.AddTxt("_grpc_config.txt.test", {"grpc_config=", "[{}]"});
    server_.AddTxt("_grpc_config.txt.test", {"second"});
    server_.AddTxt("large.test", {std::string(255, 'x')});
    server_.Truncate("large.test");
    server_.Ignore("silent.test");
    server_.Start();
  }

  DnsTestServer server_;
};

TEST_F(UvResolverDnsTest, HostnamesComeFromTheServerThatIsNamed) {
  auto resolver = MakeResolver(server_.address());
  const auto addresses = Lookup(resolver.get(), "both.test:99");
  ASSERT_TRUE(addresses.ok()) << addresses.status();
  EXPECT_THAT(*addresses, UnorderedElementsAre("192.0.2.1:99", "192.0.2.2:99",
                                               "[2001:db8::7]:99"));
  EXPECT_GT(server_.queries(), 0);
}

TEST_F(UvResolverDnsTest, NumericAddressesAreNotAskedFor) {
  auto resolver = MakeResolver(server_.address());
  EXPECT_THAT(*Lookup(resolver.get(), "192.0.2.9:1"),
              ElementsAre("192.0.2.9:1"));
  EXPECT_EQ(server_.queries(), 0);
}

TEST_F(UvResolverDnsTest, ManyLookupsShareAResolver) {
  auto resolver = MakeResolver(server_.address());
  std::vector<HostnameReply> replies(50);
  for (auto& reply : replies) {
    resolver->LookupHostname(reply.Callback(), "both.test", "http");
  }
  for (auto& reply : replies) {
    EXPECT_TRUE(RunUntil([&] { return reply.done; }));
    ASSERT_TRUE(reply.result.ok()) << reply.result.status();
    EXPECT_THAT(*reply.result, SizeIs(3));
    EXPECT_EQ(reply.times, 1);
  }
}

TEST_F(UvResolverDnsTest, AResolverIsUsedAgainAfterItWasIdle) {
  auto resolver = MakeResolver(server_.address());
  for (int i = 0; i < 5; ++i) {
    EXPECT_TRUE(Lookup(resolver.get(), "both.test:1").ok());
    RunFor(std::chrono::milliseconds(10));
    const absl::Status unknown =
        Lookup(resolver.get(), absl::StrCat("none", i, ".test:1")).status();
    EXPECT_EQ(unknown.code(), absl::StatusCode::kNotFound) << unknown;
    EXPECT_THAT(std::string(unknown.message()),
                HasSubstr(absl::StrCat("none", i, ".test")));
  }
}

TEST_F(UvResolverDnsTest, SrvRecordsAreFound) {
  auto resolver = MakeResolver(server_.address());
  SrvReply reply;
  resolver->LookupSRV(reply.Callback(), "_grpclb._tcp.lb.test");
  EXPECT_FALSE(reply.done);
  EXPECT_TRUE(RunUntil([&] { return reply.done; }));
  ASSERT_TRUE(reply.result.ok()) << reply.result.status();
  ASSERT_THAT(*reply.result, SizeIs(2));
  std::sort(reply.result->begin(), reply.result->end(),
            [](const auto& a, const auto& b) { return a.port < b.port; });
  const DNSResolver::SRVRecord& record = reply.result->front();
  EXPECT_EQ(record.host, "balancer.test");
  EXPECT_EQ(record.port, 3456);
  EXPECT_EQ(record.priority, 1);
  EXPECT_EQ(record.weight, 2);
}

TEST_F(UvResolverDnsTest, TxtRecordsAreFoundAndTheirPartsJoined) {
  auto resolver = MakeResolver(server_.address());
  TxtReply reply;
  resolver->LookupTXT(reply.Callback(), "_grpc_config.txt.test");
  EXPECT_TRUE(RunUntil([&] { return reply.done; }));
  ASSERT_TRUE(reply.result.ok()) << reply.result.status();
  EXPECT_THAT(*reply.result,
              UnorderedElementsAre("grpc_config=[{}]", "second"));
}

TEST_F(UvResolverDnsTest, AnUnknownSrvOrTxtNameIsAnError) {
  auto resolver = MakeResolver(server_.address());
  SrvReply srv;
  TxtReply txt;
  resolver->LookupSRV(srv.Callback(), "nothing.test");
  resolver->LookupTXT(txt.Callback(), "nothing.test");
  EXPECT_TRUE(RunUntil([&] { return srv.done && txt.done; }));
  EXPECT_EQ(srv.result.status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(txt.result.status().code(), absl::StatusCode::kNotFound);
}

TEST_F(UvResolverDnsTest, DestructionCancelsQueriesThatGetNoAnswer) {
  auto resolver = MakeResolver(server_.address());
  HostnameReply hostname;
  SrvReply srv;
  TxtReply txt;
  resolver->LookupHostname(hostname.Callback(), "silent.test:1", "");
  resolver->LookupSRV(srv.Callback(), "silent.test");
  resolver->LookupTXT(txt.Callback(), "silent.test");
  RunFor(std::chrono::milliseconds(20));
  EXPECT_FALSE(hostname.done || srv.done || txt.done);
  resolver.reset();
  EXPECT_FALSE(hostname.done || srv.done || txt.done) << "called back inside";
  EXPECT_TRUE(RunUntil([&] { return hostname.done && srv.done && txt.done; }));
  EXPECT_EQ(hostname.result.status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(srv.result.status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(txt.result.status().code(), absl::StatusCode::kCancelled);
}

TEST_F(UvResolverDnsTest, DestructionOnAnotherThreadCancels) {
  auto resolver = MakeResolver(server_.address());
  HostnameReply reply;
  resolver->LookupHostname(reply.Callback(), "silent.test:1", "");
  std::thread([&] { resolver.reset(); }).join();
  EXPECT_FALSE(reply.done);
  EXPECT_TRUE(RunUntil([&] { return reply.done; }));
  EXPECT_EQ(reply.result.status().code(), absl::StatusCode::kCancelled);
}

TEST_F(UvResolverDnsTest, TheLoopMayCloseWithQueriesInFlight) {
  auto resolver = MakeResolver(server_.address());
  HostnameReply hostname;
  TxtReply txt;
  resolver->LookupHostname(hostname.Callback(), "silent.test:1", "");
  resolver->LookupTXT(txt.Callback(), "silent.test");
  RunFor(std::chrono::milliseconds(20));
  engine()->Shutdown();
  EXPECT_TRUE(hostname.done && txt.done);
  EXPECT_EQ(hostname.result.status().code(), absl::StatusCode::kCancelled);
  CloseLoop();
  TxtReply late;
  resolver->LookupTXT(late.Callback(), "silent.test");
  OrphanQueue::Get().Drain();
  EXPECT_EQ(late.result.status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(UvResolverDnsTest, ClosingTheLoopRightAfterTheQuestionCancels) {
  auto resolver = MakeResolver(server_.address());
  HostnameReply reply;
  resolver->LookupHostname(reply.Callback(), "silent.test:1", "");
  engine()->Shutdown();
  EXPECT_TRUE(reply.done);
  EXPECT_EQ(reply.result.status().code(), absl::StatusCode::kCancelled);
}

TEST_F(UvResolverDnsTest, LargeAnswersComeByTcp) {
  auto resolver = MakeResolver(server_.address());
  for (int i = 0; i < 3; ++i) {
    TxtReply reply;
    resolver->LookupTXT(reply.Callback(), "large.test");
    EXPECT_TRUE(RunUntil([&] { return reply.done; }));
    ASSERT_TRUE(reply.result.ok()) << reply.result.status();
    EXPECT_THAT(*reply.result, ElementsAre(std::string(255, 'x')));
    EXPECT_TRUE(Lookup(resolver.get(), "both.test:1").ok());
  }
  EXPECT_GT(server_.tcp_queries(), 0);
}

TEST_F(UvResolverTest, AServerThatIsNotThereIsAnErrorAndNoBusyLoop) {
  std::string address;
  {
    DnsTestServer gone;
    address = gone.address();
  }
  auto resolver = MakeResolver(address);
  const absl::Status status = Lookup(resolver.get(), "both.test:1").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("both.test"));
  EXPECT_LT(engine()->bridge()->callback_count(), 100u);
}

TEST_F(UvResolverDnsTest, DescriptorsAreClosedAfterTheResolver) {
  engine();
  RunFor(std::chrono::milliseconds(1));
  const int before = OpenDescriptors();
  for (int i = 0; i < 20; ++i) {
    auto resolver = MakeResolver(server_.address());
    EXPECT_TRUE(Lookup(resolver.get(), "both.test:1").ok());
    if (i % 2 == 0) {
      std::thread([&] { resolver.reset(); }).join();
    }
  }
  EXPECT_TRUE(RunUntil([&] {
    return engine()->bridge()->DescribeHandles() ==
           "1 async, 1 check, 1 prepare, 1 timer";
  }));
  EXPECT_EQ(OpenDescriptors(), before);
}

TEST_F(UvResolverDnsTest, ThreadsMayLookUpAndDestroyAtOnce) {
  constexpr int kThreads = 4;
  constexpr int kRounds = 50;
  std::atomic<int> replies{0};
  std::atomic<int> threads_done{0};
  engine();
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kRounds; ++i) {
        auto resolver = engine()->GetDNSResolver({server_.address()});
        ASSERT_TRUE(resolver.ok());
        (*resolver)->LookupHostname(
            [&](const auto&) { ++replies; },
            i % 3 == t % 3 ? "silent.test:1" : "both.test:1", "");
        (*resolver)->LookupTXT([&](const auto&) { ++replies; },
                               "_grpc_config.txt.test");
        if (i % 5 == 0) {
          std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
      }
      ++threads_done;
    });
  }
  EXPECT_TRUE(RunUntil([&] { return replies == 2 * kThreads * kRounds; }));
  for (std::thread& thread : threads) thread.join();
}

TEST_F(UvResolverDnsTest, AnIdleResolverDoesNotWakeTheLoop) {
  auto resolver = MakeResolver(server_.address());
  EXPECT_TRUE(Lookup(resolver.get(), "both.test:1").ok());
  RunFor(std::chrono::milliseconds(50));
  const uint64_t before = engine()->bridge()->callback_count();
  RunFor(std::chrono::milliseconds(2500));
  // Core looks after its queries once a second, also when it has none.
  EXPECT_LE(engine()->bridge()->callback_count() - before, 6u);
}

}  // namespace
}  // namespace uvgrpc
