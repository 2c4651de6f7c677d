// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include <grpcpp/grpcpp.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bench.grpc.pb.h"
#include "cq.h"

namespace {

using Clock = std::chrono::steady_clock;
using Queue = grpc::CompletionQueue;

[[noreturn]] void Fail(const std::string& what) {
  std::fprintf(stderr, "grpcpp_cq: %s\n", what.c_str());
  std::exit(1);
}

// Calls, or messages of streams, that the workers have finished.
struct Tally {
  long count = 0;
  std::vector<float> took;  // in microseconds
  bool stopped = false;
  int working = 0;

  void Record(Clock::time_point since) {
    ++count;
    took.push_back(
        std::chrono::duration<float, std::micro>(Clock::now() - since).count());
  }
};

// One of the callers that run side by side, and its call under way.
template <typename Service>
class Worker : public Tag {
 public:
  Worker(const std::shared_ptr<grpc::Channel>& channel, Queue* queue,
         Tally* tally)
      : stub_(Service::NewStub(channel)), queue_(queue), tally_(tally) {
    request_.set_name("you");
    ++tally_->working;
  }

 protected:
  // Another call's; the last one is over.
  grpc::ClientContext* NewContext() {
    since_ = Clock::now();
    return &context_.emplace();
  }

  void Check(const std::string& wanted) const {
    if (reply_.message() != wanted) {
      Fail("the server replied " + reply_.message());
    }
  }

  void Record() {
    Check("Hello, you!");
    tally_->Record(since_);
  }

  // Whether there is to be another call after this one.
  bool More() {
    if (!status_.ok()) Fail(status_.error_message());
    if (tally_->stopped) --tally_->working;
    return !tally_->stopped;
  }

  const std::unique_ptr<typename Service::Stub> stub_;
  Queue* const queue_;
  Tally* const tally_;
  std::optional<grpc::ClientContext> context_;
  Clock::time_point since_;
  bench::Request request_;
  bench::Reply reply_;
  grpc::Status status_;
};

class Unary final : public Worker<bench::Unary> {
 public:
  using Worker::Worker;

  void Begin() {
    call_.reset();  // lives in the call that the context holds
    call_ = stub_->AsyncSayHello(NewContext(), request_, queue_);
    call_->Finish(&reply_, &status_, this);
  }

  void Proceed(bool /*ok*/) override {
    if (status_.ok()) Record();
    if (More()) Begin();
  }

 private:
  std::unique_ptr<grpc::ClientAsyncResponseReader<bench::Reply>> call_;
};

class Streaming final : public Worker<bench::Streaming> {
 public:
  using Worker::Worker;

  void Begin() {
    call_.reset();
    state_ = kStarting;
    read_ = 0;
    call_ = stub_->AsyncSayHello(NewContext(), request_, queue_, this);
  }

  void Proceed(bool ok) override {
    if (state_ == kFinishing) {
      if (status_.ok() && read_ != kReplies) {
        Fail("a stream had " + std::to_string(read_) + " replies");
      }
      if (More()) Begin();
      return;
    }
    if (state_ == kReading && ok) {
      ++read_;
      Record();
    }
    state_ = ok ? kReading : kFinishing;
    if (ok) {
      call_->Read(&reply_, this);
    } else {
      call_->Finish(&status_, this);
    }
  }

 private:
  enum { kStarting, kReading, kFinishing } state_ = kStarting;
  int read_ = 0;
  std::unique_ptr<grpc::ClientAsyncReader<bench::Reply>> call_;
};

class PingPong final : public Worker<bench::PingPong> {
 public:
  using Worker::Worker;

  void Begin() {
    call_.reset();
    state_ = kReading;  // the stream's start is followed by a write
    call_ = stub_->AsyncSayHello(NewContext(), queue_, this);
  }

  void Proceed(bool ok) override {
    if (!ok && state_ != kFinishing) Fail("a stream ended early");
    switch (state_) {
      case kWriting:
        state_ = kReading;
        reading_ = true;
        call_->Read(&reply_, this);
        break;
      case kReading:
        if (reading_) Record();
        if (tally_->stopped) {
          state_ = kClosing;
          call_->WritesDone(this);
          break;
        }
        state_ = kWriting;
        since_ = Clock::now();
        call_->Write(request_, this);
        break;
      case kClosing:
        state_ = kFinishing;
        call_->Finish(&status_, this);
        break;
      case kFinishing:
        More();
    }
  }

