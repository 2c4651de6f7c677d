// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// Where the system looks for host names, as /etc/nsswitch.conf has it.

#ifndef UVGRPC_IOMGR_UV_NAME_SOURCES_H_
#define UVGRPC_IOMGR_UV_NAME_SOURCES_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace uvgrpc {

inline constexpr char kNsswitchPath[] = "/etc/nsswitch.conf";

// Whether the hosts: line of the file names a source besides `files` and `dns`
// (mDNS, systemd-resolved, the machine's own name, a directory service), so
// that the system may know names that c-ares cannot find. A file that is not
// there, or has no such line, means no.
bool SystemHasOtherSources(const char* nsswitch_path);

// The same for the text of the file.
bool NamesOtherSources(absl::string_view nsswitch_conf);

// Whether DNS servers are not the ones to ask: names under .local belong to
// mDNS.
bool IsForOtherSources(absl::string_view host);

// Whether an error of c-ares says that it cannot find the name, as opposed to
// that it was cancelled or waited in vain. As in nsswitch.conf, a source that
// is not there or does not serve counts like one that has not got the name.
bool IsAnswer(const absl::Status& ares_status);

}  // namespace uvgrpc

#endif  // UVGRPC_IOMGR_UV_NAME_SOURCES_H_
