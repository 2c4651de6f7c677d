// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// One case: a loop with an engine of its own, a fault, and what must be true
// when it is over.

#ifndef UVGRPC_TESTS_CPP_FAULTS_RIG_H_
#define UVGRPC_TESTS_CPP_FAULTS_RIG_H_

#include <uv.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "src/iomgr_uv/uv_engine.h"
#include "tests/cpp/faults/fault_plan.h"

namespace uvgrpc::faults {

class Rig {
 public:
  explicit Rig(uint64_t seed);
  ~Rig();
  Rig(const Rig&) = delete;
  Rig& operator=(const Rig&) = delete;

  // The loop's engine; null when it could not be made, in `engine_status`.
  const std::shared_ptr<UvEventEngine>& MakeEngine();
  const std::shared_ptr<UvEventEngine>& engine() const { return engine_; }
  const absl::Status& engine_status() const { return engine_status_; }

  std::mt19937_64& random() { return random_; }
  int Between(int low, int high);
  bool Chance(int percent) { return Between(1, 100) <= percent; }
  std::string RandomText(size_t size);

  // Chooses the fault of the case.
  const Fault& Choose(const std::vector<Site>& sites);
  // From here on it may happen.
  void Arm();
  const Fault& fault() const { return fault_; }
  // Whether it did.
  int hits() const { return hits_; }
  // Whether what is under way must succeed.
  bool must_succeed() const { return fault_.effect == Effect::kNone; }

  // Runs the loop until `condition` holds. A case that takes longer than it
  // ever should, or spins, has a problem. `what` is waited for.
  bool RunUntil(absl::string_view what, absl::FunctionRef<bool()> condition);

  void Check(bool is_right, absl::string_view what);
  // What is wrong, of the case so far.
  const std::vector<std::string>& problems() const { return problems_; }

  // Closes the loop and checks that nothing is left. Idempotent.
  void Close();

 private:
  static constexpr std::chrono::seconds kLimit{10};
  static constexpr uint64_t kTurnLimit = 50'000;

  std::mt19937_64 random_;
  const int descriptors_before_;
  uv_loop_t loop_;
  uv_prepare_t before_poll_;
  absl::FunctionRef<bool()>* condition_ = nullptr;
  bool closed_ = false;
  std::shared_ptr<UvEventEngine> engine_;
  absl::Status engine_status_;
  Fault fault_;
  int hits_ = 0;
  uint64_t turns_ = 0;
  std::vector<std::string> problems_;
};

// The cases. Each chooses a fault, does what may run into it and checks what
// comes of that; the caller closes.
void TransferCase(Rig& rig);  // a connection between two ends of an engine
void AcceptCase(Rig& rig);    // clients that a listener has to take
void SetupCase(Rig& rig);     // engines, listeners, endpoints that are made
void NamesCase(Rig& rig);     // lookups
void RpcCase(Rig& rig);       // calls of a gRPC client to a gRPC server

// Once, before the first case.
void StartDnsServer();  // for names
void InitCoreForRpcs();

}  // namespace uvgrpc::faults

#endif  // UVGRPC_TESTS_CPP_FAULTS_RIG_H_
