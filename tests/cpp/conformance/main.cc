// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// Runs the suites with each engine.

#include <string>

#include "gtest/gtest.h"
#include "tests/cpp/conformance/event_engine_suite.h"
#include "tests/cpp/conformance/running_engines.h"

namespace uvgrpc::conformance {
namespace {

SuiteParam UvInBackground() {
  return {"UvInBackground", &MakeUvEngineInBackground, &MakeOracle};
}
SuiteParam UvOnThisThread() {
  return {"UvOnThisThread", &MakeUvEngineOnThisThread, &MakeOracle};
}
// The suite is held against the oracle too: what fails here is wrong with the
// suite.
SuiteParam Oracle() { return {"Oracle", &MakeOracle, &MakeOracle}; }

std::string NameOf(const testing::TestParamInfo<SuiteParam>& info) {
  return info.param.name;
}

INSTANTIATE_TEST_SUITE_P(Conformance, TimerSuite,
                         testing::Values(UvInBackground(), UvOnThisThread(),
                                         Oracle()),
                         &NameOf);
INSTANTIATE_TEST_SUITE_P(Conformance, ClientSuite,
                         testing::Values(UvInBackground(), UvOnThisThread(),
                                         Oracle()),
                         &NameOf);
INSTANTIATE_TEST_SUITE_P(Conformance, ServerSuite,
                         testing::Values(UvInBackground(), UvOnThisThread(),
                                         Oracle()),
                         &NameOf);
INSTANTIATE_TEST_SUITE_P(Conformance, DnsSuite,
                         testing::Values(UvInBackground(), UvOnThisThread()),
                         &NameOf);

}  // namespace
}  // namespace uvgrpc::conformance

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
