// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// Names as the machine's configuration has them: /etc/hosts, resolv.conf and
// nsswitch.conf, and who is asked for them, c-ares or the system.

#include <arpa/inet.h>
#include <grpc/event_engine/event_engine.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
// ares.h wants event_engine.h first.
#include <ares.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/log/check.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "src/core/config/config_vars.h"
#include "src/core/lib/event_engine/ares_resolver.h"
#include "src/iomgr_uv/name_sources.h"
#include "src/iomgr_uv/uv_engine.h"
#include "src/iomgr_uv/uv_resolver.h"
#include "tests/cpp/dns_test_server.h"
#include "tests/cpp/resolver_fixture.h"

namespace uvgrpc {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Clock = std::chrono::steady_clock;

// Configuration files of this process's c-ares.
class FakeConfiguration {
 public:
  FakeConfiguration() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "names.XXXXXX").string();
    CHECK(mkdtemp(pattern.data()) != nullptr);
    Folder() = pattern;
    Write("hosts", "");
    Write("nsswitch.conf", "hosts: files dns\n");
    setenv("CARES_HOSTS", Path("hosts").c_str(), 1);
    event_engine_grpc_ares_test_only_inject_config = &UseFiles;
  }
  ~FakeConfiguration() {
    event_engine_grpc_ares_test_only_inject_config = [](ares_channel*) {};
    unsetenv("CARES_HOSTS");
    std::filesystem::remove_all(Folder());
  }

  static std::string Path(absl::string_view file) {
    return absl::StrCat(Folder(), "/", file);
  }
  static void Write(absl::string_view file, absl::string_view text) {
    std::ofstream(Path(file)) << text;
  }

 private:
  static std::string& Folder() {
    static auto* const folder = new std::string;
    return *folder;
  }

  // Makes the channel again, with our resolv.conf.
  static void UseFiles(ares_channel* channel) {
    ares_destroy(*channel);
    std::string resolv_conf = Path("resolv.conf");
    char lookups[] = "fb";
    ares_options options = {};
    options.flags = ARES_FLAG_STAYOPEN;
    options.resolvconf_path = resolv_conf.data();
    options.lookups = lookups;
    CHECK_EQ(ares_init_options(
                 channel, &options,
                 ARES_OPT_FLAGS | ARES_OPT_RESOLVCONF | ARES_OPT_LOOKUPS),
             ARES_SUCCESS);
  }
};

// Stands in for libuv's pool: keeps what the system is asked until the test
// answers. As for a request that a thread works on, libuv refuses to cancel.
class FakePool {
 public:
  static UvApi Api() {
    names().clear();
    requests().clear();
    cancels() = 0;
    UvApi api = LinkedUvApi();
    api.getaddrinfo = [](uv_loop_t*, uv_getaddrinfo_t* request,
                         uv_getaddrinfo_cb callback, const char* host,
                         const char*, const addrinfo*) {
      names().emplace_back(host);
      requests().emplace_back(request, callback);
      return 0;
    };
    api.cancel = [](uv_req_t*) {
      ++cancels();
      return static_cast<int>(UV_EBUSY);
    };
    return api;
  }

  // 192.0.2.77:1, or an error of libuv.
  static void AnswerAll(int error = 0) {
    for (const auto& [request, callback] : std::exchange(requests(), {})) {
      const addrinfo hints = AddrinfoHints(AI_NUMERICHOST);
      addrinfo* list = nullptr;
      if (error == 0) {
        EXPECT_EQ(getaddrinfo("192.0.2.77", "1", &hints, &list), 0);
      }
      callback(request, error, list);
    }
  }

  // What the system was asked for, and how often it was to stop.
  static std::vector<std::string>& names() {
    static auto* const result = new std::vector<std::string>;
    return *result;
  }
  static int& cancels() {
    static int result = 0;
    return result;
  }
  static bool HasRequest() { return !requests().empty(); }

 private:
  using Requests = std::vector<std::pair<uv_getaddrinfo_t*, uv_getaddrinfo_cb>>;
  static Requests& requests() {
    static auto* const result = new Requests;
    return *result;
  }
};

