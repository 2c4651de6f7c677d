// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// libFuzzer on what reads bytes from outside in our own code: names, the hosts
// file, nsswitch.conf, socket addresses. The first byte chooses.

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "absl/log/check.h"
#include "absl/strings/str_cat.h"
#include "src/iomgr_uv/hostname_query.h"
#include "src/iomgr_uv/hosts_file.h"
#include "src/iomgr_uv/name_sources.h"
#include "src/iomgr_uv/socket_address.h"
#include "tests/cpp/linked_uv_api.h"

namespace uvgrpc {
namespace {

void FuzzName(absl::string_view input) {
  const size_t split = input.find('\n');
  const auto query = HostnameQuery::Parse(
      input.substr(0, split),
      split == absl::string_view::npos ? "" : input.substr(split + 1));
  if (!query.ok()) {
    CHECK(absl::IsInvalidArgument(query.status()));
    return;
  }
  CHECK(!query->host.empty());
  CHECK(!query->service.empty());
  CHECK(query->host.find('\0') == std::string::npos);
  const auto numeric = query->LookupNumeric(LinkedUvApi());
  if (numeric.has_value() && numeric->ok()) {
    CHECK(!(*numeric)->empty());
    for (const ResolvedAddress& address : **numeric) {
      CHECK_OK(CheckSupported(address));
      CHECK(!Describe(address).empty());
    }
  }
}

void FuzzHosts(absl::string_view input) {
  static const int fd = memfd_create("hosts", 0);
  static const std::string path = absl::StrCat("/proc/self/fd/", fd);
  CHECK_EQ(ftruncate(fd, 0), 0);
  CHECK_EQ(pwrite(fd, input.data(), input.size(), 0),
           static_cast<ssize_t>(input.size()));
  const HostnameQuery query{"a:1", "a", "1"};
  const auto found = LookupInHostsFile(LinkedUvApi(), path.c_str(), query, 1);
  if (found.has_value()) {
    CHECK(!found->empty());
    for (const ResolvedAddress& address : *found) {
      CHECK_OK(CheckSupported(address));
    }
  }
}

void FuzzAddress(absl::string_view input) {
  if (input.size() > ResolvedAddress::MAX_SIZE_BYTES) return;
  // Of the size that the input has: whoever reads on is noticed.
  sockaddr_storage storage = {};
  std::copy(input.begin(), input.end(), reinterpret_cast<char*>(&storage));
  const ResolvedAddress address(reinterpret_cast<sockaddr*>(&storage),
                                static_cast<socklen_t>(input.size()));
  (void)Describe(address);
  if (!CheckSupported(address).ok()) return;
  (void)Unmapped(address);
  CHECK(!Describe(address).empty());
  CHECK(IsUnixAddress(address) == (FamilyOf(address) == AF_UNIX));
}

}  // namespace
}  // namespace uvgrpc

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const absl::string_view input(reinterpret_cast<const char*>(data) + 1,
                                size - 1);
  switch (data[0] % 4) {
    case 0:
      uvgrpc::FuzzName(input);
      break;
    case 1:
      uvgrpc::FuzzHosts(input);
      break;
    case 2:
      (void)uvgrpc::NamesOtherSources(input);
      (void)uvgrpc::IsForOtherSources(input);
      break;
    default:
      uvgrpc::FuzzAddress(input);
  }
  return 0;
}
