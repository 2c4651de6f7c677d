// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// Calls of a gRPC client to a gRPC server, on one engine: each ends, with OK or
// with the status that gRPC promises for a connection that fails, and every
// operation that core was given is given back.

#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/credentials.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpc/slice.h>
#include <grpc/support/time.h>

#include <array>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/log/globals.h"
#include "absl/log/initialize.h"
#include "absl/strings/str_cat.h"
#include "src/core/lib/channel/channel_args.h"
#include "src/core/lib/experiments/config.h"
#include "src/core/lib/iomgr/timer_manager.h"
#include "src/core/util/fork.h"
#include "src/filters/filters.h"
#include "tests/cpp/faults/rig.h"

namespace uvgrpc::faults {

namespace {

// An operation that core has: calls `then` once.
struct Tag final : grpc_completion_queue_functor {
  explicit Tag(std::function<void(bool)> then) : then(std::move(then)) {
    functor_run = [](grpc_completion_queue_functor* functor, int ok) {
      auto* self = static_cast<Tag*>(functor);
      ++self->times;
      self->then(ok != 0);
    };
    inlineable = 1;
    internal_success = 0;
    internal_next = nullptr;
  }
  std::function<void(bool)> then;
  int times = 0;
};

std::string TextOf(grpc_byte_buffer* buffer) {
  grpc_byte_buffer_reader reader;
  if (!grpc_byte_buffer_reader_init(&reader, buffer)) return "?";
  const grpc_slice slice = grpc_byte_buffer_reader_readall(&reader);
  std::string text(reinterpret_cast<const char*>(GRPC_SLICE_START_PTR(slice)),
                   GRPC_SLICE_LENGTH(slice));
  grpc_slice_unref(slice);
  grpc_byte_buffer_reader_destroy(&reader);
  return text;
}

grpc_byte_buffer* BufferOf(const std::string& text) {
  grpc_slice slice = grpc_slice_from_copied_buffer(text.data(), text.size());
  grpc_byte_buffer* buffer = grpc_raw_byte_buffer_create(&slice, 1);
  grpc_slice_unref(slice);
  return buffer;
}

grpc_op Op(grpc_op_type type, uint32_t flags = 0) {
  grpc_op op;
  std::memset(&op, 0, sizeof(op));
  op.op = type;
  op.flags = flags;
  return op;
}

// Everything of a case. What is to be done of what core reports is done between
// two turns of the loop, never on core's stack.
class Rpcs {
 public:
  explicit Rpcs(Rig& rig) : rig_(rig) {
    engine_ = rig.engine();
    const grpc_completion_queue_attributes attributes = {
        GRPC_CQ_CURRENT_VERSION, GRPC_CQ_CALLBACK, GRPC_CQ_DEFAULT_POLLING,
        &queue_gone_};
    cq_ = grpc_completion_queue_create(
        grpc_completion_queue_factory_lookup(&attributes), &attributes,
        nullptr);
  }

  bool Serve(int memory) {
    std::vector<grpc_arg> args = {EngineArg()};
    grpc_resource_quota* quota = nullptr;
    if (memory > 0) {
      quota = grpc_resource_quota_create("faults");
      grpc_resource_quota_resize(quota, static_cast<size_t>(memory));
      args.push_back(grpc_channel_arg_pointer_create(
          const_cast<char*>(GRPC_ARG_RESOURCE_QUOTA), quota,
          grpc_resource_quota_arg_vtable()));
    }
    const grpc_channel_args all = {args.size(), args.data()};
    server_ = grpc_server_create(&all, nullptr);
    if (quota != nullptr) grpc_resource_quota_unref(quota);
    grpc_server_register_completion_queue(server_, cq_, nullptr);
    grpc_server_credentials* credentials =
        grpc_insecure_server_credentials_create();
    port_ = grpc_server_add_http2_port(server_, "127.0.0.1:0", credentials);
    grpc_server_credentials_release(credentials);
    grpc_server_start(server_);
    if (port_ > 0) Request();
    return port_ > 0;
  }

