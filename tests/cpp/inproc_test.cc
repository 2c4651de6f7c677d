// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include <grpc/grpc.h>

#include <cstring>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "gtest/gtest.h"
#include "src/core/call/metadata_batch.h"
#include "src/core/lib/iomgr/closure.h"
#include "src/core/lib/iomgr/exec_ctx.h"
#include "src/core/lib/slice/slice.h"
#include "src/core/lib/slice/slice_buffer.h"
#include "src/core/lib/transport/transport.h"
#include "src/core/util/orphanable.h"
#include "src/core/util/ref_counted_ptr.h"
#include "src/inproc/inproc_transport.h"

namespace uvgrpc {
namespace {

using grpc_core::ExecCtx;
using grpc_core::Slice;
using grpc_core::SliceBuffer;

// A completion: none yet, or the status that came.
class Done {
 public:
  Done() { GRPC_CLOSURE_INIT(&closure_, &Done::Run, this, nullptr); }
  Done(const Done&) = delete;
  Done& operator=(const Done&) = delete;

  grpc_closure* closure() { return &closure_; }
  const std::optional<absl::Status>& status() const { return status_; }
  bool ok() const { return status_.has_value() && status_->ok(); }

 private:
  static void Run(void* arg, grpc_error_handle error) {
    auto* const self = static_cast<Done*>(arg);
    EXPECT_FALSE(self->status_.has_value());
    self->status_ = error;
  }

  grpc_closure closure_;
  std::optional<absl::Status> status_;
};

// A side of a call, as core's call would use it. Each operation once, but for
// messages.
class Side {
 public:
  Side(InprocTransport* transport, const void* server_data)
      : transport_(transport), memory_(new char[transport->SizeOfStream()]) {
    transport_->InitStream(stream(), nullptr, server_data, nullptr);
  }
  ~Side() {
    Done destroyed;
    transport_->DestroyStream(stream(), destroyed.closure());
    ExecCtx::Get()->Flush();
    EXPECT_TRUE(destroyed.ok());
  }

  // Sends, and gives the completion.
  std::unique_ptr<Done> SendMetadata(absl::string_view key,
                                     absl::string_view value) {
    sent_metadata_.Append(key, Slice::FromCopiedString(std::string(value)),
                          [](absl::string_view, const Slice&) {});
    payload_.send_initial_metadata.send_initial_metadata = &sent_metadata_;
    return Send([](auto* batch) { batch->send_initial_metadata = true; });
  }
  std::unique_ptr<Done> SendMessage(const std::string& text) {
    sent_message_.Clear();
    sent_message_.Append(Slice::FromCopiedString(text));
    payload_.send_message.send_message = &sent_message_;
    return Send([](auto* batch) { batch->send_message = true; });
  }
  std::unique_ptr<Done> SendTrailers(std::optional<grpc_status_code> status) {
    if (status.has_value()) {
      sent_trailers_.Set(grpc_core::GrpcStatusMetadata(), *status);
    }
    payload_.send_trailing_metadata.send_trailing_metadata = &sent_trailers_;
    payload_.send_trailing_metadata.sent = &sent_trailers_ok_;
    return Send([](auto* batch) { batch->send_trailing_metadata = true; });
  }
  std::unique_ptr<Done> Cancel(absl::Status error) {
    payload_.cancel_stream.cancel_error = std::move(error);
    return Send([](auto* batch) { batch->cancel_stream = true; });
  }

  void WantMetadata() {
    auto& wanted = payload_.recv_initial_metadata;
    wanted.recv_initial_metadata = &metadata_;
    wanted.recv_initial_metadata_ready = metadata_ready_.closure();
    wanted.trailing_metadata_available = &trailers_only_;
    Want([](auto* batch) { batch->recv_initial_metadata = true; });
  }
  void WantMessage() {
    message_ready_ = std::make_unique<Done>();
    message_.reset();
    auto& wanted = payload_.recv_message;
    wanted.recv_message = &message_;
    wanted.flags = &flags_;
    wanted.call_failed_before_recv_message = &failed_;
    wanted.recv_message_ready = message_ready_->closure();
    Want([](auto* batch) { batch->recv_message = true; });
  }
  void WantTrailers() {
    auto& wanted = payload_.recv_trailing_metadata;
    wanted.recv_trailing_metadata = &trailers_;
    wanted.recv_trailing_metadata_ready = trailers_ready_.closure();
    Want([](auto* batch) { batch->recv_trailing_metadata = true; });
  }

