// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// The engines that the suites are run with.

#ifndef UVGRPC_TESTS_CPP_CONFORMANCE_RUNNING_ENGINES_H_
#define UVGRPC_TESTS_CPP_CONFORMANCE_RUNNING_ENGINES_H_

#include <memory>

#include "tests/cpp/conformance/event_engine_suite.h"

namespace uvgrpc::conformance {

// A UvEventEngine whose loop is run by a thread of its own, so that the test
// calls it from another thread.
std::unique_ptr<RunningEngine> MakeUvEngineInBackground();

// A UvEventEngine whose loop is run by whoever waits: the test is Python, in
// between two turns of the loop.
std::unique_ptr<RunningEngine> MakeUvEngineOnThisThread();

std::unique_ptr<RunningEngine> MakeOracle();

}  // namespace uvgrpc::conformance

#endif  // UVGRPC_TESTS_CPP_CONFORMANCE_RUNNING_ENGINES_H_
