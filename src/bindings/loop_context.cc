// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/bindings/loop_context.h"

#include <grpc/event_engine/event_engine.h>

#include <algorithm>
#include <utility>

#include "absl/log/check.h"
#include "src/bindings/gil.h"
#include "src/bindings/python_hooks.h"
#include "src/core/lib/channel/channel_args.h"
#include "src/core/lib/iomgr/exec_ctx.h"
#include "src/iomgr_uv/time_limit.h"

namespace uvgrpc {
namespace {

// Rounds of settling before Python gets its turn, how long they may last, and
// how many completions go between two looks at the clock.
constexpr int kMaxSettleRounds = 64;
constexpr std::chrono::microseconds kSettlingTime{1000};
constexpr int kSettledPerLook = 16;
// What is collected starts when so much has gathered, if time has not run out
// before; and how much may come between two looks at the clock.
constexpr int kStartCount = 128;
constexpr int kCollectedPerLook = 8;
// How long one delivery may last before others of the ready queue get their
// turn, and how many completions go between two looks at the clock.
constexpr std::chrono::microseconds kDeliveryTime{1000};
constexpr int kDeliveriesPerLook = 8;
// Each of them may have a task run in the next turn, which takes longer than
// its delivery: so their number is bounded, too, as it takes for turns of about
// kTasksTime.
constexpr int kMinDeliveries = 16;
constexpr int kMaxDeliveries = 128;
constexpr std::chrono::nanoseconds kTasksTime{2'000'000};

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
  if (++collected_count_ == 1) {
    collecting_since_ = Clock::now();
  } else if (collected_count_ % kCollectedPerLook == 0 &&
             (collected_count_ > kStartCount ||
              Clock::now() - collecting_since_ > work->patience_) &&
             !bridge()->in_scope()) {
    // All but the newest, to which more may come.
    LoopBridge::CallScope scope(bridge());
    StartUpTo(work);
    collecting_since_ = Clock::now();
  }
}

void LoopContext::StartNow() {
  LoopBridge::CallScope scope(bridge());
  int rounds = 0;
  do {
    StartUpTo(nullptr);
  } while (SettleCompletions() && ++rounds < kMaxSettleRounds);
  if (pending_.count() > 0) bridge()->RequestDelivery();
}

void LoopContext::StartCollected() {
  if (collected_ == nullptr) return;
  ++turn_;
  StartUpTo(nullptr);
}

void LoopContext::StartUpTo(const Collectable* last) {
  const grpc_core::ExecCtx exec_ctx;
  while (collected_ != last) {
    Collectable* work = collected_;
    collected_ = work->next_collected_;
    if (collected_ == nullptr) collected_tail_ = &collected_;
    --collected_count_;
    ++start_count_;
    work->is_collected_ = false;
    work->StartCollected();
  }
}

void LoopContext::Complete(Completion* completion) {
  if (InLoopThread()) {
    if (completion->begins_call_) {
      completion->is_of_many_ = !bridge()->IsOneOfFew();
    }
    completed_.Push(completion);
    ++completed_count_;
    ++completed_in_all_;
    bridge()->RequestDelivery();
    return;
  }
  bridge()->Post(
      [self = shared_from_this(), completion] { self->Complete(completion); });
}

bool LoopContext::SettleCompletions() {
  bool any = false;
  ++settlings_;
  TimeLimit limit(kSettlingTime);
  int settled = 0;
  bool is_over = false;
  // Settling may start the next operation, which may be complete at once.
  for (int round = 0;
       round < kMaxSettleRounds && !completed_.empty() && !is_over; ++round) {
    any = true;
    const grpc_core::ExecCtx exec_ctx;
    while (!is_over) {
      Completion* completion = completed_.Pop();
      if (completion == nullptr) break;
      --completed_count_;
      if (completion->Settle(completion->ok_)) {
        pending_.Push(completion);
      }
      // A loop that closes has no further turn to leave anything to.
      is_over =
          ++settled % kSettledPerLook == 0 && limit.IsOver() && !is_closed();
    }
  }
  if (!completed_.empty()) bridge()->RequestDelivery();
  return any;
}

bool LoopContext::DeliverCompletions() {
  const bool any = SettleCompletions();
  bool has_references;
  {
    absl::MutexLock lock(mu_);
    has_references = !to_decref_.empty();
  }
  if (pending_.count() > 0 || has_references) ScheduleDelivery();
  return any;
}

void LoopContext::ScheduleDelivery() {
  // A loop that closes runs its ready queue no more.
  const bool runs_on = loop_ != nullptr && !is_closed();
  if (delivery_scheduled_ && runs_on) return;
  const GilGuard gil;
  if (!gil.acquired()) return;
  if (runs_on) {
    if (WhilePythonLives(
            [this] { return g_python.schedule_delivery(loop_); })) {
      delivery_scheduled_ = true;
      return;
    }
    PyErr_WriteUnraisable(nullptr);
  }
  WhilePythonLives([this] { DeliverWhile(nullptr); });
  if (RaiseExit()) PyErr_WriteUnraisable(nullptr);
}

bool LoopContext::DeliverPending() {
  const std::shared_ptr<LoopContext> keep_alive = shared_from_this();
  delivery_scheduled_ = false;
  TimeLimit limit(kDeliveryTime);
  WhilePythonLives([&] { DeliverWhile(&limit); });
  if (pending_.count() > 0) ScheduleDelivery();
  return !RaiseExit();
}

void LoopContext::HandleTurnEnd(Clock::duration tasks_took) {
  const auto in_this_turn =
      static_cast<int>(delivery_count_ - delivery_count_at_turn_);
  delivery_count_at_turn_ = delivery_count_;
  // What the turn before delivered has run in this one. Few say little.
  const int delivered = std::exchange(delivered_last_turn_, in_this_turn);
  if (delivered < kDeliveriesPerLook) return;
  // What costs much counts at once, and is forgotten in some twenty turns.
  delivery_cost_ =
      std::clamp(tasks_took / delivered, delivery_cost_ - delivery_cost_ / 16,
                 kTasksTime / kMinDeliveries);
  const auto fit = kTasksTime / std::max(delivery_cost_, Clock::duration(1));
  max_deliveries_ =
      std::clamp(static_cast<int>(fit), kMinDeliveries, kMaxDeliveries);
}

void LoopContext::DeliverWhile(TimeLimit* limit) {
  DropReferences();
  int delivered = 0;
  while (Completion* completion = pending_.Pop()) {
    ++delivery_count_;
    completion->Deliver();
    NoteException();
    if (limit == nullptr) continue;
    if (exit_) break;
    if (++delivered == max_deliveries_) break;
    if (delivered % kDeliveriesPerLook == 0 && limit->IsOver()) break;
  }
}

void LoopContext::NoteException() {
  PyObject* const type = PyErr_Occurred();
  if (type == nullptr) return;
  if (exit_ ||
      (PyErr_GivenExceptionMatches(type, PyExc_KeyboardInterrupt) == 0 &&
       PyErr_GivenExceptionMatches(type, PyExc_SystemExit) == 0)) {
    PyErr_WriteUnraisable(nullptr);
    return;
  }
  PyObject* exception[3];
  PyErr_Fetch(&exception[0], &exception[1], &exception[2]);
  PyErr_NormalizeException(&exception[0], &exception[1], &exception[2]);
  exit_type_ = PyRef::Steal(exception[0]);
  exit_ = PyRef::Steal(exception[1]);
  exit_traceback_ = PyRef::Steal(exception[2]);
}

bool LoopContext::RaiseExit() {
  if (!exit_) return false;
  PyErr_Restore(exit_type_.Release(), exit_.Release(),
                exit_traceback_.Release());
  return true;
}

void LoopContext::DropReferences() {
  std::vector<PyObject*> to_decref;
  {
    absl::MutexLock lock(mu_);
    to_decref.swap(to_decref_);
  }
  for (PyObject* object : to_decref) Py_DECREF(object);
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
  if (shut_down_.exchange(true)) return;
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
  // What an entry of the ready queue was to deliver.
  if (pending_.count() > 0) ScheduleDelivery();
  // Whatever still arrives has nobody to hear it.
  bridge()->set_turn_hooks(nullptr);
  grpc_completion_queue_shutdown(std::exchange(cq_, nullptr));
}

}  // namespace uvgrpc
