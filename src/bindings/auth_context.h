// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// What a call knows of its peer's authentication, for Python.

#ifndef UVGRPC_BINDINGS_AUTH_CONTEXT_H_
#define UVGRPC_BINDINGS_AUTH_CONTEXT_H_

#include <Python.h>
#include <grpc/grpc.h>

namespace uvgrpc {

// All with the GIL; a new reference, or null with a Python exception set.
// `call` must have been started.

// A list of bytes, or None when the peer is not authenticated.
PyObject* PeerIdentities(grpc_call* call);

// The name (str) of the property that identifies the peer, or None.
PyObject* PeerIdentityKey(grpc_call* call);

// A dict of property names (str) to lists of their values (bytes).
PyObject* AuthContext(grpc_call* call);

}  // namespace uvgrpc

#endif  // UVGRPC_BINDINGS_AUTH_CONTEXT_H_
