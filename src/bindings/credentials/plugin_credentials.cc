// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/bindings/credentials/plugin_credentials.h"

#include <grpc/grpc_security_constants.h>
#include <grpc/support/string_util.h>

#include <utility>

#include "src/bindings/python_hooks.h"

namespace uvgrpc {

// The state of the credentials is a HeldObject.
class Plugin {
 public:
  static int GetMetadata(void* state, grpc_auth_metadata_context rpc,
                         grpc_credentials_plugin_metadata_cb reply,
                         void* reply_data, grpc_metadata* /*metadata*/,
                         size_t* metadata_count, grpc_status_code* status,
                         const char** error_details) {
    const auto* plugin = static_cast<HeldObject*>(state);
    LoopContext* const context = plugin->context().get();
    if (context->is_closed() || !context->InLoopThread()) {
      *metadata_count = 0;
      *status = GRPC_STATUS_UNAVAILABLE;
      *error_details = gpr_strdup("the event loop was closed");
      return 1;
    }
    (new MetadataRequest(*plugin, rpc, reply, reply_data))->Start();
    return 0;
  }

  static void Destroy(void* state) { delete static_cast<HeldObject*>(state); }
};

grpc_call_credentials* NewPluginCallCredentials(
    std::shared_ptr<LoopContext> context, PyObject* plugin) {
  grpc_metadata_credentials_plugin functions;
  functions.get_metadata = &Plugin::GetMetadata;
  functions.debug_string = nullptr;
  functions.destroy = &Plugin::Destroy;
  functions.state = new HeldObject(std::move(context), plugin);
  functions.type = "uvgrpc";
  // Metadata that authenticates must not go over a connection that others can
  // read.
  return grpc_metadata_credentials_create_from_plugin(
      functions, GRPC_PRIVACY_AND_INTEGRITY, nullptr);
}

MetadataRequest::MetadataRequest(const HeldObject& plugin,
                                 const grpc_auth_metadata_context& rpc,
                                 grpc_credentials_plugin_metadata_cb reply,
                                 void* reply_data)
    : PythonRequest(plugin.context()),
      plugin_(plugin.get()),
      service_url_(rpc.service_url),
      method_name_(rpc.method_name),
      reply_(reply),
      reply_data_(reply_data) {}

void MetadataRequest::Ask() { g_python.on_metadata_request(plugin_, this); }

void MetadataRequest::Reply() {
  if (error() != nullptr) {
    reply_(reply_data_, nullptr, 0, GRPC_STATUS_UNAVAILABLE, error());
  } else {
    reply_(reply_data_, metadata_.data(), metadata_.size(), GRPC_STATUS_OK,
           nullptr);
  }
}

}  // namespace uvgrpc