  grpc_stream* stream() {
    return reinterpret_cast<grpc_stream*>(memory_.get());
  }
  const Done& metadata_ready() const { return metadata_ready_; }
  const Done& message_ready() const { return *message_ready_; }
  const Done& trailers_ready() const { return trailers_ready_; }
  std::string metadata(absl::string_view key) {
    std::string buffer;
    return std::string(metadata_.GetStringValue(key, &buffer).value_or("none"));
  }
  std::string message() const {
    return message_.has_value() ? message_->JoinIntoString() : "none";
  }
  std::optional<grpc_status_code> status() const {
    return trailers_.get(grpc_core::GrpcStatusMetadata());
  }
  std::string details() const {
    const Slice* text = trailers_.get_pointer(grpc_core::GrpcMessageMetadata());
    return text == nullptr ? "" : std::string(text->as_string_view());
  }
  bool trailers_only() const { return trailers_only_; }
  bool failed() const { return failed_; }
  bool sent_trailers() const { return sent_trailers_ok_; }

 private:
  template <typename Mark>
  std::unique_ptr<Done> Send(Mark mark) {
    auto done = std::make_unique<Done>();
    Perform(mark, done->closure());
    return done;
  }
  template <typename Mark>
  void Want(Mark mark) {
    Perform(mark, nullptr);
  }
  template <typename Mark>
  void Perform(Mark mark, grpc_closure* on_complete) {
    grpc_transport_stream_op_batch batch;
    batch.payload = &payload_;
    batch.on_complete = on_complete;
    mark(&batch);
    transport_->PerformStreamOp(stream(), &batch);
    ExecCtx::Get()->Flush();
  }

  InprocTransport* const transport_;
  std::unique_ptr<char[]> memory_;
  grpc_transport_stream_op_batch_payload payload_;
  grpc_metadata_batch sent_metadata_;
  SliceBuffer sent_message_;
  grpc_metadata_batch sent_trailers_;
  bool sent_trailers_ok_ = false;
  grpc_metadata_batch metadata_;
  Done metadata_ready_;
  bool trailers_only_ = false;
  std::optional<SliceBuffer> message_;
  uint32_t flags_ = 0;
  bool failed_ = false;
  std::unique_ptr<Done> message_ready_;
  grpc_metadata_batch trailers_;
  Done trailers_ready_;
};

class Watcher final : public grpc_core::ConnectivityStateWatcherInterface {
 public:
  explicit Watcher(grpc_connectivity_state* state) : state_(state) {}
  void Notify(grpc_connectivity_state state, const absl::Status&) override {
    *state_ = state;
  }

 private:
  grpc_connectivity_state* const state_;
};

class InprocTest : public testing::Test {
 protected:
  void SetUp() override {
    connection_ = grpc_core::MakeRefCounted<InprocConnection>(1000, 2000);
    client_end_ = grpc_core::MakeOrphanable<InprocTransport>(connection_, true);
    server_end_ =
        grpc_core::MakeOrphanable<InprocTransport>(connection_, false);
    grpc_transport_op* op = grpc_make_transport_op(nullptr);
    op->set_accept_stream = true;
    op->set_accept_stream_fn = [](void* self, grpc_core::Transport*,
                                  const void* data) {
      static_cast<InprocTest*>(self)->Accept(data);
    };
    op->set_accept_stream_user_data = this;
    server_end_->PerformOp(op);
    client_end_->StartConnectivityWatch(
        grpc_core::MakeOrphanable<Watcher>(&client_state_));
    server_end_->StartConnectivityWatch(
        grpc_core::MakeOrphanable<Watcher>(&server_state_));
  }

  void Accept(const void* data) {
    servers_.push_back(std::make_unique<Side>(server_end_.get(), data));
  }
  std::unique_ptr<Side> NewCall() {
    return std::make_unique<Side>(client_end_.get(), nullptr);
  }
  // A call that has been accepted; the server's side is server().
  std::unique_ptr<Side> OpenCall() {
    auto client = NewCall();
    EXPECT_TRUE(client->SendMetadata("k", "v")->ok());
    EXPECT_EQ(servers_.size(), 1u);
    return client;
  }
  Side& server() { return *servers_.back(); }

  void Drain() {
    grpc_transport_op* op = grpc_make_transport_op(nullptr);
    op->goaway_error = absl::UnavailableError("stops");
    server_end_->PerformOp(op);
    ExecCtx::Get()->Flush();
  }