 private:
  enum { kWriting, kReading, kClosing, kFinishing } state_ = kReading;
  bool reading_ = false;
  std::unique_ptr<grpc::ClientAsyncReaderWriter<bench::Request, bench::Reply>>
      call_;
};

class Upload final : public Worker<bench::Upload> {
 public:
  using Worker::Worker;

  void Begin() {
    call_.reset();
    state_ = kWriting;
    written_ = 0;
    call_ = stub_->AsyncSayHello(NewContext(), &reply_, queue_, this);
  }

  void Proceed(bool ok) override {
    if (!ok) Fail("an upload ended early");
    switch (state_) {
      case kWriting:
        if (written_ < kReplies) {
          ++written_;
          call_->Write(request_, this);
          break;
        }
        state_ = kClosing;
        call_->WritesDone(this);
        break;
      case kClosing:
        state_ = kFinishing;
        call_->Finish(&status_, this);
        break;
      case kFinishing:
        if (status_.ok()) Check("Hello, " + std::to_string(kReplies) + "!");
        tally_->count += kReplies;
        if (More()) Begin();
    }
  }

 private:
  enum { kWriting, kClosing, kFinishing } state_ = kWriting;
  int written_ = 0;
  std::unique_ptr<grpc::ClientAsyncWriter<bench::Request>> call_;
};

// Lets the workers go on until a time, or until none is left.
void Run(Queue* queue, const Tally& tally,
         std::chrono::system_clock::time_point until) {
  void* tag = nullptr;
  bool ok = false;
  while (tally.working > 0 &&
         queue->AsyncNext(&tag, &ok, until) == Queue::GOT_EVENT) {
    static_cast<Tag*>(tag)->Proceed(ok);
  }
}

rusage Usage() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage;
}

double Seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) +
         static_cast<double>(time.tv_usec) / 1e6;
}

double Cpu(const rusage& usage) {
  return Seconds(usage.ru_utime) + Seconds(usage.ru_stime);
}

long Switches(const rusage& usage) { return usage.ru_nvcsw + usage.ru_nivcsw; }

float Percentile(const std::vector<float>& sorted, size_t part) {
  return sorted.empty() ? 0 : sorted[sorted.size() * part / 100];
}

std::chrono::system_clock::time_point In(double seconds) {
  return std::chrono::system_clock::now() +
         std::chrono::duration_cast<std::chrono::system_clock::duration>(
             std::chrono::duration<double>(seconds));
}

template <typename Kind>
int Measure(const Flags& flags) {
  const std::shared_ptr<grpc::Channel> channel = grpc::CreateChannel(
      flags.at("target"), grpc::InsecureChannelCredentials());
  Queue queue;
  Tally tally;
  std::vector<std::unique_ptr<Kind>> workers(
      std::stoul(flags.at("concurrency")));
  for (std::unique_ptr<Kind>& worker : workers) {
    worker = std::make_unique<Kind>(channel, &queue, &tally);
    worker->Begin();
  }
  Run(&queue, tally, In(std::stod(flags.at("warmup"))));
  const long before = tally.count;
  tally.took.clear();
  std::puts("{\"window\": \"open\"}");
  std::fflush(stdout);
  const rusage usage = Usage();
  const Clock::time_point start = Clock::now();
  Run(&queue, tally, In(std::stod(flags.at("seconds"))));
  const std::chrono::duration<double> seconds = Clock::now() - start;
  const rusage after = Usage();
  const long count = tally.count - before;
  std::vector<float> took = std::move(tally.took);
  std::puts("{\"window\": \"closed\"}");
  std::fflush(stdout);
  tally.stopped = true;
  Run(&queue, tally, In(10));
  if (tally.working > 0) Fail("a call did not end");
  std::sort(took.begin(), took.end());
  std::printf(
      R"({"count": %ld, "seconds": %f, "cpu_seconds": %f, "context_switches": %ld, "p50_us": %f, "p99_us": %f, %s})"
      "\n",
      count, seconds.count(), Cpu(after) - Cpu(usage),
      Switches(after) - Switches(usage), Percentile(took, 50),
      Percentile(took, 99), Versions().c_str());
  return 0;
}

}  // namespace

int Load(const Flags& flags) {
  const std::string& name = flags.at("load");
  if (name == "unary" || name == "latency") return Measure<Unary>(flags);
  if (name == "streaming") return Measure<Streaming>(flags);
  if (name == "pingpong") return Measure<PingPong>(flags);
  if (name == "upload") return Measure<Upload>(flags);
  return NotYet("grpc++ has no such load here");
}
