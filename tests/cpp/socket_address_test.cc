// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/iomgr_uv/socket_address.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "gtest/gtest.h"
#include "tests/cpp/socket_helpers.h"

namespace uvgrpc {
namespace {

bool Exists(const std::string& path) {
  struct stat file;
  return stat(path.c_str(), &file) == 0;
}

TEST(SocketAddressTest, AddressesAsText) {
  EXPECT_EQ(Describe(Address("ipv4:127.0.0.1:80")), "127.0.0.1:80");
  EXPECT_EQ(Describe(Address("ipv6:[::1]:80")), "[::1]:80");
  EXPECT_EQ(Describe(Address("ipv6:[::ffff:1.2.3.4]:5")), "1.2.3.4:5");
  EXPECT_EQ(Describe(Address("unix:/run/x.sock")), "unix:/run/x.sock");
  EXPECT_EQ(Describe(Address("unix-abstract:name")), "unix-abstract:name");
  EXPECT_EQ(Describe(ResolvedAddress()), "no address");
  sockaddr_storage other{};
  other.ss_family = AF_NETLINK;
  EXPECT_EQ(Describe(ResolvedAddress(reinterpret_cast<sockaddr*>(&other), 12)),
            "address of family 16");
}

TEST(SocketAddressTest, UnnamedUnixSocketsHaveAnAddress) {
  auto [one, two] = UnixPair();
  const auto peer = PeerAddressOf(one.get());
  ASSERT_TRUE(peer.ok());
  EXPECT_TRUE(IsUnixAddress(*peer));
  EXPECT_EQ(Describe(*peer), "unix:");
}

TEST(SocketAddressTest, AddressesOfBadDescriptorsAreErrors) {
  EXPECT_FALSE(PeerAddressOf(-1).ok());
  EXPECT_FALSE(LocalAddressOf(-1).ok());
}

TEST(SocketAddressTest, OnlyCompleteKnownAddressesAreSupported) {
  EXPECT_TRUE(CheckSupported(Address("ipv4:127.0.0.1:80")).ok());
  EXPECT_TRUE(CheckSupported(Address("ipv6:[::1]:80")).ok());
  EXPECT_TRUE(CheckSupported(Address("unix:/x")).ok());
  EXPECT_TRUE(CheckSupported(Address("unix-abstract:x")).ok());
  EXPECT_EQ(CheckSupported(ResolvedAddress()).code(),
            absl::StatusCode::kInvalidArgument);
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  EXPECT_FALSE(
      CheckSupported(ResolvedAddress(reinterpret_cast<sockaddr*>(&v6), 8))
          .ok());
  v6.sin6_family = AF_NETLINK;
  EXPECT_FALSE(CheckSupported(ResolvedAddress(reinterpret_cast<sockaddr*>(&v6),
                                              sizeof(v6)))
                   .ok());
}

TEST(SocketAddressTest, MappedAddressesBecomePlain) {
  EXPECT_EQ(FamilyOf(Unmapped(Address("ipv6:[::ffff:1.2.3.4]:5"))), AF_INET);
  EXPECT_EQ(FamilyOf(Unmapped(Address("ipv6:[::1]:5"))), AF_INET6);
  EXPECT_EQ(FamilyOf(Unmapped(Address("ipv4:1.2.3.4:5"))), AF_INET);
  EXPECT_EQ(FamilyOf(Unmapped(Address("unix:/x"))), AF_UNIX);
}

TEST(SocketAddressTest, SocketFilesAreRemovedByTheirOwnerOnly) {
  const std::string path = FreshUnixPath();
  const ResolvedAddress address = Address("unix:" + path);
  PlainListener first = Listen("unix:" + path);
  UnixSocketFile firsts(address);
  unlink(path.c_str());
  PlainListener second = Listen("unix:" + path);
  UnixSocketFile seconds(address);
  firsts.Remove();
  EXPECT_TRUE(Exists(path));
  seconds.Remove();
  EXPECT_FALSE(Exists(path));
  seconds.Remove();
}

TEST(SocketAddressTest, StaleRemovalLeavesOtherAddressesAlone) {
  UnixSocketFile::RemoveStale(Address("unix-abstract:name"));
  UnixSocketFile::RemoveStale(Address("ipv4:127.0.0.1:1"));
  UnixSocketFile::RemoveStale(Address("unix:/no/such/path"));
  UnixSocketFile none(Address("unix-abstract:name"));
  none.Remove();
}

}  // namespace
}  // namespace uvgrpc
