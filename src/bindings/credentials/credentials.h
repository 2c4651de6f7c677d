// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// Credentials of our core, made from what grpc's factories were called with.
// Nothing of grpcio's own core is ever passed in: only text and numbers.

#ifndef UVGRPC_BINDINGS_CREDENTIALS_CREDENTIALS_H_
#define UVGRPC_BINDINGS_CREDENTIALS_CREDENTIALS_H_

#include <grpc/credentials.h>
#include <grpc/grpc_security.h>
#include <grpc/private_key_signer.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace uvgrpc {

// Call credentials, shared by the Python object and the calls that use them.
using SharedCallCredentials = std::shared_ptr<grpc_call_credentials>;

// Takes over a reference; releases it on whatever thread drops the last share.
inline SharedCallCredentials ShareCallCredentials(
    grpc_call_credentials* credentials) {
  return {credentials, &grpc_call_credentials_release};
}

// The functions here may be called on any thread; they never call Python. Every
// result has one reference, which the caller releases with the
// grpc_..._credentials_release of its kind.

// The file whose certificates a TLS client trusts when it was given none. Core
// reads it once, when it first needs it; the environment variable
// GRPC_DEFAULT_SSL_ROOTS_FILE_PATH goes before. Call once, before any TLS.
void SetDefaultRootsFile(const std::string& path);

// All PEM; null for none. Without `root_certificates` those of
// SetDefaultRootsFile are trusted. `certificate_chain` comes with either
// `private_key` or `signer`, or not at all.
grpc_channel_credentials* NewTlsChannelCredentials(
    const char* root_certificates, const char* private_key,
    const char* certificate_chain,
    const std::shared_ptr<grpc_core::PrivateKeySigner>& signer);

// What a TLS server shows, and whom it trusts. All PEM.
class ServerCertificates {
 public:
  void set_root_certificates(std::string pem) { roots_ = std::move(pem); }
  void AddIdentity(std::string private_key, std::string certificate_chain) {
    identities_.emplace_back(std::move(private_key),
                             std::move(certificate_chain));
  }

  // The same for core. The caller destroys it or passes it on.
  grpc_ssl_server_certificate_config* NewConfig() const;

 private:
  std::string roots_;  // empty: none
  std::vector<std::pair<std::string, std::string>> identities_;
};

// Clients must have a certificate that `certificates` trusts if
// `require_client_certificate`; otherwise none is asked for.
grpc_server_credentials* NewTlsServerCredentials(
    const ServerCertificates& certificates, bool require_client_certificate);
grpc_ssl_client_certificate_request_type ClientCertificateRequest(
    bool required);

// With `service_accounts` the server must run as one of them. Null where this
// machine is not one of Google's cloud.
grpc_channel_credentials* NewAltsChannelCredentials(
    const std::vector<std::string>& service_accounts);
grpc_server_credentials* NewAltsServerCredentials();

// TLS, or ALTS to Google's own servers, with `call` in each call.
grpc_channel_credentials* NewComputeEngineChannelCredentials(
    const SharedCallCredentials& call);

}  // namespace uvgrpc

#endif  // UVGRPC_BINDINGS_CREDENTIALS_CREDENTIALS_H_
