// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// What C++ calls in the Cython module. It cannot link against Cython functions,
// so the module fills in this table when it is imported.

#ifndef UVGRPC_BINDINGS_PYTHON_HOOKS_H_
#define UVGRPC_BINDINGS_PYTHON_HOOKS_H_

#include <Python.h>

namespace uvgrpc {

class MetadataRequest;
class ServerCall;
class ServerCertificates;
class SignRequest;

enum class FetchResult { kNew, kUnchanged, kFailed };

// Each runs on the loop thread, with the GIL, from the delivery step of a turn,
// which an entry of uvloop's ready queue runs. What a hook leaves set is an
// exit (KeyboardInterrupt, SystemExit) that must end the loop: the caller gives
// it to LoopContext::NoteException before it calls Python again. The objects
// are borrowed; the caller keeps them alive for the call.
struct PythonHooks {
  // Has `loop` (a _core.Loop) call LoopContext::DeliverPending from the ready
  // queue. Returns false, with an exception, if that cannot be. Unlike the
  // others, called from under libuv's callbacks.
  bool (*schedule_delivery)(PyObject* loop) = nullptr;
  // An RPC arrived for `server` (a _core.Server). `method` is the index that
  // AddMethod gave, or -1 for a method that was not registered.
  void (*on_request)(PyObject* server, ServerCall* call, int method) = nullptr;
  // The RPC of `context` (a _core.ServicerContext) is over.
  void (*on_server_call_closed)(PyObject* context) = nullptr;
  // `server` has shut down.
  void (*on_server_shutdown)(PyObject* server) = nullptr;
  // `call` (a _core.ClientCall) has its status.
  void (*on_client_call_done)(PyObject* call) = nullptr;
  // `call` (a _core.ClientCall) is connected, or has its initial metadata.
  void (*on_client_call_progress)(PyObject* call) = nullptr;
  // An RPC needs metadata of `plugin` (what NewPluginCallCredentials was
  // given).
  void (*on_metadata_request)(PyObject* plugin,
                              MetadataRequest* request) = nullptr;
  // A handshake needs a signature of `signer` (what NewPythonSigner was given).
  void (*on_sign_request)(PyObject* signer, SignRequest* request) = nullptr;
  // A port needs certificates of `fetcher` (what
  // NewReloadingTlsServerCredentials was given). Unlike the others it may run
  // deep in core's stack, and it reports exceptions itself.
  FetchResult (*fetch_certificates)(PyObject* fetcher,
                                    ServerCertificates* certificates) = nullptr;
  // Resolves an asyncio future with a bool, unless it is done.
  void (*resolve)(PyObject* future, bool result) = nullptr;
  // Whether an asyncio future is done: cancelled, if nobody resolved it.
  bool (*is_done)(PyObject* future) = nullptr;
};

extern PythonHooks g_python;

}  // namespace uvgrpc

#endif  // UVGRPC_BINDINGS_PYTHON_HOOKS_H_
