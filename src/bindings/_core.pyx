# cython: language_level=3, binding=False, embedsignature=True, embedsignature.format=clinic
# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""The native half of uvgrpc: thin classes over the C++ of src/bindings.

Private. Its interface is _core.pyi; uvgrpc.aio builds the public API on it.
Everything belongs to the thread of its event loop, unless it says otherwise.

One module in several files, included below: what all share is here.
"""

import logging
import re
from asyncio import (
    CancelledError,
    Future,
    InvalidStateError,
    Task,
    _get_running_loop,
    _set_running_loop,
    current_task,
)
from inspect import isasyncgenfunction, iscoroutinefunction
from os import close
from sys import version_info
from threading import get_ident
from weakref import WeakKeyDictionary, ref

cimport cython
from cpython.contextvars cimport PyContext_Copy, PyContext_CopyCurrent, PyContext_New, PyContextVar_Set
from cpython.exc cimport PyErr_Fetch, PyErr_Restore, PyErr_SetObject, PyErr_SetString
from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF
from cython.operator cimport dereference
from libc.limits cimport INT_MAX
from libc.stdint cimport int64_t, uint32_t
from libcpp cimport bool as cbool
from libcpp.memory cimport shared_ptr
from libcpp.string cimport string
from libcpp.utility cimport move
from libcpp.vector cimport vector

from src.bindings.includes.absl cimport StatusOr
from src.bindings.includes.bindings cimport (
    CAuthContext,
    CBytesFromByteBuffer,
    CChannel,
    CCheckMetadata,
    CChannelArgs,
    CClientCall,
    CClientCallArguments,
    CFetchResult,
    CIncomingMessages,
    CInitCore,
    CLoopBridge,
    CLoopContext,
    CLoopFromCapsule,
    CMetadataRequest,
    CMetadataToTuple,
    CNewPluginCallCredentials,
    CNewPythonSigner,
    CNewReloadingTlsServerCredentials,
    CNotedSockets,
    COutgoingMessages,
    COutgoingMetadata,
    CPeerIdentities,
    CPeerIdentityKey,
    CPythonRequest,
    CReplaceSockets,
    CReply,
    CServer,
    CServerCall,
    CSignRequest,
    CSliceFromBytes,
    CStepTask,
    CStrFromSlice,
    CUvApi,
    CUvApiOfModule,
    g_python,
    uv_loop_t,
)
from src.bindings.includes.credentials cimport (
    CNewAltsChannelCredentials,
    CNewAltsServerCredentials,
    CNewComputeEngineChannelCredentials,
    CNewTlsChannelCredentials,
    CNewTlsServerCredentials,
    CPrivateKeySigner,
    CServerCertificates,
    CSetDefaultRootsFile,
    CShareCallCredentials,
    CSharedCallCredentials,
    grpc_access_token_credentials_create,
    grpc_call_credentials,
    grpc_channel_credentials,
    grpc_channel_credentials_release,
    grpc_composite_call_credentials_create,
    grpc_composite_channel_credentials_create,
    grpc_insecure_credentials_create,
    grpc_insecure_server_credentials_create,
    grpc_local_connect_type,
    grpc_local_credentials_create,
    grpc_local_server_credentials_create,
    grpc_server_credentials,
    grpc_server_credentials_release,
    grpc_ssl_session_cache,
    grpc_ssl_session_cache_create_channel_arg,
    grpc_ssl_session_cache_create_lru,
    grpc_ssl_session_cache_destroy,
    grpc_xds_credentials_create,
    grpc_xds_server_credentials_create,
)
from src.bindings.includes.grpc cimport (
    GPR_CLOCK_MONOTONIC,
    GPR_TIMESPAN,
    GRPC_INITIAL_METADATA_WAIT_FOR_READY,
    GRPC_INITIAL_METADATA_WAIT_FOR_READY_EXPLICITLY_SET,
    GRPC_WRITE_NO_COMPRESS,
    gpr_inf_future,
    gpr_now,
    gpr_time_add,
    gpr_time_cmp,
    gpr_time_from_nanos,
    gpr_time_sub,
    gpr_timespec,
    gpr_timespec_to_micros,
    grpc_byte_buffer,
    grpc_byte_buffer_destroy,
    grpc_connectivity_state,
    grpc_status_code,
    grpc_version_string,
)
from src.bindings.includes.introspection cimport (
    CChannelzChannel,
    CChannelzServer,
    CChannelzServers,
    CChannelzServerSockets,
    CChannelzSocket,
    CChannelzSubchannel,
    CChannelzTopChannels,
    CXdsConfigs,
)

CORE_VERSION = (<bytes>grpc_version_string()).decode()

_log = logging.getLogger("uvgrpc")

# What a callback must not keep from the event loop.
cdef tuple _EXITS = (KeyboardInterrupt, SystemExit)

# StatusCode numbers of the gRPC specification.
cdef int _OK = 0
cdef int _CANCELLED = 1
cdef int _UNKNOWN = 2
cdef int _RESOURCE_EXHAUSTED = 8
cdef int _UNIMPLEMENTED = 12
cdef int _INTERNAL = 13


cdef gpr_timespec _deadline_after(object timeout) except *:
    """The point of time `timeout` seconds from now; None is never."""
    if timeout is None:
        return gpr_inf_future(GPR_CLOCK_MONOTONIC)
    cdef double seconds = timeout
    # Beyond some 30 years gRPC's own arithmetic treats a deadline as infinite.
    if seconds > 1e9:
        return gpr_inf_future(GPR_CLOCK_MONOTONIC)
    if seconds < -1e9:
        seconds = -1e9
    return gpr_time_add(
        gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_nanos(<int64_t>(seconds * 1e9), GPR_TIMESPAN)
    )


cdef object _time_remaining(gpr_timespec deadline):
    """Seconds until `deadline`, at least 0; None when there is no deadline."""
    if gpr_time_cmp(deadline, gpr_inf_future(GPR_CLOCK_MONOTONIC)) == 0:
        return None
    remaining = gpr_timespec_to_micros(gpr_time_sub(deadline, gpr_now(GPR_CLOCK_MONOTONIC))) / 1e6
    return max(remaining, 0.0)


cdef void _fill_args(CChannelArgs* args, object options) except *:
    """Copies channel arguments, pairs of a name and an int, str or bytes."""
    for name, value in options:
        key = name.encode() if isinstance(name, str) else name
        if not isinstance(key, bytes):
            raise TypeError(f"the name of a channel argument must be str or bytes, got {name!r}")
        if isinstance(value, int):
            if not -(2**31) <= value < 2**31:
                raise OverflowError(f"channel argument {name!r}: {value} does not fit in 32 bits")
            args.AddInteger(<string>key, <int>value)
        elif isinstance(value, (str, bytes)):
            args.AddString(<string>key, <string>(value.encode() if isinstance(value, str) else value))
        elif isinstance(value, SslSessionCache):
            args.Add(grpc_ssl_session_cache_create_channel_arg((<SslSessionCache>value)._cache))
        else:
            raise TypeError(
                f"channel argument {name!r} must be int, str or bytes, got {type(value).__name__}; "
                "objects that point into grpcio's own core cannot be used here"
            )


def open_sockets():
    """The descriptors of all sockets that uvgrpc has open in this process."""
    return list(CNotedSockets())


def replace_sockets():
    """In the child of a fork(): lets go of the parent's sockets. Returns their number."""
    global _forgets_loop
    _forgets_loop = version_info >= (3, 14)
    return CReplaceSockets()


