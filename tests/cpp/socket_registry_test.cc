// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/iomgr_uv/socket_registry.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <functional>
#include <utility>

#include "src/iomgr_uv/graceful_close.h"
#include "src/iomgr_uv/owned_fd.h"
#include "tests/cpp/socket_helpers.h"

namespace uvgrpc {
namespace {

// Runs `body` in a child, and gives what it returned.
int InChild(const std::function<int()>& body) {
  const pid_t child = fork();
  if (child == 0) _exit(body());
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

class SocketRegistryTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair_), 0);
    NoteSocket(pair_[0]);
  }
  void TearDown() override {
    ForgetSocket(pair_[0]);
    close(pair_[0]);
    close(pair_[1]);
  }

  int pair_[2] = {-1, -1};
};

TEST_F(SocketRegistryTest, WhatTheChildWritesReachesNobody) {
  EXPECT_EQ(InChild([this] {
              if (ReplaceSockets() != 1) return 1;
              return write(pair_[0], "x", 1) == 1 ? 0 : 2;
            }),
            0);
  char byte = 0;
  EXPECT_EQ(read(pair_[1], &byte, 1), -1);
  EXPECT_EQ(errno, EAGAIN);
}

TEST_F(SocketRegistryTest, TheChildDoesNotHoldTheConnection) {
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  if (child == 0) {
    ReplaceSockets();
    close(pair_[1]);
    if (write(ready[1], "x", 1) != 1) _exit(1);
    pause();
  }
  char byte = 0;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  ForgetSocket(pair_[0]);
  close(pair_[0]);
  EXPECT_EQ(read(pair_[1], &byte, 1), 0);
  kill(child, SIGKILL);
  EXPECT_EQ(waitpid(child, nullptr, 0), child);
  close(ready[0]);
  close(ready[1]);
  pair_[0] = dup(pair_[1]);
}

TEST_F(SocketRegistryTest, TheChildCannotRemoveWhatTheParentPolls) {
  const int poller = epoll_create1(0);
  epoll_event event{};
  event.events = EPOLLIN;
  ASSERT_EQ(epoll_ctl(poller, EPOLL_CTL_ADD, pair_[0], &event), 0);
  EXPECT_EQ(InChild([this, poller] {
              ReplaceSockets();
              epoll_event dummy{};
              if (epoll_ctl(poller, EPOLL_CTL_DEL, pair_[0], &dummy) == 0) {
                return 1;
              }
              close(pair_[0]);
              return errno == ENOENT ? 0 : 2;
            }),
            0);
  ASSERT_EQ(write(pair_[1], "x", 1), 1);
  EXPECT_EQ(epoll_wait(poller, &event, 1, 1000), 1);
  close(poller);
}

TEST_F(SocketRegistryTest, NothingHappensOnWhatWasExchanged) {
  EXPECT_EQ(InChild([this] {
              ReplaceSockets();
              char byte = 0;
              if (read(pair_[0], &byte, 1) != -1 || errno != EAGAIN) return 1;
              const int poller = epoll_create1(0);
              epoll_event event{};
              event.events = EPOLLIN | EPOLLRDHUP;
              epoll_ctl(poller, EPOLL_CTL_ADD, pair_[0], &event);
              return epoll_wait(poller, &event, 1, 20) == 0 ? 0 : 2;
            }),
            0);
}

TEST_F(SocketRegistryTest, AClosedConnectionDoesNotEndTheOthersOfTheChild) {
  auto [closed, theirs] = UnixPair();
  EXPECT_EQ(InChild([this, &closed = closed] {
              if (ReplaceSockets() < 2) return 1;
              OwnedFd moved;
              moved = std::move(closed);
              CloseGracefully(std::move(moved), AF_UNIX);
              char byte = 0;
              if (read(pair_[0], &byte, 1) != -1 || errno != EAGAIN) return 2;
              return write(pair_[0], "x", 1) == 1 ? 0 : 3;
            }),
            0);
  SendAll(theirs.get(), "still here");
  EXPECT_EQ(Receive(closed.get(), 10), "still here");
}

TEST_F(SocketRegistryTest, WhatIsForgottenIsLeftAlone) {
  ForgetSocket(pair_[0]);
  EXPECT_EQ(InChild([this] {
              if (ReplaceSockets() != 0) return 1;
              return write(pair_[0], "x", 1) == 1 ? 0 : 2;
            }),
            0);
  char byte = 0;
  EXPECT_EQ(read(pair_[1], &byte, 1), 1);
}

TEST(SocketRegistry, OutOfRangeIsIgnored) {
  NoteSocket(-1);
  NoteSocket(1 << 20);
  ForgetSocket(-1);
  ForgetSocket(1 << 20);
  EXPECT_EQ(InChild([] { return ReplaceSockets(); }), 0);
}

}  // namespace
}  // namespace uvgrpc
