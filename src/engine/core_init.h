// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// Starting gRPC core in this process.

#ifndef UVGRPC_ENGINE_CORE_INIT_H_
#define UVGRPC_ENGINE_CORE_INIT_H_

namespace uvgrpc {

// Sets up core for running on loops that others own: no timer thread, call
// completions without a detour over the default engine, quiet logs unless
// GRPC_VERBOSITY or GRPC_TRACE asks for more. Called once, before anything else
// of core's: when the module is imported, or with a program's first engine. It
// is never shut down:
// grpc_shutdown waits for other threads, and the process's end needs nothing
// from it.
void InitCore();

}  // namespace uvgrpc

#endif  // UVGRPC_ENGINE_CORE_INIT_H_