  void Connect() {
    std::vector<grpc_arg> args = {
        EngineArg(), Number(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 5),
        Number(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 20'000),
        Number(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 20)};
    const grpc_channel_args all = {args.size(), args.data()};
    grpc_channel_credentials* credentials = grpc_insecure_credentials_create();
    channel_ = grpc_channel_create(
        absl::StrCat("ipv4:127.0.0.1:", port_).c_str(), credentials, &all);
    grpc_channel_credentials_release(credentials);
  }

  void Call(std::string request, bool waits_for_ready) {
    calls_.push_back(std::make_unique<ClientCall>(std::move(request)));
    ClientCall& call = *calls_.back();
    call.waits_for_ready = waits_for_ready;
    const grpc_slice method = grpc_slice_from_static_string("/test/Method");
    // Real time, far away: what ends with it hung.
    call.core = grpc_channel_create_call(
        channel_, nullptr, GRPC_PROPAGATE_DEFAULTS, cq_, method, nullptr,
        gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                     gpr_time_from_seconds(5, GPR_TIMESPAN)),
        nullptr);
    grpc_metadata_array_init(&call.initial);
    grpc_metadata_array_init(&call.trailing);
    std::array<grpc_op, 6> ops = {
        Op(GRPC_OP_SEND_INITIAL_METADATA,
           waits_for_ready ? GRPC_INITIAL_METADATA_WAIT_FOR_READY : 0),
        Op(GRPC_OP_SEND_MESSAGE),
        Op(GRPC_OP_SEND_CLOSE_FROM_CLIENT),
        Op(GRPC_OP_RECV_INITIAL_METADATA),
        Op(GRPC_OP_RECV_MESSAGE),
        Op(GRPC_OP_RECV_STATUS_ON_CLIENT)};
    call.sent = BufferOf(call.request);
    ops[1].data.send_message.send_message = call.sent;
    ops[3].data.recv_initial_metadata.recv_initial_metadata = &call.initial;
    ops[4].data.recv_message.recv_message = &call.received;
    ops[5].data.recv_status_on_client.trailing_metadata = &call.trailing;
    ops[5].data.recv_status_on_client.status = &call.status;
    ops[5].data.recv_status_on_client.status_details = &call.details;
    call.tag = NewTag([&call](bool) { call.is_done = true; });
    grpc_call_start_batch(call.core, ops.data(), ops.size(), call.tag, nullptr);
  }

  // Cancels a call that is under way.
  void CancelOne() {
    if (calls_.empty() || calls_.front()->is_done) return;
    calls_.front()->is_cancelled = true;
    grpc_call_cancel(calls_.front()->core, nullptr);
  }

  // Whether all calls are over; does what is due.
  bool Turn() {
    for (size_t i = 0; i < due_.size(); ++i) due_[i]();
    due_.clear();
    for (const auto& call : calls_) {
      if (!call->is_done) return false;
    }
    return true;
  }

  void CheckCalls(bool memory_is_short) {
    for (const auto& call : calls_) {
      const bool ok = call->status == GRPC_STATUS_OK;
      const grpc_slice details = call->details;
      const std::string text = absl::StrCat(
          "a call ended with ", static_cast<int>(call->status), ": ",
          std::string(
              reinterpret_cast<const char*>(GRPC_SLICE_START_PTR(details)),
              GRPC_SLICE_LENGTH(details)));
      if (ok) {
        rig_.Check(call->received != nullptr &&
                       TextOf(call->received) == call->request + "!",
                   "a call was answered with something else");
        continue;
      }
      if (call->is_cancelled && call->status == GRPC_STATUS_CANCELLED) continue;
      if (memory_is_short && call->status == GRPC_STATUS_RESOURCE_EXHAUSTED) {
        continue;
      }
      // A listener that has no memory to listen with refuses.
      if (rig_.fault().site == Site::kCalloc && call->waits_for_ready &&
          call->status == GRPC_STATUS_DEADLINE_EXCEEDED) {
        continue;
      }
      rig_.Check(call->status == GRPC_STATUS_UNAVAILABLE, text);
      rig_.Check(!rig_.must_succeed() || memory_is_short, text);
    }
  }

