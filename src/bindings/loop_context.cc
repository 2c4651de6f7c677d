// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/bindings/loop_context.h"

#include <grpc/event_engine/event_engine.h>

#include <utility>

#include "absl/log/check.h"
#include "src/bindings/gil.h"
#include "src/core/lib/channel/channel_args.h"
#include "src/core/lib/iomgr/exec_ctx.h"

namespace uvgrpc {
namespace {

// Rounds of settling before Python gets its turn.
constexpr int kMaxSettleRounds = 64;

}  // namespace

// Destroys a completion queue when it is empty.
class LoopContext::QueueShutdown final : public grpc_completion_queue_functor {
 public:
  explicit QueueShutdown(grpc_completion_queue** queue) : queue_(queue) {
    functor_run = [](grpc_completion_queue_functor* functor, int /*ok*/) {
      auto* self = static_cast<QueueShutdown*>(functor);
      grpc_completion_queue_destroy(*self->queue_);
      delete self->queue_;
      delete self;
    };
    inlineable = 1;
    internal_success = 0;
    internal_next = nullptr;
  }

 private:
  grpc_completion_queue** const queue_;
};

void Completion::OnComplete(grpc_completion_queue_functor* functor, int ok) {
  auto* self = static_cast<Completion*>(functor);
  self->ok_ = ok != 0;
  self->context_->Complete(self);
}

LoopResident::LoopResident(LoopContext* context) : context_(context) {
  next_ = context->residents_;
  if (next_ != nullptr) next_->prev_ = this;
  context->residents_ = this;
  ++context->resident_count_;
}

void LoopResident::Leave() {
  if (!std::exchange(is_resident_, false)) return;
  if (next_ != nullptr) next_->prev_ = prev_;
  if (prev_ != nullptr) {
    prev_->next_ = next_;
  } else if (context_->residents_ == this) {
    context_->residents_ = next_;
  }
  prev_ = next_ = nullptr;
  --context_->resident_count_;
}

absl::StatusOr<std::shared_ptr<LoopContext>> LoopContext::Create(
    uv_loop_t* loop, const UvApi& uv) {
  absl::StatusOr<std::shared_ptr<UvEventEngine>> engine =
      UvEventEngine::Create(loop, uv);
  if (!engine.ok()) return engine.status();
  return std::make_shared<LoopContext>(*std::move(engine));
}

LoopContext::LoopContext(std::shared_ptr<UvEventEngine> engine)
    : engine_(std::move(engine)), engine_for_core_(engine_) {
  // The shutdown functor is given at creation and needs the queue to destroy.
  auto** queue = new grpc_completion_queue*;
  const grpc_completion_queue_attributes attributes = {
      GRPC_CQ_CURRENT_VERSION, GRPC_CQ_CALLBACK, GRPC_CQ_DEFAULT_POLLING,
      new QueueShutdown(queue)};
  cq_ = *queue = grpc_completion_queue_create(
      grpc_completion_queue_factory_lookup(&attributes), &attributes, nullptr);
  bridge()->set_turn_hooks(this);
}

LoopContext::~LoopContext() {
  CHECK(residents_ == nullptr);
  if (!shut_down_) {
    bridge()->set_turn_hooks(nullptr);
    grpc_completion_queue_shutdown(cq_);
  }
}

grpc_arg LoopContext::EngineArg() {
  return grpc_channel_arg_pointer_create(
      const_cast<char*>(GRPC_INTERNAL_ARG_EVENT_ENGINE), &engine_for_core_,
      grpc_event_engine::experimental::grpc_event_engine_arg_vtable());
}

void LoopContext::Collect(Collectable* work) {
  if (std::exchange(work->is_collected_, true)) return;
  work->next_collected_ = nullptr;
  *collected_tail_ = work;
  collected_tail_ = &work->next_collected_;
  bridge()->RequestTurn();
}

void LoopContext::StartCollected() {
  if (collected_ == nullptr) return;
  ++turn_;
  const grpc_core::ExecCtx exec_ctx;
  while (collected_ != nullptr) {
    Collectable* work = collected_;
    collected_ = work->next_collected_;
    if (collected_ == nullptr) collected_tail_ = &collected_;
    work->is_collected_ = false;
    work->StartCollected();
  }
}

void LoopContext::Complete(Completion* completion) {
  if (InLoopThread()) {
    completed_.Push(completion);
    bridge()->RequestDelivery();
    return;
  }
  bridge()->Post([self = shared_from_this(), completion] {
    self->completed_.Push(completion);
    self->bridge()->RequestDelivery();
  });
}

bool LoopContext::DeliverCompletions() {
  CompletionList for_python;
  bool any = false;
  // Settling may start the next operation, which may be complete at once.
  for (int round = 0; round < kMaxSettleRounds && !completed_.empty();
       ++round) {
    any = true;
    const grpc_core::ExecCtx exec_ctx;
    while (Completion* completion = completed_.Pop()) {
      if (completion->Settle(completion->ok_)) for_python.Push(completion);
    }
  }
  std::vector<PyObject*> to_decref;
  {
    absl::MutexLock lock(mu_);
    to_decref.swap(to_decref_);
  }
  if (for_python.empty() && to_decref.empty()) return any;
  const GilGuard gil;
  if (!gil.acquired()) return any;
  while (Completion* completion = for_python.Pop()) {
    completion->Deliver();
    if (PyErr_Occurred() != nullptr) PyErr_WriteUnraisable(nullptr);
  }
  for (PyObject* object : to_decref) Py_DECREF(object);
  return true;
}

void LoopContext::DecrefLater(PyObject* object) {
  {
    absl::MutexLock lock(mu_);
    to_decref_.push_back(object);
    if (to_decref_.size() > 1) return;  // a delivery is already on its way
  }
  if (InLoopThread()) {
    bridge()->RequestDelivery();
  } else {
    bridge()->Post(
        [self = shared_from_this()] { self->bridge()->RequestDelivery(); });
  }
}

void LoopContext::Shutdown() {
  if (std::exchange(shut_down_, true)) return;
  const std::shared_ptr<LoopContext> keep_alive = shared_from_this();
  {
    LoopBridge::CallbackScope scope(bridge());
    StartCollected();
    while (residents_ != nullptr) {
      LoopResident* resident = residents_;
      resident->Leave();
      resident->EndWithLoop();
    }
  }
  engine_->Shutdown();
  // Whatever still arrives has nobody to hear it.
  bridge()->set_turn_hooks(nullptr);
  grpc_completion_queue_shutdown(std::exchange(cq_, nullptr));
}

}  // namespace uvgrpc
