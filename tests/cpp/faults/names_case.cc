// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// Names: asked of a DNS server by c-ares, and of the system by libuv.

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <memory>
#include <optional>
#include <utility>

#include "absl/log/check.h"
#include "absl/strings/str_cat.h"
#include "src/iomgr_uv/uv_addrinfo.h"
#include "src/iomgr_uv/uv_resolver.h"
#include "tests/cpp/dns_test_server.h"
#include "tests/cpp/faults/rig.h"

namespace uvgrpc::faults {
namespace {

// One for all cases. It answers in a process of its own: a connection that the
// server takes or lets go of must not change what a case finds open in this
// one.
pid_t g_server_process = 0;

const DnsTestServer& Server() {
  static const DnsTestServer* const server = [] {
    auto* made = new DnsTestServer;
    made->AddA("a.test", "10.1.2.3");
    made->AddAaaa("a.test", "2001:db8::1");
    made->AddTxt("a.test", {"text"});
    made->AddA("long.test", "10.1.2.4");
    made->Truncate("long.test");
    const pid_t parent = getpid();
    const pid_t child = fork();
    PCHECK(child >= 0) << "fork";
    if (child == 0) {
      PCHECK(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
      if (getppid() != parent) _exit(0);
      made->Start();
      while (true) pause();
    }
    g_server_process = child;
    std::atexit([] {
      kill(g_server_process, SIGKILL);
      waitpid(g_server_process, nullptr, 0);
    });
    return made;
  }();
  return *server;
}

template <typename T>
struct Reply {
  int times = 0;
  absl::StatusOr<T> result = absl::UnknownError("no reply yet");

  absl::AnyInvocable<void(absl::StatusOr<T>)> Callback() {
    return [this](absl::StatusOr<T> value) {
      ++times;
      result = std::move(value);
    };
  }
};

template <typename T>
void CheckReply(Rig& rig, const Reply<T>& reply, bool cancelled) {
  rig.Check(reply.times == 1, absl::StrCat(reply.times, " replies"));
  const absl::Status& status = reply.result.status();
  if (rig.must_succeed() && !cancelled) {
    rig.Check(status.ok(), absl::StrCat("a lookup: ", status.ToString()));
  }
  rig.Check(status.ok() || (!status.message().empty() &&
                            !absl::IsDeadlineExceeded(status)),
            absl::StrCat("a lookup: ", status.ToString()));
}

void AskServer(Rig& rig) {
  auto resolver = rig.engine()->GetDNSResolver({Server().address()});
  rig.Check(resolver.ok() || !rig.must_succeed(),
            absl::StrCat("no resolver: ", resolver.status().ToString()));
  if (!resolver.ok()) return;
  Reply<ResolvedAddresses> addresses;
  Reply<std::vector<std::string>> texts;
  // Over UDP, or over TCP when the answer was cut off.
  (*resolver)->LookupHostname(addresses.Callback(),
                              rig.Chance(70) ? "a.test" : "long.test", "80");
  const bool with_text = rig.Chance(30);
  if (with_text) (*resolver)->LookupTXT(texts.Callback(), "a.test");
  const bool cancels = rig.Chance(15);
  int turns = cancels ? rig.Between(0, 4) : 0;
  rig.RunUntil("the answers", [&] {
    return (cancels && --turns < 0) ||
           (addresses.times > 0 && (!with_text || texts.times > 0));
  });
  resolver->reset();
  rig.RunUntil("the answers", [&] {
    return addresses.times > 0 && (!with_text || texts.times > 0);
  });
  CheckReply(rig, addresses, cancels);
  if (with_text) CheckReply(rig, texts, cancels);
}

void AskSystem(Rig& rig) {
  auto lookups = std::make_shared<AddrinfoLookups>(
      rig.engine()->bridge()->shared_from_this());
  Reply<ResolvedAddresses> first;
  Reply<ResolvedAddresses> second;
  const HostnameQuery query{"localhost:80", "localhost", "80"};
  lookups->Start(query, first.Callback());
  lookups->Start(query, second.Callback());
  const bool cancels = rig.Chance(50);
  if (cancels) {
    // Once libuv has them; there may be answers already.
    int turns = rig.Between(0, 2);
    rig.RunUntil("a turn", [&] { return turns-- <= 0; });
    lookups->CancelAll();
  }
  rig.RunUntil("the system's answers",
               [&] { return first.times > 0 && second.times > 0; });
  CheckReply(rig, first, cancels);
  CheckReply(rig, second, cancels);
}

}  // namespace

void StartDnsServer() { (void)Server(); }

void NamesCase(Rig& rig) {
  const bool asks_system = rig.Chance(40);
  if (asks_system) {
    rig.Choose({Site::kUvGetaddrinfo, Site::kUvGetaddrinfoResult,
                Site::kUvGetaddrinfoResult, Site::kUvCancel});
  } else {
    rig.Choose({Site::kRecvfrom, Site::kSendto, Site::kSocket, Site::kConnect,
                Site::kCalloc, Site::kUvPollInit, Site::kUvPollStart,
                Site::kUvPollCallback});
  }
  rig.MakeEngine();
  rig.Arm();
  if (asks_system) {
    AskSystem(rig);
  } else {
    AskServer(rig);
  }
}

}  // namespace uvgrpc::faults
