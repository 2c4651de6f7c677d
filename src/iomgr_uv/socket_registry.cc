// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/iomgr_uv/socket_registry.h"

#include <unistd.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "src/iomgr_uv/sockets.h"

namespace uvgrpc {
namespace {

constexpr int kMaxFd = 1 << 20;
constexpr int kBits = 64;

// A bit a descriptor; 128 KiB of zero pages, of which the first is used.
std::array<std::atomic<uint64_t>, kMaxFd / kBits> g_sockets;

std::atomic<uint64_t>& WordOf(int fd) {
  return g_sockets[static_cast<size_t>(fd) / kBits];
}

uint64_t BitOf(int fd) { return uint64_t{1} << (fd % kBits); }

}  // namespace

void NoteSocket(int fd) {
  if (fd < 0 || fd >= kMaxFd) return;
  WordOf(fd).fetch_or(BitOf(fd), std::memory_order_relaxed);
}

void ForgetSocket(int fd) {
  if (fd < 0 || fd >= kMaxFd) return;
  WordOf(fd).fetch_and(~BitOf(fd), std::memory_order_relaxed);
}

bool IsNotedSocket(int fd) {
  return fd >= 0 && fd < kMaxFd &&
         (WordOf(fd).load(std::memory_order_relaxed) & BitOf(fd)) != 0;
}

std::vector<int> NotedSockets() {
  std::vector<int> sockets;
  for (size_t index = 0; index < g_sockets.size(); ++index) {
    const uint64_t word = g_sockets[index].load(std::memory_order_relaxed);
    for (int bit = 0; word != 0 && bit < kBits; ++bit) {
      if ((word >> bit & 1) != 0) {
        sockets.push_back(static_cast<int>(index) * kBits + bit);
      }
    }
  }
  return sockets;
}

int ReplaceSockets() {
  int count = 0;
  // The other end stays open: a socket without a peer would be readable for
  // ever.
  int nowhere[2] = {-1, -1};
  for (size_t index = 0; index < g_sockets.size(); ++index) {
    const uint64_t word = g_sockets[index].load(std::memory_order_relaxed);
    if (word == 0) continue;
    for (int bit = 0; bit < kBits; ++bit) {
      if ((word >> bit & 1) == 0) continue;
      if (nowhere[0] < 0 && OpenSocketPair(nowhere) != 0) return count;
      const int fd = static_cast<int>(index) * kBits + bit;
      if (ReplaceDescriptor(nowhere[0], fd) >= 0) ++count;
      ForgetSocket(fd);
    }
  }
  if (nowhere[0] >= 0) close(nowhere[0]);
  return count;
}

}  // namespace uvgrpc
