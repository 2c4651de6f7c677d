// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/bindings/credentials.h"

#include <grpc/support/alloc.h>

#include <cstring>
#include <fstream>
#include <sstream>

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

grpc_ssl_client_certificate_request_type RequestType(bool required) {
  return required ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
                  : GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE;
}

}  // namespace

void SetDefaultRootsFile(const std::string& path) {
  DefaultRootsFile() = path;
  grpc_set_ssl_roots_override_callback(&ReadDefaultRoots);
}

grpc_channel_credentials* NewTlsChannelCredentials(
    const char* root_certificates, const char* private_key,
    const char* certificate_chain) {
  grpc_tls_credentials_options* options = grpc_tls_credentials_options_create();
  if (root_certificates != nullptr || private_key != nullptr) {
    grpc_tls_certificate_provider* provider =
        grpc_tls_certificate_provider_in_memory_create();
    if (root_certificates != nullptr) {
      grpc_tls_certificate_provider_in_memory_set_root_certificate(
          provider, root_certificates);
      grpc_tls_credentials_options_set_root_certificate_provider(options,
                                                                 provider);
    }
    if (private_key != nullptr) {
      grpc_tls_identity_pairs* identity = grpc_tls_identity_pairs_create();
      grpc_tls_identity_pairs_add_pair(identity, private_key,
                                       certificate_chain);
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
          RequestType(require_client_certificate), certificates.NewConfig()));
}

}  // namespace uvgrpc
