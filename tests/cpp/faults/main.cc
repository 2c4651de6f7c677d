// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// Injects faults into the engine, one a case, as many as it is told to:
//   uvgrpc_faults --faults 10000 [--first SEED]
//   uvgrpc_faults --seed SEED      one case, again
// With --leaks 1 LeakSanitizer looks after each case, which is slow.
// A case follows from its seed. Exit code 1, and the seeds, when some have
// problems.

#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "absl/log/globals.h"
#include "absl/log/initialize.h"
#include "absl/strings/str_cat.h"
#include "tests/cpp/faults/fault_plan.h"
#include "tests/cpp/faults/rig.h"

// Of LeakSanitizer, where it is linked in.
extern "C" __attribute__((weak)) int __lsan_do_recoverable_leak_check();

namespace uvgrpc::faults {
namespace {

struct Kind {
  const char* name;
  void (*run)(Rig&);
  int weight;
};
constexpr Kind kKinds[] = {
    {"transfer", &TransferCase, 50}, {"accept", &AcceptCase, 10},
    {"setup", &SetupCase, 10},       {"names", &NamesCase, 5},
    {"rpc", &RpcCase, 25},
};

const Kind& KindOf(uint64_t seed) {
  // Not the case's own numbers, which begin with the same seed.
  int number = static_cast<int>((seed * 0x9E3779B97F4A7C15u >> 33) % 100);
  for (const Kind& kind : kKinds) {
    if ((number -= kind.weight) < 0) return kind;
  }
  return kKinds[0];
}

// The case that runs, for the message of one that ends the process.
std::string g_running;
bool g_looks_for_leaks = false;

void OnAbort(int signal) {
  (void)!write(STDOUT_FILENO, g_running.data(), g_running.size());
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

struct Totals {
  uint64_t cases = 0;
  uint64_t faults = 0;  // cases in which the fault happened
  uint64_t hits = 0;    // calls that failed
  std::vector<uint64_t> failed;
};

void RunCase(uint64_t seed, bool is_verbose, Totals* totals) {
  const Kind& kind = KindOf(seed);
  g_running = absl::StrCat("ended by --seed ", seed, ", ", kind.name, "\n");
  Rig rig(seed);
  kind.run(rig);
  rig.Close();
  ++totals->cases;
  totals->faults += rig.hits() > 0 ? 1 : 0;
  totals->hits += static_cast<uint64_t>(rig.hits());
  const bool has_failed = !rig.problems().empty();
  if (is_verbose || has_failed) {
    std::printf("seed %llu: %s; %s; hit %d times\n",
                static_cast<unsigned long long>(seed), kind.name,
                rig.fault().Describe().c_str(), rig.hits());
    for (const std::string& problem : rig.problems()) {
      std::printf("  %s\n", problem.c_str());
    }
    std::fflush(stdout);
  }
  if (has_failed) totals->failed.push_back(seed);
  if (g_looks_for_leaks && &__lsan_do_recoverable_leak_check != nullptr &&
      __lsan_do_recoverable_leak_check() != 0) {
    std::printf("seed %llu: %s; %s: leaks\n",
                static_cast<unsigned long long>(seed), kind.name,
                rig.fault().Describe().c_str());
    totals->failed.push_back(seed);
  }
}

int Main(int argc, char** argv) {
  std::signal(SIGABRT, &OnAbort);
  std::signal(SIGSEGV, &OnAbort);
  // The first loop of a process opens descriptors that stay.
  Rig(0).Close();
  uint64_t wanted = 10'000;
  uint64_t first = 1;
  uint64_t seed = 0;
  for (int i = 1; i + 1 < argc; i += 2) {
    const uint64_t value = std::strtoull(argv[i + 1], nullptr, 10);
    if (std::strcmp(argv[i], "--faults") == 0) wanted = value;
    if (std::strcmp(argv[i], "--first") == 0) first = value;
    if (std::strcmp(argv[i], "--seed") == 0) seed = value;
    if (std::strcmp(argv[i], "--leaks") == 0) g_looks_for_leaks = value != 0;
  }
  Totals totals;
  if (seed != 0) {
    RunCase(seed, /*is_verbose=*/true, &totals);
    return totals.failed.empty() ? 0 : 1;
  }
  const auto start = std::chrono::steady_clock::now();
  uint64_t told = 0;
  for (uint64_t next = first; totals.faults < wanted; ++next) {
    RunCase(next, /*is_verbose=*/false, &totals);
    if (totals.faults >= told + 1000) {
      told = totals.faults;
      std::printf("%llu faults\n", static_cast<unsigned long long>(told));
      std::fflush(stdout);
    }
    if (totals.failed.size() >= 20) break;
  }
  const std::chrono::duration<double> time =
      std::chrono::steady_clock::now() - start;
  for (int site = 0; site < kSites; ++site) {
    std::printf("%10llu  %s\n",
                static_cast<unsigned long long>(
                    FaultPlan::Get().totals()[static_cast<size_t>(site)]),
                NameOf(static_cast<Site>(site)));
  }
  std::printf(
      "%llu faults in %llu cases from seed %llu, %llu calls failed, %.1f s: "
      "%zu cases wrong\n",
      static_cast<unsigned long long>(totals.faults),
      static_cast<unsigned long long>(totals.cases),
      static_cast<unsigned long long>(first),
      static_cast<unsigned long long>(totals.hits), time.count(),
      totals.failed.size());
  for (const uint64_t failed : totals.failed) {
    std::printf("again: %s --seed %llu\n", argv[0],
                static_cast<unsigned long long>(failed));
  }
  return totals.failed.empty() ? 0 : 1;
}

}  // namespace

}  // namespace uvgrpc::faults

int main(int argc, char** argv) {
  uvgrpc::faults::StartDnsServer();  // forks, so before there are threads
  uvgrpc::faults::InitCoreForRpcs();
  return uvgrpc::faults::Main(argc, argv);
}
