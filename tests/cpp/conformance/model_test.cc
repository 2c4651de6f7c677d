// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// Random sequences of all that an engine does, from two threads, with an oracle
// at the other end of every connection, until the loop closes under them. A
// model says what must come of each step.
//
// UVGRPC_MODEL_SECONDS: how long (8 by default). UVGRPC_MODEL_SEED: the first
// seed; a sequence that fails prints its own, and its steps.
// UVGRPC_MODEL_ORACLE puts the oracle in the engine's place: what fails then is
// wrong with the model.

#include <grpc/event_engine/slice_buffer.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <deque>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/synchronization/mutex.h"
#include "gtest/gtest.h"
#include "src/core/lib/event_engine/channel_args_endpoint_config.h"
#include "src/core/lib/event_engine/tcp_socket_utils.h"
#include "src/iomgr_uv/orphan_queue.h"
#include "tests/cpp/conformance/event_engine_suite.h"
#include "tests/cpp/conformance/running_engines.h"
#include "tests/cpp/socket_helpers.h"

namespace uvgrpc::conformance {
namespace {

using grpc_event_engine::experimental::ChannelArgsEndpointConfig;
using grpc_event_engine::experimental::MemoryAllocator;
using Endpoint = EventEngine::Endpoint;
using EndpointPtr = std::unique_ptr<Endpoint>;

constexpr std::chrono::seconds kLimit{30};

const ChannelArgsEndpointConfig& Config() {
  static const ChannelArgsEndpointConfig config{grpc_core::ChannelArgs()};
  return config;
}

int NumberFrom(const char* variable, int fallback) {
  const char* text = std::getenv(variable);
  return text == nullptr ? fallback : std::atoi(text);
}

// A callback that is owed: at least `least`, at most `most` times.
struct Owed {
  std::string what;
  std::atomic<int> calls{0};
  std::atomic<int> least{1};
  std::atomic<int> most{1};
};

// Bytes one way.
struct Stream {
  absl::Mutex mu;
  std::string sent;
  std::string received;
  std::atomic<bool> broken{false};  // an end was destroyed, or failed

  bool IsComplete() {
    absl::MutexLock lock(mu);
    return sent.size() == received.size();
  }
  // What is wrong with what was received; empty: nothing.
  std::string Problem() {
    absl::MutexLock lock(mu);
    if (absl::StartsWith(sent, received)) return "";
    const size_t size = std::min(sent.size(), received.size());
    const auto at = std::mismatch(
        sent.begin(), sent.begin() + static_cast<long>(size), received.begin());
    return absl::StrCat("sent ", sent.size(), " bytes, received ",
                        received.size(), ", the same up to ",
                        at.first - sent.begin());
  }
};

// One end of a connection, and what its callbacks need.
struct End : std::enable_shared_from_this<End> {
  std::shared_ptr<Stream> in;
  std::shared_ptr<Stream> out;
  absl::Mutex mu;
  EndpointPtr endpoint;  // guarded by mu; destroyed without it
  SliceBuffer read_buffer;
  std::atomic<bool> reading{false};
  std::atomic<bool> writing{false};

  void Received() {
    absl::MutexLock lock(in->mu);
    in->received += Text(&read_buffer);
    read_buffer.Clear();
  }

  void Break() {
    in->broken = true;
    out->broken = true;
  }
};

// What one thread does.
class Actor {
 public:
  Actor(uint64_t seed, std::shared_ptr<EventEngine> engine,
        std::shared_ptr<EventEngine> oracle, const std::atomic<bool>* closing)
      : random_(seed),
        engine_(std::move(engine)),
        oracle_(std::move(oracle)),
        closing_(closing) {}

  void Run(int steps) {
    for (int i = 0; i < steps; ++i) Step();
  }

