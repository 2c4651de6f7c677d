// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "services.h"

#include "bench.grpc.pb.h"

namespace {

constexpr int kReplies = 1000;  // of a streaming call

void Answer(const bench::Request& request, bench::Reply* reply) {
  reply->set_message("Hello, " + request.name() + "!");
}

class Unary final : public bench::Unary::CallbackService {
  grpc::ServerUnaryReactor* SayHello(grpc::CallbackServerContext* context,
                                     const bench::Request* request,
                                     bench::Reply* reply) override {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    if (request->sleep_millisecond() != 0) {
      reactor->Finish(
          {grpc::StatusCode::UNIMPLEMENTED, "this peer does not sleep"});
    } else {
      Answer(*request, reply);
      reactor->Finish(grpc::Status::OK);
    }
    return reactor;
  }
};

// Owns itself until the call is done, as the other reactor does.
class StreamingReactor final : public grpc::ServerWriteReactor<bench::Reply> {
 public:
  explicit StreamingReactor(const bench::Request* request) : request_(request) {
    Write();
  }

 private:
  void OnWriteDone(bool ok) override {
    if (!ok) {
      Finish({grpc::StatusCode::CANCELLED, "the client has gone"});
    } else if (++written_ == kReplies) {
      Finish(grpc::Status::OK);
    } else {
      Write();
    }
  }

  void OnDone() override { delete this; }

  void Write() {
    Answer(*request_, &reply_);
    StartWrite(&reply_);
  }

  const bench::Request* request_;
  bench::Reply reply_;
  int written_ = 0;
};

class Streaming final : public bench::Streaming::CallbackService {
  grpc::ServerWriteReactor<bench::Reply>* SayHello(
      grpc::CallbackServerContext* /*context*/,
      const bench::Request* request) override {
    return new StreamingReactor(request);
  }
};

class PingPongReactor final
    : public grpc::ServerBidiReactor<bench::Request, bench::Reply> {
 public:
  PingPongReactor() { StartRead(&request_); }

 private:
  void OnReadDone(bool ok) override {
    if (!ok) {
      Finish(grpc::Status::OK);
      return;
    }
    Answer(request_, &reply_);
    StartWrite(&reply_);
  }

  void OnWriteDone(bool ok) override {
    if (!ok) {
      Finish({grpc::StatusCode::CANCELLED, "the client has gone"});
      return;
    }
    StartRead(&request_);
  }

  void OnDone() override { delete this; }

  bench::Request request_;
  bench::Reply reply_;
};

class PingPong final : public bench::PingPong::CallbackService {
  grpc::ServerBidiReactor<bench::Request, bench::Reply>* SayHello(
      grpc::CallbackServerContext* /*context*/) override {
    return new PingPongReactor();
  }
};

class Echo final : public bench::Echo::CallbackService {
  grpc::ServerUnaryReactor* Repeat(grpc::CallbackServerContext* context,
                                   const bench::Payload* request,
                                   bench::Payload* reply) override {
    reply->set_data(request->data());
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
};

}  // namespace

std::unique_ptr<grpc::Service> MakeService(std::string_view name) {
  if (name == "unary") return std::make_unique<Unary>();
  if (name == "streaming") return std::make_unique<Streaming>();
  if (name == "pingpong") return std::make_unique<PingPong>();
  if (name == "echo") return std::make_unique<Echo>();
  return nullptr;
}
