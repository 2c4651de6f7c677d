// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "callback_services.h"

#include <grpcpp/alarm.h>

#include "bench.grpc.pb.h"
#include "bench.h"

namespace {

// Owns itself until the call is done, as the other reactors do.
class SleepingReactor final : public grpc::ServerUnaryReactor {
 public:
  explicit SleepingReactor(int milliseconds) {
    alarm_.Set(std::chrono::system_clock::now() +
                   std::chrono::milliseconds(milliseconds),
               [this](bool /*ok*/) { Finish(grpc::Status::OK); });
  }

 private:
  void OnDone() override { delete this; }

  grpc::Alarm alarm_;
};

class Unary final : public bench::Unary::CallbackService {
  grpc::ServerUnaryReactor* SayHello(grpc::CallbackServerContext* context,
                                     const bench::Request* request,
                                     bench::Reply* reply) override {
    Answer(*request, reply);
    if (request->sleep_millisecond() != 0) {
      return new SleepingReactor(request->sleep_millisecond());
    }
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
};

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

class UploadReactor final : public grpc::ServerReadReactor<bench::Request> {
 public:
  explicit UploadReactor(bench::Reply* reply) : reply_(reply) {
    StartRead(&request_);
  }

 private:
  void OnReadDone(bool ok) override {
    if (ok) {
      ++read_;
      StartRead(&request_);
    } else {
      Answer(read_, reply_);
      Finish(grpc::Status::OK);
    }
  }

  void OnDone() override { delete this; }

  bench::Reply* reply_;
  bench::Request request_;
  int read_ = 0;
};

class Upload final : public bench::Upload::CallbackService {
  grpc::ServerReadReactor<bench::Request>* SayHello(
      grpc::CallbackServerContext* /*context*/, bench::Reply* reply) override {
    return new UploadReactor(reply);
  }
};

}  // namespace

std::unique_ptr<grpc::Service> MakeService(std::string_view name) {
  if (name == "unary" || name == "sleeping") return std::make_unique<Unary>();
  if (name == "streaming") return std::make_unique<Streaming>();
  if (name == "pingpong") return std::make_unique<PingPong>();
  if (name == "echo") return std::make_unique<Echo>();
  if (name == "upload") return std::make_unique<Upload>();
  return nullptr;
}
