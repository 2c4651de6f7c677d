// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// gRPC on a libuv loop of the program's own: what C++ programs include.
// docs/cpp.md has the whole of it, examples/cpp-libuv a program.
//
//   std::string error;
//   auto engine = uvgrpc::Engine::Create(&loop, &error);
//   // Channels and servers with engine->ChannelArg(), their operations on
//   // engine->queue(), with tags of engine->OnDone() or of an Operation.
//   uv_run(&loop, UV_RUN_DEFAULT);  // until no operation is left
//   engine->Close();
//   uv_run(&loop, UV_RUN_DEFAULT);  // frees the engine's handles
//   uv_loop_close(&loop);

#ifndef UVGRPC_ENGINE_H_
#define UVGRPC_ENGINE_H_

#include <grpc/grpc.h>
#include <uv.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#if __cplusplus < 201703L
#error "uvgrpc/engine.h needs C++17"
#endif
#if UV_VERSION_MAJOR != 1 || UV_VERSION_HEX < 0x012D00
#error "uvgrpc/engine.h needs the headers of libuv 1.45 or later, below 2"
#endif

namespace uvgrpc {

class Operation;

// gRPC's core on one libuv loop: its sockets, timers and names are handles of
// the loop's, and what it has to say is said on the loop's thread. No thread is
// started. One engine a loop; several loops, each in a thread of its own, have
// one each.
//
// The loop is borrowed: never run, stopped or closed by the engine. As long as
// core has an operation (a call's batch, a server's request for a call), the
// loop is alive, as with a request of libuv's own. Connections, timers and
// listening sockets of core's alone do not keep it so.
//
// Everything is for the loop's thread, or for the one that is about to run the
// loop, unless it says otherwise.
class Engine final {
 public:
  // The engine of `loop`. Null when libuv cannot make its handles, or when what
  // the program is linked with is not what this library was made for: `error`
  // (may be null) says what is wrong. The first engine of a process starts
  // gRPC's core, which must not have been started before.
  //
  // `uv_headers` is the libuv that the caller is compiled for.
  static std::unique_ptr<Engine> Create(uv_loop_t* loop, std::string* error,
                                        unsigned uv_headers = UV_VERSION_HEX);
  // After Close().
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  uv_loop_t* loop() const;

  // Puts a channel or a server on this loop: an argument of its making. Without
  // it core would ask the process's default engine, which is some engine of the
  // calling thread's, and which nothing that has a choice should rely on. Valid
  // as long as the engine. Any thread.
  grpc_arg ChannelArg() const;

  // The completion queue of all calls and servers on this loop. Its tags are
  // Operations and those of OnDone, nothing else. Never polled, never shut down
  // by the program. Any thread.
  grpc_completion_queue* queue() const;

  // A tag for one operation: `done` is called, once, when core has done it.
  // `ok` is what core says of it. `done` must not throw; it may do anything
  // with calls, channels, servers and the engine.
  void* OnDone(std::function<void(bool ok)> done);

  // Runs `work` on the loop's thread, soon, never before this returns; at the
  // latest in Close(). It must not throw. Does not keep the loop alive. Any
  // thread, which is how others get to everything else here.
  void Post(std::function<void()> work);

  // Operations that core has.
  size_t pending() const;

  // Ends the engine: closes all sockets and drops all timers that core has on
  // the loop. UV_EBUSY while core has an operation, and nothing has happened:
  // calls have to be over, servers shut down. 0 otherwise. Before it, calls are
  // unreferenced, channels and servers destroyed. After it, the loop must run
  // once more before it is closed: libuv frees handles there. Idempotent.
  int Close();

 private:
  friend class Operation;
  class Impl;
  explicit Engine(std::shared_ptr<Impl> impl);

  const std::shared_ptr<Impl> impl_;
};

// What core is given with an operation and gives back when it is done, where
// OnDone's memory for each operation is too much: part of an object that is
// there anyway, used as often as one likes, for one operation at a time.
class Operation : private grpc_completion_queue_functor {
 public:
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;

  // The tag to start an operation with, which must follow: Done() comes once
  // for each Tag().
  void* Tag();

 protected:
  // `engine` must outlive it.
  explicit Operation(Engine* engine);
  ~Operation() = default;

 private:
  friend class Engine::Impl;

  // Core has done it; `ok` is what it says of it. At the top of the loop's
  // stack, not of core's: anything may be done with calls, channels, servers
  // and the engine. Must not throw. The object may go meanwhile.
  virtual void Done(bool ok) = 0;

  Engine::Impl* const impl_;
  Operation* next_ = nullptr;
  bool ok_ = false;
};

}  // namespace uvgrpc

#endif  // UVGRPC_ENGINE_H_