  void End() {
    for (const auto& call : calls_) {
      grpc_byte_buffer_destroy(call->sent);
      grpc_byte_buffer_destroy(call->received);
      grpc_metadata_array_destroy(&call->initial);
      grpc_metadata_array_destroy(&call->trailing);
      if (call->is_done) grpc_slice_unref(call->details);
      grpc_call_unref(call->core);
    }
    if (channel_ != nullptr) grpc_channel_destroy(channel_);
    bool shut_down = false;
    grpc_server_shutdown_and_notify(
        server_, cq_, NewTag([&shut_down](bool) { shut_down = true; }));
    grpc_server_cancel_all_calls(server_);
    is_ending_ = true;
    rig_.RunUntil("the server's end", [&] {
      Turn();
      return shut_down && serving_ == 0 && requests_ == 0;
    });
    grpc_server_destroy(server_);
    bool gone = false;
    queue_gone_.then = [&gone](bool) { gone = true; };
    grpc_completion_queue_shutdown(cq_);
    rig_.RunUntil("the queue's end", [&] { return gone; });
    grpc_completion_queue_destroy(cq_);
    for (const auto& tag : tags_) {
      rig_.Check(tag->times == 1,
                 absl::StrCat("an operation ended ", tag->times, " times"));
    }
  }

 private:
  struct ClientCall {
    explicit ClientCall(std::string request) : request(std::move(request)) {}
    const std::string request;
    grpc_call* core = nullptr;
    Tag* tag = nullptr;
    bool waits_for_ready = false;
    bool is_done = false;
    bool is_cancelled = false;
    grpc_byte_buffer* sent = nullptr;
    grpc_byte_buffer* received = nullptr;
    grpc_metadata_array initial;
    grpc_metadata_array trailing;
    grpc_status_code status = GRPC_STATUS_UNKNOWN;
    grpc_slice details = grpc_empty_slice();
  };

  // A call that the server takes: read, answered with a "!" behind it, ended.
  struct ServerCall {
    ServerCall() {
      grpc_call_details_init(&details);
      grpc_metadata_array_init(&metadata);
    }
    ~ServerCall() {
      grpc_call_details_destroy(&details);
      grpc_metadata_array_destroy(&metadata);
      grpc_byte_buffer_destroy(request);
      grpc_byte_buffer_destroy(reply);
      if (core != nullptr) grpc_call_unref(core);
    }
    grpc_call* core = nullptr;
    grpc_call_details details;
    grpc_metadata_array metadata;
    grpc_byte_buffer* request = nullptr;
    grpc_byte_buffer* reply = nullptr;
    int cancelled = 0;
    int with_core = 0;
  };

  Tag* NewTag(std::function<void(bool)> then) {
    tags_.push_back(std::make_unique<Tag>(std::move(then)));
    return tags_.back().get();
  }

  grpc_arg EngineArg() {
    return grpc_channel_arg_pointer_create(
        const_cast<char*>(GRPC_INTERNAL_ARG_EVENT_ENGINE), &engine_,
        grpc_event_engine::experimental::grpc_event_engine_arg_vtable());
  }

  static grpc_arg Number(const char* name, int value) {
    return grpc_channel_arg_integer_create(const_cast<char*>(name), value);
  }

  void Later(std::function<void()> work) { due_.push_back(std::move(work)); }

  void Request() {
    auto call = std::make_shared<ServerCall>();
    ++requests_;
    grpc_server_request_call(server_, &call->core, &call->details,
                             &call->metadata, cq_, cq_,
                             NewTag([this, call](bool ok) {
                               --requests_;
                               if (!ok) return;
                               ++serving_;
                               Later([this, call] { Start(call); });
                             }));
  }

  void Start(const std::shared_ptr<ServerCall>& call) {
    if (!is_ending_) Request();
    std::array<grpc_op, 2> ops = {Op(GRPC_OP_RECV_MESSAGE),
                                  Op(GRPC_OP_SEND_INITIAL_METADATA)};
    ops[0].data.recv_message.recv_message = &call->request;
    Batch(call, &ops[0], 2,
          [this, call](bool) { Later([this, call] { Answer(call); }); });
    grpc_op close = Op(GRPC_OP_RECV_CLOSE_ON_SERVER);
    close.data.recv_close_on_server.cancelled = &call->cancelled;
    Batch(call, &close, 1, [](bool) {});
  }

