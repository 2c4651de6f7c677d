// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// How connections end: what each side still hears, and with what words.

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/socket.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cpp/endpoint_fixture.h"
#include "tests/cpp/socket_helpers.h"

namespace uvgrpc {
namespace {

using testing::HasSubstr;

// Notices SIGPIPE, whose default action would end the process.
class SigpipeWatch {
 public:
  SigpipeWatch() {
    raised_ = 0;
    struct sigaction action {};
    action.sa_handler = [](int) { ++raised_; };
    sigaction(SIGPIPE, &action, &before_);
  }
  ~SigpipeWatch() { sigaction(SIGPIPE, &before_, nullptr); }
  int raised() const { return raised_; }

 private:
  static std::atomic<int> raised_;
  struct sigaction before_;
};
std::atomic<int> SigpipeWatch::raised_{0};

class EndTest : public EndpointFixture {
 protected:
  // Fills the connection, so that the write is outstanding.
  void StartLargeWrite(Outcome* write) {
    SliceBuffer data;
    Append(&data, LargeText());
    ASSERT_FALSE(endpoint_->Write(write->Callback(), &data, {}));
  }

  // What the peer reads until the end, which must be one and no reset.
  std::string PeerReadsToTheEnd() {
    std::string text;
    char piece[4096];
    ssize_t size;
    while ((size = recv(peer_.get(), piece, sizeof(piece), 0)) > 0) {
      text.append(piece, static_cast<size_t>(size));
    }
    EXPECT_EQ(size, 0) << strerror(errno);
    return text;
  }

