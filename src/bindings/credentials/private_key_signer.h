// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// Signatures of a TLS client whose private key Python keeps, or somebody that
// Python asks.

#ifndef UVGRPC_BINDINGS_CREDENTIALS_PRIVATE_KEY_SIGNER_H_
#define UVGRPC_BINDINGS_CREDENTIALS_PRIVATE_KEY_SIGNER_H_

#include <Python.h>
#include <grpc/private_key_signer.h>

#include <memory>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "src/bindings/credentials/held_object.h"
#include "src/bindings/credentials/python_request.h"
#include "src/bindings/loop_context.h"

namespace uvgrpc {

// A signer for handshakes on the loop of `context`. Each asks `signer`, which
// is kept, through PythonHooks::on_sign_request. With the GIL.
std::shared_ptr<grpc_core::PrivateKeySigner> NewPythonSigner(
    std::shared_ptr<LoopContext> context, PyObject* signer);

// One handshake's question. Its answer is a signature.
class SignRequest final : public PythonRequest {
 public:
  const std::string& data() const { return data_; }
  // A value of PrivateKeySigner::SignatureAlgorithm.
  int algorithm() const { return static_cast<int>(algorithm_); }

  // To be filled in after Claim.
  void set_signature(std::string signature) {
    signature_ = std::move(signature);
  }

  // `notice` (a callable) is called from the loop when the handshake ends
  // without the signature. At most once, before the answer. Any thread, with
  // the GIL. Returns false if the handshake has ended already.
  [[nodiscard]] bool SetCancelNotice(PyObject* notice);

 private:
  friend class PythonSigner;
  class CancelNotice;

  SignRequest(std::shared_ptr<HeldObject> signer, absl::string_view data,
              grpc_core::PrivateKeySigner::SignatureAlgorithm algorithm,
              grpc_core::PrivateKeySigner::OnSignComplete on_complete);

  // Loop thread: the handshake ends.
  void Cancel();

  void Ask() override;
  void Reply() override;

  const std::shared_ptr<HeldObject> signer_;
  const std::string data_;
  const grpc_core::PrivateKeySigner::SignatureAlgorithm algorithm_;
  grpc_core::PrivateKeySigner::OnSignComplete on_complete_;
  std::string signature_;

  absl::Mutex mu_;
  bool cancelled_ ABSL_GUARDED_BY(mu_) = false;
  std::unique_ptr<HeldObject> notice_ ABSL_GUARDED_BY(mu_);
};

}  // namespace uvgrpc

#endif  // UVGRPC_BINDINGS_CREDENTIALS_PRIVATE_KEY_SIGNER_H_
