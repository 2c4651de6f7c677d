// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/bindings/plugin_credentials.h"

#include <grpc/grpc_security_constants.h>
#include <grpc/support/string_util.h>

#include <utility>

#include "src/bindings/held_object.h"
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
    const std::shared_ptr<LoopContext>& context = plugin->context();
    if (context->is_closed() || !context->InLoopThread()) {
      *metadata_count = 0;
      *status = GRPC_STATUS_UNAVAILABLE;
      *error_details = gpr_strdup("the event loop was closed");
      return 1;
    }
    context->Complete(
        new MetadataRequest(context, plugin->get(), rpc, reply, reply_data));
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

MetadataRequest::MetadataRequest(std::shared_ptr<LoopContext> context,
                                 PyObject* plugin,
                                 const grpc_auth_metadata_context& rpc,
                                 grpc_credentials_plugin_metadata_cb reply,
                                 void* reply_data)
    : Completion(context.get()),
      LoopResident(context.get()),
      context_(std::move(context)),
      plugin_(plugin),
      service_url_(rpc.service_url),
      method_name_(rpc.method_name),
      reply_(reply),
      reply_data_(reply_data) {}

void MetadataRequest::Unref() {
  if (refs_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
}

bool MetadataRequest::Settle(bool /*ok*/) {
  if (!answered_.load(std::memory_order_acquire)) return true;
  Unref();
  return false;
}

void MetadataRequest::Deliver() {
  // Not if the loop ended it while other completions were delivered.
  if (!answered_.load(std::memory_order_acquire)) {
    g_python.on_metadata_request(plugin_, this);
  }
  Unref();
}

void MetadataRequest::EndWithLoop() {
  if (!Claim()) return;
  failed_ = true;
  error_ = "the event loop was closed";
  Finish();
}

void MetadataRequest::Answer(const char* error) {
  if (error != nullptr) {
    failed_ = true;
    error_ = error;
  }
  context_->RunInLoop([this, keep_alive = context_] { Finish(); });
}

void MetadataRequest::Finish() {
  Leave();
  // Last use of plugin_ may be behind us: core drops the credentials here.
  if (failed_) {
    reply_(reply_data_, nullptr, 0, GRPC_STATUS_UNAVAILABLE, error_.c_str());
  } else {
    reply_(reply_data_, metadata_.data(), metadata_.size(), GRPC_STATUS_OK,
           nullptr);
  }
  Unref();
}

}  // namespace uvgrpc