  // Ends the connection with a RST, if it can.
  void ResetByPeer() {
    const linger abrupt{1, 0};
    setsockopt(peer_.get(), SOL_SOCKET, SO_LINGER, &abrupt, sizeof(abrupt));
    peer_.Reset();
  }
};
using TcpEndTest = EndTest;

// For each family that connections are of.
class EndpointEndTest : public EndTest,
                        public testing::WithParamInterface<int> {
 protected:
  bool is_tcp() const { return GetParam() == AF_INET; }

  void MakePair() {
    auto [ours, theirs] = is_tcp() ? TcpPair() : UnixPair();
    endpoint_ = Make(std::move(ours));
    peer_ = std::move(theirs);
  }
};

INSTANTIATE_TEST_SUITE_P(Families, EndpointEndTest,
                         testing::Values(AF_INET, AF_UNIX),
                         [](const testing::TestParamInfo<int>& info) {
                           return info.param == AF_INET ? "Tcp" : "Unix";
                         });

TEST_P(EndpointEndTest, DataComesBeforeTheEnd) {
  MakePair();
  SendAll(peer_.get(), "a");
  EXPECT_EQ(ReadText(), "a");
  SendAll(peer_.get(), "last words");
  peer_.Reset();
  RunFor(std::chrono::milliseconds(20));
  EXPECT_EQ(ReadText(/*hint=*/1000), "last words");
  EXPECT_EQ(ReadText(), std::nullopt);
  EXPECT_EQ(status_, absl::UnavailableError("Socket closed"));
  EXPECT_EQ(ReadText(), std::nullopt);
  EXPECT_EQ(status_, absl::UnavailableError("Socket closed"));
}

TEST_P(EndpointEndTest, AfterTheEndOfThePeersSideOursGoesOn) {
  MakePair();
  ASSERT_EQ(shutdown(peer_.get(), SHUT_WR), 0);
  EXPECT_EQ(ReadText(), std::nullopt);
  Outcome write;
  StartLargeWrite(&write);
  std::thread reader([&] { Receive(peer_.get(), LargeText().size()); });
  ASSERT_TRUE(RunUntil([&] { return write.done(); }));
  EXPECT_TRUE(write.status.ok()) << write.status;
  reader.join();
}

TEST_P(EndpointEndTest, UnreadInputDoesNotCostThePeerWhatWasWritten) {
  MakePair();
  SendAll(peer_.get(), std::string(100'000, 'u'));
  WriteText("goodbye");
  endpoint_.reset();
  EXPECT_EQ(PeerReadsToTheEnd(), "goodbye");
}

TEST_P(EndpointEndTest, ALoopThatClosesSendsWhatWasWrittenToo) {
  MakePair();
  SendAll(peer_.get(), "unread");
  WriteText("goodbye");
  CloseLoop();
  EXPECT_EQ(PeerReadsToTheEnd(), "goodbye");
}

TEST_F(TcpEndTest, WhatIsStillInTheKernelIsSentAfterTheClose) {
  // The peer has little room, so most of the text stays on our side.
  PlainListener listener = Listen("ipv4:127.0.0.1:0");
  const int small = 4096;
  setsockopt(listener.fd.get(), SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
  endpoint_ = Make(ConnectTo(listener.address));
  peer_ = Accept(listener);
  SendAll(peer_.get(), "unread");
  const std::string text(100'000, 't');
  SliceBuffer data;
  Append(&data, text);
  ASSERT_TRUE(endpoint_->Write([](absl::Status) {}, &data, {}));
  endpoint_.reset();
  EXPECT_EQ(PeerReadsToTheEnd().size(), text.size());
}

TEST_P(EndpointEndTest, APeerThatGoesOnSendingDoesNotHoldUpAClose) {
  MakePair();
  std::atomic<bool> stop{false};
  std::thread sender([&] {
    const std::string text(65536, 's');
    while (!stop) {
      (void)send(peer_.get(), text.data(), text.size(),
                 MSG_NOSIGNAL | MSG_DONTWAIT);
    }
  });
  RunFor(std::chrono::milliseconds(20));
  const auto start = std::chrono::steady_clock::now();
  endpoint_.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(2));
  stop = true;
  sender.join();
}

TEST_P(EndpointEndTest, AWriteToAClosedPeerIsABrokenPipeAndNoSignal) {
  const SigpipeWatch watch;
  MakePair();
  ResetByPeer();
  // The first to notice a reset hears of it, the others of its consequence.
  EXPECT_EQ(ReadText(), std::nullopt);
  EXPECT_EQ(status_.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(status_.message(), is_tcp()
                                   ? "recvmsg:Connection reset by peer (104)"
                                   : "Socket closed");
  SliceBuffer data;
  Append(&data, "nobody hears this");
  Outcome write;
  EXPECT_FALSE(endpoint_->Write(write.Callback(), &data, {}));
  EXPECT_EQ(write.calls, 0);
  ASSERT_TRUE(RunUntil([&] { return write.done(); }));
  EXPECT_EQ(write.status, absl::UnavailableError("sendmsg: Broken pipe (32)"));
  EXPECT_EQ(watch.raised(), 0);
}

TEST_P(EndpointEndTest, APendingWriteToAClosedPeerIsABrokenPipeAndNoSignal) {
  const SigpipeWatch watch;
  MakePair();
  Outcome write;
  StartLargeWrite(&write);
  // After the end of its side a reset is a broken pipe to us.
  ASSERT_EQ(shutdown(peer_.get(), SHUT_WR), 0);
  RunFor(std::chrono::milliseconds(10));
  EXPECT_FALSE(write.done());
  ResetByPeer();
  ASSERT_TRUE(RunUntil([&] { return write.done(); }));
  EXPECT_EQ(write.status, absl::UnavailableError("sendmsg: Broken pipe (32)"));
  EXPECT_EQ(watch.raised(), 0);
}

TEST_P(EndpointEndTest, AResetEndsAReadAndAWriteThatWait) {
  MakePair();
  SliceBuffer buffer;
  Outcome read;
  Outcome write;
  EXPECT_FALSE(endpoint_->Read(read.Callback(), &buffer, {}));
  StartLargeWrite(&write);
  ResetByPeer();
  ASSERT_TRUE(RunUntil([&] { return read.done() && write.done(); }));
  EXPECT_EQ(read.status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(write.status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(read.calls, 1);
  EXPECT_EQ(write.calls, 1);
}

TEST_F(TcpEndTest, APeerThatTakesNothingTimesOutAsUnavailable) {
  auto [ours, theirs] = TcpPair();
  const int milliseconds = 200;
  setsockopt(ours.get(), IPPROTO_TCP, TCP_USER_TIMEOUT, &milliseconds,
             sizeof(milliseconds));
  endpoint_ = Make(std::move(ours));
  peer_ = std::move(theirs);
  Outcome write;
  StartLargeWrite(&write);
  ASSERT_TRUE(RunUntil([&] { return write.done(); }));
  EXPECT_EQ(write.status,
            absl::UnavailableError("sendmsg: Connection timed out (110)"));
}

// A loop whose polling fails with `g_poll_error`, once that is not 0.
int g_poll_error = 0;

class BadPollTest : public EndpointFixture {
 protected:
  BadPollTest() {
    UvApi api = uv();
    api.poll_init = [](uv_loop_t* loop, uv_poll_t* handle, int fd) {
      return g_poll_error != 0 ? g_poll_error : uv_poll_init(loop, handle, fd);
    };
    api.poll_start = [](uv_poll_t* handle, int events, uv_poll_cb callback) {
      ++starts_;
      return g_poll_error != 0 ? g_poll_error
                               : uv_poll_start(handle, events, callback);
    };
    starts_ = 0;
    bridge_ = *LoopBridge::Create(loop(), api);
    Watch(bridge_);
  }
  ~BadPollTest() override { g_poll_error = 0; }

  absl::StatusOr<std::unique_ptr<Endpoint>> MakeOn(OwnedFd fd) {
    return UvEndpoint::FromFd(bridge_, fd.Take(), TcpOptions(), {});
  }

  std::shared_ptr<LoopBridge> bridge_;
  static int starts_;
};
int BadPollTest::starts_ = 0;

TEST_F(BadPollTest, ASocketThatCannotBeWatchedIsUnavailable) {
  for (const int error : {UV_ENOMEM, UV_EPERM, UV_EINVAL, UV_ENOSPC}) {
    auto [ours, theirs] = TcpPair();
    g_poll_error = error;
    const auto endpoint = MakeOn(std::move(ours));
    g_poll_error = 0;
    EXPECT_EQ(endpoint.status().code(), absl::StatusCode::kUnavailable);
    EXPECT_TRUE(SeesEof(theirs.get()));
  }
}

TEST_F(BadPollTest, ASocketThatCannotBeWatchedAnyMoreIsUnavailable) {
  auto [ours, theirs] = TcpPair();
  auto endpoint = MakeOn(std::move(ours));
  ASSERT_TRUE(endpoint.ok()) << endpoint.status();
  g_poll_error = UV_EEXIST;
  SliceBuffer buffer;
  Outcome read;
  EXPECT_FALSE((*endpoint)->Read(read.Callback(), &buffer, {}));
  EXPECT_EQ(read.calls, 0);
  ASSERT_TRUE(RunUntil([&] { return read.done(); }));
  EXPECT_EQ(read.status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(read.status.message()), HasSubstr("File exists"));
  EXPECT_TRUE(SeesEof(theirs.get()));
}

TEST_F(BadPollTest, ARowOfWritesThatWaitChangesThePollSetOnce) {
  auto [ours, theirs] = TcpPair();
  endpoint_ = *MakeOn(std::move(ours));
  constexpr int kWrites = 4;
  std::thread reader(
      [&, fd = theirs.get()] { Receive(fd, kWrites * LargeText().size()); });
  int left = kWrites;
  SliceBuffer data;
  std::function<void(absl::Status)> next = [&](absl::Status status) {
    ASSERT_TRUE(status.ok()) << status;
    while (left-- > 0) {
      Append(&data, LargeText());
      if (!endpoint_->Write(next, &data, {})) return;
    }
  };
  next(absl::OkStatus());
  EXPECT_TRUE(RunUntil([&] { return left < 0; }));
  reader.join();
  RunFor(std::chrono::milliseconds(5));
  EXPECT_EQ(starts_, 2) << "on, and off in the end";
}

// A quota that has core end a connection to get memory for a read of it.
class EndingAllocator final
    : public grpc_event_engine::experimental::internal::MemoryAllocatorImpl {
 public:
  explicit EndingAllocator(std::function<void()> end) : end_(std::move(end)) {}
  size_t Reserve(grpc_event_engine::experimental::MemoryRequest r) override {
    return r.max();
  }
  grpc_slice MakeSlice(
      grpc_event_engine::experimental::MemoryRequest r) override {
    end_();
    is_alive_ = is_alive_ && !is_shut_down_;
    return grpc_slice_malloc_large(r.max());
  }
  void Release(size_t) override {}
  void Shutdown() override { is_shut_down_ = true; }

  bool is_alive() const { return is_alive_; }

 private:
  std::function<void()> end_;
  bool is_shut_down_ = false;
  bool is_alive_ = true;
};

TEST_P(EndpointEndTest, AConnectionEndedByAQuotaThatItAsksForMemory) {
  // Of a small read, which is copied, and of one with a block of its own.
  for (const size_t size : {size_t{10}, size_t{5000}, size_t{100'000}}) {
    auto [ours, theirs] = is_tcp() ? TcpPair() : UnixPair();
    int asked = 0;
    auto impl = std::make_shared<EndingAllocator>([&] {
      if (++asked == (size == 10 ? 1 : 2)) endpoint_.reset();
    });
    endpoint_ = Make(std::move(ours), {},
                     grpc_event_engine::experimental::MemoryAllocator(impl));
    peer_ = std::move(theirs);
    SliceBuffer buffer;
    Outcome read;
    std::function<void(absl::Status)> next = [&](absl::Status status) {
      read.status = status;
      if (!status.ok()) {
        ++read.calls;
      } else if (!endpoint_->Read(next, &buffer, {})) {
        return;
      }
    };
    ASSERT_FALSE(endpoint_->Read(next, &buffer, {}));
    std::thread writer([&, fd = peer_.get()] {
      // In two pieces, such that the second has a block.
      const std::string text(size, 'x');
      (void)!send(fd, text.data(), text.size(), MSG_NOSIGNAL);
      (void)!send(fd, text.data(), text.size(), MSG_NOSIGNAL);
    });
    ASSERT_TRUE(RunUntil([&] { return read.done(); }));
    writer.join();
    EXPECT_EQ(read.calls, 1);
    EXPECT_EQ(read.status.code(), absl::StatusCode::kCancelled);
    EXPECT_TRUE(impl->is_alive()) << "shut down while it is asked";
    EXPECT_EQ(endpoint_, nullptr);
  }
}

}  // namespace
}  // namespace uvgrpc
