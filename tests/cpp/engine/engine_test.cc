// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// The public header, with nothing else of uvgrpc's.

#include "uvgrpc/engine.h"

#include <grpc/grpc.h>
#include <uv.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "examples/cpp-libuv/rpc.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace uvgrpc {
namespace {

using example::Channel;
using example::Outcome;
using example::Server;
using std::chrono::milliseconds;
using testing::HasSubstr;

constexpr char kEcho[] = "/test/Echo";
constexpr char kNever[] = "/test/Never";
constexpr milliseconds kLong{10'000};

// A loop with an engine, run until it has nothing to wait for.
class LoopWithEngine {
 public:
  LoopWithEngine() {
    EXPECT_EQ(uv_loop_init(&loop_), 0);
    std::string error;
    engine_ = Engine::Create(&loop_, &error);
    EXPECT_NE(engine_, nullptr) << error;
  }
  ~LoopWithEngine() {
    EXPECT_EQ(engine_->Close(), 0);
    EXPECT_EQ(engine_->Close(), 0);
    engine_.reset();
    Run();
    EXPECT_EQ(uv_loop_close(&loop_), 0);
  }

  uv_loop_t* loop() { return &loop_; }
  Engine* engine() { return engine_.get(); }
  void Run() { uv_run(&loop_, UV_RUN_DEFAULT); }
  bool RunOnce() { return uv_run(&loop_, UV_RUN_NOWAIT) != 0; }

 private:
  uv_loop_t loop_;
  std::unique_ptr<Engine> engine_;
};

std::unique_ptr<Server> NewServer(Engine* engine) {
  return std::make_unique<Server>(
      engine, std::map<std::string, Server::Handler>{
                  {kEcho, [](std::string text,
                             const Server::Answer& answer) { answer(text); }},
                  {kNever, [](const std::string&, const Server::Answer&) {}}});
}

std::unique_ptr<Channel> NewChannel(Engine* engine, int port) {
  return std::make_unique<Channel>(engine, "127.0.0.1:" + std::to_string(port));
}

TEST(EngineTest, ALoopWithoutOperationsEnds) {
  LoopWithEngine it;
  EXPECT_FALSE(it.RunOnce());
  it.Run();
  EXPECT_EQ(it.engine()->pending(), 0u);
}

TEST(EngineTest, AServerKeepsItsLoopAliveUntilItIsShutDown) {
  LoopWithEngine it;
  auto server = NewServer(it.engine());
  EXPECT_GT(server->port(), 0);
  EXPECT_TRUE(it.RunOnce());
  bool is_over = false;
  server->Shutdown([&] { is_over = true; });
  EXPECT_FALSE(is_over);
  it.Run();
  EXPECT_TRUE(is_over);
}

TEST(EngineTest, CloseIsRefusedWhileCoreHasAnOperation) {
  LoopWithEngine it;
  auto server = NewServer(it.engine());
  EXPECT_EQ(it.engine()->pending(), 1u);
  EXPECT_EQ(it.engine()->Close(), UV_EBUSY);
  server->Shutdown([] {});
  EXPECT_EQ(it.engine()->Close(), UV_EBUSY);
  it.Run();
}

TEST(EngineTest, ACallFromACallbackOfLibuvsIsAnswered) {
  LoopWithEngine it;
  auto server = NewServer(it.engine());
  auto channel = NewChannel(it.engine(), server->port());
  std::optional<Outcome> echoed;
  std::function<void()> call = [&] {
    channel->Call(kEcho, "text", kLong, [&](Outcome outcome) {
      echoed = std::move(outcome);
      server->Shutdown([] {});
    });
  };
  uv_timer_t timer;
  uv_timer_init(it.loop(), &timer);
  timer.data = &call;
  uv_timer_start(
      &timer,
      [](uv_timer_t* timer) {
        (*static_cast<std::function<void()>*>(timer->data))();
        uv_close(reinterpret_cast<uv_handle_t*>(timer), nullptr);
      },
      1, 0);
  it.Run();
  ASSERT_TRUE(echoed.has_value());
  EXPECT_EQ(echoed->code, GRPC_STATUS_OK) << echoed->details;
  EXPECT_EQ(echoed->reply, "text");
}

TEST(EngineTest, ManyCallsThatStartOneAfterTheOther) {
  LoopWithEngine it;
  auto server = NewServer(it.engine());
  auto channel = NewChannel(it.engine(), server->port());
  int ok = 0;
  int left = 500;
  std::function<void()> next = [&] {
    if (left == 0) return;
    --left;
    channel->Call(kEcho, std::string(100, 'x'), kLong, [&](Outcome outcome) {
      if (outcome.code == GRPC_STATUS_OK) ++ok;
      if (ok == 500) server->Shutdown([] {});
      next();
    });
  };
  for (int i = 0; i < 200; ++i) next();
  it.Run();
  EXPECT_EQ(ok, 500);
}

TEST(EngineTest, AServerThatShutsDownEndsItsCalls) {
  LoopWithEngine it;
  auto server = NewServer(it.engine());
  auto channel = NewChannel(it.engine(), server->port());
  std::optional<Outcome> never;
  std::optional<Outcome> refused;
  channel->Call(kNever, "", kLong,
                [&](Outcome outcome) { never = std::move(outcome); });
  channel->Call("/test/Other", "", kLong, [&](Outcome outcome) {
    refused = std::move(outcome);
    server->Shutdown([] {});
  });
  it.Run();
  EXPECT_EQ(refused->code, GRPC_STATUS_UNIMPLEMENTED);
  EXPECT_EQ(never->code, GRPC_STATUS_UNAVAILABLE) << never->details;
}

TEST(EngineTest, AnEngineMayBeClosedFromADone) {
  uv_loop_t loop;
  ASSERT_EQ(uv_loop_init(&loop), 0);
  auto engine = Engine::Create(&loop, nullptr);
  ASSERT_NE(engine, nullptr);
  auto server = NewServer(engine.get());
  auto channel = NewChannel(engine.get(), server->port());
  int status = -1;
  channel->Call(kEcho, "", kLong, [&](const Outcome&) {
    channel.reset();
    server->Shutdown([&] {
      server.reset();
      status = engine->Close();
      engine.reset();
    });
  });
  uv_run(&loop, UV_RUN_DEFAULT);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(uv_loop_close(&loop), 0);
}

TEST(EngineTest, WorkOfAnotherThreadRunsOnTheLoops) {
  LoopWithEngine it;
  auto server = NewServer(it.engine());
  auto channel = NewChannel(it.engine(), server->port());
  std::thread::id ran_on;
  std::optional<Outcome> echoed;
  std::thread([&] {
    it.engine()->Post([&] {
      ran_on = std::this_thread::get_id();
      channel->Call(kEcho, "text", kLong, [&](Outcome outcome) {
        echoed = std::move(outcome);
        server->Shutdown([] {});
      });
    });
  }).join();
  EXPECT_EQ(ran_on, std::thread::id());
  it.Run();
  EXPECT_EQ(ran_on, std::this_thread::get_id());
  EXPECT_EQ(echoed->reply, "text");
}

TEST(EngineTest, WorkThatIsPostedToALoopThatHasEndedRunsInClose) {
  bool ran = false;
  {
    LoopWithEngine it;
    it.Run();
    it.engine()->Post([&] { ran = true; });
    EXPECT_FALSE(ran);
  }
  EXPECT_TRUE(ran);
}

TEST(EngineTest, LoopsInTwoThreadsHaveAnEngineEach) {
  LoopWithEngine mine;
  auto server = NewServer(mine.engine());
  std::optional<Outcome> echoed;
  std::thread other([&, port = server->port()] {
    LoopWithEngine its;
    auto channel = NewChannel(its.engine(), port);
    channel->Call(kEcho, "text", kLong, [&](Outcome outcome) {
      echoed = std::move(outcome);
      mine.engine()->Post([&] { server->Shutdown([] {}); });
    });
    its.Run();
    channel.reset();
  });
  mine.Run();
  other.join();
  ASSERT_TRUE(echoed.has_value());
  EXPECT_EQ(echoed->code, GRPC_STATUS_OK) << echoed->details;
}

TEST(EngineTest, LoopsOfOneThreadHaveAnEngineEach) {
  LoopWithEngine one;
  LoopWithEngine two;
  auto server = NewServer(one.engine());
  auto channel = NewChannel(two.engine(), server->port());
  std::optional<Outcome> echoed;
  channel->Call(kEcho, "text", kLong, [&](Outcome outcome) {
    echoed = std::move(outcome);
    server->Shutdown([] {});
  });
  // They take turns.
  bool alive = true;
  for (int turn = 0; alive && turn < 1'000'000; ++turn) {
    alive = one.RunOnce();
    alive = two.RunOnce() || alive;
  }
  EXPECT_FALSE(alive);
  ASSERT_TRUE(echoed.has_value());
  EXPECT_EQ(echoed->code, GRPC_STATUS_OK) << echoed->details;
}

// An operation that is used again.
class Counted final : public Operation {
 public:
  explicit Counted(Engine* engine) : Operation(engine) {}
  int done = 0;
  std::function<void()> next;

 private:
  void Done(bool /*ok*/) override {
    ++done;
    if (next) next();
  }
};

TEST(EngineTest, AnOperationIsUsedAgain) {
  LoopWithEngine it;
  grpc_arg engine_arg = it.engine()->ChannelArg();
  const grpc_channel_args args = {1, &engine_arg};
  const auto shut_down_a_server = [&](Operation* operation) {
    grpc_server* const server = grpc_server_create(&args, nullptr);
    grpc_server_register_completion_queue(server, it.engine()->queue(),
                                          nullptr);
    grpc_server_start(server);
    grpc_server_shutdown_and_notify(server, it.engine()->queue(),
                                    operation->Tag());
    return server;
  };
  Counted operation(it.engine());
  std::vector<grpc_server*> servers;
  operation.next = [&] {
    if (operation.done < 3) servers.push_back(shut_down_a_server(&operation));
  };
  servers.push_back(shut_down_a_server(&operation));
  EXPECT_EQ(operation.done, 0);
  it.Run();
  EXPECT_EQ(operation.done, 3);
  for (grpc_server* server : servers) grpc_server_destroy(server);
}

TEST(EngineTest, ALibraryOlderThanItsHeadersIsRefused) {
  uv_loop_t loop;
  ASSERT_EQ(uv_loop_init(&loop), 0);
  std::string error;
  EXPECT_EQ(Engine::Create(&loop, &error, (1u << 16) | (99u << 8)), nullptr);
  EXPECT_THAT(error, HasSubstr("but compiled with the headers of 1.99.0"));
  EXPECT_EQ(uv_loop_close(&loop), 0);
}

}  // namespace
}  // namespace uvgrpc
