// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// What C++ calls in the Cython module. It cannot link against Cython functions,
// so the module fills in this table when it is imported.

#ifndef UVGRPC_BINDINGS_PYTHON_HOOKS_H_
#define UVGRPC_BINDINGS_PYTHON_HOOKS_H_

#include <Python.h>

#include "src/bindings/gil.h"

namespace uvgrpc {

class MetadataRequest;
class ServerCall;
class ServerCertificates;
class SignRequest;

enum class FetchResult { kNew, kUnchanged, kFailed };

// A function of the module's.
template <typename Signature>
class PythonHook;

template <typename Result, typename... Arguments>
class PythonHook<Result(Arguments...)> {
 public:
  using Function = Result (*)(Arguments...);
  PythonHook& operator=(Function function) {
    function_ = function;
    return *this;
  }
  // The caller has references, which must not be dropped by a thread that
  // Python ends.
  Result operator()(Arguments... arguments) const {
    return WhilePythonLives([&] { return function_(arguments...); });
  }

 private:
  Function function_ = nullptr;
};

// Each runs on the loop thread, with the GIL, from the delivery step of a turn,
// which an entry of uvloop's ready queue runs. What a hook leaves set is an
// exit (KeyboardInterrupt, SystemExit) that must end the loop: the caller gives
// it to LoopContext::NoteException before it calls Python again. The objects
// are borrowed; the caller keeps them alive for the call.
struct PythonHooks {
  // Has `loop` (a _core.Loop) call LoopContext::DeliverPending from the ready
  // queue. Returns false, with an exception, if that cannot be. Unlike the
  // others, called from under libuv's callbacks.
  PythonHook<bool(PyObject* loop)> schedule_delivery;
  // An RPC arrived for `server` (a _core.Server). `method` is the index that
  // AddMethod gave, or -1 for a method that was not registered.
  PythonHook<void(PyObject* server, ServerCall* call, int method)> on_request;
  // The RPC of `context` (a _core.ServicerContext) is over.
  PythonHook<void(PyObject* context)> on_server_call_closed;
  // `server` has shut down.
  PythonHook<void(PyObject* server)> on_server_shutdown;
  // `call` (a _core.ClientCall) has its status.
  PythonHook<void(PyObject* call)> on_client_call_done;
  // `call` (a _core.ClientCall) is connected, or has its initial metadata.
  PythonHook<void(PyObject* call)> on_client_call_progress;
  // An RPC needs metadata of `plugin` (what NewPluginCallCredentials was
  // given).
  PythonHook<void(PyObject* plugin, MetadataRequest* request)>
      on_metadata_request;
  // A handshake needs a signature of `signer` (what NewPythonSigner was given).
  PythonHook<void(PyObject* signer, SignRequest* request)> on_sign_request;
  // A port needs certificates of `fetcher` (what
  // NewReloadingTlsServerCredentials was given). Unlike the others it may run
  // deep in core's stack, and it reports exceptions itself.
  PythonHook<FetchResult(PyObject* fetcher, ServerCertificates* certificates)>
      fetch_certificates;
  // Resolves an asyncio future with a bool, unless it is done.
  PythonHook<void(PyObject* future, bool result)> resolve;
  // Whether an asyncio future is done: cancelled, if nobody resolved it.
  PythonHook<bool(PyObject* future)> is_done;
};

extern PythonHooks g_python;

}  // namespace uvgrpc

#endif  // UVGRPC_BINDINGS_PYTHON_HOOKS_H_
