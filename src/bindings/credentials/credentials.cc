// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/bindings/credentials/credentials.h"

#include <grpc/support/alloc.h>

#include <cstring>
#include <fstream>
#include <sstream>

#include "absl/log/check.h"
#include "src/core/credentials/call/call_credentials.h"

namespace uvgrpc {

namespace {

// Never destroyed: core may ask late.
std::string& DefaultRootsFile() {
  static auto* path = new std::string;
  return *path;
}

grpc_ssl_roots_override_result ReadDefaultRoots(char** pem) {
  std::ifstream file(DefaultRootsFile(), std::ios::binary);
  if (!file) return GRPC_SSL_ROOTS_OVERRIDE_FAIL;
  std::ostringstream text;
  text << file.rdbuf();
  const std::string roots = text.str();
  *pem = static_cast<char*>(gpr_malloc(roots.size() + 1));
  std::memcpy(*pem, roots.c_str(), roots.size() + 1);
  return GRPC_SSL_ROOTS_OVERRIDE_OK;
}

}  // namespace

void SetDefaultRootsFile(const std::string& path) {
  DefaultRootsFile() = path;
  grpc_set_ssl_roots_override_callback(&ReadDefaultRoots);
}

grpc_channel_credentials* NewTlsChannelCredentials(
    const char* root_certificates, const char* private_key,
    const char* certificate_chain,
    const std::shared_ptr<grpc_core::PrivateKeySigner>& signer) {
  grpc_tls_credentials_options* options = grpc_tls_credentials_options_create();
  if (root_certificates != nullptr || certificate_chain != nullptr) {
    grpc_tls_certificate_provider* provider =
        grpc_tls_certificate_provider_in_memory_create();
    if (root_certificates != nullptr) {
      grpc_tls_certificate_provider_in_memory_set_root_certificate(
          provider, root_certificates);
      grpc_tls_credentials_options_set_root_certificate_provider(options,
                                                                 provider);
    }
    if (certificate_chain != nullptr) {
      grpc_tls_identity_pairs* identity = grpc_tls_identity_pairs_create();
      if (signer != nullptr) {
        CHECK_OK(grpc_tls_identity_pairs_add_pair_with_signer(
            identity, signer, certificate_chain));
      } else {
        grpc_tls_identity_pairs_add_pair(identity, private_key,
                                         certificate_chain);
      }
      // Takes `identity` over.
      grpc_tls_certificate_provider_in_memory_set_identity_certificate(
          provider, identity);
      grpc_tls_credentials_options_set_identity_certificate_provider(options,
                                                                     provider);
    }
    grpc_tls_certificate_provider_release(provider);
  }
  // Takes `options` over.
  return grpc_tls_credentials_create(options);
}

grpc_ssl_server_certificate_config* ServerCertificates::NewConfig() const {
  std::vector<grpc_ssl_pem_key_cert_pair> pairs;
  pairs.reserve(identities_.size());
  for (const auto& [private_key, certificate_chain] : identities_) {
    pairs.push_back({private_key.c_str(), certificate_chain.c_str()});
  }
  return grpc_ssl_server_certificate_config_create(
      roots_.empty() ? nullptr : roots_.c_str(), pairs.data(), pairs.size());
}

grpc_server_credentials* NewTlsServerCredentials(
    const ServerCertificates& certificates, bool require_client_certificate) {
  // Each takes over what it is given.
  return grpc_ssl_server_credentials_create_with_options(
      grpc_ssl_server_credentials_create_options_using_config(
          ClientCertificateRequest(require_client_certificate),
          certificates.NewConfig()));
}

grpc_ssl_client_certificate_request_type ClientCertificateRequest(
    bool required) {
  return required ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
                  : GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE;
}

grpc_channel_credentials* NewAltsChannelCredentials(
    const std::vector<std::string>& service_accounts) {
  grpc_alts_credentials_options* options =
      grpc_alts_credentials_client_options_create();
  for (const std::string& account : service_accounts) {
    grpc_alts_credentials_client_options_add_target_service_account(
        options, account.c_str());
  }
  grpc_channel_credentials* credentials = grpc_alts_credentials_create(options);
  grpc_alts_credentials_options_destroy(options);
  return credentials;
}

grpc_server_credentials* NewAltsServerCredentials() {
  grpc_alts_credentials_options* options =
      grpc_alts_credentials_server_options_create();
  grpc_server_credentials* credentials =
      grpc_alts_server_credentials_create(options);
  grpc_alts_credentials_options_destroy(options);
  return credentials;
}

grpc_channel_credentials* NewComputeEngineChannelCredentials(
    const SharedCallCredentials& call) {
  // Core takes a reference over, and has no public way to add one.
  return grpc_google_default_credentials_create(call->Ref().release(), nullptr);
}

}  // namespace uvgrpc