  // Until nothing more is owed; what can still arrive, arrives.
  void Finish(absl::FunctionRef<bool(absl::FunctionRef<bool()>)> wait) {
    if (!*closing_) {
      EXPECT_TRUE(wait([&] {
        for (const auto& end : ends_) Read(end);
        return std::all_of(ends_.begin(), ends_.end(), [](const auto& end) {
          return end->in->broken || end->in->IsComplete();
        });
      })) << "bytes are lost";
    }
    for (const auto& end : ends_) Destroy(end);
    listener_.reset();
    oracle_listener_.reset();
    EXPECT_TRUE(wait([&] {
      return std::all_of(owed_.begin(), owed_.end(), [](const auto& owed) {
        return owed->calls >= owed->least;
      });
    })) << "a callback is missing";
    for (const auto& owed : owed_) {
      EXPECT_GE(owed->calls, owed->least) << owed->what;
      EXPECT_LE(owed->calls, owed->most) << owed->what;
    }
    for (const auto& end : ends_) {
      EXPECT_EQ(end->in->Problem(), "");
    }
    accepted_.clear();
  }

  std::string log() const { return absl::StrJoin(log_, " "); }

 private:
  int Between(int low, int high) {
    return std::uniform_int_distribution<int>(low, high)(random_);
  }

  std::shared_ptr<Owed> Owe(std::string what) {
    owed_.push_back(std::make_shared<Owed>());
    owed_.back()->what = std::move(what);
    return owed_.back();
  }

  void Step() {
    switch (Between(0, 13)) {
      case 0:
        return Connect();
      case 1:
      case 2:
      case 3:
        return WithEnd("write", [this](const auto& end) { Write(end); });
      case 4:
      case 5:
      case 6:
        return WithEnd("read", [this](const auto& end) { Read(end); });
      case 7:
        if (Between(0, 2) != 0) return;
        return WithEnd("destroy", [this](const auto& end) { Destroy(end); });
      case 8:
        return Post();
      case 9:
      case 10:
        return StartTimer();
      case 11:
        return CancelTimer();
      case 12:
        return ConnectInVain();
      default:
        log_.emplace_back("pause");
        std::this_thread::sleep_for(std::chrono::microseconds(Between(0, 900)));
    }
  }

  template <typename Then>
  void WithEnd(const char* what, Then then) {
    if (ends_.empty()) return;
    const size_t index =
        static_cast<size_t>(Between(0, static_cast<int>(ends_.size()) - 1));
    log_.push_back(absl::StrCat(what, index));
    then(ends_[index]);
  }

  // A connection, made by either engine; both ends are used from then on.
  void Connect() {
    if (ends_.size() >= 12 || *closing_) return;
    const bool from_oracle = Between(0, 1) == 1;
    log_.emplace_back(from_oracle ? "accept" : "connect");
    EventEngine& client = from_oracle ? *oracle_ : *engine_;
    EventEngine& server = from_oracle ? *engine_ : *oracle_;
    auto& listener = from_oracle ? listener_ : oracle_listener_;
    auto& address = from_oracle ? address_ : oracle_address_;
    if (listener == nullptr) {
      auto down = Owe("on_shutdown");
      auto created = server.CreateListener(
          [this](EndpointPtr endpoint, MemoryAllocator) {
            absl::MutexLock lock(mu_);
            accepted_.push_back(std::move(endpoint));
          },
          [down](absl::Status) { ++down->calls; }, Config(),
          HeapAllocatorFactory());
      if (!created.ok()) {
        EXPECT_TRUE(*closing_) << created.status();
        down->least = 0;
        return;
      }
      const bool is_unix = Between(0, 2) == 0;
      address = Address(is_unix ? absl::StrCat("unix:", FreshUnixPath())
                                : "ipv4:127.0.0.1:0");
      const absl::StatusOr<int> port = (*created)->Bind(address);
      if (port.ok() && !is_unix) {
        grpc_event_engine::experimental::ResolvedAddressSetPort(address, *port);
      }
      EXPECT_TRUE((*created)->Start().ok());
      listener = *std::move(created);
    }
    struct Result {
      std::atomic<bool> done{false};
      EndpointPtr endpoint;
    };
    auto result = std::make_shared<Result>();
    auto owed = Owe("on_connect");
    client.Connect(
        [owed, result](absl::StatusOr<EndpointPtr> endpoint) {
          ++owed->calls;
          if (endpoint.ok()) result->endpoint = *std::move(endpoint);
          result->done = true;
        },
        address, Config(), MemoryAllocator(), std::chrono::seconds(20));
    EndpointPtr taken;
    const auto deadline = std::chrono::steady_clock::now() + kLimit;
    while (std::chrono::steady_clock::now() < deadline) {
      absl::MutexLock lock(mu_);
      if (taken == nullptr && !accepted_.empty()) {
        taken = std::move(accepted_.front());
        accepted_.pop_front();
      }
      if (result->done && (taken != nullptr || result->endpoint == nullptr)) {
        break;
      }
      // Whoever is not accepted by then will not be.
      if (*closing_) break;
      mu_.AwaitWithTimeout(
          absl::Condition(
              +[](std::deque<EndpointPtr>* all) { return !all->empty(); },
              &accepted_),
          absl::Milliseconds(1));
    }
    if (!result->done || taken == nullptr || result->endpoint == nullptr) {
      EXPECT_TRUE(*closing_) << "no connection";
      return;
    }
    auto one_way = std::make_shared<Stream>();
    auto other_way = std::make_shared<Stream>();
    for (EndpointPtr* endpoint : {&taken, &result->endpoint}) {
      auto end = std::make_shared<End>();
      end->in = one_way;
      end->out = other_way;
      std::swap(one_way, other_way);
      end->endpoint = std::move(*endpoint);
      ends_.push_back(std::move(end));
    }
  }

