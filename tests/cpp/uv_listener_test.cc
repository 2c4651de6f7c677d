// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/iomgr_uv/uv_listener.h"

#include <fcntl.h>
#include <grpc/event_engine/slice_buffer.h>
#include <grpc/impl/channel_arg_names.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "src/core/lib/event_engine/tcp_socket_utils.h"
#include "src/iomgr_uv/orphan_queue.h"
#include "tests/cpp/loop_fixture.h"
#include "tests/cpp/socket_helpers.h"

namespace uvgrpc {
namespace {

using namespace std::chrono_literals;
using grpc_event_engine::experimental::ListenerSupportsFdExtension;
using grpc_event_engine::experimental::MemoryAllocator;
using grpc_event_engine::experimental::QueryExtension;
using grpc_event_engine::experimental::ResolvedAddressGetPort;
using grpc_event_engine::experimental::SliceBuffer;

bool Exists(const std::string& path) {
  struct stat file;
  return stat(path.c_str(), &file) == 0;
}

class UvListenerTest : public LoopFixture {
 protected:
  struct Accepted {
    int listener_fd;
    std::unique_ptr<EventEngine::Endpoint> endpoint;
    bool is_external;
    std::string pending;
  };

  void Make(TcpOptions options = {}) {
    auto listener = UvListener::Create(
        bridge(),
        [this](int listener_fd, std::unique_ptr<EventEngine::Endpoint> endpoint,
               bool is_external, MemoryAllocator, SliceBuffer* pending) {
          EXPECT_EQ(shutdowns_, 0);
          EXPECT_TRUE(bridge_thread_ == std::this_thread::get_id());
          accepted_.push_back(
              Accepted{listener_fd, std::move(endpoint), is_external,
                       pending == nullptr ? "" : Text(pending)});
          if (on_accept_ != nullptr) on_accept_();
        },
        [this](absl::Status status) {
          shutdown_status_ = std::move(status);
          ++shutdowns_;
        },
        std::move(options), HeapAllocatorFactory());
    ASSERT_TRUE(listener.ok()) << listener.status();
    listener_ = *std::move(listener);
  }

  ListenerSupportsFdExtension* extension() {
    return QueryExtension<ListenerSupportsFdExtension>(listener_.get());
  }

  // Binds, starts, connects and waits for the accept.
  void ExpectWorksAt(const std::string& bind_uri,
                     const std::function<std::string(int)>& connect_uri) {
    Make();
    auto port = listener_->Bind(Address(bind_uri));
    ASSERT_TRUE(port.ok()) << port.status();
    ASSERT_TRUE(listener_->Start().ok());
    OwnedFd client = ConnectTo(Address(connect_uri(*port)));
    ASSERT_TRUE(client.is_open());
    ASSERT_TRUE(RunUntil([&] { return accepted_.size() == 1; }));
    EXPECT_FALSE(accepted_[0].is_external);
    SendAll(client.get(), "hi");
    SliceBuffer buffer;
    std::optional<absl::Status> read;
    EXPECT_FALSE(accepted_[0].endpoint->Read(
        [&](absl::Status status) { read = status; }, &buffer, {}));
    ASSERT_TRUE(RunUntil([&] { return read.has_value(); }));
    EXPECT_EQ(Text(&buffer), "hi");
  }

  void DestroyAndExpectShutdown() {
    listener_.reset();
    EXPECT_EQ(shutdowns_, 0) << "called inside the destructor";
    ASSERT_TRUE(RunUntil([&] { return shutdowns_ != 0; }));
    EXPECT_TRUE(shutdown_status_.ok()) << shutdown_status_;
    RunFor(5ms);
    EXPECT_EQ(shutdowns_, 1);
  }

