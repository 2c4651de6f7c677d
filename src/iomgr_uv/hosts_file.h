// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// Names that /etc/hosts knows.

#ifndef UVGRPC_IOMGR_UV_HOSTS_FILE_H_
#define UVGRPC_IOMGR_UV_HOSTS_FILE_H_

#include <optional>

#include "absl/strings/string_view.h"
#include "src/iomgr_uv/hostname_query.h"

namespace uvgrpc {

// The file that c-ares reads too: /etc/hosts, or what CARES_HOSTS names.
const char* HostsFilePath();

// What the file at `path` says about the host, sorted by RFC 6724; nullopt when
// it does not know the name. c-ares would ask a DNS server for whichever kind
// of address the file lacks, and wait for it; the system does not.
//
// Names under "localhost" are c-ares's: it knows both addresses by itself.
std::optional<ResolvedAddresses> LookupInHostsFile(const UvApi& uv,
                                                   const char* path,
                                                   const HostnameQuery& query,
                                                   int port);

}  // namespace uvgrpc

#endif  // UVGRPC_IOMGR_UV_HOSTS_FILE_H_