  // Where nobody listens, or nobody answers; cancelled at times.
  void ConnectInVain() {
    auto owed = Owe("on_connect of a refused address");
    const int port = Between(1, 9);
    const EventEngine::ConnectionHandle handle = engine_->Connect(
        [owed](absl::StatusOr<EndpointPtr> endpoint) {
          ++owed->calls;
          EXPECT_FALSE(endpoint.ok());
        },
        Address(absl::StrCat("ipv4:127.0.0.1:", port)), Config(),
        MemoryAllocator(), std::chrono::milliseconds(Between(1, 20'000)));
    if (Between(0, 1) == 0) return log_.emplace_back("refused"), void();
    const bool cancelled = engine_->CancelConnect(handle);
    log_.push_back(absl::StrCat("cancel-connect", cancelled));
    if (cancelled) owed->least = owed->most = 0;
  }

  void Write(const std::shared_ptr<End>& end) {
    if (end->writing.exchange(true)) return;
    const std::string text(
        static_cast<size_t>(Between(1, Between(0, 9) == 0 ? 300'000 : 5000)),
        static_cast<char>('a' + Between(0, 25)));
    SliceBuffer data;
    Append(&data, text, static_cast<size_t>(Between(100, 20'000)));
    absl::MutexLock lock(end->mu);
    if (end->endpoint == nullptr) return;
    {
      absl::MutexLock stream_lock(end->out->mu);
      end->out->sent += text;
    }
    auto owed = Owe("on_writable");
    if (end->endpoint->Write(
            [owed, end](absl::Status status) {
              ++owed->calls;
              if (!status.ok()) end->Break();
              end->writing = false;
            },
            &data, {})) {
      owed->least = owed->most = 0;
      end->writing = false;
    }
  }

  void Read(const std::shared_ptr<End>& end) {
    if (end->reading.exchange(true)) return;
    ReadOn(end);
  }

  // Reads until it has to wait.
  void ReadOn(const std::shared_ptr<End>& end) {
    while (true) {
      absl::MutexLock lock(end->mu);
      if (end->endpoint == nullptr) return;
      auto owed = Owe("on_read");
      if (!end->endpoint->Read(
              [owed, end](absl::Status status) {
                ++owed->calls;
                if (!status.ok()) return end->Break();
                end->Received();
                end->reading = false;
              },
              &end->read_buffer, {})) {
        return;
      }
      owed->least = owed->most = 0;
      end->Received();
    }
  }

  void Destroy(const std::shared_ptr<End>& end) {
    EndpointPtr endpoint;
    {
      absl::MutexLock lock(end->mu);
      endpoint = std::move(end->endpoint);
    }
    if (endpoint != nullptr) end->Break();
  }

  void Post() {
    log_.emplace_back("post");
    auto owed = Owe("a post");
    engine_->Run([owed] { ++owed->calls; });
  }

  void StartTimer() {
    auto owed = Owe("a timer");
    const auto delay = std::chrono::microseconds(Between(-5, 20'000));
    const auto due = std::chrono::steady_clock::now() + delay;
    const EventEngine::TaskHandle handle =
        engine_->RunAfter(delay, [owed, due] {
          ++owed->calls;
          EXPECT_GE(std::chrono::steady_clock::now(), due) << "too early";
        });
    log_.push_back(absl::StrCat("timer", delay.count()));
    timers_.emplace_back(handle, owed);
    // A loop that closes drops its timers.
    owed->least = 0;
  }

  void CancelTimer() {
    if (timers_.empty()) return;
    const size_t index =
        static_cast<size_t>(Between(0, static_cast<int>(timers_.size()) - 1));
    auto [handle, owed] = timers_[index];
    const bool cancelled = engine_->Cancel(handle);
    log_.push_back(absl::StrCat("cancel", index, cancelled));
    if (cancelled) {
      EXPECT_EQ(owed->calls, 0) << "cancelled after it ran";
      owed->most = 0;
    }
    timers_.erase(timers_.begin() + static_cast<std::ptrdiff_t>(index));
  }

  std::mt19937_64 random_;
  const std::shared_ptr<EventEngine> engine_;
  const std::shared_ptr<EventEngine> oracle_;
  const std::atomic<bool>* const closing_;
  std::vector<std::string> log_;
  std::vector<std::shared_ptr<Owed>> owed_;
  std::vector<std::shared_ptr<End>> ends_;
  std::vector<std::pair<EventEngine::TaskHandle, std::shared_ptr<Owed>>>
      timers_;
  std::unique_ptr<EventEngine::Listener> listener_;
  std::unique_ptr<EventEngine::Listener> oracle_listener_;
  EventEngine::ResolvedAddress address_;
  EventEngine::ResolvedAddress oracle_address_;

  absl::Mutex mu_;
  std::deque<EndpointPtr> accepted_;
};

void RunSequence(uint64_t seed) {
  std::mt19937_64 random(seed);
  const bool closes = random() % 4 == 0;
  const int steps = 20 + static_cast<int>(random() % 60);
  const auto closes_after = std::chrono::microseconds(random() % 8000);
  std::unique_ptr<RunningEngine> oracle = MakeOracle();
  std::unique_ptr<RunningEngine> running =
      NumberFrom("UVGRPC_MODEL_ORACLE", 0) != 0 ? MakeOracle()
                                                : MakeUvEngineInBackground();
  std::atomic<bool> closing{false};
  Actor first(random(), running->engine().shared_from_this(),
              oracle->engine().shared_from_this(), &closing);
  Actor second(random(), running->engine().shared_from_this(),
               oracle->engine().shared_from_this(), &closing);
  std::thread one([&] { first.Run(steps); });
  std::thread two([&] { second.Run(steps); });
  if (closes) {
    std::this_thread::sleep_for(closes_after);
    closing = true;
    running.reset();
  }
  one.join();
  two.join();
  const auto wait = [](absl::FunctionRef<bool()> condition) {
    const auto deadline = std::chrono::steady_clock::now() + kLimit;
    while (!condition()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      OrphanQueue::Get().Drain();
      std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
    return true;
  };
  first.Finish(wait);
  second.Finish(wait);
  if (running != nullptr) {
    EXPECT_TRUE(running->WaitUntilIdle());
  }
  running.reset();
  if (testing::Test::HasFailure()) {
    std::printf("UVGRPC_MODEL_SEED=%llu\n  one: %s\n  two: %s\n",
                static_cast<unsigned long long>(seed), first.log().c_str(),
                second.log().c_str());
  }
}

TEST(Model, RandomSequences) {
  uint64_t seed = static_cast<uint64_t>(NumberFrom("UVGRPC_MODEL_SEED", 1));
  const auto end = std::chrono::steady_clock::now() +
                   std::chrono::seconds(NumberFrom("UVGRPC_MODEL_SECONDS", 8));
  int count = 0;
  do {
    RunSequence(seed++);
    ++count;
  } while (!HasFailure() && std::chrono::steady_clock::now() < end);
  std::printf("%d sequences, the last of seed %llu\n", count,
              static_cast<unsigned long long>(seed - 1));
}

}  // namespace
}  // namespace uvgrpc::conformance
