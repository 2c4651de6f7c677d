// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/iomgr_uv/socket_address.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "src/core/lib/event_engine/tcp_socket_utils.h"
#include "src/iomgr_uv/uv_status.h"

namespace uvgrpc {
namespace {

constexpr size_t kPathOffset = offsetof(sockaddr_un, sun_path);

// The bytes of a Unix address after the family: empty for an unnamed socket, a
// leading NUL for an abstract one.
absl::string_view UnixName(const ResolvedAddress& address) {
  if (address.size() <= kPathOffset) return "";
  const char* name =
      reinterpret_cast<const sockaddr_un*>(address.address())->sun_path;
  const size_t size = address.size() - kPathOffset;
  // A path ends at its NUL; an abstract name is as long as the address says.
  return absl::string_view(name, name[0] == '\0' ? size : strnlen(name, size));
}

// The path of an address that names a file, else empty.
std::string FilePath(const ResolvedAddress& address) {
  if (!IsUnixAddress(address)) return "";
  const absl::string_view name = UnixName(address);
  return name.empty() || name[0] == '\0' ? "" : std::string(name);
}

template <typename GetName>
absl::StatusOr<ResolvedAddress> AddressOf(int fd, GetName get_name,
                                          const char* what) {
  sockaddr_storage storage;
  socklen_t size = sizeof(storage);
  auto* address = reinterpret_cast<sockaddr*>(&storage);
  if (get_name(fd, address, &size) != 0) return ErrnoStatus(errno, what);
  if (size > ResolvedAddress::MAX_SIZE_BYTES) {
    return absl::InvalidArgumentError(absl::StrCat(what, ": too long"));
  }
  return ResolvedAddress(address, size);
}

}  // namespace

absl::StatusOr<ResolvedAddress> PeerAddressOf(int fd) {
  return AddressOf(fd, &getpeername, "getpeername");
}

absl::StatusOr<ResolvedAddress> LocalAddressOf(int fd) {
  return AddressOf(fd, &getsockname, "getsockname");
}

int FamilyOf(const ResolvedAddress& address) {
  return address.address()->sa_family;
}

bool IsUnixAddress(const ResolvedAddress& address) {
  return address.size() > 0 && FamilyOf(address) == AF_UNIX;
}

absl::Status CheckSupported(const ResolvedAddress& address) {
  size_t smallest = 0;
  switch (address.size() == 0 ? AF_UNSPEC : FamilyOf(address)) {
    case AF_INET:
      smallest = sizeof(sockaddr_in);
      break;
    case AF_INET6:
      smallest = sizeof(sockaddr_in6);
      break;
    case AF_UNIX:
      smallest = kPathOffset + 1;
      break;
    case AF_UNSPEC:
      return absl::InvalidArgumentError("no address given");
    default:
      return absl::InvalidArgumentError(
          absl::StrCat("unsupported address family ", FamilyOf(address)));
  }
  if (address.size() < smallest) {
    return absl::InvalidArgumentError("incomplete address");
  }
#ifndef __linux__
  if (IsUnixAddress(address) && UnixName(address)[0] == '\0') {
    return absl::UnimplementedError(
        "abstract Unix sockets are Linux's: use one with a path");
  }
#endif
  return absl::OkStatus();
}

ResolvedAddress Unmapped(const ResolvedAddress& address) {
  ResolvedAddress plain;
  return grpc_event_engine::experimental::ResolvedAddressIsV4Mapped(address,
                                                                    &plain)
             ? plain
             : address;
}

std::string Describe(const ResolvedAddress& address) {
  if (address.size() == 0) return "no address";
  if (IsUnixAddress(address)) {
    const absl::string_view name = UnixName(address);
    if (!name.empty() && name[0] == '\0') {
      return absl::StrCat("unix-abstract:", absl::CEscape(name.substr(1)));
    }
    return absl::StrCat("unix:", name);
  }
  absl::StatusOr<std::string> text =
      grpc_event_engine::experimental::ResolvedAddressToNormalizedString(
          address);
  if (text.ok()) return *std::move(text);
  return absl::StrCat("address of family ", FamilyOf(address));
}

void UnixSocketFile::RemoveStale(const ResolvedAddress& address) {
  const std::string path = FilePath(address);
  struct stat file;
  if (!path.empty() && stat(path.c_str(), &file) == 0 &&
      S_ISSOCK(file.st_mode)) {
    unlink(path.c_str());
  }
}

UnixSocketFile::UnixSocketFile(const ResolvedAddress& address)
    : path_(FilePath(address)) {
  struct stat file;
  if (path_.empty() || stat(path_.c_str(), &file) != 0) {
    path_.clear();
    return;
  }
  owner_ = getpid();
  device_ = file.st_dev;
  inode_ = file.st_ino;
}

void UnixSocketFile::Remove() {
  struct stat file;
  // The child of a fork() leaves its parent's alone.
  if (!path_.empty() && owner_ == getpid() && stat(path_.c_str(), &file) == 0 &&
      file.st_dev == device_ && file.st_ino == inode_) {
    unlink(path_.c_str());
  }
  path_.clear();
}

}  // namespace uvgrpc
