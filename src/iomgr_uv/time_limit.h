// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// How long something may go on within one turn of the loop.

#ifndef UVGRPC_IOMGR_UV_TIME_LIMIT_H_
#define UVGRPC_IOMGR_UV_TIME_LIMIT_H_

#include <chrono>

namespace uvgrpc {

// Counts from the first look at it, so that what is over before anybody looks
// does not pay for reading the clock.
class TimeLimit {
 public:
  explicit TimeLimit(std::chrono::microseconds length) : length_(length) {}

  bool IsOver() {
    const Clock::time_point now = Clock::now();
    if (end_ == Clock::time_point()) end_ = now + length_;
    return now >= end_;
  }

 private:
  using Clock = std::chrono::steady_clock;
  const std::chrono::microseconds length_;
  Clock::time_point end_{};
};

}  // namespace uvgrpc

#endif  // UVGRPC_IOMGR_UV_TIME_LIMIT_H_