# In the child of a fork(): asyncio has forgotten there that the parent's loop runs, and from 3.14
# on insists on it at the end of a task's step. What an exit of the task comes to is then its complaint.
cdef bint _forgets_loop = False


cdef void _remember_loop(event_loop) noexcept:
    """A step is about to end in such a child. Whatever exception is set stays so."""
    cdef PyObject* error[3]
    PyErr_Fetch(&error[0], &error[1], &error[2])
    try:
        if _get_running_loop() is None:
            _set_running_loop(event_loop)
    except BaseException:
        _log.exception("telling asyncio of the loop")
    PyErr_Restore(error[0], error[1], error[2])


cdef object _exit_of_child(event_loop, problem):
    """What a step in such a child came to: its exit in place of the complaint; None for the complaint alone."""
    if not isinstance(problem, RuntimeError) or _get_running_loop() is not None:
        return problem
    _set_running_loop(event_loop)
    if isinstance(problem.__context__, _EXITS):
        return problem.__context__
    return None if "is not the running loop" in str(problem) else problem


cdef bint _is_free(event_loop):
    """Whether this thread runs `event_loop`, or nobody does."""
    running = _get_running_loop()
    if running is not None:
        return running is event_loop
    return event_loop is None or not event_loop.is_running()


cdef int _check_free(event_loop) except -1:
    if _is_free(event_loop):
        return 0
    if event_loop.is_running():
        raise RuntimeError(
            "this belongs to an event loop that runs in another thread: use the loop's call_soon_threadsafe(), "
            "or asyncio.run_coroutine_threadsafe(), to reach it from here"
        )
    raise RuntimeError(
        "this belongs to another event loop than the one that runs here: make channels and servers for each loop"
    )


