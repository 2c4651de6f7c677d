// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// TLS of a server whose certificates may change with each connection.

#ifndef UVGRPC_BINDINGS_CREDENTIALS_RELOADING_CREDENTIALS_H_
#define UVGRPC_BINDINGS_CREDENTIALS_RELOADING_CREDENTIALS_H_

#include <Python.h>
#include <grpc/credentials.h>

#include <memory>

#include "src/bindings/loop_context.h"

namespace uvgrpc {

// Credentials for one port on the loop of `context`; one reference, for the
// caller. `fetcher` is kept, and asked through PythonHooks::fetch_certificates:
// when the port is bound, and before each handshake. With the GIL.
//
// Core holds a mutex of the port while it asks, and so while Python runs. That
// is the one place where the GIL is taken under a lock of core's: nobody but
// the loop's thread ever takes that mutex, so no other thread can hold it and
// wait for the GIL. Python may use uvgrpc meanwhile: what that posts waits for
// the outermost scope to end.
grpc_server_credentials* NewReloadingTlsServerCredentials(
    std::shared_ptr<LoopContext> context, PyObject* fetcher,
    bool require_client_certificate);

}  // namespace uvgrpc

#endif  // UVGRPC_BINDINGS_CREDENTIALS_RELOADING_CREDENTIALS_H_