bool HasIpv6Loopback() {
  const int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in6 address = {};
  address.sin6_family = AF_INET6;
  address.sin6_addr = in6addr_loopback;
  const bool bound = bind(fd, reinterpret_cast<const sockaddr*>(&address),
                          sizeof(address)) == 0;
  close(fd);
  return bound;
}

class SystemNamesTest : public ResolverFixture {
 protected:
  SystemNamesTest() {
    server_.AddA("host.test", "192.0.2.1");
    server_.AddA("short.corp.test", "192.0.2.2");
    server_.AddA("short.lab.test", "192.0.2.3");
    server_.AddA("loop.test", "127.0.0.1");
    server_.AddAaaa("loop.test", "::1");
    server_.AddA("printer.local", "192.0.2.4");
    server_.AddTxt("txt-only.test", {"text"});
    server_.Ignore("silent.test");
    server_.Start();
    UseServer();
  }

  void UseServer(absl::string_view more = "") {
    files_.Write("resolv.conf",
                 absl::StrCat("nameserver ", server_.address(),
                              "\noptions timeout:1 attempts:1\n", more));
  }

  // With the fake files and the fake pool.
  std::unique_ptr<DNSResolver> Make() {
    if (engine_ == nullptr) {
      auto created = UvEventEngine::Create(loop(), FakePool::Api());
      EXPECT_TRUE(created.ok()) << created.status();
      engine_ = *std::move(created);
      Watch(engine_->bridge()->shared_from_this());
    }
    auto resolver = UvResolver::Create(engine_->bridge()->shared_from_this(),
                                       engine_, {}, nsswitch_.c_str());
    EXPECT_TRUE(resolver.ok()) << resolver.status();
    return *std::move(resolver);
  }

  absl::StatusOr<std::vector<std::string>> Find(absl::string_view name) {
    auto resolver = Make();
    return Lookup(resolver.get(), name);
  }

  void TearDown() override {
    ResolverFixture::TearDown();
    engine_.reset();
  }

  FakeConfiguration files_;
  DnsTestServer server_;
  const std::string nsswitch_ = files_.Path("nsswitch.conf");
  std::shared_ptr<UvEventEngine> engine_;
};

TEST_F(SystemNamesTest, NamesOfTheDnsServerNeedNoThread) {
  EXPECT_THAT(*Find("host.test:1"), ElementsAre("192.0.2.1:1"));
  EXPECT_THAT(*Find("host.test:http"), ElementsAre("192.0.2.1:80"));
  EXPECT_THAT(FakePool::names(), IsEmpty());
}

TEST_F(SystemNamesTest, TheHostsFileComesBeforeTheDnsServer) {
  files_.Write("hosts",
               "# 192.0.2.49 host.test\n"
               "192.0.2.50\thost.test other  # 2\n"
               "::1 Six.test\n"
               "127.0.0.1 x six.test\n"
               "bad.address host.test\n"
               "192.0.2.51 xhost.test host.testx\n");
  EXPECT_THAT(*Find("host.test:1"), ElementsAre("192.0.2.50:1"));
  EXPECT_THAT(*Find("HOST.test.:2"), ElementsAre("192.0.2.50:2"));
  EXPECT_THAT(*Find("other:http"), ElementsAre("192.0.2.50:80"));
  if (HasIpv6Loopback()) {
    EXPECT_THAT(*Find("six.test:1"), ElementsAre("[::1]:1", "127.0.0.1:1"));
  }
  // Not even for the kind of address that the file does not have.
  EXPECT_EQ(server_.queries(), 0);
  EXPECT_THAT(FakePool::names(), IsEmpty());
}

TEST_F(SystemNamesTest, ANamedServerDoesNotHideTheHostsFile) {
  files_.Write("hosts", "192.0.2.50 host.test\n");
  auto resolver = MakeResolver(server_.address());
  EXPECT_THAT(*Lookup(resolver.get(), "host.test:1"),
              ElementsAre("192.0.2.50:1"));
}