cdef class Loop:
    """What uvgrpc keeps for one uvloop event loop.

    To be made by the thread that runs `event_loop`, or while none does.
    """

    cdef shared_ptr[CLoopContext] _context
    cdef object _event_loop  # weak
    # The context of deliveries, an empty one. User code runs in those of its own.
    cdef object _variables
    # Whether a delivery runs that may resume tasks here and now.
    cdef bint _resumes
    # The CallCredentials made for this loop, by the objects they were made from.
    cdef readonly object call_credentials

    def __init__(self, event_loop, capsule, str module_path):
        cdef bytes path = module_path.encode()
        cdef StatusOr[CUvApi] api = CUvApiOfModule(path)
        if not api.ok():
            raise RuntimeError(api.status().ToString().decode())
        cdef StatusOr[uv_loop_t*] loop = CLoopFromCapsule(capsule)
        if not loop.ok():
            raise TypeError(loop.status().ToString().decode())
        _check_free(event_loop)
        cdef StatusOr[shared_ptr[CLoopContext]] context = CLoopContext.Create(loop.value(), api.value())
        if not context.ok():
            raise OSError(context.status().ToString().decode())
        self._context = context.value()
        self._context.get().set_loop(<PyObject*>self)
        self._event_loop = ref(event_loop)
        self._variables = PyContext_New()
        self.call_credentials = WeakKeyDictionary()

    def __dealloc__(self):
        if self._context.get() != NULL:
            self._context.get().set_loop(NULL)

    def leave_parent(self):
        """In the child of a fork(): what the child does to the loop is not done to the parent's.

        Returns whether the child may run it.
        """
        return self._context.get().bridge().HandleFork()

    def claim(self):
        """The run of the event loop begins on this thread."""
        self._context.get().Claim()

    def disclaim(self):
        """It is over. Until the next one, whoever has the GIL may act for the loop."""
        self._context.get().Disclaim()

    cdef int _enter(self) except -1:
        """Makes sure that this thread may act for the loop, which nothing native checks.

        Raises RuntimeError on another thread than the loop's while the loop runs.
        """
        while not self._may_enter():
            _check_free(self._event_loop())  # raises, unless the loop has just stopped
        return 0

    cdef bint _may_enter(self):
        """The same as a question."""
        if self._context.get().InLoopThread() or self._context.get().is_closed():
            return True
        if not _is_free(self._event_loop()):
            return False
        self._context.get().Claim()
        return True

    def shutdown(self):
        """Ends every call, server and channel and closes all handles. Idempotent."""
        self.call_credentials.clear()
        self._context.get().Shutdown()

    @property
    def is_closed(self):
        return self._context.get().is_closed()

    def start_now(self):
        """Hands to core what was asked for in this turn of the loop."""
        self._enter()
        if not self._context.get().is_closed():
            self._context.get().StartNow()

    @property
    def handle_count(self):
        """libuv handles opened and not yet freed."""
        return self._context.get().bridge().handle_count()

    @property
    def wakeups(self):
        """How often libuv has called into uvgrpc."""
        return self._context.get().bridge().callback_count()

    @property
    def resident_count(self):
        """Channels and servers that are open, and calls that are under way."""
        return self._context.get().resident_count()

    def figures(self):
        """What loop_stats() tells beside the above: see LoopStats for what follows what."""
        cdef CLoopContext* context = self._context.get()
        cdef CLoopBridge* bridge = context.bridge()
        cdef size_t i
        return (
            bridge.turn_stats().last().count() / 1000,
            bridge.turn_stats().worst().count() / 1000,
            tuple([bridge.turn_stats().histogram()[i] for i in range(bridge.turn_stats().histogram().size())]),
            bridge.posted_count(),
            context.collected_count(),
            context.waiting_completions(),
            context.buffered_bytes(),
            bridge.unsent_bytes(),
            context.start_count(),
            context.delivery_count(),
        )

    def describe_handles(self):
        return self._context.get().bridge().DescribeHandles().decode()


def _deliver(Loop loop):
    """Tells Python what has completed. The callback of an entry of the ready queue."""
    event_loop = loop._event_loop()
    loop._resumes = event_loop is not None and not event_loop.get_debug()
    try:
        loop._context.get().DeliverPending()
    finally:
        loop._resumes = False


cdef cbool _schedule_delivery(PyObject* owner) except False:
    loop = <Loop>owner
    event_loop = loop._event_loop()
    if event_loop is None:
        raise RuntimeError("the event loop is gone")
    event_loop.call_soon(_deliver, loop, context=loop._variables)
    return True


include "waiter.pxi"
include "first_step.pxi"
include "credentials/credentials.pxi"
include "credentials/python_request.pxi"
include "messages.pxi"
include "channel.pxi"
include "client_call.pxi"
include "client_stream.pxi"
include "servicer_context.pxi"
include "server.pxi"
include "serving.pxi"
include "introspection.pxi"


g_python.schedule_delivery = &_schedule_delivery
g_python.on_request = &_on_request
g_python.on_server_call_closed = &_on_server_call_closed
g_python.on_server_shutdown = &_on_server_shutdown
g_python.on_client_call_done = &_on_client_call_done
g_python.on_sign_request = &_on_sign_request
g_python.fetch_certificates = &_fetch_certificates
g_python.on_metadata_request = &_on_metadata_request
g_python.on_client_call_progress = &_on_client_call_progress
g_python.resolve = &_resolve
g_python.is_done = &_is_done
CInitCore()
