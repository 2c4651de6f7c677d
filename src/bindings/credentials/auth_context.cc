// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/bindings/credentials/auth_context.h"

#include <grpc/grpc_security.h>

#include <memory>

#include "src/bindings/py_ref.h"
#include "src/bindings/server_call.h"

namespace uvgrpc {

namespace {

struct ContextRelease {
  void operator()(grpc_auth_context* context) const {
    grpc_auth_context_release(context);
  }
};
using ContextPtr = std::unique_ptr<grpc_auth_context, ContextRelease>;

ContextPtr ContextOf(const ServerCall* call) {
  return ContextPtr(call->NewAuthContext());
}

PyRef ValueOf(const grpc_auth_property& property) {
  return PyRef::Steal(PyBytes_FromStringAndSize(
      property.value, static_cast<Py_ssize_t>(property.value_length)));
}

}  // namespace

PyObject* PeerIdentities(const ServerCall* call) {
  const ContextPtr context = ContextOf(call);
  if (context == nullptr) Py_RETURN_NONE;
  PyRef identities = PyRef::Steal(PyList_New(0));
  if (!identities) return nullptr;
  grpc_auth_property_iterator properties =
      grpc_auth_context_peer_identity(context.get());
  while (const grpc_auth_property* property =
             grpc_auth_property_iterator_next(&properties)) {
    if (property->value == nullptr) continue;
    const PyRef value = ValueOf(*property);
    if (!value || PyList_Append(identities.get(), value.get()) != 0) {
      return nullptr;
    }
  }
  if (PyList_GET_SIZE(identities.get()) == 0) Py_RETURN_NONE;
  return identities.Release();
}

PyObject* PeerIdentityKey(const ServerCall* call) {
  const ContextPtr context = ContextOf(call);
  const char* key =
      context == nullptr
          ? nullptr
          : grpc_auth_context_peer_identity_property_name(context.get());
  if (key == nullptr) Py_RETURN_NONE;
  return PyUnicode_FromString(key);
}

PyObject* AuthContext(const ServerCall* call) {
  PyRef result = PyRef::Steal(PyDict_New());
  const ContextPtr context = ContextOf(call);
  if (!result || context == nullptr) return result.Release();
  grpc_auth_property_iterator properties =
      grpc_auth_context_property_iterator(context.get());
  while (const grpc_auth_property* property =
             grpc_auth_property_iterator_next(&properties)) {
    if (property->name == nullptr || property->value == nullptr) continue;
    const PyRef key = PyRef::Steal(PyUnicode_FromString(property->name));
    const PyRef none = PyRef::Steal(PyList_New(0));
    if (!key || !none) return nullptr;
    // Borrowed: the list that is there, or the new one.
    PyObject* values = PyDict_SetDefault(result.get(), key.get(), none.get());
    const PyRef value = ValueOf(*property);
    if (values == nullptr || !value ||
        PyList_Append(values, value.get()) != 0) {
      return nullptr;
    }
  }
  return result.Release();
}

}  // namespace uvgrpc