  void Answer(const std::shared_ptr<ServerCall>& call) {
    std::array<grpc_op, 2> ops = {Op(GRPC_OP_SEND_STATUS_FROM_SERVER),
                                  Op(GRPC_OP_SEND_MESSAGE)};
    ops[0].data.send_status_from_server.status = GRPC_STATUS_OK;
    size_t count = 1;
    if (call->request != nullptr) {
      call->reply = BufferOf(TextOf(call->request) + "!");
      ops[1].data.send_message.send_message = call->reply;
      count = 2;
    }
    Batch(call, ops.data(), count, [](bool) {});
  }

  void Batch(const std::shared_ptr<ServerCall>& call, const grpc_op* ops,
             size_t count, std::function<void(bool)> then) {
    ++call->with_core;
    grpc_call_start_batch(call->core, ops, count,
                          NewTag([this, call, then](bool ok) {
                            then(ok);
                            // Each of the three batches ends; then the call is
                            // over.
                            Later([this, call] { Ended(call); });
                          }),
                          nullptr);
  }

  void Ended(const std::shared_ptr<ServerCall>& call) {
    if (--call->with_core > 0) return;
    --serving_;
    grpc_call_unref(std::exchange(call->core, nullptr));
  }

  Rig& rig_;
  std::shared_ptr<EventEngine> engine_;
  Tag queue_gone_{[](bool) {}};
  grpc_completion_queue* cq_ = nullptr;
  grpc_server* server_ = nullptr;
  grpc_channel* channel_ = nullptr;
  int port_ = 0;
  bool is_ending_ = false;
  int requests_ = 0;
  int serving_ = 0;
  std::vector<std::unique_ptr<Tag>> tags_;
  std::vector<std::unique_ptr<ClientCall>> calls_;
  std::vector<std::function<void()>> due_;
};

}  // namespace

void InitCoreForRpcs() {
  // As the bindings do (src/engine/core_init.cc).
  grpc_core::ForceEnableExperiment("use_call_event_engine_in_completion_queue",
                                   true);
  grpc_core::Fork::Enable(false);
  grpc_timer_manager_set_start_threaded(false);
  RegisterFilters();
  absl::InitializeLog();
  grpc_init();
  absl::SetMinLogLevel(absl::LogSeverityAtLeast::kFatal);
  absl::SetStderrThreshold(absl::LogSeverityAtLeast::kFatal);
}

void RpcCase(Rig& rig) {
  rig.Choose({Site::kRecv,        Site::kRecv,        Site::kRecv,
              Site::kRecv,        Site::kSendmsg,     Site::kSendmsg,
              Site::kSendmsg,     Site::kSendmsg,     Site::kConnect,
              Site::kSocketError, Site::kAccept,      Site::kSocket,
              Site::kSetsockopt,  Site::kGetpeername, Site::kGetsockname,
              Site::kShutdown,    Site::kFcntl,       Site::kCalloc,
              Site::kUvPollInit,  Site::kUvPollStart, Site::kUvPollCallback,
              Site::kBind});
  const int arm_at = rig.Between(0, 9);
  rig.MakeEngine();
  auto rpcs = std::make_unique<Rpcs>(rig);
  const bool memory_is_short = rig.Chance(15);
  if (arm_at == 0) rig.Arm();
  const bool serves =
      rpcs->Serve(memory_is_short ? rig.Between(30'000, 300'000) : 0);
  rig.Check(serves || !rig.must_succeed(), "no port");
  if (serves) {
    if (arm_at > 0 && arm_at < 6) rig.Arm();
    rpcs->Connect();
    const int count = rig.Between(1, 4);
    for (int i = 0; i < count; ++i) {
      rpcs->Call(rig.RandomText(static_cast<size_t>(
                     rig.Between(0, rig.Chance(20) ? 300'000 : 3000))),
                 !memory_is_short && rig.Chance(30));
    }
    int turns = rig.Between(1, 8);
    const bool cancels = rig.Chance(15);
    rig.RunUntil("the calls", [&] {
      if (--turns == 0) {
        if (arm_at >= 6) rig.Arm();
        if (cancels) rpcs->CancelOne();
      }
      return rpcs->Turn();
    });
    rpcs->CheckCalls(memory_is_short);
  }
  rpcs->End();
  rpcs.reset();
}

}  // namespace uvgrpc::faults
