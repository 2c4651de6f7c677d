// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/iomgr_uv/uv_connect.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "src/iomgr_uv/orphan_queue.h"
#include "tests/cpp/loop_fixture.h"
#include "tests/cpp/socket_helpers.h"

namespace uvgrpc {
namespace {

using namespace std::chrono_literals;
using grpc_event_engine::experimental::SliceBuffer;
using Result = absl::StatusOr<std::unique_ptr<EventEngine::Endpoint>>;

struct Outcome {
  std::atomic<int> calls{0};
  std::optional<Result> result;

  EventEngine::OnConnectCallback Callback() {
    return [this](Result outcome) {
      result.emplace(std::move(outcome));
      ++calls;
    };
  }
  bool done() const { return calls != 0; }
  absl::Status status() const { return result->status(); }
};

class UvConnectTest : public LoopFixture {
 protected:
  ConnectTable& table() {
    if (table_ == nullptr) {
      table_ = std::make_shared<ConnectTable>(bridge(), timers());
    }
    return *table_;
  }

  ConnectTable::Ticket Connect(Outcome* outcome, const ResolvedAddress& address,
                               EventEngine::Duration timeout = 10s,
                               int fd = -1) {
    return table().Connect(fd, outcome->Callback(), address, TcpOptions(), {},
                           timeout);
  }

  absl::Status StatusOfConnectTo(const ResolvedAddress& address) {
    Outcome outcome;
    Connect(&outcome, address);
    EXPECT_EQ(outcome.calls, 0) << "called inside Connect";
    EXPECT_TRUE(RunUntil([&] { return outcome.done(); }));
    return outcome.result->status();
  }

  // Connects to a listener and sends a few bytes each way.
  void Exchange(const PlainListener& listener, const ResolvedAddress& target) {
    Outcome outcome;
    Connect(&outcome, target);
    EXPECT_EQ(outcome.calls, 0);
    ASSERT_TRUE(RunUntil([&] { return outcome.done(); }));
    ASSERT_TRUE(outcome.result->ok()) << outcome.status();
    OwnedFd peer = Accept(listener);
    SliceBuffer data;
    Append(&data, "hello");
    EXPECT_TRUE((**outcome.result)->Write([](absl::Status) {}, &data, {}));
    EXPECT_EQ(Receive(peer.get(), 5), "hello");
    EXPECT_EQ(Describe((**outcome.result)->GetPeerAddress()),
              Describe(Unmapped(target)));
  }

  // A listener whose queue is full: connecting to it takes for ever.
  struct FullListener {
    PlainListener listener;
    std::vector<OwnedFd> waiting;
  };
  FullListener MakeFullListener(const std::string& uri) {
    FullListener full{Listen(uri, /*backlog=*/0), {}};
    for (int i = 0; i < 8; ++i) {
      OwnedFd fd(socket(FamilyOf(full.listener.address),
                        SOCK_STREAM | SOCK_NONBLOCK, 0));
      (void)connect(fd.get(), full.listener.address.address(),
                    full.listener.address.size());
      full.waiting.push_back(std::move(fd));
    }
    return full;
  }

