// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// What the engine needs of socket addresses beyond core's tcp_socket_utils.h.
// Functions for any thread.

#ifndef UVGRPC_IOMGR_UV_SOCKET_ADDRESS_H_
#define UVGRPC_IOMGR_UV_SOCKET_ADDRESS_H_

#include <grpc/event_engine/event_engine.h>
#include <sys/types.h>

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace uvgrpc {

using ResolvedAddress =
    grpc_event_engine::experimental::EventEngine::ResolvedAddress;

// The addresses of a connected socket's two ends.
absl::StatusOr<ResolvedAddress> PeerAddressOf(int fd);
absl::StatusOr<ResolvedAddress> LocalAddressOf(int fd);

int FamilyOf(const ResolvedAddress& address);
bool IsUnixAddress(const ResolvedAddress& address);

// INVALID_ARGUMENT unless it is a complete IPv4, IPv6 or Unix address.
absl::Status CheckSupported(const ResolvedAddress& address);

// IPv4 for an IPv4 address in IPv6 dress (::ffff:1.2.3.4), else the address.
// Sockets of the plain family also work where IPv6 is switched off.
ResolvedAddress Unmapped(const ResolvedAddress& address);

// For messages, never fails: "127.0.0.1:80", "[::1]:80", "unix:/run/x.sock",
// "unix-abstract:name".
std::string Describe(const ResolvedAddress& address);

// The file that binding a Unix socket made. It is removed by the one who made
// it, but not when somebody else has bound the path since.
class UnixSocketFile {
 public:
  UnixSocketFile() = default;

  // Removes a socket that an earlier process left at the address's path. Does
  // nothing for other addresses and other kinds of files.
  static void RemoveStale(const ResolvedAddress& address);

  // Remembers the file at the path of `address`, which was just bound.
  explicit UnixSocketFile(const ResolvedAddress& address);

  // Removes the remembered file, if it is still there and this process is the
  // one that bound it. Idempotent.
  void Remove();

 private:
  std::string path_;  // empty: nothing to remove
  pid_t owner_ = 0;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

}  // namespace uvgrpc

#endif  // UVGRPC_IOMGR_UV_SOCKET_ADDRESS_H_
