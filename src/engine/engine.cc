// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "uvgrpc/engine.h"

#include <cstring>
#include <mutex>
#include <utility>

#include "absl/log/check.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "src/core/lib/channel/channel_args.h"
#include "src/engine/core_init.h"
#include "src/engine/linked_uv.h"
#include "src/iomgr_uv/loop_bridge.h"
#include "src/iomgr_uv/time_limit.h"
#include "src/iomgr_uv/uv_engine.h"
#include "src/iomgr_uv/uv_handle.h"
#include "src/iomgr_uv/uv_status.h"

namespace uvgrpc {
namespace {

// How long completions are delivered before others of the loop get their turn,
// and how many go between two looks at the clock. So many that wait are a
// reason not to make more.
constexpr std::chrono::microseconds kDeliveryTime{1000};
constexpr int kDeliveriesPerLook = 8;
constexpr size_t kBehind = 128;

// The program's libuv: whatever the linker has found.
absl::StatusOr<UvApi> LinkedUvApi(unsigned headers) {
  const auto is_older = [](unsigned version, unsigned than) {
    return (version >> 8) < (than >> 8);
  };
  if (is_older(uv_version(), headers)) {
    return absl::FailedPreconditionError(
        absl::StrCat("the program is linked with libuv ", uv_version_string(),
                     ", but compiled with the headers of ", headers >> 16, ".",
                     (headers >> 8) & 0xff, ".", headers & 0xff));
  }
  return UvApi::Load(&FindLinkedUvSymbol);
}

// A second gRPC in the program may have won over ours.
absl::Status CheckCore() {
  if (std::strcmp(grpc_version_string(), UVGRPC_CORE_VERSION) == 0) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(absl::StrCat(
      "the program is linked with gRPC core ", grpc_version_string(),
      "; uvgrpc is made for " UVGRPC_CORE_VERSION
      " as it builds it itself. Another gRPC must not be linked with it"));
}

// Destroys a completion queue when it is empty.
struct QueueEnd final : grpc_completion_queue_functor {
  QueueEnd() {
    functor_run = [](grpc_completion_queue_functor* functor, int /*ok*/) {
      auto* const self = static_cast<QueueEnd*>(functor);
      grpc_completion_queue_destroy(self->queue);
      delete self;
    };
    inlineable = 1;
    internal_success = 0;
    internal_next = nullptr;
  }
  grpc_completion_queue* queue = nullptr;
};

class OnceDone final : public Operation {
 public:
  OnceDone(Engine* engine, std::function<void(bool)> done)
      : Operation(engine), done_(std::move(done)) {}

 private:
  void Done(bool ok) override {
    const auto done = std::move(done_);
    delete this;
    done(ok);
  }

