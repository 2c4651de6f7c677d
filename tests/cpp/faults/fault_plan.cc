// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "tests/cpp/faults/fault_plan.h"

#include <errno.h>
#include <uv.h>

#include <algorithm>
#include <cstddef>

#include "absl/strings/str_cat.h"
#include "src/iomgr_uv/uv_status.h"

namespace uvgrpc::faults {
namespace {

size_t IndexOf(Site site) { return static_cast<size_t>(site); }

int Between(std::mt19937_64& random, int low, int high) {
  return std::uniform_int_distribution<int>(low, high)(random);
}

// What a socket says after which nothing more can be done with it.
const std::vector<int> kLost = {ECONNRESET, ETIMEDOUT,    EHOSTUNREACH,
                                ENETDOWN,   ENETUNREACH,  ENOMEM,
                                EIO,        ECONNABORTED, ENOTCONN};

std::vector<int> With(std::vector<int> errors, std::vector<int> more) {
  errors.insert(errors.end(), more.begin(), more.end());
  return errors;
}

bool IsTransient(Site site, int error) {
  switch (site) {
    case Site::kRecv:
    case Site::kRecvfrom:
      return error == EAGAIN || error == EINTR;
    case Site::kSendmsg:
      return error == EAGAIN || error == EINTR || error == ENOBUFS;
    // A datagram that is not sent is c-ares's to send again, a few times.
    case Site::kSendto:
    case Site::kConnect:
      return error == EINTR;
    default:
      return false;
  }
}

Effect EffectOf(Site site, int error) {
  switch (site) {
    // Whatever accept says, connections that wait are taken in the end.
    case Site::kAccept:
    case Site::kUvPollCallback:
    // A request that cannot be cancelled goes on.
    case Site::kUvCancel:
      return Effect::kNone;
    case Site::kSetsockopt:
    case Site::kShutdown:
    case Site::kCalloc:
    case Site::kUvPollInit:
    case Site::kUvPollStart:
    case Site::kGetpeername:
    case Site::kSocket:
    case Site::kRecvfrom:
    case Site::kSendto:
      return IsTransient(site, error) ? Effect::kNone : Effect::kMay;
    default:
      return IsTransient(site, error) ? Effect::kNone : Effect::kFails;
  }
}

}  // namespace

const char* NameOf(Site site) {
  static constexpr const char* kNames[] = {
#define UVGRPC_NAME(enumerator, name) name,
      UVGRPC_FAULT_SITES(UVGRPC_NAME)
#undef UVGRPC_NAME
  };
  return kNames[IndexOf(site)];
}

std::vector<int> ErrorsOf(Site site) {
  switch (site) {
    case Site::kRecv:
      return With(kLost, {EAGAIN, EAGAIN, EINTR});
    case Site::kSendmsg:
      return With(kLost, {EAGAIN, EAGAIN, EINTR, ENOBUFS, EPIPE, EACCES});
    case Site::kAccept:
      return {EMFILE, ENFILE, ENOBUFS,      ENOMEM,   ECONNABORTED, EINTR,
              EPROTO, EPERM,  ENOPROTOOPT,  ENETDOWN, ENETUNREACH,  EHOSTDOWN,
              EINVAL, EAGAIN, EHOSTUNREACH, ENOSR,    EOPNOTSUPP,   ETIMEDOUT};
    case Site::kConnect:
      return {ECONNREFUSED, ETIMEDOUT, ENETUNREACH,   EHOSTUNREACH,
              EACCES,       EPERM,     EADDRNOTAVAIL, EAFNOSUPPORT,
              ENOENT,       EINTR,     ENOBUFS};
    case Site::kSocketError:
      return {ECONNREFUSED, ETIMEDOUT, ENETUNREACH, EHOSTUNREACH, ECONNRESET};
    case Site::kSocket:
      return {EMFILE, ENFILE, ENOBUFS, ENOMEM, EACCES, EAFNOSUPPORT};
    case Site::kBind:
      return {EADDRINUSE, EACCES, EADDRNOTAVAIL, ENOMEM, EINVAL};
    case Site::kListen:
      return {EADDRINUSE, EOPNOTSUPP, ENOBUFS};
    case Site::kSetsockopt:
      return {ENOPROTOOPT, EINVAL, ENOMEM, ENOBUFS, EPERM};
    case Site::kGetpeername:
      return {ENOTCONN, ENOBUFS, EINVAL};
    case Site::kGetsockname:
      return {ENOBUFS, EINVAL};
    case Site::kShutdown:
      return {ENOTCONN, EIO};
    case Site::kFcntl:
      return {EINVAL, ENOMEM};
    case Site::kCalloc:
      return {ENOMEM};
    case Site::kGetifaddrs:
      return {ENOMEM, EMFILE, EACCES};
    case Site::kRecvfrom:
      return {EAGAIN, EINTR, ECONNREFUSED, ENOMEM, ECONNRESET};
    case Site::kSendto:
      return {EAGAIN, EINTR, EPERM, ENETUNREACH, ENOBUFS, EHOSTUNREACH};
    case Site::kUvAsyncInit:
      return {UV_EMFILE, UV_ENFILE, UV_ENOMEM};
    case Site::kUvPrepareInit:
    case Site::kUvTimerInit:
      // They cannot fail today; the engine asks all the same.
      return {UV_ENOMEM};
    case Site::kUvPollInit:
      return {UV_ENOMEM, UV_ENOSPC, UV_EPERM, UV_EEXIST, UV_EBADF, UV_ENOTTY};
    case Site::kUvPollStart:
      return {UV_EEXIST, UV_ENOMEM};
    case Site::kUvPollCallback:
      return {UV_EBADF};
    case Site::kUvGetaddrinfo:
      return {UV_EINVAL, UV_ENOMEM, UV_ENAMETOOLONG};
    case Site::kUvGetaddrinfoResult:
      return {UV_EAI_AGAIN,    UV_EAI_FAIL,       UV_EAI_FAMILY,  UV_EAI_MEMORY,
              UV_EAI_NONAME,   UV_EAI_NODATA,     UV_EAI_SERVICE, UV_ENOMEM,
              UV_EAI_SOCKTYPE, UV_EAI_ADDRFAMILY, UV_EMFILE};
    case Site::kUvCancel:
      return {UV_EBUSY, UV_EINVAL};
  }
  return {};
}

Fault RandomFault(std::mt19937_64& random, const std::vector<Site>& sites) {
  Fault fault;
  fault.site = sites[static_cast<size_t>(
      Between(random, 0, static_cast<int>(sites.size()) - 1))];
  // Mostly near the beginning, where every operation comes by.
  fault.skip = Between(random, 0, 1 << Between(random, 0, 4)) - 1;
  fault.skip = std::max(fault.skip, 0);
  const bool moves_data =
      fault.site == Site::kRecv || fault.site == Site::kSendmsg;
  if (moves_data && Between(random, 0, 2) == 0) {
    fault.bytes = Between(random, 0, 9);
    if (fault.bytes > 4) fault.bytes = 1 << fault.bytes;
    // sendmsg never says that it took nothing.
    if (fault.site == Site::kSendmsg) fault.bytes = std::max(fault.bytes, 1);
    fault.effect = fault.bytes == 0 ? Effect::kFails : Effect::kNone;
    fault.repeat = fault.bytes == 0 ? 1 : Between(random, 1, 400);
    return fault;
  }
  const std::vector<int> errors = ErrorsOf(fault.site);
  fault.error = errors[static_cast<size_t>(
      Between(random, 0, static_cast<int>(errors.size()) - 1))];
  fault.effect = EffectOf(fault.site, fault.error);
  if (fault.effect == Effect::kNone) {
    // A storm. One of accept's costs a pause a fault.
    fault.repeat = fault.site == Site::kAccept
                       ? Between(random, 1, 3)
                       : Between(random, 1, 1 << Between(random, 0, 6));
  } else if (Between(random, 0, 3) == 0) {
    fault.repeat = Between(random, 2, 4);
  }
  return fault;
}

std::string Fault::Describe() const {
  std::string what;
  if (error > 0) {
    what = ErrnoText(error);
  } else if (error < 0) {
    what = uv_err_name(error);
  } else if (bytes == 0) {
    what = "the end";
  } else {
    what = absl::StrCat("at most ", bytes, " bytes");
  }
  return absl::StrCat(NameOf(site), ": ", what, ", after ", skip, ", ", repeat,
                      " times");
}

FaultPlan& FaultPlan::Get() {
  static FaultPlan* const plan = new FaultPlan;
  return *plan;
}

void FaultPlan::Arm(Fault fault) {
  fault_ = fault;
  thread_ = std::this_thread::get_id();
  seen_ = 0;
  hits_ = 0;
  armed_ = true;
}

void FaultPlan::Disarm() { armed_ = false; }

std::optional<Fault> FaultPlan::Take(Site site) {
  if (!armed_ || site != fault_.site || std::this_thread::get_id() != thread_) {
    return std::nullopt;
  }
  const int number = seen_++;
  if (number < fault_.skip || number >= fault_.skip + fault_.repeat) {
    return std::nullopt;
  }
  ++hits_;
  ++totals_[IndexOf(site)];
  return fault_;
}

}  // namespace uvgrpc::faults
