// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/iomgr_uv/hosts_file.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "src/core/lib/event_engine/ares_resolver.h"
#include "src/core/util/address_sorting_init.h"

namespace uvgrpc {
namespace {

bool IsLocalhost(absl::string_view host) {
  return absl::EqualsIgnoreCase(host, "localhost") ||
         absl::EndsWithIgnoreCase(host, ".localhost");
}

}  // namespace

const char* HostsFilePath() {
  const char* const chosen = std::getenv("CARES_HOSTS");
  return chosen == nullptr ? "/etc/hosts" : chosen;
}

std::optional<ResolvedAddresses> LookupInHostsFile(const UvApi& uv,
                                                   const char* path,
                                                   const HostnameQuery& query,
                                                   int port) {
  absl::string_view host = query.host;
  absl::ConsumeSuffix(&host, ".");
  if (IsLocalhost(host)) return std::nullopt;
  ResolvedAddresses found;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    // An address and its names.
    const std::vector<absl::string_view> words =
        absl::StrSplit(absl::string_view(line).substr(0, line.find('#')),
                       absl::ByAnyChar(" \t\r"), absl::SkipEmpty());
    const bool is_of_host =
        words.size() > 1 &&
        std::any_of(words.begin() + 1, words.end(),
                    [host](absl::string_view name) {
                      return absl::EqualsIgnoreCase(name, host);
                    });
    if (!is_of_host) continue;
    const auto addresses =
        HostnameQuery{query.name, std::string(words[0]), absl::StrCat(port)}
            .LookupNumeric(uv);
    if (!addresses.has_value() || !addresses->ok()) continue;
    found.insert(found.end(), (*addresses)->begin(), (*addresses)->end());
  }
  if (found.empty()) return std::nullopt;
  grpc_core::AddressSortingInitOnce();
  return grpc_event_engine::experimental::SortAddresses(found);
}

}  // namespace uvgrpc