  const std::thread::id bridge_thread_ = std::this_thread::get_id();
  std::unique_ptr<EventEngine::Listener> listener_;
  std::vector<Accepted> accepted_;
  std::function<void()> on_accept_;
  int shutdowns_ = 0;
  absl::Status shutdown_status_;
};

TEST_F(UvListenerTest, AcceptsOverIpv4) {
  ExpectWorksAt("ipv4:127.0.0.1:0",
                [](int port) { return absl::StrCat("ipv4:127.0.0.1:", port); });
}

TEST_F(UvListenerTest, AcceptsOverIpv6) {
  ExpectWorksAt("ipv6:[::1]:0",
                [](int port) { return absl::StrCat("ipv6:[::1]:", port); });
}

TEST_F(UvListenerTest, AWildcardTakesBothIpVersions) {
  ExpectWorksAt("ipv6:[::]:0",
                [](int port) { return absl::StrCat("ipv4:127.0.0.1:", port); });
  EXPECT_EQ(Describe(accepted_[0].endpoint->GetPeerAddress()).substr(0, 10),
            "127.0.0.1:");
}

TEST_F(UvListenerTest, AnIpv4WildcardTakesBothIpVersions) {
  ExpectWorksAt("ipv4:0.0.0.0:0",
                [](int port) { return absl::StrCat("ipv6:[::1]:", port); });
}

TEST_F(UvListenerTest, AcceptsOnUnixPathsAndRemovesThem) {
  const std::string uri = "unix:" + FreshUnixPath();
  ExpectWorksAt(uri, [&](int port) {
    EXPECT_EQ(port, 1);
    return uri;
  });
  EXPECT_TRUE(Exists(uri.substr(5)));
  DestroyAndExpectShutdown();
  EXPECT_FALSE(Exists(uri.substr(5)));
}

TEST_F(UvListenerTest, AcceptsOnAbstractUnixNames) {
  const std::string uri = "unix-abstract:" + FreshUnixPath();
  ExpectWorksAt(uri, [&](int port) {
    EXPECT_EQ(port, 1);
    return uri;
  });
}

TEST_F(UvListenerTest, AStaleUnixSocketIsReplaced) {
  const std::string path = FreshUnixPath();
  { PlainListener dead = Listen("unix:" + path); }
  EXPECT_TRUE(Exists(path));
  Make();
  EXPECT_EQ(*listener_->Bind(Address("unix:" + path)), 1);
  DestroyAndExpectShutdown();
  EXPECT_FALSE(Exists(path));
}

TEST_F(UvListenerTest, AUnixPathThatIsNowSomebodyElsesStays) {
  const std::string path = FreshUnixPath();
  Make();
  EXPECT_TRUE(listener_->Bind(Address("unix:" + path)).ok());
  unlink(path.c_str());
  PlainListener successor = Listen("unix:" + path);
  DestroyAndExpectShutdown();
  EXPECT_TRUE(Exists(path));
  unlink(path.c_str());
}

TEST_F(UvListenerTest, AFileAtTheUnixPathIsNotRemoved) {
  const std::string path = FreshUnixPath();
  OwnedFd file(open(path.c_str(), O_CREAT | O_WRONLY, 0600));
  Make();
  const auto port = listener_->Bind(Address("unix:" + path));
  EXPECT_FALSE(port.ok());
  EXPECT_NE(port.status().message().find(path), std::string::npos);
  EXPECT_TRUE(Exists(path));
  unlink(path.c_str());
}

TEST_F(UvListenerTest, ListensOnASocketThatItWasGiven) {
  PlainListener given = Listen("ipv4:127.0.0.1:0");
  const int port = ResolvedAddressGetPort(given.address);
  TcpOptions options;
  options.adopted_socket = given.fd.get();
  Make(options);
  // Whatever address it is asked for.
  const auto bound = listener_->Bind(Address("ipv4:0.0.0.0:0"));
  ASSERT_TRUE(bound.ok()) << bound.status();
  EXPECT_EQ(*bound, port);
  // It has a descriptor of its own.
  given.fd.Reset();
  ASSERT_TRUE(listener_->Start().ok());
  OwnedFd client = ConnectTo(given.address);
  ASSERT_TRUE(client.is_open());
  ASSERT_TRUE(RunUntil([&] { return accepted_.size() == 1; }));
  DestroyAndExpectShutdown();
  EXPECT_FALSE(ConnectTo(given.address).is_open());
}

TEST_F(UvListenerTest, AGivenSocketMayNotListenYet) {
  OwnedFd given(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const ResolvedAddress any = Address("ipv4:127.0.0.1:0");
  ASSERT_EQ(bind(given.get(), any.address(), any.size()), 0);
  TcpOptions options;
  options.adopted_socket = given.get();
  Make(options);
  ASSERT_TRUE(listener_->Bind(any).ok());
  ASSERT_TRUE(listener_->Start().ok());
  OwnedFd client = ConnectTo(*LocalAddressOf(given.get()));
  ASSERT_TRUE(client.is_open());
  ASSERT_TRUE(RunUntil([&] { return accepted_.size() == 1; }));
}

TEST_F(UvListenerTest, TheFileOfAGivenSocketStays) {
  const std::string path = FreshUnixPath();
  PlainListener given = Listen("unix:" + path);
  TcpOptions options;
  options.adopted_socket = given.fd.get();
  Make(options);
  EXPECT_EQ(*listener_->Bind(given.address), 1);
  DestroyAndExpectShutdown();
  EXPECT_TRUE(Exists(path));
  // Whoever gave it goes on.
  ASSERT_TRUE(ConnectTo(given.address).is_open());
  unlink(path.c_str());
}

TEST_F(UvListenerTest, AGivenSocketThatCannotListenIsRefused) {
  const int before = OpenDescriptors();
  {
    OwnedFd datagrams(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    TcpOptions options;
    options.adopted_socket = datagrams.get();
    Make(options);
    EXPECT_FALSE(listener_->Bind(Address("ipv4:127.0.0.1:0")).ok());
    DestroyAndExpectShutdown();
  }
  EXPECT_EQ(OpenDescriptors(), before);
}

TEST_F(UvListenerTest, BindSaysWhereAndWhy) {
  PlainListener taken = Listen("ipv4:127.0.0.1:0");
  TcpOptions options;
  options.allow_reuse_port = false;
  Make(options);
  const auto port = listener_->Bind(taken.address);
  ASSERT_FALSE(port.ok());
  EXPECT_NE(port.status().message().find(Describe(taken.address)),
            std::string::npos)
      << port.status();
  EXPECT_NE(port.status().message().find("Address already in use"),
            std::string::npos)
      << port.status();
}

TEST_F(UvListenerTest, BindOfNonsenseFails) {
  Make();
  EXPECT_FALSE(listener_->Bind(ResolvedAddress()).ok());
  // Documentation addresses are nobody's.
  EXPECT_FALSE(listener_->Bind(Address("ipv4:192.0.2.1:0")).ok());
}

TEST_F(UvListenerTest, ASecondBindWithPortZeroTakesTheFirstPort) {
  Make();
  const auto first = listener_->Bind(Address("ipv4:127.0.0.1:0"));
  ASSERT_TRUE(first.ok());
  const auto second = listener_->Bind(Address("ipv4:127.0.0.2:0"));
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(*first, *second);
}

TEST_F(UvListenerTest, TwoListenersShareAPort) {
  Make();
  const auto port = listener_->Bind(Address("ipv4:127.0.0.1:0"));
  auto first = std::move(listener_);
  Make();
  const auto again =
      listener_->Bind(Address(absl::StrCat("ipv4:127.0.0.1:", *port)));
  EXPECT_EQ(again.value_or(0), *port) << again.status();
}

TEST_F(UvListenerTest, ExpandedWildcardsShareOnePort) {
  TcpOptions options;
  options.expand_wildcard_addresses = true;
  Make(options);
  std::vector<int> fds;
  const auto port = extension()->BindWithFd(
      Address("ipv4:0.0.0.0:0"),
      [&](absl::StatusOr<int> fd) { fds.push_back(fd.value_or(-1)); });
  ASSERT_TRUE(port.ok()) << port.status();
  EXPECT_FALSE(fds.empty());
  for (int fd : fds) {
    EXPECT_EQ(ResolvedAddressGetPort(*LocalAddressOf(fd)), *port);
  }
}

TEST_F(UvListenerTest, BindWithFdReportsFailure) {
  Make();
  absl::Status reported;
  EXPECT_FALSE(
      extension()
          ->BindWithFd(Address("ipv4:192.0.2.1:0"),
                       [&](absl::StatusOr<int> fd) { reported = fd.status(); })
          .ok());
  EXPECT_EQ(reported.code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(UvListenerTest, BindAfterStartFails) {
  Make();
  ASSERT_TRUE(listener_->Bind(Address("ipv4:127.0.0.1:0")).ok());
  EXPECT_TRUE(listener_->Start().ok());
  EXPECT_TRUE(listener_->Start().ok());
  EXPECT_EQ(listener_->Bind(Address("ipv4:127.0.0.1:0")).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST_F(UvListenerTest, ConnectionsBeforeStartWaitInTheQueue) {
  Make();
  const auto port = listener_->Bind(Address("ipv4:127.0.0.1:0"));
  OwnedFd client = ConnectTo(Address(absl::StrCat("ipv4:127.0.0.1:", *port)));
  EXPECT_TRUE(client.is_open());
  RunFor(10ms);
  EXPECT_TRUE(accepted_.empty());
  EXPECT_TRUE(listener_->Start().ok());
  ASSERT_TRUE(RunUntil([&] { return accepted_.size() == 1; }));
}

TEST_F(UvListenerTest, ManyConnectionsAreAllAccepted) {
  Make();
  const auto port = listener_->Bind(Address("ipv4:127.0.0.1:0"));
  const ResolvedAddress address =
      Address(absl::StrCat("ipv4:127.0.0.1:", *port));
  EXPECT_TRUE(listener_->Start().ok());
  std::vector<OwnedFd> clients;
  for (int i = 0; i < 100; ++i) clients.push_back(ConnectTo(address));
  ASSERT_TRUE(RunUntil([&] { return accepted_.size() == 100; }));
}

TEST_F(UvListenerTest, AcceptedSocketsHaveNoDelayAndUserTimeout) {
  ExpectWorksAt("ipv4:127.0.0.1:0",
                [](int port) { return absl::StrCat("ipv4:127.0.0.1:", port); });
  const int fd =
      QueryExtension<
          grpc_event_engine::experimental::EndpointSupportsFdExtension>(
          accepted_[0].endpoint.get())
          ->GetWrappedFd();
  int value = 0;
  socklen_t size = sizeof(value);
  EXPECT_EQ(getsockopt(fd, IPPROTO_TCP, 1 /* TCP_NODELAY */, &value, &size), 0);
  EXPECT_EQ(value, 1);
  EXPECT_EQ(getsockopt(fd, IPPROTO_TCP, 18 /* USER_TIMEOUT */, &value, &size),
            0);
  EXPECT_EQ(value, 20000);
  EXPECT_EQ(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
}

TEST_F(UvListenerTest, DestroyShutsDownOnceAndLater) {
  Make();
  EXPECT_TRUE(listener_->Bind(Address("ipv4:127.0.0.1:0")).ok());
  EXPECT_TRUE(listener_->Start().ok());
  DestroyAndExpectShutdown();
}

TEST_F(UvListenerTest, DestroyWithoutStartOrBindShutsDownOnce) {
  Make();
  DestroyAndExpectShutdown();
}

TEST_F(UvListenerTest, DestroyFromInsideOnAccept) {
  Make();
  const auto port = listener_->Bind(Address("ipv4:127.0.0.1:0"));
  EXPECT_TRUE(listener_->Start().ok());
  on_accept_ = [this] {
    listener_.reset();
    EXPECT_EQ(shutdowns_, 0);
  };
  const ResolvedAddress address =
      Address(absl::StrCat("ipv4:127.0.0.1:", *port));
  OwnedFd one = ConnectTo(address);
  OwnedFd two = ConnectTo(address);
  ASSERT_TRUE(RunUntil([&] { return shutdowns_ == 1; }));
  EXPECT_EQ(accepted_.size(), 1u);
  EXPECT_FALSE(ConnectTo(address).is_open());
}

TEST_F(UvListenerTest, LoopShutdownCompletesWithoutRunning) {
  Make();
  EXPECT_TRUE(listener_->Bind(Address("ipv4:127.0.0.1:0")).ok());
  EXPECT_TRUE(listener_->Start().ok());
  bridge()->Shutdown();
  EXPECT_EQ(shutdowns_, 1);
  EXPECT_EQ(shutdown_status_.code(), absl::StatusCode::kCancelled);
  listener_.reset();
  CloseLoop();
  OrphanQueue::Get().Drain();
  EXPECT_EQ(shutdowns_, 1);
}

TEST_F(UvListenerTest, CreateOnAClosedLoopFails) {
  auto held = bridge();
  CloseLoop();
  EXPECT_FALSE(UvListener::Create(held, nullptr, nullptr, TcpOptions(),
                                  HeapAllocatorFactory())
                   .ok());
}

TEST_F(UvListenerTest, ShutdownListeningFdsStopsListeningOnly) {
  Make();
  const auto port = listener_->Bind(Address("ipv4:127.0.0.1:0"));
  EXPECT_TRUE(listener_->Start().ok());
  extension()->ShutdownListeningFds();
  RunFor(5ms);
  EXPECT_EQ(shutdowns_, 0);
  EXPECT_FALSE(
      ConnectTo(Address(absl::StrCat("ipv4:127.0.0.1:", *port))).is_open());
  EXPECT_FALSE(listener_->Bind(Address("ipv4:127.0.0.1:0")).ok());
  auto [ours, theirs] = TcpPair();
  EXPECT_TRUE(
      extension()->HandleExternalConnection(3, ours.Take(), nullptr).ok());
  ASSERT_TRUE(RunUntil([&] { return accepted_.size() == 1; }));
  DestroyAndExpectShutdown();
}

TEST_F(UvListenerTest, ShutdownListeningFdsBeforeStart) {
  Make();
  const auto port = listener_->Bind(Address("ipv4:127.0.0.1:0"));
  std::thread other([&] {
    extension()->ShutdownListeningFds();
    // At once, since the loop does not know the socket.
    EXPECT_FALSE(
        ConnectTo(Address(absl::StrCat("ipv4:127.0.0.1:", *port))).is_open());
  });
  other.join();
  EXPECT_TRUE(listener_->Start().ok());
  DestroyAndExpectShutdown();
}

TEST_F(UvListenerTest, ExternalConnectionsBringTheirData) {
  Make();
  auto [ours, theirs] = TcpPair();
  SliceBuffer pending;
  Append(&pending, "already read");
  std::thread other([&] {
    EXPECT_TRUE(
        extension()->HandleExternalConnection(7, ours.Take(), &pending).ok());
    EXPECT_EQ(pending.Length(), 0u);
  });
  other.join();
  ASSERT_TRUE(RunUntil([&] { return accepted_.size() == 1; }));
  EXPECT_TRUE(accepted_[0].is_external);
  EXPECT_EQ(accepted_[0].listener_fd, 7);
  EXPECT_EQ(accepted_[0].pending, "already read");
}

TEST_F(UvListenerTest, BadExternalConnectionsAreRefused) {
  Make();
  auto [ours, theirs] = TcpPair();
  EXPECT_FALSE(
      extension()->HandleExternalConnection(-1, ours.Take(), nullptr).ok());
  EXPECT_TRUE(SeesEof(theirs.get()));
  EXPECT_FALSE(extension()->HandleExternalConnection(3, -1, nullptr).ok());
  OwnedFd unconnected(socket(AF_INET, SOCK_STREAM, 0));
  EXPECT_FALSE(extension()
                   ->HandleExternalConnection(3, unconnected.Take(), nullptr)
                   .ok());
}

TEST_F(UvListenerTest, MadeBoundStartedAndDestroyedOnAnotherThread) {
  (void)bridge();
  OwnedFd client;
  std::thread other([&] {
    Make();
    const auto port = listener_->Bind(Address("ipv4:127.0.0.1:0"));
    EXPECT_TRUE(listener_->Start().ok());
    client = ConnectTo(Address(absl::StrCat("ipv4:127.0.0.1:", *port)));
  });
  ASSERT_TRUE(RunUntil([&] { return accepted_.size() == 1; }));
  other.join();
  std::thread destroyer([&] { listener_.reset(); });
  ASSERT_TRUE(RunUntil([&] { return shutdowns_ == 1; }));
  destroyer.join();
}

TEST_F(UvListenerTest, DestroyOnAnotherThreadAfterTheLoopClosed) {
  Make();
  EXPECT_TRUE(listener_->Bind(Address("ipv4:127.0.0.1:0")).ok());
  EXPECT_TRUE(listener_->Start().ok());
  CloseLoop();
  EXPECT_EQ(shutdowns_, 1);
  std::thread other([&] {
    listener_.reset();
    OrphanQueue::Get().Drain();
  });
  other.join();
  EXPECT_EQ(shutdowns_, 1);
}

TEST_F(UvListenerTest, OutOfDescriptorsPausesAndRecovers) {
  Make();
  const auto port = listener_->Bind(Address("ipv4:127.0.0.1:0"));
  EXPECT_TRUE(listener_->Start().ok());
  OwnedFd client = ConnectTo(Address(absl::StrCat("ipv4:127.0.0.1:", *port)));
  rlimit old{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &old), 0);
  OwnedFd highest(dup(0));
  rlimit low = old;
  low.rlim_cur = static_cast<rlim_t>(highest.get());
  highest.Reset();
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
  const uint64_t before = bridge()->callback_count();
  RunFor(300ms);
  const uint64_t wakeups = bridge()->callback_count() - before;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &old), 0);
  EXPECT_TRUE(accepted_.empty());
  EXPECT_GE(wakeups, 1u);
  EXPECT_LE(wakeups, 6u) << "spins while it is out of descriptors";
  ASSERT_TRUE(RunUntil([&] { return accepted_.size() == 1; }));
  SendAll(client.get(), "x");
}

}  // namespace
}  // namespace uvgrpc
