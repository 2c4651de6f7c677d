// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/bindings/credentials/private_key_signer.h"

#include <utility>
#include <variant>

#include "absl/status/status.h"
#include "src/bindings/python_hooks.h"

namespace uvgrpc {

using Signer = grpc_core::PrivateKeySigner;

class PythonSigner final : public Signer {
 public:
  PythonSigner(std::shared_ptr<LoopContext> context, PyObject* signer)
      : signer_(std::make_shared<HeldObject>(std::move(context), signer)) {}

  std::variant<absl::StatusOr<std::string>, std::shared_ptr<AsyncSigningHandle>>
  Sign(absl::string_view data, SignatureAlgorithm algorithm,
       OnSignComplete on_complete) override {
    LoopContext* const context = signer_->context().get();
    if (context->is_closed() || !context->InLoopThread()) {
      return absl::StatusOr<std::string>(
          absl::UnavailableError("the event loop was closed"));
    }
    auto* request =
        new SignRequest(signer_, data, algorithm, std::move(on_complete));
    auto handle = std::make_shared<Handle>(request);
    request->Start();
    return handle;
  }

  void Cancel(std::shared_ptr<AsyncSigningHandle> handle) override {
    if (handle != nullptr) static_cast<Handle*>(handle.get())->Cancel();
  }

 private:
  class Handle final : public AsyncSigningHandle {
   public:
    explicit Handle(SignRequest* request) : request_(request) {
      request->Ref();
    }
    ~Handle() override { request_->Unref(); }
    void Cancel() { request_->Cancel(); }

   private:
    SignRequest* const request_;
  };

  const std::shared_ptr<HeldObject> signer_;
};

// Calls what Python wants called. Owns itself until it is delivered.
class SignRequest::CancelNotice final : public Completion {
 public:
  explicit CancelNotice(std::unique_ptr<HeldObject> notice)
      : Completion(notice->context().get()), notice_(std::move(notice)) {}

 private:
  bool Settle(bool /*ok*/) override { return true; }
  void Deliver() override {
    Py_XDECREF(PyObject_CallNoArgs(notice_->get()));
    if (PyErr_Occurred() != nullptr) PyErr_WriteUnraisable(notice_->get());
    delete this;
  }

  const std::unique_ptr<HeldObject> notice_;
};

std::shared_ptr<Signer> NewPythonSigner(std::shared_ptr<LoopContext> context,
                                        PyObject* signer) {
  return std::make_shared<PythonSigner>(std::move(context), signer);
}

SignRequest::SignRequest(std::shared_ptr<HeldObject> signer,
                         absl::string_view data,
                         Signer::SignatureAlgorithm algorithm,
                         Signer::OnSignComplete on_complete)
    : PythonRequest(signer->context()),
      signer_(std::move(signer)),
      data_(data),
      algorithm_(algorithm),
      on_complete_(std::move(on_complete)) {}

bool SignRequest::SetCancelNotice(PyObject* notice) {
  auto held = std::make_unique<HeldObject>(signer_->context(), notice);
  const absl::MutexLock lock(mu_);
  if (cancelled_) return false;
  notice_ = std::move(held);
  return true;
}

void SignRequest::Cancel() {
  if (!Claim()) return;
  std::unique_ptr<HeldObject> notice;
  {
    const absl::MutexLock lock(mu_);
    cancelled_ = true;
    notice = std::move(notice_);
  }
  if (notice != nullptr) {
    context()->Complete(new CancelNotice(std::move(notice)));
  }
  on_complete_ = nullptr;
  Drop();
}

void SignRequest::Ask() { g_python.on_sign_request(signer_->get(), this); }

void SignRequest::Reply() {
  // It keeps the handshake alive, and the handshake keeps the handle: a ring,
  // if it were not let go here.
  Signer::OnSignComplete on_complete = std::move(on_complete_);
  if (error() != nullptr) {
    on_complete(absl::UnknownError(error()));
  } else {
    on_complete(std::move(signature_));
  }
}

}  // namespace uvgrpc
