// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/bindings/credentials/reloading_credentials.h"

#include <grpc/grpc_security_constants.h>

#include <utility>

#include "src/bindings/credentials/credentials.h"
#include "src/bindings/credentials/held_object.h"
#include "src/bindings/gil.h"
#include "src/bindings/python_hooks.h"

namespace uvgrpc {

namespace {

grpc_ssl_certificate_config_reload_status Fetch(
    void* user_data, grpc_ssl_server_certificate_config** config) {
  const auto* fetcher = static_cast<HeldObject*>(user_data);
  const GilGuard gil;
  if (!gil.acquired()) return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_FAIL;
  ServerCertificates certificates;
  switch (WhilePythonLives([&] {
    return g_python.fetch_certificates(fetcher->get(), &certificates);
  })) {
    case FetchResult::kNew:
      *config = certificates.NewConfig();
      return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW;
    case FetchResult::kUnchanged:
      return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
    case FetchResult::kFailed:
      break;
  }
  return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_FAIL;
}

}  // namespace

grpc_server_credentials* NewReloadingTlsServerCredentials(
    std::shared_ptr<LoopContext> context, PyObject* fetcher,
    bool require_client_certificate) {
  auto* held = new HeldObject(std::move(context), fetcher);
  // The options are taken over.
  grpc_server_credentials* credentials =
      grpc_ssl_server_credentials_create_with_options(
          grpc_ssl_server_credentials_create_options_using_config_fetcher(
              ClientCertificateRequest(require_client_certificate), &Fetch,
              held));
  // The fetcher must live as long as the credentials, which handshakes keep
  // beyond the server. Core tells of their end only in this way; a processor
  // without a function does nothing else.
  grpc_auth_metadata_processor processor;
  processor.process = nullptr;
  processor.destroy = [](void* state) {
    delete static_cast<HeldObject*>(state);
  };
  processor.state = held;
  grpc_server_credentials_set_auth_metadata_processor(credentials, processor);
  return credentials;
}

}  // namespace uvgrpc
