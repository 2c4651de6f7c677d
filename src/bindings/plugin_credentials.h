// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// Call credentials whose metadata comes from Python.
//
// Core asks for it while it starts an RPC, deep in its own stack. Python is
// asked later in the same turn, from the delivery step, and answers whenever
// and on whatever thread it likes; the answer reaches core on the loop thread.

#ifndef UVGRPC_BINDINGS_PLUGIN_CREDENTIALS_H_
#define UVGRPC_BINDINGS_PLUGIN_CREDENTIALS_H_

#include <Python.h>
#include <grpc/credentials.h>
#include <grpc/grpc.h>

#include <atomic>
#include <memory>
#include <string>

#include "src/bindings/completion.h"
#include "src/bindings/loop_context.h"
#include "src/bindings/metadata.h"

namespace uvgrpc {

// Credentials for calls on the loop of `context`; one reference, for the
// caller. Each RPC asks `plugin`, which is kept, through
// PythonHooks::on_metadata_request. With the GIL.
grpc_call_credentials* NewPluginCallCredentials(
    std::shared_ptr<LoopContext> context, PyObject* plugin);

// One RPC's question. It ends with the first answer, or with its loop. Counted:
// one reference until core has its answer, one until Python was asked, one of
// the Python object that may answer.
class MetadataRequest final : public Completion, public LoopResident {
 public:
  void Ref() { refs_.fetch_add(1, std::memory_order_relaxed); }
  // Any thread.
  void Unref();

  const std::string& service_url() const { return service_url_; }
  const std::string& method_name() const { return method_name_; }

  // The right to answer. Whoever is given true must fill in metadata() if there
  // is any, and call Answer. Any thread.
  [[nodiscard]] bool Claim() {
    return !answered_.exchange(true, std::memory_order_acq_rel);
  }
  OutgoingMetadata* metadata() { return &metadata_; }
  // Null sends metadata() with the RPC; otherwise the RPC fails with
  // UNAVAILABLE and a message that contains `error`. Any thread.
  void Answer(const char* error);

 private:
  friend class Plugin;

  MetadataRequest(std::shared_ptr<LoopContext> context, PyObject* plugin,
                  const grpc_auth_metadata_context& rpc,
                  grpc_credentials_plugin_metadata_cb reply, void* reply_data);
  ~MetadataRequest() = default;

  bool Settle(bool ok) override;
  void Deliver() override;
  void EndWithLoop() override;
  void Finish();

  const std::shared_ptr<LoopContext> context_;
  // Borrowed from the credentials, which core keeps until Finish.
  PyObject* const plugin_;
  const std::string service_url_;
  const std::string method_name_;
  const grpc_credentials_plugin_metadata_cb reply_;
  void* const reply_data_;
  std::atomic<int> refs_{2};
  std::atomic<bool> answered_{false};
  // Written by whoever claimed the answer.
  OutgoingMetadata metadata_;
  bool failed_ = false;
  std::string error_;
};

}  // namespace uvgrpc

#endif  // UVGRPC_BINDINGS_PLUGIN_CREDENTIALS_H_
