// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// Which calls of the engine fail, and how.
//
// The engine's library is linked here with its system calls renamed (see
// faulty_calls.cc and CMakeLists.txt) and works on a libuv table whose
// functions may fail (faulty_uv_api.h). Both ask the plan before they do what
// they are for. The library itself is the product's, unchanged.

#ifndef UVGRPC_TESTS_CPP_FAULTS_FAULT_PLAN_H_
#define UVGRPC_TESTS_CPP_FAULTS_FAULT_PLAN_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace uvgrpc::faults {

// X(enumerator, name): where a fault may be.
#define UVGRPC_FAULT_SITES(X)                      \
  X(kRecv, "recv")                                 \
  X(kSendmsg, "sendmsg")                           \
  X(kAccept, "accept4")                            \
  X(kConnect, "connect")                           \
  X(kSocketError, "SO_ERROR")                      \
  X(kSocket, "socket")                             \
  X(kBind, "bind")                                 \
  X(kListen, "listen")                             \
  X(kSetsockopt, "setsockopt")                     \
  X(kGetpeername, "getpeername")                   \
  X(kGetsockname, "getsockname")                   \
  X(kShutdown, "shutdown")                         \
  X(kFcntl, "fcntl")                               \
  X(kCalloc, "calloc")                             \
  X(kGetifaddrs, "getifaddrs")                     \
  X(kRecvfrom, "recvfrom")                         \
  X(kSendto, "sendto")                             \
  X(kUvAsyncInit, "uv_async_init")                 \
  X(kUvPrepareInit, "uv_prepare_init")             \
  X(kUvTimerInit, "uv_timer_init")                 \
  X(kUvPollInit, "uv_poll_init")                   \
  X(kUvPollStart, "uv_poll_start")                 \
  X(kUvPollCallback, "uv_poll callback")           \
  X(kUvGetaddrinfo, "uv_getaddrinfo")              \
  X(kUvGetaddrinfoResult, "uv_getaddrinfo result") \
  X(kUvCancel, "uv_cancel")

enum class Site {
#define UVGRPC_ENUMERATOR(enumerator, name) enumerator,
  UVGRPC_FAULT_SITES(UVGRPC_ENUMERATOR)
#undef UVGRPC_ENUMERATOR
};

#define UVGRPC_COUNT(enumerator, name) +1
inline constexpr int kSites = 0 UVGRPC_FAULT_SITES(UVGRPC_COUNT);
#undef UVGRPC_COUNT

const char* NameOf(Site site);

// What the operation makes of a fault.
enum class Effect {
  kNone,   // it goes on as if nothing had been
  kMay,    // it may fail, or what failed was not needed
  kFails,  // it fails, if what failed is on its way
};

struct Fault {
  Site site = Site::kRecv;
  // An errno value, or a (negative) code of libuv's. 0: the call does a part of
  // what it is asked to do, `bytes` at most; or, of no bytes, sees the end.
  int error = 0;
  int bytes = 0;
  int skip = 0;    // of the calls, so many are left alone first
  int repeat = 1;  // then so many fail
  Effect effect = Effect::kNone;

  std::string Describe() const;
};

// A fault at one of `sites`, of those that it can have.
Fault RandomFault(std::mt19937_64& random, const std::vector<Site>& sites);
// All errors that are tried at a site.
std::vector<int> ErrorsOf(Site site);

// The faults of one case. Armed by the thread of the case; a call of any other
// thread is left alone.
class FaultPlan {
 public:
  static FaultPlan& Get();

  void Arm(Fault fault);
  void Disarm();
  // Whether the call that is about to be made is to fail, and how.
  std::optional<Fault> Take(Site site);
  // Calls that failed since Arm.
  int hits() const { return hits_; }
  // Since the process began, by site.
  const std::array<uint64_t, kSites>& totals() const { return totals_; }

  // Added to the monotonic clock that the engine reads, in nanoseconds.
  std::atomic<int64_t> clock_offset{0};

 private:
  bool armed_ = false;
  std::thread::id thread_;
  Fault fault_;
  int seen_ = 0;
  int hits_ = 0;
  std::array<uint64_t, kSites> totals_{};
};

}  // namespace uvgrpc::faults

#endif  // UVGRPC_TESTS_CPP_FAULTS_FAULT_PLAN_H_
