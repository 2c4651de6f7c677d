// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// One loop, one thread: a TCP echo server and its client, which are libuv's,
// and a gRPC server and its client, which are gRPC's core on the same loop.

#include <grpc/grpc.h>
#include <uv.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "rpc.h"
#include "tcp.h"
#include "uvgrpc/engine.h"

namespace {

using std::chrono::milliseconds;

constexpr char kUpper[] = "/example.Text/Upper";
constexpr char kNever[] = "/example.Text/Never";

// How many threads the process has.
int Threads() {
  const std::filesystem::directory_iterator tasks("/proc/self/task");
  return static_cast<int>(std::distance(begin(tasks), end(tasks)));
}

struct Results {
  std::string tcp;
  std::optional<example::Outcome> upper;
  std::optional<example::Outcome> never;
  int threads = 0;
};

// Asks both servers. `over` follows when all answers are there.
void AskBoth(uv_loop_t* loop, int tcp_port, example::Channel* channel,
             Results* results, const std::function<void()>& over) {
  const auto waiting = std::make_shared<int>(3);
  const auto one_is_over = [waiting, results, over] {
    results->threads = std::max(results->threads, Threads());
    if (--*waiting == 0) over();
  };
  example::AskOverTcp(loop, tcp_port, "hello over TCP",
                      [results, one_is_over](std::string echoed) {
                        results->tcp = std::move(echoed);
                        one_is_over();
                      });
  channel->Call(kUpper, "hello over gRPC", milliseconds(10'000),
                [results, one_is_over](example::Outcome outcome) {
                  results->upper = std::move(outcome);
                  one_is_over();
                });
  channel->Call(kNever, "", milliseconds(200),
                [results, one_is_over](example::Outcome outcome) {
                  results->never = std::move(outcome);
                  one_is_over();
                });
}

}  // namespace

int main() {
  uv_loop_t loop;
  uv_loop_init(&loop);

  std::string error;
  auto engine = uvgrpc::Engine::Create(&loop, &error);
  if (engine == nullptr) {
    std::fprintf(stderr, "%s\n", error.c_str());
    return 1;
  }

  Results results;
  {
    example::TcpEchoServer tcp(&loop);
    example::Server server(
        engine.get(),
        {{kUpper,
          [](std::string text, const example::Server::Answer& answer) {
            for (char& c : text) {
              c = static_cast<char>(
                  std::toupper(static_cast<unsigned char>(c)));
            }
            answer(text);
          }},
         {kNever, [](const std::string&, const example::Server::Answer&) {}}});
    example::Channel channel(engine.get(),
                             "127.0.0.1:" + std::to_string(server.port()));

    AskBoth(&loop, tcp.port(), &channel, &results, [&tcp, &server] {
      tcp.Close();
      server.Shutdown([] {});
    });

    // Returns when no handle of libuv's and no operation of gRPC's is left.
    uv_run(&loop, UV_RUN_DEFAULT);
  }  // the channel and the server are destroyed

  // Calls, channels and servers are gone: the engine can be closed, its handles
  // be freed by a last run, and then the loop be closed.
  int status = engine->Close();
  uv_run(&loop, UV_RUN_DEFAULT);
  if (status == 0) status = uv_loop_close(&loop);

  std::printf("TCP: %s\n", results.tcp.c_str());
  std::printf("gRPC: %s\n", results.upper->reply.c_str());
  std::printf("no answer: %s\n", results.never->details.c_str());
  std::printf("threads: %d\n", results.threads);
  std::printf("closed: %s\n", status == 0 ? "everything" : uv_strerror(status));
  const bool is_right = results.tcp == "hello over TCP" &&
                        results.upper->code == GRPC_STATUS_OK &&
                        results.upper->reply == "HELLO OVER GRPC" &&
                        results.never->code == GRPC_STATUS_DEADLINE_EXCEEDED &&
                        results.threads == 1 && status == 0;
  return is_right ? 0 : 1;
}
