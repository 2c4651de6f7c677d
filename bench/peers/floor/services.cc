// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "bench/peers/floor/services.h"

#include <deque>
#include <optional>
#include <string>
#include <utility>

#include "bench/peers/floor/messages.h"

namespace uvgrpc::bench {
namespace {

constexpr int kReplies = 1000;  // of a streaming call
// Of src/bindings: what a writer may gather before it leaves as one write, and
// what a reader may be behind.
constexpr int kGathered = 64;
constexpr size_t kReadAhead = 16;

class Unary final : public Call {
 public:
  explicit Unary(Host* host) : Call(host) {}

 private:
  void Begin() override {
    const std::optional<Request> request = ParseRequest(this->request());
    if (!request.has_value()) {
      End(GRPC_STATUS_INTERNAL, "not a Request");
    } else if (request->sleep_millisecond != 0) {
      End(GRPC_STATUS_UNIMPLEMENTED, "this peer does not sleep");
    } else {
      Send(Greet(request->name), 0, More::kLast);
    }
  }
};

class Echo final : public Call {
 public:
  explicit Echo(Host* host) : Call(host) {}

 private:
  void Begin() override {
    const std::optional<std::string> data = ParsePayload(request());
    if (!data.has_value()) {
      End(GRPC_STATUS_INTERNAL, "not a Payload");
    } else {
      Send(SerializePayload(*data), 0, More::kLast);
    }
  }
};

class Streaming final : public Call {
 public:
  explicit Streaming(Host* host) : Call(host) {}

 private:
  void Begin() override {
    const std::optional<Request> request = ParseRequest(this->request());
    if (!request.has_value()) {
      End(GRPC_STATUS_INTERNAL, "not a Request");
      return;
    }
    name_ = request->name;
    WaitForEnd();
    SendNext();
  }

  void HandleSent(bool ok) override {
    if (!ok) {
      End(GRPC_STATUS_CANCELLED, "the client has gone");
    } else {
      SendNext();
    }
  }

  void SendNext() {
    const bool leaves = sent_ % kGathered == 0;  // so does the first
    ++sent_;
    Send(Greet(name_), leaves ? 0 : GRPC_WRITE_BUFFER_HINT,
         sent_ == kReplies ? More::kLast : More::kYes);
  }

  std::string name_;
  int sent_ = 0;
};

class PingPong final : public Call {
 public:
  explicit PingPong(Host* host) : Call(host) {}

 private:
  void Begin() override {
    WaitForEnd();
    ReceiveNext();
  }

  void HandleMessage(grpc_byte_buffer* message) override {
    receiving_ = false;
    const std::optional<Request> request = ParseRequest(message);
    if (request.has_value()) {
      replies_.push_back(Greet(request->name));
    } else {
      ended_ = true;
    }
    SendNext();
    ReceiveNext();
  }

  void HandleSent(bool ok) override {
    sending_ = false;
    if (!ok) {
      ended_ = true;
      while (!replies_.empty()) {
        grpc_slice_unref(replies_.front());
        replies_.pop_front();
      }
    }
    SendNext();
    ReceiveNext();
  }

  void SendNext() {
    if (sending_) return;
    if (!replies_.empty()) {
      sending_ = true;
      const grpc_slice reply = replies_.front();
      replies_.pop_front();
      Send(reply, 0, More::kYes);
    } else if (ended_ && !std::exchange(status_sent_, true)) {
      End(GRPC_STATUS_OK);
    }
  }

  void ReceiveNext() {
    if (receiving_ || ended_ || replies_.size() >= kReadAhead) return;
    receiving_ = true;
    Receive();
  }

  std::deque<grpc_slice> replies_;
  bool receiving_ = false;
  bool sending_ = false;
  bool ended_ = false;
  bool status_sent_ = false;
};

template <typename T>
Call* New(Host* host) {
  return new T(host);
}

constexpr Service kServices[] = {
    {"unary", "/bench.Unary/SayHello", true, &New<Unary>},
    {"streaming", "/bench.Streaming/SayHello", true, &New<Streaming>},
    {"pingpong", "/bench.PingPong/SayHello", false, &New<PingPong>},
    {"echo", "/bench.Echo/Repeat", true, &New<Echo>},
};

}  // namespace

const Service* FindService(std::string_view name) {
  for (const Service& service : kServices) {
    if (service.name == name) return &service;
  }
  return nullptr;
}

}  // namespace uvgrpc::bench
