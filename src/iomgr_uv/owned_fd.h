// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// A socket's file descriptor that is closed when nobody took it.

#ifndef UVGRPC_IOMGR_UV_OWNED_FD_H_
#define UVGRPC_IOMGR_UV_OWNED_FD_H_

#include <unistd.h>

#include <utility>

#include "src/iomgr_uv/socket_registry.h"

namespace uvgrpc {

class OwnedFd {
 public:
  OwnedFd() = default;
  explicit OwnedFd(int fd) : fd_(fd) { NoteSocket(fd); }
  OwnedFd(OwnedFd&& other) noexcept : fd_(other.Take()) {}
  OwnedFd& operator=(OwnedFd&& other) noexcept {
    const int fd = other.Take();
    Reset();
    fd_ = fd;  // noted already, or exchanged in the child of a fork
    return *this;
  }
  ~OwnedFd() { Reset(); }

  int get() const { return fd_; }
  bool is_open() const { return fd_ >= 0; }
  [[nodiscard]] int Take() { return std::exchange(fd_, -1); }
  // For somebody outside the engine: it is no longer one of our sockets.
  [[nodiscard]] int Release() {
    ForgetSocket(fd_);
    return Take();
  }
  void Reset(int fd = -1) {
    const int old = std::exchange(fd_, fd);
    NoteSocket(fd);
    if (old < 0) return;
    ForgetSocket(old);
    close(old);
  }

 private:
  int fd_ = -1;
};

}  // namespace uvgrpc

#endif  // UVGRPC_IOMGR_UV_OWNED_FD_H_