TEST_F(SystemNamesTest, LocalhostNeedsNobodyAndPrefersIpv6) {
  const auto found = Find("localhost:1");
  ASSERT_TRUE(found.ok()) << found.status();
  if (HasIpv6Loopback()) {
    EXPECT_THAT(*found, ElementsAre("[::1]:1", "127.0.0.1:1"));
  } else {
    EXPECT_THAT(*found, ElementsAre("127.0.0.1:1"));
  }
  EXPECT_EQ(server_.queries(), 0);
  EXPECT_THAT(FakePool::names(), IsEmpty());
}

TEST_F(SystemNamesTest, AddressesAreSortedAsRfc6724HasIt) {
  if (!HasIpv6Loopback()) GTEST_SKIP() << "no IPv6";
  for (int i = 0; i < 5; ++i) {
    EXPECT_THAT(*Find("loop.test:1"), ElementsAre("[::1]:1", "127.0.0.1:1"));
  }
}

TEST_F(SystemNamesTest, SearchDomainsAreTriedInTheirOrder) {
  UseServer("search none.test corp.test lab.test\n");
  EXPECT_THAT(*Find("short:1"), ElementsAre("192.0.2.2:1"));
  UseServer("search lab.test corp.test\n");
  EXPECT_THAT(*Find("short:1"), ElementsAre("192.0.2.3:1"));
}

TEST_F(SystemNamesTest, TheNextResolverSeesChangedFiles) {
  EXPECT_TRUE(absl::IsNotFound(Find("late:1").status()));
  files_.Write("hosts", "192.0.2.60 late\n");
  EXPECT_THAT(*Find("late:1"), ElementsAre("192.0.2.60:1"));
  DnsTestServer other;
  other.AddA("host.test", "192.0.2.61");
  other.Start();
  files_.Write("resolv.conf", absl::StrCat("nameserver ", other.address()));
  EXPECT_THAT(*Find("host.test:1"), ElementsAre("192.0.2.61:1"));
}

