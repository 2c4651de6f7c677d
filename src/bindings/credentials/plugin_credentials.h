// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// Call credentials whose metadata comes from Python.

#ifndef UVGRPC_BINDINGS_CREDENTIALS_PLUGIN_CREDENTIALS_H_
#define UVGRPC_BINDINGS_CREDENTIALS_PLUGIN_CREDENTIALS_H_

#include <Python.h>
#include <grpc/credentials.h>
#include <grpc/grpc.h>

#include <memory>
#include <string>

#include "src/bindings/credentials/held_object.h"
#include "src/bindings/credentials/python_request.h"
#include "src/bindings/loop_context.h"
#include "src/bindings/metadata.h"

namespace uvgrpc {

// Credentials for calls on the loop of `context`; one reference, for the
// caller. Each RPC asks `plugin`, which is kept, through
// PythonHooks::on_metadata_request. With the GIL.
grpc_call_credentials* NewPluginCallCredentials(
    std::shared_ptr<LoopContext> context, PyObject* plugin);

// One RPC's question. An error ends the RPC with UNAVAILABLE and a message that
// contains it.
class MetadataRequest final : public PythonRequest {
 public:
  const std::string& service_url() const { return service_url_; }
  const std::string& method_name() const { return method_name_; }

  // To be filled in after Claim.
  OutgoingMetadata* metadata() { return &metadata_; }

 private:
  friend class Plugin;

  MetadataRequest(const HeldObject& plugin,
                  const grpc_auth_metadata_context& rpc,
                  grpc_credentials_plugin_metadata_cb reply, void* reply_data);

  void Ask() override;
  void Reply() override;

  // Borrowed from the credentials, which core keeps until Reply.
  PyObject* const plugin_;
  const std::string service_url_;
  const std::string method_name_;
  const grpc_credentials_plugin_metadata_cb reply_;
  void* const reply_data_;
  OutgoingMetadata metadata_;
};

}  // namespace uvgrpc

#endif  // UVGRPC_BINDINGS_CREDENTIALS_PLUGIN_CREDENTIALS_H_
