# cython: language_level=3, binding=False, embedsignature=True, embedsignature.format=clinic
# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""The native half of uvgrpc: thin classes over the C++ of src/bindings.

Private. Its interface is _core.pyi; uvgrpc.aio builds the public API on it.
Everything belongs to the thread of its event loop, unless it says otherwise.

One module in several files, included below: what all share is here.
"""

import logging
from asyncio import CancelledError, Future, InvalidStateError, Task
from inspect import isasyncgenfunction, iscoroutinefunction
from weakref import WeakKeyDictionary

from cpython.object cimport PyObject
from cython.operator cimport dereference
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
    CChannelArgs,
    CClientCall,
    CClientCallArguments,
    CFetchResult,
    CIncomingMessages,
    CInitCore,
    CLoopContext,
    CLoopFromCapsule,
    CMetadataRequest,
    CMetadataToTuple,
    CNewPluginCallCredentials,
    CNewPythonSigner,
    CNewReloadingTlsServerCredentials,
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


cdef _wake(list futures):
    """Resolves those that nobody has cancelled meanwhile."""
    for future in futures:
        if not future.done():
            future.set_result(None)


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


def replace_sockets():
    """In the child of a fork(): lets go of the parent's sockets. Returns their number."""
    return CReplaceSockets()


cdef class Loop:
    """What uvgrpc keeps for one uvloop event loop."""

    cdef shared_ptr[CLoopContext] _context
    # The CallCredentials made for this loop, by the objects they were made from.
    cdef readonly object call_credentials

    def __init__(self, capsule, str module_path):
        cdef bytes path = module_path.encode()
        cdef StatusOr[CUvApi] api = CUvApiOfModule(path)
        if not api.ok():
            raise RuntimeError(api.status().ToString().decode())
        cdef StatusOr[uv_loop_t*] loop = CLoopFromCapsule(capsule)
        if not loop.ok():
            raise TypeError(loop.status().ToString().decode())
        cdef StatusOr[shared_ptr[CLoopContext]] context = CLoopContext.Create(loop.value(), api.value())
        if not context.ok():
            raise OSError(context.status().ToString().decode())
        self._context = context.value()
        self.call_credentials = WeakKeyDictionary()

    def shutdown(self):
        """Ends every call, server and channel and closes all handles. Idempotent."""
        self.call_credentials.clear()
        self._context.get().Shutdown()

    @property
    def is_closed(self):
        return self._context.get().is_closed()

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

    def describe_handles(self):
        return self._context.get().bridge().DescribeHandles().decode()


include "credentials.pxi"
include "python_request.pxi"
include "messages.pxi"
include "channel.pxi"
include "client_call.pxi"
include "client_stream.pxi"
include "servicer_context.pxi"
include "server.pxi"
include "serving.pxi"
include "introspection.pxi"


g_python.on_request = &_on_request
g_python.on_server_call_closed = &_on_server_call_closed
g_python.on_server_shutdown = &_on_server_shutdown
g_python.on_client_call_done = &_on_client_call_done
g_python.on_sign_request = &_on_sign_request
g_python.fetch_certificates = &_fetch_certificates
g_python.on_metadata_request = &_on_metadata_request
g_python.on_client_call_progress = &_on_client_call_progress
g_python.resolve = &_resolve
CInitCore()
