// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// What a server has to know of its listening sockets to stop gently.

#ifndef UVGRPC_IOMGR_UV_ARRIVALS_H_
#define UVGRPC_IOMGR_UV_ARRIVALS_H_

#include <grpc/grpc.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace uvgrpc {

// The channel argument of a server that says where its listeners report.
inline constexpr char kArrivalsArg[] = "uvgrpc.arrivals";

// The listeners of one server, and those of their connections that have not got
// past their greeting: nothing has come yet, or no more than a TLS handshake's
// beginning. Core drops such a connection when its listener goes, and the
// kernel those that nobody has accepted; their clients would see a connection
// that was made and lost.
//
// Loop thread, unless said otherwise.
class Arrivals {
 public:
  class Listener {
   public:
    // Accepts what waits, then closes the listening sockets.
    virtual void StopGently() = 0;

   protected:
    ~Listener() = default;
  };

  // A connection's part.
  class Ticket {
   public:
    Ticket() = default;
    explicit Ticket(std::shared_ptr<Arrivals> arrivals);
    Ticket(Ticket&& other) noexcept = default;
    ~Ticket() { Leave(); }

    bool is_waiting() const { return arrivals_ != nullptr; }
    // `first`: of the bytes that have come at once.
    void NoteBytes(uint8_t first);
    void Leave();

   private:
    std::shared_ptr<Arrivals> arrivals_;
  };

  // Any thread. The argument borrows `*arrivals`; core's copies share it.
  static grpc_arg Argument(std::shared_ptr<Arrivals>* arrivals);
  // The value of such an argument.
  static std::shared_ptr<Arrivals> FromArgument(void* value);

  void Add(Listener* listener) { listeners_.push_back(listener); }
  void Remove(Listener* listener);

  // Has all of them stop gently.
  void StopListening();

  // Whether a connection is in its greeting still, and has had less than `time`
  // for that.
  bool AwaitsGreetings(std::chrono::milliseconds time) const;

 private:
  using Clock = std::chrono::steady_clock;

  std::vector<Listener*> listeners_;
  size_t waiting_ = 0;
  Clock::time_point last_came_;
};

}  // namespace uvgrpc

#endif  // UVGRPC_IOMGR_UV_ARRIVALS_H_