  ExecCtx exec_ctx_;
  grpc_core::RefCountedPtr<InprocConnection> connection_;
  grpc_core::OrphanablePtr<InprocTransport> client_end_;
  grpc_core::OrphanablePtr<InprocTransport> server_end_;
  grpc_connectivity_state client_state_ = GRPC_CHANNEL_IDLE;
  grpc_connectivity_state server_state_ = GRPC_CHANNEL_IDLE;
  std::vector<std::unique_ptr<Side>> servers_;
};

TEST_F(InprocTest, TheServersSideComesWithTheMetadata) {
  auto client = NewCall();
  EXPECT_TRUE(servers_.empty());
  EXPECT_TRUE(client->SendMetadata("key", "value")->ok());
  ASSERT_EQ(servers_.size(), 1u);
  server().WantMetadata();
  EXPECT_TRUE(server().metadata_ready().ok());
  EXPECT_EQ(server().metadata("key"), "value");
}

TEST_F(InprocTest, WhatIsWantedCompletesWhenItComes) {
  auto client = OpenCall();
  client->WantMetadata();
  client->WantMessage();
  client->WantTrailers();
  EXPECT_FALSE(client->metadata_ready().status().has_value());
  EXPECT_TRUE(server().SendMetadata("s", "1")->ok());
  EXPECT_TRUE(client->metadata_ready().ok());
  EXPECT_EQ(client->metadata("s"), "1");
  EXPECT_FALSE(client->message_ready().status().has_value());
  EXPECT_TRUE(server().SendMessage("text")->ok());
  EXPECT_EQ(client->message(), "text");
  EXPECT_FALSE(client->trailers_ready().status().has_value());
  EXPECT_TRUE(server().SendTrailers(GRPC_STATUS_OK)->ok());
  EXPECT_TRUE(client->trailers_ready().ok());
  EXPECT_EQ(client->status(), GRPC_STATUS_OK);
  EXPECT_TRUE(server().sent_trailers());
}

TEST_F(InprocTest, MessagesWaitInOrderAndTrailersBehindThem) {
  auto client = OpenCall();
  client->WantTrailers();
  for (const char* text : {"1", "2", "3"}) {
    EXPECT_TRUE(server().SendMessage(text)->ok());
  }
  EXPECT_TRUE(server().SendTrailers(GRPC_STATUS_ABORTED)->ok());
  for (const char* text : {"1", "2", "3"}) {
    EXPECT_FALSE(client->trailers_ready().status().has_value());
    client->WantMessage();
    EXPECT_EQ(client->message(), text);
  }
  EXPECT_EQ(client->status(), GRPC_STATUS_ABORTED);
  client->WantMessage();
  EXPECT_TRUE(client->message_ready().ok());
  EXPECT_EQ(client->message(), "none");
  EXPECT_FALSE(client->failed());
}

TEST_F(InprocTest, ASendWaitsWhileThePeerHasMuch) {
  auto client = OpenCall();
  const std::string big(3 << 20, 'x');
  EXPECT_TRUE(client->SendMessage(big)->ok());
  auto second = client->SendMessage(big);
  EXPECT_FALSE(second->status().has_value());
  server().WantMessage();
  EXPECT_TRUE(second->ok());
  EXPECT_EQ(server().message().size(), big.size());
}

TEST_F(InprocTest, ASendThatWaitsEndsWithTheCall) {
  const std::string big(5 << 20, 'x');
  {
    auto client = OpenCall();
    auto waiting = client->SendMessage(big);
    EXPECT_FALSE(waiting->status().has_value());
    server().SendTrailers(GRPC_STATUS_OK);
    EXPECT_TRUE(waiting->ok());
    EXPECT_TRUE(client->SendMessage("late")->ok());
    servers_.clear();
  }
  auto client = OpenCall();
  auto waiting = client->SendMessage(big);
  client->Cancel(absl::CancelledError("enough"));
  ASSERT_TRUE(waiting->status().has_value());
  EXPECT_FALSE(waiting->ok());
}

TEST_F(InprocTest, AClientThatCancelsEndsBothSides) {
  auto client = OpenCall();
  client->WantMetadata();
  client->WantMessage();
  client->WantTrailers();
  server().WantMessage();
  server().WantTrailers();
  EXPECT_TRUE(client->Cancel(absl::DeadlineExceededError("too late"))->ok());
  EXPECT_TRUE(client->metadata_ready().ok());
  EXPECT_TRUE(client->trailers_only());
  EXPECT_TRUE(client->failed());
  EXPECT_EQ(client->status(), GRPC_STATUS_DEADLINE_EXCEEDED);
  EXPECT_EQ(client->details(), "too late");
  EXPECT_TRUE(server().failed());
  EXPECT_EQ(server().status(), GRPC_STATUS_CANCELLED);
  EXPECT_FALSE(server().SendTrailers(GRPC_STATUS_OK)->ok());
  EXPECT_FALSE(server().sent_trailers());
}

TEST_F(InprocTest, ACallThatIsCancelledBeforeItIsSentNeverArrives) {
  auto client = NewCall();
  client->Cancel(absl::CancelledError("never mind"));
  EXPECT_FALSE(client->SendMetadata("k", "v")->ok());
  EXPECT_TRUE(servers_.empty());
  client->WantTrailers();
  EXPECT_EQ(client->status(), GRPC_STATUS_CANCELLED);
}

TEST_F(InprocTest, AServerThatCancelsSaysWhy) {
  auto client = OpenCall();
  client->WantTrailers();
  server().WantTrailers();
  server().Cancel(absl::ResourceExhaustedError("full"));
  EXPECT_EQ(client->status(), GRPC_STATUS_RESOURCE_EXHAUSTED);
  EXPECT_EQ(client->details(), "full");
  EXPECT_TRUE(server().trailers_ready().ok());
}

TEST_F(InprocTest, AServerHearsOfTheEndWhenBothHaveSaidAll) {
  auto client = OpenCall();
  server().WantTrailers();
  EXPECT_TRUE(client->SendTrailers(std::nullopt)->ok());
  server().WantMessage();
  EXPECT_TRUE(server().message_ready().ok());
  EXPECT_FALSE(server().trailers_ready().status().has_value());
  server().SendTrailers(GRPC_STATUS_OK);
  EXPECT_TRUE(server().trailers_ready().ok());
}

TEST_F(InprocTest, TooMuchMetadataEndsTheCall) {
  {
    auto client = NewCall();
    EXPECT_FALSE(client->SendMetadata("k", std::string(3000, 'x'))->ok());
    EXPECT_TRUE(servers_.empty());
    client->WantTrailers();
    EXPECT_EQ(client->status(), GRPC_STATUS_RESOURCE_EXHAUSTED);
  }
  auto client = OpenCall();
  client->WantTrailers();
  EXPECT_FALSE(server().SendMetadata("k", std::string(1500, 'x'))->ok());
  EXPECT_EQ(client->status(), GRPC_STATUS_RESOURCE_EXHAUSTED);
}

TEST_F(InprocTest, TheConnectionOfAServerThatStopsClosesWithTheLastCall) {
  EXPECT_EQ(client_state_, GRPC_CHANNEL_READY);
  auto client = OpenCall();
  Drain();
  EXPECT_EQ(client_state_, GRPC_CHANNEL_TRANSIENT_FAILURE);
  EXPECT_EQ(server_state_, GRPC_CHANNEL_READY);
  auto late = NewCall();
  late->WantTrailers();
  EXPECT_FALSE(late->SendMetadata("k", "v")->ok());
  EXPECT_EQ(late->status(), GRPC_STATUS_UNAVAILABLE);
  EXPECT_EQ(servers_.size(), 1u);
  EXPECT_TRUE(server().SendMessage("goes on")->ok());
  server().SendTrailers(GRPC_STATUS_OK);
  EXPECT_EQ(client_state_, GRPC_CHANNEL_SHUTDOWN);
  EXPECT_EQ(server_state_, GRPC_CHANNEL_SHUTDOWN);
  client->WantMessage();
  EXPECT_EQ(client->message(), "goes on");
}

TEST_F(InprocTest, AServerThatDisconnectsEndsItsCalls) {
  auto client = OpenCall();
  client->WantTrailers();
  server().WantTrailers();
  server_end_->DisconnectWithError(absl::UnknownError("now"));
  ExecCtx::Get()->Flush();
  EXPECT_EQ(client->status(), GRPC_STATUS_UNAVAILABLE);
  EXPECT_TRUE(server().trailers_ready().ok());
  EXPECT_EQ(server_state_, GRPC_CHANNEL_SHUTDOWN);
}

TEST_F(InprocTest, AServerHearsThatTheChannelHasGone) {
  auto client = OpenCall();
  client_end_->DisconnectWithError(absl::UnknownError("Channel Destroyed"));
  EXPECT_TRUE(client->SendMessage("goes on")->ok());
  server().SendTrailers(GRPC_STATUS_OK);
  client.reset();
  servers_.clear();
  ExecCtx::Get()->Flush();
  EXPECT_EQ(server_state_, GRPC_CHANNEL_SHUTDOWN);
}

TEST_F(InprocTest, EitherSideMayGoFirst) {
  for (const bool client_first : {true, false}) {
    auto client = OpenCall();
    client->SendTrailers(std::nullopt);
    server().SendMessage("unread");
    server().SendTrailers(GRPC_STATUS_OK);
    if (client_first) client.reset();
    servers_.clear();
  }
}

}  // namespace
}  // namespace uvgrpc
