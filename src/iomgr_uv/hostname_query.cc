// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/iomgr_uv/hostname_query.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "src/core/util/host_port.h"
#include "src/iomgr_uv/uv_status.h"

namespace uvgrpc {
namespace {

constexpr int kMaxPort = 65535;

// libuv's code for a result of getaddrinfo.
int UvErrorFromGai(int error) {
  switch (error) {
    case 0:
      return 0;
    case EAI_AGAIN:
      return UV_EAI_AGAIN;
    case EAI_FAMILY:
      return UV_EAI_FAMILY;
    case EAI_MEMORY:
      return UV_EAI_MEMORY;
    case EAI_NONAME:
      return UV_EAI_NONAME;
    case EAI_SERVICE:
      return UV_EAI_SERVICE;
    case EAI_SOCKTYPE:
      return UV_EAI_SOCKTYPE;
    case EAI_SYSTEM:
      return errno != 0 ? -errno : UV_EAI_FAIL;
#ifdef EAI_NODATA
    case EAI_NODATA:
      return UV_EAI_NODATA;
#endif
#ifdef EAI_ADDRFAMILY
    case EAI_ADDRFAMILY:
      return UV_EAI_ADDRFAMILY;
#endif
    default:
      return UV_EAI_FAIL;
  }
}

// What getaddrinfo says on this thread. Returns one of libuv's codes.
int Ask(const char* host, const std::string& service, int flags,
        ResolvedAddresses* addresses) {
  const addrinfo hints = AddrinfoHints(flags);
  addrinfo* list = nullptr;
  const int error =
      UvErrorFromGai(getaddrinfo(host, service.c_str(), &hints, &list));
  if (error != 0) return error;
  *addresses = AddressesFrom(list);
  freeaddrinfo(list);
  return 0;
}

bool IsNumber(absl::string_view text) {
  return std::all_of(text.begin(), text.end(), absl::ascii_isdigit);
}

}  // namespace

absl::StatusOr<HostnameQuery> HostnameQuery::Parse(
    absl::string_view name, absl::string_view default_port) {
  const auto invalid = [name](absl::string_view reason) {
    return absl::InvalidArgumentError(
        absl::StrCat("cannot look up \"", name, "\": ", reason));
  };
  absl::string_view host;
  absl::string_view service;
  if (name.find('\0') != absl::string_view::npos ||
      !grpc_core::SplitHostPort(name, &host, &service)) {
    return invalid("not of the form host:port");
  }
  if (host.empty()) return invalid("it has no host");
  if (service.empty()) service = default_port;
  if (service.empty()) return invalid("it has no port");
  // Known everywhere, also where there is no /etc/services.
  if (service == "http") service = "80";
  if (service == "https") service = "443";
  // getaddrinfo would take negative numbers and cut off large ones.
  int number;
  if (IsNumber(service)
          ? !absl::SimpleAtoi(service, &number) || number > kMaxPort
          : !absl::ascii_isalnum(service[0])) {
    return invalid(absl::StrCat("\"", service, "\" is not a port"));
  }
  return HostnameQuery{std::string(name), std::string(host),
                       std::string(service)};
}

std::optional<absl::StatusOr<ResolvedAddresses>> HostnameQuery::LookupNumeric(
    const UvApi& uv) const {
  ResolvedAddresses addresses;
  const int error = Ask(
      host.c_str(), service,
      AI_NUMERICHOST | (IsNumber(service) ? AI_NUMERICSERV : 0), &addresses);
  if (error == UV_EAI_NONAME) return std::nullopt;
  if (error != 0) return ErrorStatus(uv, error);
  return addresses;
}

absl::StatusOr<ResolvedAddresses> HostnameQuery::LookupBlocking(
    const UvApi& uv) const {
  ResolvedAddresses addresses;
  const int error = Ask(host.c_str(), service, 0, &addresses);
  if (error != 0) return ErrorStatus(uv, error);
  return addresses;
}

absl::StatusOr<int> HostnameQuery::LookupPort(const UvApi& uv) const {
  ResolvedAddresses addresses;
  const int error = Ask(nullptr, service, AI_PASSIVE, &addresses);
  if (error != 0) return ErrorStatus(uv, error);
  // The port is at the same place for both families.
  sockaddr_in address;
  std::memcpy(&address, addresses.front().address(), sizeof(address));
  return ntohs(address.sin_port);
}

absl::Status HostnameQuery::ErrorStatus(const UvApi& uv, int uv_error) const {
  return UvStatus(uv, uv_error,
                  absl::StrCat("address lookup of \"", name, "\""));
}

addrinfo AddrinfoHints(int flags) {
  addrinfo hints = {};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags;
  return hints;
}

ResolvedAddresses AddressesFrom(const addrinfo* list) {
  ResolvedAddresses result;
  for (; list != nullptr; list = list->ai_next) {
    if (list->ai_addrlen > EventEngine::ResolvedAddress::MAX_SIZE_BYTES) {
      continue;
    }
    const bool seen = std::any_of(
        result.begin(), result.end(),
        [list](const EventEngine::ResolvedAddress& other) {
          return other.size() == list->ai_addrlen &&
                 std::memcmp(other.address(), list->ai_addr, other.size()) == 0;
        });
    if (!seen) result.emplace_back(list->ai_addr, list->ai_addrlen);
  }
  return result;
}

}  // namespace uvgrpc
