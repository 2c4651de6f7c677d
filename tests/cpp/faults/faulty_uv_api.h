// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#ifndef UVGRPC_TESTS_CPP_FAULTS_FAULTY_UV_API_H_
#define UVGRPC_TESTS_CPP_FAULTS_FAULTY_UV_API_H_

#include "src/iomgr_uv/uv_api.h"

namespace uvgrpc::faults {

// The linked libuv's functions, which fail as the plan has it. Only what libuv
// documents, or its source can return: uv_async_send, uv_prepare_start,
// uv_poll_stop and uv_timer_start do not fail when used as intended.
//
// The pauses of a listener are a fiftieth of what they should be: a timer that
// is not the engine's first.
const UvApi& FaultyUvApi();

// The next timer is the first of an engine.
void ForgetTimers();

}  // namespace uvgrpc::faults

#endif  // UVGRPC_TESTS_CPP_FAULTS_FAULTY_UV_API_H_
