// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/iomgr_uv/arrivals.h"

#include <algorithm>
#include <utility>

namespace uvgrpc {
namespace {

// The type of a TLS record of the handshake (RFC 8446, 5.1). What follows the
// server's part of it begins with another.
constexpr uint8_t kHandshakeRecord = 22;

const grpc_arg_pointer_vtable kVtable = {
    // copy
    [](void* value) -> void* {
      return new std::shared_ptr<Arrivals>(Arrivals::FromArgument(value));
    },
    // destroy
    [](void* value) { delete static_cast<std::shared_ptr<Arrivals>*>(value); },
    // cmp
    [](void* left, void* right) -> int {
      return Arrivals::FromArgument(left) == Arrivals::FromArgument(right)
                 ? 0
                 : (left < right ? -1 : 1);
    },
};

}  // namespace

Arrivals::Ticket::Ticket(std::shared_ptr<Arrivals> arrivals)
    : arrivals_(std::move(arrivals)) {
  if (arrivals_ == nullptr) return;
  ++arrivals_->waiting_;
  arrivals_->last_came_ = Clock::now();
}

void Arrivals::Ticket::NoteBytes(uint8_t first) {
  if (first != kHandshakeRecord) Leave();
}

void Arrivals::Ticket::Leave() {
  if (arrivals_ == nullptr) return;
  --arrivals_->waiting_;
  arrivals_ = nullptr;
}

grpc_arg Arrivals::Argument(std::shared_ptr<Arrivals>* arrivals) {
  grpc_arg arg;
  arg.type = GRPC_ARG_POINTER;
  arg.key = const_cast<char*>(kArrivalsArg);
  arg.value.pointer = {arrivals, &kVtable};
  return arg;
}

std::shared_ptr<Arrivals> Arrivals::FromArgument(void* value) {
  return value == nullptr ? nullptr
                          : *static_cast<std::shared_ptr<Arrivals>*>(value);
}

void Arrivals::Remove(Listener* listener) {
  listeners_.erase(std::remove(listeners_.begin(), listeners_.end(), listener),
                   listeners_.end());
}

void Arrivals::StopListening() {
  // What one accepts may end another.
  while (!listeners_.empty()) {
    Listener* const listener = listeners_.back();
    listeners_.pop_back();
    listener->StopGently();
  }
}

bool Arrivals::AwaitsGreetings(std::chrono::milliseconds time) const {
  return waiting_ > 0 && Clock::now() - last_came_ < time;
}

}  // namespace uvgrpc
