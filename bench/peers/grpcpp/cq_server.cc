// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include <grpcpp/alarm.h>
#include <grpcpp/grpcpp.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <memory>
#include <thread>

#include "bench.grpc.pb.h"
#include "cq.h"

namespace {

using Queue = grpc::ServerCompletionQueue;

// A call owns itself. It is made to wait for a client; when one has come,
// Begin() makes the next to wait.
template <typename Derived, typename Service>
class Call : public Tag {
 public:
  Call(Service* service, Queue* queue) : service_(service), queue_(queue) {}

  // The end of a call is the operation that follows done_, or that fails.
  void Proceed(bool ok) final {
    if (done_ || (!ok && !begun_)) {
      delete this;
    } else if (begun_) {
      Next(ok);
    } else {
      begun_ = true;
      (new Derived(service_, queue_))->Wait();
      Next(true);
    }
  }

 protected:
  virtual void Next(bool ok) = 0;

  // The tag of the operation that ends the call.
  void* Last() {
    done_ = true;
    return this;
  }

  Service* const service_;
  Queue* const queue_;
  grpc::ServerContext context_;
  bench::Request request_;
  bench::Reply reply_;

 private:
  bool begun_ = false;
  bool done_ = false;
};

class Unary final : public Call<Unary, bench::Unary::AsyncService> {
 public:
  using Call::Call;

  void Wait() {
    service_->RequestSayHello(&context_, &request_, &writer_, queue_, queue_,
                              this);
  }

 private:
  void Next(bool /*ok*/) override {
    const int sleep = request_.sleep_millisecond();
    if (sleep != 0 && !slept_) {
      slept_ = true;
      alarm_.Set(
          queue_,
          std::chrono::system_clock::now() + std::chrono::milliseconds(sleep),
          this);
      return;
    }
    Answer(request_, &reply_);
    writer_.Finish(reply_, grpc::Status::OK, Last());
  }

  grpc::ServerAsyncResponseWriter<bench::Reply> writer_{&context_};
  grpc::Alarm alarm_;
  bool slept_ = false;
};

class Streaming final : public Call<Streaming, bench::Streaming::AsyncService> {
 public:
  using Call::Call;

  void Wait() {
    service_->RequestSayHello(&context_, &request_, &writer_, queue_, queue_,
                              this);
  }

 private:
  void Next(bool ok) override {
    if (!ok || written_ == kReplies) {
      writer_.Finish(grpc::Status::OK, Last());
      return;
    }
    ++written_;
    Answer(request_, &reply_);
    writer_.Write(reply_, this);
  }

  grpc::ServerAsyncWriter<bench::Reply> writer_{&context_};
  int written_ = 0;
};

class PingPong final : public Call<PingPong, bench::PingPong::AsyncService> {
 public:
  using Call::Call;

  void Wait() {
    service_->RequestSayHello(&context_, &stream_, queue_, queue_, this);
  }

 private:
  void Next(bool ok) override {
    if (!ok) {
      stream_.Finish(grpc::Status::OK, Last());
    } else if (reading_) {
      reading_ = false;
      Answer(request_, &reply_);
      stream_.Write(reply_, this);
    } else {
      reading_ = true;
      stream_.Read(&request_, this);
    }
  }

  grpc::ServerAsyncReaderWriter<bench::Reply, bench::Request> stream_{
      &context_};
  bool reading_ = false;
};

class Upload final : public Call<Upload, bench::Upload::AsyncService> {
 public:
  using Call::Call;

  void Wait() {
    service_->RequestSayHello(&context_, &reader_, queue_, queue_, this);
  }

 private:
  void Next(bool ok) override {
    if (!ok) {
      Answer(read_, &reply_);
      reader_.Finish(reply_, grpc::Status::OK, Last());
      return;
    }
    read_ += reading_;
    reading_ = true;
    reader_.Read(&request_, this);
  }

  grpc::ServerAsyncReader<bench::Reply, bench::Request> reader_{&context_};
  int read_ = 0;
  bool reading_ = false;
};

template <typename FirstCall, typename Service>
int Run(const Flags& flags) {
  BlockStop();
  Service service;
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", Credentials(flags), &port);
  builder.RegisterService(&service);
  std::unique_ptr<Queue> queue = builder.AddCompletionQueue();
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr || port == 0) {
    std::fprintf(stderr, "the server did not start\n");
    return 1;
  }
  (new FirstCall(&service, queue.get()))->Wait();
  std::thread([&queue] {
    void* tag = nullptr;
    bool ok = false;
    while (queue->Next(&tag, &ok)) static_cast<Tag*>(tag)->Proceed(ok);
  }).detach();
  PrintPort(port);
  WaitForStop();
  std::printf("{}\n");
  std::fflush(stdout);
  _exit(0);  // calls may be under way: the process takes them with it
}

}  // namespace

int Serve(const Flags& flags) {
  const std::string& name = flags.at("service");
  if (name == "unary" || name == "sleeping") {
    return Run<Unary, bench::Unary::AsyncService>(flags);
  }
  if (name == "streaming") {
    return Run<Streaming, bench::Streaming::AsyncService>(flags);
  }
  if (name == "pingpong") {
    return Run<PingPong, bench::PingPong::AsyncService>(flags);
  }
  if (name == "upload") return Run<Upload, bench::Upload::AsyncService>(flags);
  return NotYet("grpc++ has no such service here");
}
