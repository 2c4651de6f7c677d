// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/iomgr_uv/name_sources.h"

#include <grpc/event_engine/event_engine.h>
// ares.h wants event_engine.h first.
#include <ares.h>

#include <fstream>
#include <iterator>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace uvgrpc {
namespace {

// Takes "[NOTFOUND=return]" and the like out of a line.
std::string WithoutActions(absl::string_view line) {
  std::string result;
  while (!line.empty()) {
    const size_t open = line.find('[');
    result.append(line.substr(0, open)).append(" ");
    if (open == absl::string_view::npos) break;
    const size_t close = line.find(']', open);
    if (close == absl::string_view::npos) break;
    line.remove_prefix(close + 1);
  }
  return result;
}

}  // namespace

bool SystemHasOtherSources(const char* nsswitch_path) {
  std::ifstream file(nsswitch_path);
  const std::string text{std::istreambuf_iterator<char>(file),
                         std::istreambuf_iterator<char>()};
  return NamesOtherSources(text);
}

bool NamesOtherSources(absl::string_view nsswitch_conf) {
  for (absl::string_view line : absl::StrSplit(nsswitch_conf, '\n')) {
    line = absl::StripAsciiWhitespace(line.substr(0, line.find('#')));
    if (!absl::ConsumePrefix(&line, "hosts:")) continue;
    const std::string sources = WithoutActions(line);
    for (absl::string_view source :
         absl::StrSplit(sources, absl::ByAnyChar(" \t\r"), absl::SkipEmpty())) {
      if (source != "files" && source != "dns") return true;
    }
  }
  return false;
}

bool IsForOtherSources(absl::string_view host) {
  absl::ConsumeSuffix(&host, ".");
  return absl::EndsWithIgnoreCase(host, ".local");
}

bool IsAnswer(const absl::Status& ares_status) {
  // Core has no code for a time-out of c-ares, only its text.
  return !absl::IsCancelled(ares_status) &&
         !absl::EndsWith(ares_status.message(), ares_strerror(ARES_ETIMEOUT));
}

}  // namespace uvgrpc