  std::function<void(bool)> done_;
};

}  // namespace

// What is on the loop; it may outlive the Engine for as long as it is on the
// stack. Loop thread, but for Complete.
class Engine::Impl final : public TurnHooks,
                           public std::enable_shared_from_this<Impl> {
 public:
  explicit Impl(std::shared_ptr<UvEventEngine> engine)
      : engine_(std::move(engine)), engine_for_core_(engine_) {
    auto* const end = new QueueEnd;
    const grpc_completion_queue_attributes attributes = {
        GRPC_CQ_CURRENT_VERSION, GRPC_CQ_CALLBACK, GRPC_CQ_DEFAULT_POLLING,
        end};
    queue_ = end->queue = grpc_completion_queue_create(
        grpc_completion_queue_factory_lookup(&attributes), &attributes,
        nullptr);
    bridge()->set_turn_hooks(this);
  }
  ~Impl() override { CHECK(is_closed_) << "an engine goes without Close()"; }

  // The handle that keeps the loop alive while core has an operation.
  absl::Status Init() {
    const int error = alive_.Init(
        bridge()->shared_from_this(), this, UV_ASYNC, [&](uv_async_t* handle) {
          return uv().async_init(bridge()->loop(), handle, nullptr);
        });
    return error == 0 ? absl::OkStatus()
                      : UvStatus(uv(), error, "setting up the loop");
  }

  LoopBridge* bridge() const { return engine_->bridge(); }
  const UvApi& uv() const { return bridge()->uv(); }
  grpc_completion_queue* queue() const { return queue_; }
  size_t pending() const { return pending_; }

  // Core copies what its channel argument points to: a shared_ptr of the base
  // class.
  void* engine_for_core() { return &engine_for_core_; }

  void Begin() {
    CHECK(!is_closed_) << "an operation begins after Close()";
    if (pending_++ == 0) uv_ref(alive_.base());
  }

  // From the depth of core's stack.
  void Complete(Operation* operation) {
    if (!bridge()->InLoopThread()) {
      bridge()->Post(
          [self = shared_from_this(), operation] { self->Add(operation); });
      return;
    }
    Add(operation);
  }

  int Close() {
    if (pending_ > 0) return UV_EBUSY;
    if (std::exchange(is_closed_, true)) return 0;
    // The queue's end is a closure of the thread's engine: it runs in Shutdown.
    bridge()->Claim();
    grpc_completion_queue_shutdown(std::exchange(queue_, nullptr));
    alive_.Close(nullptr);
    engine_->Shutdown();
    bridge()->set_turn_hooks(nullptr);
    return 0;
  }

  // For Operation.
  static void OnComplete(grpc_completion_queue_functor* functor, int ok) {
    auto* const operation = static_cast<Operation*>(functor);
    operation->ok_ = ok != 0;
    operation->impl_->Complete(operation);
  }

  // TurnHooks
  void StartCollected() override {}
  bool DeliverCompletions() override {
    const auto keep_alive = shared_from_this();
    const bool any = first_ != nullptr;
    TimeLimit limit(kDeliveryTime);
    for (int delivered = 1; first_ != nullptr; ++delivered) {
      Operation* const operation = first_;
      first_ = operation->next_;
      if (first_ == nullptr) last_ = &first_;
      --waiting_;
      if (--pending_ == 0) uv_unref(alive_.base());
      operation->Done(operation->ok_);
      if (delivered % kDeliveriesPerLook == 0 && limit.IsOver()) break;
    }
    if (first_ != nullptr) bridge()->RequestDelivery();
    return any;
  }
  bool IsBehind() const override { return waiting_ >= kBehind; }
  uint64_t CompletionCount() const override { return completed_; }

 private:
  void Add(Operation* operation) {
    operation->next_ = nullptr;
    *last_ = operation;
    last_ = &operation->next_;
    ++waiting_;
    ++completed_;
    bridge()->RequestDelivery();
  }

  const std::shared_ptr<UvEventEngine> engine_;
  std::shared_ptr<EventEngine> engine_for_core_;
  grpc_completion_queue* queue_ = nullptr;
  UvHandle<uv_async_t, Impl> alive_;
  bool is_closed_ = false;
  size_t pending_ = 0;
  // What has come back and was not delivered yet.
  Operation* first_ = nullptr;
  Operation** last_ = &first_;
  size_t waiting_ = 0;
  uint64_t completed_ = 0;
};

std::unique_ptr<Engine> Engine::Create(uv_loop_t* loop, std::string* error,
                                       unsigned uv_headers) {
  const auto fail = [error](const absl::Status& status) {
    if (error != nullptr) *error = std::string(status.message());
    return nullptr;
  };
  absl::StatusOr<UvApi> uv = LinkedUvApi(uv_headers);
  if (!uv.ok()) return fail(uv.status());
  absl::Status status = CheckCore();
  if (!status.ok()) return fail(status);
  static std::once_flag once;
  std::call_once(once, &InitCore);
  auto engine = UvEventEngine::Create(loop, *uv);
  if (!engine.ok()) return fail(engine.status());
  auto impl = std::make_shared<Impl>(*std::move(engine));
  status = impl->Init();
  if (!status.ok()) {
    (void)impl->Close();
    return fail(status);
  }
  return std::unique_ptr<Engine>(new Engine(std::move(impl)));
}

Engine::Engine(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

Engine::~Engine() = default;

uv_loop_t* Engine::loop() const { return impl_->bridge()->loop(); }

grpc_arg Engine::ChannelArg() const {
  return grpc_channel_arg_pointer_create(
      const_cast<char*>(GRPC_INTERNAL_ARG_EVENT_ENGINE),
      impl_->engine_for_core(),
      grpc_event_engine::experimental::grpc_event_engine_arg_vtable());
}

grpc_completion_queue* Engine::queue() const { return impl_->queue(); }

void* Engine::OnDone(std::function<void(bool ok)> done) {
  return (new OnceDone(this, std::move(done)))->Tag();
}

void Engine::Post(std::function<void()> work) {
  impl_->bridge()->Post(std::move(work));
}

size_t Engine::pending() const { return impl_->pending(); }

int Engine::Close() { return impl_->Close(); }

Operation::Operation(Engine* engine) : impl_(engine->impl_.get()) {
  functor_run = &Engine::Impl::OnComplete;
  inlineable = 1;
  internal_success = 0;
  internal_next = nullptr;
}

void* Operation::Tag() {
  impl_->Begin();
  return static_cast<grpc_completion_queue_functor*>(this);
}

}  // namespace uvgrpc