TEST_F(SystemNamesTest, AServerThatNeverAnswersIsGivenUp) {
  const auto start = Clock::now();
  const absl::Status status = Find("silent.test:1").status();
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(std::string(status.message()), HasSubstr("silent.test"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("Timeout"));
  EXPECT_LT(Clock::now() - start, seconds(8));
}

TEST_F(SystemNamesTest, NamesThatHangDelayNoOthers) {
  UseServer("options timeout:30\n");
  std::vector<std::unique_ptr<DNSResolver>> hanging;
  std::vector<HostnameReply> replies(20);
  for (HostnameReply& reply : replies) {
    hanging.push_back(Make());
    hanging.back()->LookupHostname(reply.Callback(), "silent.test:1", "");
  }
  RunFor(milliseconds(50));
  const auto start = Clock::now();
  EXPECT_TRUE(Find("localhost:1").ok());
  EXPECT_TRUE(Find("host.test:1").ok());
  EXPECT_LT(Clock::now() - start, milliseconds(900));
  for (HostnameReply& reply : replies) EXPECT_FALSE(reply.done);
  engine_->Shutdown();
  for (HostnameReply& reply : replies) {
    EXPECT_EQ(reply.times, 1);
    EXPECT_TRUE(absl::IsCancelled(reply.result.status()));
  }
  // Nothing keeps the loop from ending.
  EXPECT_EQ(uv_loop_alive(loop()), 1);  // handles that are being closed
  uv_run(loop(), UV_RUN_NOWAIT);
  uv_run(loop(), UV_RUN_NOWAIT);
  EXPECT_EQ(uv_loop_alive(loop()), 0);
}

TEST_F(SystemNamesTest, AnUnknownNameIsNotForASystemWithFilesAndDnsOnly) {
  const absl::Status status = Find("nobody.test:1").status();
  EXPECT_TRUE(absl::IsNotFound(status)) << status;
  EXPECT_THAT(FakePool::names(), IsEmpty());
}

class OtherSourcesTest : public SystemNamesTest {
 protected:
  OtherSourcesTest() {
    files_.Write("nsswitch.conf",
                 "hosts: files mdns4_minimal [NOTFOUND=return] dns\n");
  }

  // Has the pool answer when it is asked.
  absl::StatusOr<std::vector<std::string>> FindWithPool(absl::string_view name,
                                                        int error = 0) {
    auto resolver = Make();
    HostnameReply reply;
    resolver->LookupHostname(reply.Callback(), name, "");
    EXPECT_TRUE(RunUntil([] { return FakePool::HasRequest(); }));
    FakePool::AnswerAll(error);
    EXPECT_TRUE(RunUntil([&] { return reply.done; }));
    EXPECT_EQ(reply.times, 1);
    if (!reply.result.ok()) return reply.result.status();
    return Texts(*reply.result);
  }
};

TEST_F(OtherSourcesTest, TheSystemIsAskedForWhatDnsDoesNotKnow) {
  EXPECT_THAT(*FindWithPool("nobody.test:1"), ElementsAre("192.0.2.77:1"));
  // There is such a name, but it has no address.
  EXPECT_THAT(*FindWithPool("txt-only.test:1"), ElementsAre("192.0.2.77:1"));
  EXPECT_THAT(FakePool::names(), ElementsAre("nobody.test", "txt-only.test"));
}

TEST_F(OtherSourcesTest, TheSystemIsAskedWhenNoDnsServerIsThere) {
  std::string address;
  {
    DnsTestServer gone;
    address = gone.address();
  }
  files_.Write("resolv.conf", absl::StrCat("nameserver ", address));
  EXPECT_THAT(*FindWithPool("host.test:1"), ElementsAre("192.0.2.77:1"));
}

TEST_F(OtherSourcesTest, TheSystemIsNotAskedForWhatDnsKnows) {
  EXPECT_THAT(*Find("host.test:1"), ElementsAre("192.0.2.1:1"));
  EXPECT_TRUE(Find("localhost:1").ok());
  EXPECT_THAT(FakePool::names(), IsEmpty());
}

TEST_F(OtherSourcesTest, TheSystemIsNotAskedAfterATimeOut) {
  EXPECT_FALSE(Find("silent.test:1").ok());
  EXPECT_THAT(FakePool::names(), IsEmpty());
}

TEST_F(OtherSourcesTest, NamesUnderLocalAreTheSystemsAtOnce) {
  EXPECT_THAT(*FindWithPool("printer.local:1"), ElementsAre("192.0.2.77:1"));
  EXPECT_EQ(server_.queries(), 0);
  files_.Write("nsswitch.conf", "hosts: files dns\n");
  EXPECT_THAT(*Find("printer.local:1"), ElementsAre("192.0.2.4:1"));
}

TEST_F(OtherSourcesTest, TheErrorIsThatOfDnsWhenNobodyKnowsTheName) {
  const absl::Status status =
      FindWithPool("nobody.test:1", UV_EAI_NONAME).status();
  EXPECT_TRUE(absl::IsNotFound(status)) << status;
  EXPECT_EQ(status.message(),
            "address lookup failed for nobody.test: Domain name not found");
}

TEST_F(OtherSourcesTest, AResolverThatGoesWhileTheSystemIsAskedCancels) {
  auto resolver = Make();
  HostnameReply reply;
  resolver->LookupHostname(reply.Callback(), "nobody.test:1", "");
  EXPECT_TRUE(RunUntil([] { return FakePool::HasRequest(); }));
  resolver.reset();
  EXPECT_TRUE(RunUntil([&] { return reply.done; }));
  EXPECT_TRUE(absl::IsCancelled(reply.result.status()));
  FakePool::AnswerAll();
  RunFor(milliseconds(1));
  EXPECT_EQ(reply.times, 1);
}

TEST_F(OtherSourcesTest, AResolverThatGoesBeforeTheSystemIsAskedCancels) {
  auto resolver = Make();
  // c-ares answers both at once, and the first answer ends the resolver.
  resolver->LookupHostname([&](const auto&) { resolver.reset(); },
                           "localhost:1", "");
  HostnameReply reply;
  resolver->LookupHostname(reply.Callback(), std::string(64, 'x') + ".test:1",
                           "");
  EXPECT_TRUE(RunUntil([&] { return reply.done; }));
  EXPECT_TRUE(absl::IsCancelled(reply.result.status()));
  EXPECT_THAT(FakePool::names(), IsEmpty());
  RunFor(milliseconds(1));
  EXPECT_EQ(reply.times, 1);
}

TEST_F(OtherSourcesTest, ANamedServerIsNeverBypassed) {
  Make();
  auto resolver =
      UvResolver::Create(engine_->bridge()->shared_from_this(), engine_,
                         {server_.address()}, nsswitch_.c_str());
  ASSERT_TRUE(resolver.ok());
  EXPECT_TRUE(
      absl::IsNotFound(Lookup(resolver->get(), "nobody.test:1").status()));
  EXPECT_THAT(*Lookup(resolver->get(), "printer.local:1"),
              ElementsAre("192.0.2.4:1"));
  EXPECT_THAT(FakePool::names(), IsEmpty());
}

// GRPC_DNS_RESOLVER for as long as it lives.
class Choice {
 public:
  explicit Choice(const char* resolver) {
    grpc_core::ConfigVars::Overrides overrides;
    overrides.dns_resolver = resolver;
    grpc_core::ConfigVars::SetOverrides(overrides);
  }
  ~Choice() { grpc_core::ConfigVars::Reset(); }
};

TEST_F(OtherSourcesTest, TheSystemIsNeverAskedWhenTheChoiceIsAres) {
  const Choice choice("ares");
  EXPECT_TRUE(absl::IsNotFound(Find("nobody.test:1").status()));
  EXPECT_THAT(*Find("printer.local:1"), ElementsAre("192.0.2.4:1"));
  EXPECT_THAT(FakePool::names(), IsEmpty());
}

class NativeResolverTest : public SystemNamesTest {
 private:
  const Choice choice_{"native"};
};

TEST_F(NativeResolverTest, TheSystemIsAskedAlone) {
  auto resolver = Make();
  HostnameReply reply;
  resolver->LookupHostname(reply.Callback(), "host.test:1", "");
  EXPECT_TRUE(RunUntil([] { return FakePool::HasRequest(); }));
  FakePool::AnswerAll();
  EXPECT_TRUE(RunUntil([&] { return reply.done; }));
  EXPECT_THAT(Texts(*reply.result), ElementsAre("192.0.2.77:1"));
  EXPECT_EQ(server_.queries(), 0);
}

TEST_F(NativeResolverTest, RecordsThatTheSystemDoesNotKnowAreStillFound) {
  auto resolver = Make();
  TxtReply reply;
  resolver->LookupTXT(reply.Callback(), "txt-only.test");
  EXPECT_TRUE(RunUntil([&] { return reply.done; }));
  ASSERT_TRUE(reply.result.ok()) << reply.result.status();
  EXPECT_THAT(*reply.result, ElementsAre("text"));
}

TEST_F(NativeResolverTest, LocalhostIsWhatTheSystemSaysWithoutDuplicates) {
  auto resolver = MakeResolver();
  const auto looked_up = Lookup(resolver.get(), "localhost:50051");
  ASSERT_TRUE(looked_up.ok()) << looked_up.status();
  const addrinfo hints = AddrinfoHints();
  addrinfo* list = nullptr;
  ASSERT_EQ(getaddrinfo("localhost", "50051", &hints, &list), 0);
  std::vector<std::string> expected = Texts(AddressesFrom(list));
  freeaddrinfo(list);
  EXPECT_EQ(*looked_up, expected);
  std::sort(expected.begin(), expected.end());
  EXPECT_EQ(std::adjacent_find(expected.begin(), expected.end()),
            expected.end());
}

TEST_F(NativeResolverTest, ALookupThatCannotBeStoppedEndsWithoutItsResolver) {
  auto resolver = Make();
  HostnameReply reply;
  resolver->LookupHostname(reply.Callback(), "localhost:1", "");
  EXPECT_TRUE(RunUntil([] { return FakePool::HasRequest(); }));
  resolver.reset();
  EXPECT_TRUE(RunUntil([&] { return reply.done; }));
  EXPECT_TRUE(absl::IsCancelled(reply.result.status()));
  EXPECT_EQ(FakePool::cancels(), 1);
  FakePool::AnswerAll();
  RunFor(milliseconds(1));
  EXPECT_EQ(reply.times, 1);
}

TEST_F(NativeResolverTest, ALookupThatCannotBeStoppedEndsAfterItsLoopClosed) {
  auto resolver = Make();
  HostnameReply reply;
  resolver->LookupHostname(reply.Callback(), "localhost:1", "");
  EXPECT_TRUE(RunUntil([] { return FakePool::HasRequest(); }));
  engine_->Shutdown();
  EXPECT_TRUE(absl::IsCancelled(reply.result.status()));
  EXPECT_EQ(FakePool::cancels(), 1);
  resolver.reset();
  engine_.reset();
  FakePool::AnswerAll();
  EXPECT_EQ(reply.times, 1);
}

TEST_F(NativeResolverTest, TheLoopMayCloseWithLookupsInThePool) {
  auto resolver = MakeResolver();
  std::vector<HostnameReply> replies(10);
  for (HostnameReply& reply : replies) {
    resolver->LookupHostname(reply.Callback(), "localhost:1", "");
  }
  RunFor(milliseconds(0));  // hands them to the pool
  engine()->Shutdown();
  for (HostnameReply& reply : replies) EXPECT_TRUE(reply.done);
  // As uvloop does: run until nothing is active, requests included.
  uv_run(loop(), UV_RUN_DEFAULT);
  CloseLoop();
  for (HostnameReply& reply : replies) EXPECT_EQ(reply.times, 1);
}

TEST_F(NativeResolverTest, LookupsThatWaitForThePoolAreTakenOutOfIt) {
  // Keeps every thread of the pool busy.
  constexpr int kPoolThreads = 4;
  struct Blockers {
    std::atomic<int> running{0};
    std::atomic<bool> stop{false};
    std::array<uv_work_t, kPoolThreads> requests;
  } blockers;
  for (uv_work_t& request : blockers.requests) {
    request.data = &blockers;
    uv_queue_work(
        loop(), &request,
        [](uv_work_t* work) {
          auto* blockers = static_cast<Blockers*>(work->data);
          ++blockers->running;
          while (!blockers->stop) {
            std::this_thread::sleep_for(milliseconds(1));
          }
        },
        [](uv_work_t*, int) {});
  }
  for (int i = 0; i < 10000 && blockers.running < kPoolThreads; ++i) {
    std::this_thread::sleep_for(milliseconds(1));
  }
  ASSERT_EQ(blockers.running, kPoolThreads);
  auto resolver = MakeResolver();
  HostnameReply reply;
  resolver->LookupHostname(reply.Callback(), "localhost:1", "");
  RunFor(milliseconds(10));
  EXPECT_FALSE(reply.done);
  resolver.reset();
  EXPECT_TRUE(RunUntil([&] { return reply.done; }));
  EXPECT_TRUE(absl::IsCancelled(reply.result.status()));
  blockers.stop = true;
  uv_run(loop(), UV_RUN_DEFAULT);
}

TEST(NameSourcesTest, OtherSourcesAreFoundInNsswitchConf) {
  for (const char* text : {
           "hosts: files myhostname dns",
           "passwd: files\n hosts:	files  resolve [!UNAVAIL=return] dns\n",
           "hosts: files mdns4_minimal [NOTFOUND=return] dns",
           "hosts:files ldap",
           "hosts: files [SUCCESS=return NOTFOUND=continue] sss # LDAP",
       }) {
    EXPECT_TRUE(NamesOtherSources(text)) << text;
  }
  for (const char* text : {
           "",
           "hosts: files dns",
           "hosts: dns [!UNAVAIL=return] files\r\n",
           "hosts: files dns # not mdns4",
           "# hosts: files mdns4 dns\nhosts: files",
           "passwd: files sss\nnetworks: files ldap\n",
           "hosts: files dns [NOTFOUND=return",
       }) {
    EXPECT_FALSE(NamesOtherSources(text)) << text;
  }
  EXPECT_FALSE(SystemHasOtherSources("/no/such/file"));
}

TEST(NameSourcesTest, NamesUnderLocalAreForOtherSources) {
  EXPECT_TRUE(IsForOtherSources("printer.local"));
  EXPECT_TRUE(IsForOtherSources("Printer.LOCAL."));
  EXPECT_FALSE(IsForOtherSources("local"));
  EXPECT_FALSE(IsForOtherSources("printer.local.test"));
  EXPECT_FALSE(IsForOtherSources("notlocal"));
}

}  // namespace
}  // namespace uvgrpc
