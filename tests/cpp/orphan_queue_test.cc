// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/iomgr_uv/orphan_queue.h"

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace uvgrpc {
namespace {

TEST(OrphanQueueTest, WorkWaitsForADrain) {
  OrphanQueue queue;
  int ran = 0;
  queue.Push([&] { ++ran; });
  queue.Push([&] { ++ran; });
  EXPECT_EQ(ran, 0);
  queue.Drain();
  EXPECT_EQ(ran, 2);
  queue.Drain();
  EXPECT_EQ(ran, 2);
}

TEST(OrphanQueueTest, WorkThatQueuesWorkIsRunToTheEnd) {
  OrphanQueue queue;
  int ran = 0;
  absl::AnyInvocable<void()> again = [&] {
    if (++ran < 10) queue.Push([&] { again(); });
  };
  queue.Push([&] { again(); });
  queue.Drain();
  EXPECT_EQ(ran, 10);
}

TEST(OrphanQueueTest, ADrainInsideADrainDoesNothing) {
  OrphanQueue queue;
  bool ran_inner = false;
  queue.Push([&] {
    queue.Push([&] { ran_inner = true; });
    queue.Drain();
    EXPECT_FALSE(ran_inner);
  });
  queue.Drain();
  EXPECT_TRUE(ran_inner);
}

TEST(OrphanQueueTest, WorkIsDestroyedAfterItRan) {
  OrphanQueue queue;
  auto held = std::make_shared<int>(0);
  queue.Push([held] { ++*held; });
  queue.Drain();
  EXPECT_EQ(*held, 1);
  EXPECT_EQ(held.use_count(), 1);
}

TEST(OrphanQueueTest, ThreadsMayPushAndDrainAtOnce) {
  constexpr int kThreads = 4;
  constexpr int kPushes = 5000;
  OrphanQueue queue;
  std::atomic<int> ran{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < kPushes; ++j) {
        queue.Push([&] { ++ran; });
        if (j % 7 == 0) queue.Drain();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  queue.Drain();
  EXPECT_EQ(ran, kThreads * kPushes);
}

}  // namespace
}  // namespace uvgrpc