  std::shared_ptr<ConnectTable> table_;
};

TEST_F(UvConnectTest, ConnectsOverIpv4) {
  PlainListener listener = Listen("ipv4:127.0.0.1:0");
  Exchange(listener, listener.address);
}

TEST_F(UvConnectTest, ConnectsOverIpv6) {
  PlainListener listener = Listen("ipv6:[::1]:0");
  Exchange(listener, listener.address);
}

TEST_F(UvConnectTest, ConnectsToAMappedAddressOverIpv4) {
  PlainListener listener = Listen("ipv4:127.0.0.1:0");
  const std::string port = Describe(listener.address).substr(10);
  Exchange(listener, Address("ipv6:[::ffff:127.0.0.1]:" + port));
}

TEST_F(UvConnectTest, ConnectsToUnixPaths) {
  const std::string path = FreshUnixPath();
  PlainListener listener = Listen("unix:" + path);
  Exchange(listener, Address("unix:" + path));
  unlink(path.c_str());
}

TEST_F(UvConnectTest, ConnectsToAbstractUnixNames) {
  const std::string uri = "unix-abstract:" + FreshUnixPath();
  PlainListener listener = Listen(uri);
  Exchange(listener, Address(uri));
}

TEST_F(UvConnectTest, ConnectsASocketThatTheCallerMade) {
  PlainListener listener = Listen("ipv4:127.0.0.1:0");
  OwnedFd fd(socket(AF_INET, SOCK_STREAM, 0));
  const ResolvedAddress any = Address("ipv4:127.0.0.1:0");
  ASSERT_EQ(bind(fd.get(), any.address(), any.size()), 0);
  const std::string bound = Describe(*LocalAddressOf(fd.get()));
  Outcome outcome;
  Connect(&outcome, listener.address, 10s, fd.Take());
  ASSERT_TRUE(RunUntil([&] { return outcome.done(); }));
  ASSERT_TRUE(outcome.result->ok()) << outcome.status();
  EXPECT_EQ(Describe((**outcome.result)->GetLocalAddress()), bound);
}

TEST_F(UvConnectTest, TicketsStartAtOne) {
  PlainListener listener = Listen("ipv4:127.0.0.1:0");
  Outcome first;
  Outcome second;
  EXPECT_EQ(Connect(&first, listener.address), 1u);
  EXPECT_EQ(Connect(&second, listener.address), 2u);
  ASSERT_TRUE(RunUntil([&] { return first.done() && second.done(); }));
}

TEST_F(UvConnectTest, ARefusedConnectionIsToldAsGrpcsOwnEngineDoes) {
  ResolvedAddress address = Listen("ipv4:127.0.0.1:0").address;
  EXPECT_EQ(StatusOfConnectTo(address),
            absl::UnknownError(
                "Failed to connect to remote host: Connection refused"));
}

TEST_F(UvConnectTest, AConnectThatFailsAtOnceIsToldAsGrpcsOwnEngineDoes) {
  // TCP does not connect to many at once.
  const absl::Status status =
      StatusOfConnectTo(Address("ipv4:255.255.255.255:1"));
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(status.message().find(
                "connect failed: addr: ipv4:255.255.255.255:1 error: "),
            std::string::npos)
      << status;
}

TEST_F(UvConnectTest, AMissingUnixPathNamesThePeer) {
  const std::string path = FreshUnixPath();
  const absl::Status status = StatusOfConnectTo(Address("unix:" + path));
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(status.message().find(path + " error: No such file or directory"),
            std::string::npos)
      << status;
}

TEST_F(UvConnectTest, AnEmptyAddressFailsLater) {
  EXPECT_EQ(StatusOfConnectTo(ResolvedAddress()).code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(UvConnectTest, AnUnknownFamilyFailsLaterAndClosesTheDescriptor) {
  sockaddr_storage storage{};
  storage.ss_family = AF_NETLINK;
  const ResolvedAddress address(reinterpret_cast<sockaddr*>(&storage), 32);
  auto [ours, theirs] = UnixPair();
  Outcome outcome;
  Connect(&outcome, address, 10s, ours.Take());
  EXPECT_EQ(outcome.calls, 0);
  ASSERT_TRUE(RunUntil([&] { return outcome.done(); }));
  EXPECT_EQ(outcome.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(SeesEof(theirs.get()));
}

TEST_F(UvConnectTest, OutOfDescriptorsFailsLater) {
  (void)table();
  rlimit old{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &old), 0);
  OwnedFd highest(dup(0));
  rlimit low = old;
  low.rlim_cur = static_cast<rlim_t>(highest.get());
  highest.Reset();
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
  Outcome outcome;
  Connect(&outcome, Address("ipv4:127.0.0.1:1"));
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &old), 0);
  EXPECT_EQ(outcome.calls, 0);
  ASSERT_TRUE(RunUntil([&] { return outcome.done(); }));
  EXPECT_EQ(outcome.status().code(), absl::StatusCode::kResourceExhausted)
      << outcome.status();
}

TEST_F(UvConnectTest, ADeadlineEndsTheAttempt) {
  FullListener full = MakeFullListener("ipv4:127.0.0.1:0");
  Outcome outcome;
  const auto ticket = Connect(&outcome, full.listener.address, 50ms);
  ASSERT_TRUE(RunUntil([&] { return outcome.done(); }));
  EXPECT_EQ(outcome.status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_NE(outcome.status().message().find(Describe(full.listener.address)),
            std::string::npos);
  EXPECT_FALSE(table().Cancel(ticket));
  EXPECT_EQ(timers()->size(), 0u);
}

TEST_F(UvConnectTest, AFullUnixListenerIsWaitedFor) {
  const std::string uri = "unix-abstract:" + FreshUnixPath();
  FullListener full = MakeFullListener(uri);
  Outcome outcome;
  Connect(&outcome, Address(uri), 10s);
  RunFor(30ms);
  EXPECT_FALSE(outcome.done());
  std::vector<OwnedFd> accepted;
  fcntl(full.listener.fd.get(), F_SETFL, O_NONBLOCK);
  ASSERT_TRUE(RunUntil([&] {
    OwnedFd fd = Accept(full.listener);
    if (fd.is_open()) accepted.push_back(std::move(fd));
    return outcome.done();
  }));
  EXPECT_TRUE(outcome.result->ok()) << outcome.status();
}

TEST_F(UvConnectTest, AFullUnixListenerMeetsTheDeadline) {
  const std::string uri = "unix-abstract:" + FreshUnixPath();
  FullListener full = MakeFullListener(uri);
  Outcome outcome;
  Connect(&outcome, Address(uri), 50ms);
  ASSERT_TRUE(RunUntil([&] { return outcome.done(); }));
  EXPECT_EQ(outcome.status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(timers()->size(), 0u);
}

TEST_F(UvConnectTest, CloseWhileConnectingCancelsOnce) {
  FullListener full = MakeFullListener("ipv4:127.0.0.1:0");
  Outcome outcome;
  const auto ticket = Connect(&outcome, full.listener.address);
  RunFor(5ms);
  bridge()->Shutdown();
  EXPECT_EQ(outcome.calls, 1) << "without running the loop";
  EXPECT_EQ(outcome.status().code(), absl::StatusCode::kCancelled);
  EXPECT_FALSE(table().Cancel(ticket));
  CloseLoop();
  EXPECT_EQ(outcome.calls, 1);
}

TEST_F(UvConnectTest, ConnectOnAClosedLoopFailsLater) {
  auto [ours, theirs] = UnixPair();
  (void)table();
  CloseLoop();
  Outcome outcome;
  Connect(&outcome, Address("ipv4:127.0.0.1:1"), 10s, ours.Take());
  EXPECT_EQ(outcome.calls, 0);
  OrphanQueue::Get().Drain();
  EXPECT_EQ(outcome.calls, 1);
  EXPECT_EQ(outcome.status().code(), absl::StatusCode::kCancelled);
  EXPECT_TRUE(SeesEof(theirs.get()));
}

// Destroyed callbacks are told apart from those that ran.
struct Witness {
  explicit Witness(std::atomic<int>* destroyed) : destroyed(destroyed) {}
  ~Witness() { ++*destroyed; }
  std::atomic<int>* destroyed;
};

TEST_F(UvConnectTest, CancelDestroysTheCallbackBeforeItReturns) {
  FullListener full = MakeFullListener("ipv4:127.0.0.1:0");
  std::atomic<int> destroyed{0};
  const auto ticket = table().Connect(
      -1,
      [witness = std::make_unique<Witness>(&destroyed)](Result) {
        ADD_FAILURE() << "cancelled";
      },
      full.listener.address, TcpOptions(), {}, 10s);
  EXPECT_TRUE(table().Cancel(ticket));
  EXPECT_EQ(destroyed, 1);
  EXPECT_FALSE(table().Cancel(ticket));
  EXPECT_EQ(timers()->size(), 0u);
  RunFor(5ms);
}

TEST_F(UvConnectTest, CancelAfterASynchronousFailureStillCounts) {
  Outcome outcome;
  const auto ticket = Connect(&outcome, ResolvedAddress());
  EXPECT_TRUE(table().Cancel(ticket));
  RunFor(5ms);
  EXPECT_EQ(outcome.calls, 0);
}

TEST_F(UvConnectTest, CancelOfNothingIsFalse) {
  EXPECT_FALSE(table().Cancel(ConnectTable::kNoTicket));
  EXPECT_FALSE(table().Cancel(12345));
}

TEST_F(UvConnectTest, CancelAfterCompletionIsFalse) {
  PlainListener listener = Listen("ipv4:127.0.0.1:0");
  Outcome outcome;
  const auto ticket = Connect(&outcome, listener.address);
  ASSERT_TRUE(RunUntil([&] { return outcome.done(); }));
  EXPECT_FALSE(table().Cancel(ticket));
}

TEST_F(UvConnectTest, CancelFromInsideTheCallbackIsFalse) {
  PlainListener listener = Listen("ipv4:127.0.0.1:0");
  ConnectTable::Ticket ticket = 0;
  bool called = false;
  ticket = table().Connect(
      -1,
      [&](Result) {
        EXPECT_FALSE(table().Cancel(ticket));
        called = true;
      },
      listener.address, TcpOptions(), {}, 10s);
  ASSERT_TRUE(RunUntil([&] { return called; }));
}

TEST_F(UvConnectTest, ConnectFromAnotherThread) {
  PlainListener listener = Listen("ipv4:127.0.0.1:0");
  (void)table();
  Outcome outcome;
  std::thread other([&] { Connect(&outcome, listener.address); });
  ASSERT_TRUE(RunUntil([&] { return outcome.done(); }));
  other.join();
  EXPECT_TRUE(outcome.result->ok()) << outcome.status();
}

TEST_F(UvConnectTest, CancelFromAnotherThreadRacesWithCompletion) {
  PlainListener listener = Listen("ipv4:127.0.0.1:0", 512);
  (void)table();
  int cancelled = 0;
  for (int i = 0; i < 200; ++i) {
    std::atomic<int> calls{0};
    std::atomic<int> destroyed{0};
    std::atomic<bool> decided{false};
    bool won = false;
    std::thread other([&] {
      const auto ticket = table().Connect(
          -1,
          [&, witness = std::make_unique<Witness>(&destroyed)](Result) {
            ++calls;
          },
          listener.address, TcpOptions(), {}, 10s);
      for (int spin = 0; spin < i * 40; ++spin) std::this_thread::yield();
      won = table().Cancel(ticket);
      EXPECT_TRUE(!won || destroyed == 1);
      decided = true;
      bridge()->Post([] {});
    });
    ASSERT_TRUE(
        RunUntil([&] { return decided && (won || calls.load() != 0); }));
    other.join();
    EXPECT_EQ(calls + (won ? 1 : 0), 1);
    cancelled += won ? 1 : 0;
    OwnedFd accepted;
    fcntl(listener.fd.get(), F_SETFL, O_NONBLOCK);
    do accepted = Accept(listener);
    while (accepted.is_open());
  }
  RecordProperty("cancelled", cancelled);
  RunFor(5ms);
}

TEST_F(UvConnectTest, ManyAtOnceLeaveNoDescriptor) {
  PlainListener listener = Listen("ipv4:127.0.0.1:0", 512);
  // libuv opens a spare descriptor with a loop's first socket.
  StatusOfConnectTo(listener.address).IgnoreError();
  RunFor(5ms);
  const int before = OpenDescriptors();
  {
    std::vector<std::unique_ptr<Outcome>> outcomes;
    for (int i = 0; i < 100; ++i) {
      outcomes.push_back(std::make_unique<Outcome>());
      const auto ticket = Connect(outcomes.back().get(), listener.address);
      if (i % 3 == 0) {
        EXPECT_TRUE(table().Cancel(ticket));
        outcomes.pop_back();
      }
    }
    ASSERT_TRUE(RunUntil([&] {
      for (const auto& outcome : outcomes) {
        if (!outcome->done()) return false;
      }
      return true;
    }));
  }
  RunFor(5ms);
  EXPECT_EQ(OpenDescriptors(), before);
}

}  // namespace
}  // namespace uvgrpc
