// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// The system calls of the engine, which may fail. The copy of the engine's
// library that is linked here calls uvgrpc_fault_x where the product's calls x:
// objcopy renames the symbols (renamed_calls.txt).

#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <vector>

#include "tests/cpp/faults/fault_plan.h"

namespace uvgrpc::faults {
namespace {

// True when the call that asks fails; errno says why.
bool Fails(Site site) {
  const std::optional<Fault> fault = FaultPlan::Get().Take(site);
  if (!fault.has_value()) return false;
  errno = fault->error;
  return true;
}

}  // namespace
}  // namespace uvgrpc::faults

using uvgrpc::faults::Fails;
using uvgrpc::faults::Fault;
using uvgrpc::faults::FaultPlan;
using uvgrpc::faults::Site;

extern "C" {

ssize_t uvgrpc_fault_recv(int fd, void* data, size_t size, int flags) {
  const std::optional<Fault> fault = FaultPlan::Get().Take(Site::kRecv);
  if (fault.has_value()) {
    if (fault->error != 0) {
      errno = fault->error;
      return -1;
    }
    if (fault->bytes == 0) return 0;
    size = std::min(size, static_cast<size_t>(fault->bytes));
  }
  return recv(fd, data, size, flags);
}

ssize_t uvgrpc_fault_sendmsg(int fd, const msghdr* message, int flags) {
  const std::optional<Fault> fault = FaultPlan::Get().Take(Site::kSendmsg);
  if (!fault.has_value()) return sendmsg(fd, message, flags);
  if (fault->error != 0) {
    errno = fault->error;
    return -1;
  }
  std::vector<iovec> pieces;
  size_t left = static_cast<size_t>(fault->bytes);
  for (size_t i = 0; i < message->msg_iovlen && left > 0; ++i) {
    iovec piece = message->msg_iov[i];
    piece.iov_len = std::min(piece.iov_len, left);
    left -= piece.iov_len;
    pieces.push_back(piece);
  }
  msghdr less = *message;
  less.msg_iov = pieces.data();
  less.msg_iovlen = pieces.size();
  return sendmsg(fd, &less, flags);
}

int uvgrpc_fault_accept4(int fd, sockaddr* address, socklen_t* size,
                         int flags) {
  if (Fails(Site::kAccept)) return -1;
  return accept4(fd, address, size, flags);
}

int uvgrpc_fault_connect(int fd, const sockaddr* address, socklen_t size) {
  const std::optional<Fault> fault = FaultPlan::Get().Take(Site::kConnect);
  if (fault.has_value() && fault->error != EINTR) {
    errno = fault->error;
    return -1;
  }
  const int result = connect(fd, address, size);
  if (fault.has_value() && (result == 0 || errno == EINPROGRESS)) {
    // A signal came, and the attempt goes on.
    errno = EINTR;
    return -1;
  }
  return result;
}

int uvgrpc_fault_getsockopt(int fd, int level, int name, void* value,
                            socklen_t* size) {
  if (level == SOL_SOCKET && name == SO_ERROR) {
    const std::optional<Fault> fault =
        FaultPlan::Get().Take(Site::kSocketError);
    if (fault.has_value()) {
      *static_cast<int*>(value) = fault->error;
      return 0;
    }
  }
  return getsockopt(fd, level, name, value, size);
}

int uvgrpc_fault_socket(int domain, int type, int protocol) {
  return Fails(Site::kSocket) ? -1 : socket(domain, type, protocol);
}

int uvgrpc_fault_bind(int fd, const sockaddr* address, socklen_t size) {
  return Fails(Site::kBind) ? -1 : bind(fd, address, size);
}

int uvgrpc_fault_listen(int fd, int backlog) {
  return Fails(Site::kListen) ? -1 : listen(fd, backlog);
}

int uvgrpc_fault_setsockopt(int fd, int level, int name, const void* value,
                            socklen_t size) {
  return Fails(Site::kSetsockopt) ? -1
                                  : setsockopt(fd, level, name, value, size);
}

int uvgrpc_fault_getpeername(int fd, sockaddr* address, socklen_t* size) {
  return Fails(Site::kGetpeername) ? -1 : getpeername(fd, address, size);
}

int uvgrpc_fault_getsockname(int fd, sockaddr* address, socklen_t* size) {
  return Fails(Site::kGetsockname) ? -1 : getsockname(fd, address, size);
}

int uvgrpc_fault_shutdown(int fd, int how) {
  return Fails(Site::kShutdown) ? -1 : shutdown(fd, how);
}

// As the compiler calls it: the argument is an integer in all uses.
int uvgrpc_fault_fcntl(int fd, int command, long argument) {
  return Fails(Site::kFcntl) ? -1 : fcntl(fd, command, argument);
}

int uvgrpc_fault_fcntl64(int fd, int command, long argument) {
  return uvgrpc_fault_fcntl(fd, command, argument);
}

void* uvgrpc_fault_calloc(size_t count, size_t size) {
  return Fails(Site::kCalloc) ? nullptr : std::calloc(count, size);
}

int uvgrpc_fault_getifaddrs(ifaddrs** list) {
  return Fails(Site::kGetifaddrs) ? -1 : getifaddrs(list);
}

ssize_t uvgrpc_fault_recvfrom(int fd, void* data, size_t size, int flags,
                              sockaddr* address, socklen_t* address_size) {
  if (Fails(Site::kRecvfrom)) return -1;
  return recvfrom(fd, data, size, flags, address, address_size);
}

ssize_t uvgrpc_fault_sendto(int fd, const void* data, size_t size, int flags,
                            const sockaddr* address, socklen_t address_size) {
  if (Fails(Site::kSendto)) return -1;
  return sendto(fd, data, size, flags, address, address_size);
}

// std::chrono::steady_clock::now().
int64_t uvgrpc_fault_steady_now() {
  return std::chrono::steady_clock::now().time_since_epoch().count() +
         FaultPlan::Get().clock_offset.load(std::memory_order_relaxed);
}

}  // extern "C"
