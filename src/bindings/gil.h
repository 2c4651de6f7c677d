// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// The interpreter lock, as a type.

#ifndef UVGRPC_BINDINGS_GIL_H_
#define UVGRPC_BINDINGS_GIL_H_

#include <Python.h>
#include <unistd.h>

#include <cstddef>

#ifdef __GLIBCXX__
#include <cxxabi.h>
#endif

namespace uvgrpc {

// CPython ends a daemon thread by pthread_exit when the thread wants the GIL of
// an interpreter that is going away (before 3.14, which lets it hang). That
// unwinds the stack; whatever of ours is on it would then touch Python without
// the GIL, from its destructors. So `work`, which calls Python, is the last
// thing such a thread does: it stops here, until the process is gone. Other C
// libraries than glibc end a thread without unwinding, and libc++, which is
// used with those, has no name for it.
template <typename Work>
auto WhilePythonLives(Work work) -> decltype(work()) {
#ifdef __GLIBCXX__
  try {
    return work();
  } catch (abi::__forced_unwind&) {
    while (true) pause();
  }
#else
  return work();
#endif
}

// Holds the GIL, unless the interpreter is going away: then `acquired()` is
// false and Python must not be touched. Taken in the delivery step of a loop
// turn, once a batch, and never under a lock of core's; the one exception is
// explained in credentials/reloading_credentials.h.
class GilGuard {
 public:
  GilGuard() : acquired_(!IsFinalizing()) {
    if (acquired_) {
      state_ = WhilePythonLives([] { return PyGILState_Ensure(); });
    }
  }
  ~GilGuard() {
    if (acquired_) PyGILState_Release(state_);
  }
  GilGuard(const GilGuard&) = delete;
  GilGuard& operator=(const GilGuard&) = delete;

  bool acquired() const { return acquired_; }

 private:
  static bool IsFinalizing() {
#if PY_VERSION_HEX >= 0x030D0000
    return Py_IsFinalizing() != 0 || Py_IsInitialized() == 0;
#else
    return _Py_IsFinalizing() != 0 || Py_IsInitialized() == 0;
#endif
  }

  const bool acquired_;
  PyGILState_STATE state_{};
};

}  // namespace uvgrpc

#endif  // UVGRPC_BINDINGS_GIL_H_
