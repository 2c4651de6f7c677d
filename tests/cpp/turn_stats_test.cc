// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/iomgr_uv/turn_stats.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "gtest/gtest.h"
#include "tests/cpp/loop_fixture.h"

namespace uvgrpc {
namespace {

using Milliseconds = TurnStats::Milliseconds;
using TurnsOfALoopTest = LoopFixture;

TEST(TurnStatsTest, LengthsFallIntoBucketsOfPowersOfTwo) {
  EXPECT_EQ(TurnStats::BucketOf(Milliseconds(0)), 0u);
  EXPECT_EQ(TurnStats::BucketOf(Milliseconds(1)), 1u);
  EXPECT_EQ(TurnStats::BucketOf(Milliseconds(2)), 2u);
  EXPECT_EQ(TurnStats::BucketOf(Milliseconds(3)), 2u);
  EXPECT_EQ(TurnStats::BucketOf(Milliseconds(4)), 3u);
  EXPECT_EQ(TurnStats::BucketOf(Milliseconds(1 << 13)), 14u);
  EXPECT_EQ(TurnStats::BucketOf(Milliseconds(1 << 14)), 15u);
  EXPECT_EQ(TurnStats::BucketOf(Milliseconds(1 << 30)), 15u);
}

TEST(TurnStatsTest, TheLongestTurnIsKept) {
  TurnStats stats;
  stats.Begin(Milliseconds(100));
  stats.End(Milliseconds(130));
  stats.Begin(Milliseconds(200));
  stats.End(Milliseconds(202));
  // The clock of the one may be ahead of that of the other.
  stats.Begin(Milliseconds(300));
  stats.End(Milliseconds(299));
  EXPECT_EQ(stats.last(), Milliseconds(0));
  EXPECT_EQ(stats.worst(), Milliseconds(30));
  EXPECT_EQ(stats.histogram()[0], 1u);
  EXPECT_EQ(stats.histogram()[2], 1u);
  EXPECT_EQ(stats.histogram()[5], 1u);
}

TEST_F(TurnsOfALoopTest, WhatRunsBetweenTwoPollsIsATurn) {
  bool done = false;
  bridge()->Post([&] {
    std::this_thread::sleep_for(Milliseconds(30));
    done = true;
  });
  ASSERT_TRUE(RunUntil([&] { return done; }));
  EXPECT_GE(bridge()->turn_stats().worst(), Milliseconds(29));
}

TEST_F(TurnsOfALoopTest, WhatIsBetweenTwoRunsIsNone) {
  bool done = false;
  bridge()->Post([&] { done = true; });
  ASSERT_TRUE(RunUntil([&] { return done; }));
  bridge()->Disclaim();
  const auto began = std::chrono::steady_clock::now();
  const Milliseconds worst = bridge()->turn_stats().worst();
  std::this_thread::sleep_for(Milliseconds(300));
  bridge()->Claim();
  done = false;
  bridge()->Post([&] { done = true; });
  ASSERT_TRUE(RunUntil([&] { return done; }));
  const auto took = std::chrono::steady_clock::now() - began;
  // On a machine that stops for a while, it may be long all the same.
  EXPECT_LE(bridge()->turn_stats().worst(),
            std::max(worst, std::chrono::duration_cast<Milliseconds>(took) -
                                Milliseconds(299)));
}

}  // namespace
}  // namespace uvgrpc
