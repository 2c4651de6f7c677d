// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#ifndef UVGRPC_BINDINGS_FIFO_H_
#define UVGRPC_BINDINGS_FIFO_H_

#include <cstddef>
#include <utility>

#include "absl/container/inlined_vector.h"

namespace uvgrpc {

// A queue that costs no memory as long as at most one element waits, as is the
// rule for a call. For elements that are cheap to move.
template <typename T>
class Fifo {
 public:
  bool empty() const { return head_ == items_.size(); }
  size_t size() const { return items_.size() - head_; }

  void Push(T item) {
    // What was popped is dropped before the memory would have to grow.
    if (head_ > 0 && items_.size() == items_.capacity()) {
      items_.erase(items_.begin(), items_.begin() + static_cast<long>(head_));
      head_ = 0;
    }
    items_.push_back(std::move(item));
  }

  // The queue must not be empty.
  [[nodiscard]] T Pop() {
    T item = std::move(items_[head_++]);
    if (empty()) {
      items_.clear();
      head_ = 0;
    }
    return item;
  }

 private:
  absl::InlinedVector<T, 1> items_;
  size_t head_ = 0;
};

}  // namespace uvgrpc

#endif  // UVGRPC_BINDINGS_FIFO_H_
