// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// What a call knows of its peer's authentication, for Python.

#ifndef UVGRPC_BINDINGS_CREDENTIALS_AUTH_CONTEXT_H_
#define UVGRPC_BINDINGS_CREDENTIALS_AUTH_CONTEXT_H_

#include <Python.h>

namespace uvgrpc {

class ServerCall;

// What is known of the client of an RPC, for as long as the ServerCall lives.
// All with the GIL; a new reference, or null with a Python exception set.

// A list of bytes, or None when the peer is not authenticated.
PyObject* PeerIdentities(const ServerCall* call);

// The name (str) of the property that identifies the peer, or None.
PyObject* PeerIdentityKey(const ServerCall* call);

// A dict of property names (str) to lists of their values (bytes).
PyObject* AuthContext(const ServerCall* call);

}  // namespace uvgrpc

#endif  // UVGRPC_BINDINGS_CREDENTIALS_AUTH_CONTEXT_H_
