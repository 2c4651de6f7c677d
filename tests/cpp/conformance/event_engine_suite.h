// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// What any EventEngine must do, as tests that know only its public interface.
//
// A suite is run once for each way of having an engine (main.cc): under test is
// one engine, at the other end of its connections is an oracle that is simple
// enough to be trusted. The test's thread calls both; where callbacks run is
// the engine's affair, so everything they touch is atomic, locked, or read only
// after a notification.

#ifndef UVGRPC_TESTS_CPP_CONFORMANCE_EVENT_ENGINE_SUITE_H_
#define UVGRPC_TESTS_CPP_CONFORMANCE_EVENT_ENGINE_SUITE_H_

#include <grpc/event_engine/event_engine.h>
#include <grpc/event_engine/slice_buffer.h>

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <ostream>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "gtest/gtest.h"
#include "src/core/lib/event_engine/channel_args_endpoint_config.h"

namespace uvgrpc::conformance {

using grpc_event_engine::experimental::EventEngine;
using grpc_event_engine::experimental::SliceBuffer;

// An engine that runs, and the means to wait for it.
class RunningEngine {
 public:
  // Stops it, and checks that nothing of it is left.
  virtual ~RunningEngine() = default;

  virtual EventEngine& engine() = 0;

  // Waits while the engine makes progress. False on time-out.
  virtual bool Wait(absl::Notification& notification) = 0;

  // Waits until no socket of the engine is open. False on time-out.
  virtual bool WaitUntilIdle() { return true; }
};

using EngineFactory = std::function<std::unique_ptr<RunningEngine>()>;

struct SuiteParam {
  std::string name;
  EngineFactory make_engine;
  EngineFactory make_oracle;
};
inline std::ostream& operator<<(std::ostream& out, const SuiteParam& param) {
  return out << param.name;
}

// A value that comes later, from any thread, once.
template <typename T>
class Later {
 public:
  void Set(T value) {
    value_ = std::move(value);
    ready_.Notify();
  }
  absl::Notification& ready() { return ready_; }
  bool is_set() const { return ready_.HasBeenNotified(); }
  T& value() { return *value_; }

 private:
  absl::Notification ready_;
  std::optional<T> value_;
};

// Notifies when it was told `count` times.
class Countdown {
 public:
  explicit Countdown(int count) : left_(count) {}
  void Done() {
    if (left_.fetch_sub(1) == 1) zero_.Notify();
  }
  int left() const { return left_; }
  absl::Notification& zero() { return zero_; }

 private:
  std::atomic<int> left_;
  absl::Notification zero_;
};

class EventEngineSuite : public testing::TestWithParam<SuiteParam> {
 protected:
  using Endpoint = EventEngine::Endpoint;
  using EndpointPtr = std::unique_ptr<Endpoint>;

  EventEngineSuite();
  // Checks that the engine has let go of everything.
  ~EventEngineSuite() override;

  EventEngine& engine() { return under_test_->engine(); }
  EventEngine& oracle() { return oracle_->engine(); }

  // Waits with the engine under test making progress.
  [[nodiscard]] bool Wait(absl::Notification& notification) {
    return under_test_->Wait(notification);
  }

  // A listener that hands out what it accepts.
  struct Server {
    EventEngine::ResolvedAddress address;
    std::unique_ptr<EventEngine::Listener> listener;
    Later<absl::Status> shutdown;

    absl::Mutex mu;
    std::vector<EndpointPtr> accepted;                 // guarded by mu
    std::unique_ptr<absl::Notification> one_accepted;  // guarded by mu
    int accepted_in_all = 0;                           // guarded by mu
    int accepted_after_shutdown = 0;                   // guarded by mu
  };
  // Listens at each of the addresses; address is that of the first.
  std::shared_ptr<Server> Serve(EventEngine& engine,
                                const std::vector<std::string>& uris);
  // The next connection; null on time-out.
  EndpointPtr TakeAccepted(Server& server);

  // Waits for the connection.
  absl::StatusOr<EndpointPtr> Connect(
      EventEngine& engine, const EventEngine::ResolvedAddress& address,
      EventEngine::Duration timeout = std::chrono::seconds(20));

  // A connection between the two engines: first the end under test.
  struct Connection {
    EndpointPtr mine;
    EndpointPtr oracles;
  };
  Connection ConnectToOracle(const std::string& uri);
  Connection ConnectFromOracle(const std::string& uri);

  // Sends `data` one way and checks what arrives, and that each callback comes
  // once and not inside the call.
  void Transfer(Endpoint& from, Endpoint& to, const std::string& data);
  // `rounds` messages of random sizes in both directions in turn.
  void PingPong(Connection& connection, int rounds, size_t max_size);
  // Sends in both directions at the same time.
  void ExchangeAtOnce(Connection& connection, size_t size);

  // Starts to write all of `data`; `done` gets the result.
  static void StartWrite(Endpoint& endpoint, const std::string& data,
                         std::shared_ptr<Later<absl::Status>> done);
  // Starts to read `size` bytes; `done` gets them, or the error.
  static void StartRead(
      Endpoint& endpoint, size_t size,
      std::shared_ptr<Later<absl::StatusOr<std::string>>> done);

  // Where connections are tried: each family that this machine has.
  static std::vector<std::string> ListenUris();

  std::string RandomText(size_t size);

  const grpc_event_engine::experimental::ChannelArgsEndpointConfig config_{
      grpc_core::ChannelArgs()};
  std::mt19937 random_{20260101};

 private:
  std::unique_ptr<RunningEngine> under_test_;
  std::unique_ptr<RunningEngine> oracle_;
};

// Run with an engine that is made once for each test.
class TimerSuite : public EventEngineSuite {};
class ClientSuite : public EventEngineSuite {};
class ServerSuite : public EventEngineSuite {};
class DnsSuite : public EventEngineSuite {};

}  // namespace uvgrpc::conformance

#endif  // UVGRPC_TESTS_CPP_CONFORMANCE_EVENT_ENGINE_SUITE_H_
