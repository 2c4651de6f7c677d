// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// How long the turns of a loop were.

#ifndef UVGRPC_IOMGR_UV_TURN_STATS_H_
#define UVGRPC_IOMGR_UV_TURN_STATS_H_

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace uvgrpc {

// A turn is all that the loop does between two polls, whoever does it. Give or
// take a millisecond: that is how libuv's clock counts. Loop thread.
class TurnStats {
 public:
  using Milliseconds = std::chrono::milliseconds;

  // In histogram()[i] are the turns of less than 2^i ms that are in none before
  // it; in the last all that took longer.
  static constexpr size_t kBuckets = 16;
  using Histogram = std::array<uint64_t, kBuckets>;

  // The loop has come out of a poll, or begins to run, at `time`.
  void Begin(Milliseconds time) {
    begin_ = time;
    has_begun_ = true;
  }
  bool has_begun() const { return has_begun_; }
  // Whether that was within the last `time`.
  bool HasPolledWithin(Milliseconds time, Milliseconds now) const {
    return has_begun_ && now - begin_ < time;
  }
  // It is about to poll.
  void End(Milliseconds time) {
    last_ = std::max(time - begin_, Milliseconds(0));
    worst_ = std::max(worst_, last_);
    ++histogram_[BucketOf(last_)];
  }
  // The loop does not run any more: what follows is no turn.
  void Stop() { has_begun_ = false; }

  Milliseconds last() const { return last_; }
  Milliseconds worst() const { return worst_; }
  const Histogram& histogram() const { return histogram_; }

  static size_t BucketOf(Milliseconds length) {
    size_t bucket = 0;
    for (auto rest = length.count(); rest > 0 && bucket < kBuckets - 1;
         rest >>= 1) {
      ++bucket;
    }
    return bucket;
  }

 private:
  Milliseconds begin_{0};
  Milliseconds last_{0};
  Milliseconds worst_{0};
  bool has_begun_ = false;
  Histogram histogram_{};
};

}  // namespace uvgrpc

#endif  // UVGRPC_IOMGR_UV_TURN_STATS_H_
