// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// What core hands back when an operation is done.

#ifndef UVGRPC_BINDINGS_COMPLETION_H_
#define UVGRPC_BINDINGS_COMPLETION_H_

#include <grpc/grpc.h>

namespace uvgrpc {

class LoopContext;

// A tag of a loop's callback completion queue. Core calls it on the completing
// thread, from deep inside its own stack; all that happens there is that it
// joins its loop's list. From the top of the loop's stack, later in the same
// turn, come Settle and, if that asks for it, Deliver.
class Completion : public grpc_completion_queue_functor {
 public:
  // `context` must outlive the operation, which may be the arrival of a call.
  explicit Completion(LoopContext* context, bool begins_call = false)
      : context_(context), begins_call_(begins_call) {
    functor_run = &Completion::OnComplete;
    inlineable = 1;
    internal_success = 0;
    internal_next = nullptr;
  }
  Completion(const Completion&) = delete;
  Completion& operator=(const Completion&) = delete;

  void* tag() { return static_cast<grpc_completion_queue_functor*>(this); }

  // This one waits for Python where `first`, of the same call, did.
  void StandWith(const Completion& first) { is_of_many_ = first.is_of_many_; }

 protected:
  ~Completion() = default;

 private:
  friend class LoopContext;
  friend class CompletionList;
  friend class PendingCompletions;

  // Loop thread, without the GIL. Returns whether Python must hear of it; if
  // not, the completion may be gone afterwards.
  virtual bool Settle(bool ok) = 0;
  // Loop thread, with the GIL. A Python exception that is left set is reported
  // as unraisable. The completion may be gone afterwards.
  virtual void Deliver() = 0;

  static void OnComplete(grpc_completion_queue_functor* functor, int ok);

  LoopContext* const context_;
  Completion* next_ = nullptr;
  const bool begins_call_;
  // Of one of many calls that its connection has brought at once.
  bool is_of_many_ = false;
  bool ok_ = false;
};

// A first-in-first-out list that costs no memory. Not thread-safe.
class CompletionList {
 public:
  bool empty() const { return head_ == nullptr; }
  void Push(Completion* completion) {
    completion->next_ = nullptr;
    *tail_ = completion;
    tail_ = &completion->next_;
  }
  // The first one, or null.
  Completion* Pop() {
    Completion* first = head_;
    if (first != nullptr) {
      head_ = first->next_;
      if (head_ == nullptr) tail_ = &head_;
    }
    return first;
  }

 private:
  Completion* head_ = nullptr;
  Completion** tail_ = &head_;
};

// What waits for Python, in three lists that are taken from in turn: a call of
// one connection must not stand behind the hundreds that another has brought at
// once, nor its messages behind theirs and behind what comes of their being
// given up. Not thread-safe.
class PendingCompletions {
 public:
  int count() const { return count_; }
  void Push(Completion* completion) {
    lists_[ListOf(*completion)].Push(completion);
    ++count_;
  }
  // The next one, or null.
  Completion* Pop() {
    if (count_ == 0) return nullptr;
    --count_;
    while (true) {
      next_ = next_ + 1 == kLists ? 0 : next_ + 1;
      Completion* const completion = lists_[next_].Pop();
      if (completion != nullptr) return completion;
    }
  }

 private:
  enum List { kCalls, kOfMany, kOther, kLists };
  static List ListOf(const Completion& completion) {
    if (completion.is_of_many_) return kOfMany;
    return completion.begins_call_ ? kCalls : kOther;
  }

  CompletionList lists_[kLists];
  int next_ = kOther;
  int count_ = 0;
};

}  // namespace uvgrpc

#endif  // UVGRPC_BINDINGS_COMPLETION_H_
