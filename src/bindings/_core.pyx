# cython: language_level=3, binding=False
# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""The native half of uvgrpc: thin classes over the C++ of src/bindings.

Private. Its interface is _core.pyi; uvgrpc.aio builds the public API on it.
Everything belongs to the thread of its event loop, unless it says otherwise.
"""

import logging
from asyncio import CancelledError, Future, Task
from inspect import iscoroutinefunction

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
    CBytesFromByteBuffer,
    CChannel,
    CChannelArgs,
    CClientCall,
    CClientCallArguments,
    CInitCore,
    CLoopContext,
    CLoopFromCapsule,
    CMetadataToTuple,
    COutgoingMetadata,
    CReply,
    CServer,
    CServerCall,
    CSliceFromBytes,
    CStrFromSlice,
    CUvApi,
    CUvApiOfModule,
    g_python,
    uv_loop_t,
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
    grpc_connectivity_state,
    grpc_status_code,
    grpc_version_string,
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
        else:
            raise TypeError(
                f"channel argument {name!r} must be int, str or bytes, got {type(value).__name__}; "
                "objects that point into grpcio's own core cannot be used here"
            )


cdef class Loop:
    """What uvgrpc keeps for one uvloop event loop."""

    cdef shared_ptr[CLoopContext] _context

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

    def shutdown(self):
        """Ends every call, server and channel and closes all handles. Idempotent."""
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


cdef class Channel:
    """A channel of core's. The event loop is the one that `loop` was made for."""

    cdef shared_ptr[CChannel] _channel
    cdef Loop _loop
    cdef readonly object event_loop
    cdef dict _methods

    def __init__(self, Loop loop, event_loop, str target, options):
        cdef CChannelArgs args
        _fill_args(&args, options)
        self._loop = loop
        self.event_loop = event_loop
        self._methods = {}
        self._channel = CChannel.NewInsecure(loop._context, target.encode(), &args)

    @property
    def is_closed(self):
        return self._channel.get().is_closed()

    def close(self):
        """Destroys core's channel; watches resolve. Idempotent."""
        self._methods = {}
        self._channel.get().Close()

    def check_connectivity(self, cbool try_to_connect):
        return <int>self._channel.get().CheckConnectivity(try_to_connect)

    def watch_connectivity(self, int last):
        """A future that resolves with True when the state is no longer `last`."""
        future = Future(loop=self.event_loop)
        self._channel.get().WatchConnectivity(<grpc_connectivity_state>last, <PyObject*>future)
        return future

    def active_calls(self):
        """The ClientCall objects of this channel that are not over."""
        cdef vector[PyObject*] owners = self._channel.get().CallOwners()
        return [<object>owners[i] for i in range(owners.size())]

    cdef void* _method(self, bytes method) except NULL:
        handle = self._methods.get(method)
        if handle is None:
            handle = <size_t>self._channel.get().RegisterMethod(<string>method)
            self._methods[method] = handle
        return <void*><size_t>handle


cdef class ClientCall:
    """An RPC that this process makes; unary in both directions.

    Starts with the other work of its loop turn. Subclasses give it grpc.aio's
    interface and make the errors, by `_error()`.
    """

    cdef CClientCall* _call
    cdef object _event_loop
    cdef object _deserializer
    cdef object _response
    cdef gpr_timespec _deadline
    cdef list _waiters
    cdef list _callbacks
    cdef bint _done
    cdef bint _cancelled_locally
    cdef int _code
    cdef object _details
    cdef object _debug_error_string
    cdef object __weakref__

    def __dealloc__(self):
        if self._call != NULL:
            self._call.Abandon()

    def _start(
        self,
        Channel channel,
        bytes method,
        request,
        serializer,
        deserializer,
        timeout,
        metadata,
        wait_for_ready,
    ):
        """Starts the call. To be called once, right after construction.

        A request that cannot be serialized ends the call with INTERNAL, and
        nothing is sent. Raises TypeError for metadata that is not made of pairs.
        """
        cdef CClientCallArguments arguments
        self._event_loop = channel.event_loop
        self._deserializer = deserializer
        self._deadline = arguments.deadline = _deadline_after(timeout)
        if serializer is not None:
            try:
                request = serializer(request)
            except Exception as error:
                _log.exception("Exception serializing request!")
                self._finish(_INTERNAL, "Exception serializing request!", repr(error))
                return
        if not isinstance(request, bytes):
            raise TypeError(f"a serialized request must be bytes, got {type(request).__name__}")
        arguments.method = channel._method(method)
        arguments.initial_metadata_flags = 0
        if wait_for_ready is not None:
            arguments.initial_metadata_flags = GRPC_INITIAL_METADATA_WAIT_FOR_READY_EXPLICITLY_SET
            if wait_for_ready:
                arguments.initial_metadata_flags |= GRPC_INITIAL_METADATA_WAIT_FOR_READY
        arguments.request = CSliceFromBytes(channel._loop._context.get(), request)
        self._call = CClientCall.NewUnary(channel._channel, arguments)
        if metadata:
            try:
                self._call.outgoing_metadata().Assign(metadata)
            except BaseException:
                self._call.Cancel(b"invalid metadata")
                raise
        self._call.set_owner(<PyObject*>self)

    cdef _finish(self, int code, details, debug_error_string):
        """Takes the final status and tells everybody who waits for it."""
        self._done = True
        self._code = code
        self._details = details
        self._debug_error_string = debug_error_string
        waiters = self._waiters
        if waiters is not None:
            self._waiters = None
            for future in waiters:
                if not future.done():
                    future.set_result(None)
        callbacks = self._callbacks
        if callbacks is not None:
            self._callbacks = None
            for callback in callbacks:
                self._event_loop.call_soon(callback, self)

    cdef _finish_from_core(self):
        if self._done:
            return
        cdef int code = <int>self._call.code()
        cdef const char* error = self._call.error_string()
        debug = None if error == NULL else (<bytes>error).decode(errors="replace")
        details = "" if code == _OK else CStrFromSlice(self._call.details())
        if code == _OK:
            try:
                self._response = self._take_response()
            except Exception as problem:
                _log.exception("Exception deserializing response!")
                code = _INTERNAL
                details = "Exception deserializing response!"
                debug = repr(problem)
        self._finish(code, details, debug)

    cdef _take_response(self):
        cdef grpc_byte_buffer* message = self._call.response()
        if message == NULL:
            raise ValueError("the server ended the call with OK and sent no message")
        data = CBytesFromByteBuffer(message)
        return data if self._deserializer is None else self._deserializer(data)

    def __await__(self):
        if not self._done:
            try:
                yield from self._status_future()
            except CancelledError:
                # The task that waits was cancelled: so is what it waits for.
                self.cancel()
                raise
        if self._cancelled_locally:
            raise CancelledError()
        if self._code != _OK:
            raise self._error()
        return self._response

    def _error(self):
        raise NotImplementedError

    def _status_future(self):
        """A future that resolves when the status is known."""
        future = Future(loop=self._event_loop)
        if self._done:
            future.set_result(None)
        elif self._waiters is None:
            self._waiters = [future]
        else:
            self._waiters.append(future)
        return future

    def cancel(self):
        """Ends the call with CANCELLED. Returns False when it was over already."""
        if self._done:
            return False
        self._cancelled_locally = True
        if self._call != NULL:
            self._call.Cancel(b"Locally cancelled by application!")
        self._finish(_CANCELLED, "Locally cancelled by application!", None)
        return True

    def cancelled(self):
        return self._done and self._code == _CANCELLED

    def done(self):
        return self._done

    def add_done_callback(self, callback):
        """Calls `callback(call)` from the loop once the status is known."""
        if self._done:
            self._event_loop.call_soon(callback, self)
        elif self._callbacks is None:
            self._callbacks = [callback]
        else:
            self._callbacks.append(callback)

    def time_remaining(self):
        return _time_remaining(self._deadline)

    # The status; only meaningful once done().
    def _status_number(self):
        return self._code

    def _status_details(self):
        return self._details

    def _status_debug_string(self):
        return self._debug_error_string

    def _initial_metadata_pairs(self):
        if self._call == NULL or self._cancelled_locally:
            return ()
        return CMetadataToTuple(self._call.initial_metadata(), NULL)

    def _trailing_metadata_pairs(self):
        if self._call == NULL or self._cancelled_locally:
            return ()
        return CMetadataToTuple(self._call.trailing_metadata(), NULL)


cdef void _on_client_call_done(PyObject* owner) noexcept:
    call = <ClientCall>owner
    try:
        call._finish_from_core()
    except BaseException:
        _log.exception("finishing a client call")


cdef class Method:
    """A handler as the server calls it."""

    cdef readonly object handler
    cdef object _behavior
    cdef object _request_deserializer
    cdef object _response_serializer
    cdef readonly str name
    cdef readonly bint is_unary_unary
    cdef bint _is_async

    def __init__(self, str name, handler):
        self.name = name
        self.handler = handler
        self.is_unary_unary = not handler.request_streaming and not handler.response_streaming
        self._behavior = behavior = handler.unary_unary
        # The second is an object with an async __call__.
        self._is_async = iscoroutinefunction(behavior) or iscoroutinefunction(
            getattr(type(behavior), "__call__", None)
        )
        self._request_deserializer = handler.request_deserializer
        self._response_serializer = handler.response_serializer


cdef class Server:
    """A server of core's.

    `find_handler(path, metadata)` returns the RpcMethodHandler for a path that no
    method was added for, or None.
    """

    cdef CServer* _server
    cdef Loop _loop
    cdef object _event_loop
    cdef object _context_type
    cdef object _find_handler
    cdef list _methods
    cdef set _running
    cdef set _closing
    cdef object _limit
    cdef list _shutdown_waiters
    cdef readonly bint is_started
    cdef readonly bint is_shutting_down
    cdef readonly bint is_stopped

    def __init__(self, Loop loop, event_loop, options, context_type, find_handler, maximum_concurrent_rpcs):
        cdef CChannelArgs args
        _fill_args(&args, options)
        self._loop = loop
        self._event_loop = event_loop
        self._context_type = context_type
        self._find_handler = find_handler
        self._methods = []
        self._running = set()
        self._closing = set()
        self._limit = maximum_concurrent_rpcs
        self._shutdown_waiters = []
        self._server = CServer.New(loop._context, &args, <PyObject*>self)

    def __dealloc__(self):
        if self._server != NULL:
            self._server.Abandon()

    def add_insecure_port(self, str address):
        """Returns the bound port, or 0 when the address cannot be bound."""
        return self._server.AddInsecurePort(address.encode())

    def add_method(self, Method method):
        """Registers a method with core, which then reads its request by itself."""
        self._server.AddMethod(method.name.encode(), method.is_unary_unary)
        self._methods.append(method)

    def start(self):
        self.is_started = True
        self._server.Start()

    def shutdown(self):
        """A future that resolves once no RPC is left. New RPCs are refused."""
        future = Future(loop=self._event_loop)
        if self.is_stopped:
            future.set_result(None)
            return future
        self._shutdown_waiters.append(future)
        if not self.is_shutting_down:
            self.is_shutting_down = True
            self._server.Shutdown()
        return future

    def cancel_all_calls(self):
        """Aborts the RPCs that are under way. Only after shutdown()."""
        if not self.is_stopped:
            self._server.CancelAllCalls()

    cdef _accept(self, CServerCall* call, int index):
        cdef ServicerContext context = self._context_type.__new__(self._context_type)
        call.Ref()
        context._call = call
        call.set_owner(<PyObject*>context)
        context._server = self
        context._event_loop = self._event_loop
        if index < 0:
            coroutine = _serve_generic(context)
        elif self._is_full():
            context._refuse()
            return
        else:
            coroutine = _serve_unary_unary(context, <Method>self._methods[index])
        self._running.add(context)
        context._task = self._event_loop.create_task(coroutine)

    cdef bint _is_full(self):
        return self._limit is not None and len(self._running) >= self._limit

    cdef _handle_shutdown(self):
        self.is_stopped = True
        waiters = self._shutdown_waiters
        self._shutdown_waiters = []
        for future in waiters:
            if not future.done():
                future.set_result(None)


cdef void _on_request(PyObject* owner, CServerCall* call, int method) noexcept:
    server = <Server>owner
    try:
        server._accept(call, method)
    except BaseException:
        _log.exception("accepting a call")


cdef void _on_server_shutdown(PyObject* owner) noexcept:
    server = <Server>owner
    try:
        server._handle_shutdown()
    except BaseException:
        _log.exception("finishing a server's shutdown")


cdef void _on_server_call_closed(PyObject* owner) noexcept:
    context = <ServicerContext>owner
    try:
        context._handle_closed()
    except BaseException:
        _log.exception("closing a call")


cdef void _resolve(PyObject* owner, cbool result) noexcept:
    future = <object>owner
    try:
        if not future.done():
            future.set_result(result)
    except BaseException:
        _log.exception("resolving a future")


cdef class ServicerContext:
    """The server's side of one RPC. Made by Server only.

    Subclasses give it grpc.aio's interface; `_status_number_of(code)` turns what a
    handler passes as a status code into a number, `abort_error` is the class to
    raise, `metadatum` makes an entry of invocation_metadata().
    """

    cdef CServerCall* _call
    cdef Server _server
    cdef object _event_loop
    cdef object _task
    cdef object _method_name
    cdef object _status  # as the handler gave it
    cdef str _status_details
    cdef tuple _trailing
    cdef object _abort_exception
    cdef bint _metadata_sent
    cdef bint _no_compression
    cdef bint _handler_over
    cdef list _callbacks
    cdef object __weakref__

    def __cinit__(self):
        self._status_details = ""
        self._trailing = ()

    def __dealloc__(self):
        if self._call != NULL:
            self._call.Abandon()

    # ---- what handlers may call

    def invocation_metadata(self):
        return CMetadataToTuple(self._call.request_metadata(), <PyObject*>self.metadatum)

    def peer(self):
        return self._call.Peer().decode(errors="replace")

    def time_remaining(self):
        return _time_remaining(self._call.deadline())

    def set_code(self, code):
        self._status_number_of(code)
        self._status = code

    def code(self):
        return self._status

    def set_details(self, str details):
        self._status_details = details

    def details(self):
        return self._status_details

    def set_trailing_metadata(self, metadata):
        self._trailing = _checked_trailing_metadata(metadata)

    def trailing_metadata(self):
        return self._trailing

    def disable_next_message_compression(self):
        self._no_compression = True

    def done(self):
        return self._call.reply_sent() or self._call.is_closed()

    def cancelled(self):
        """Whether the RPC ended before its status reached the client."""
        return self._call.is_cancelled()

    def add_done_callback(self, callback):
        """Calls `callback(context)` from the loop once RPC and handler are over."""
        if self._callbacks is None:
            self._callbacks = []
            self._call.set_wants_close()
        self._callbacks.append(callback)
        self._run_callbacks_when_over()

    async def send_initial_metadata(self, metadata):
        self._check_running()
        if self._metadata_sent:
            raise self.usage_error("Send initial metadata failed: already sent")
        self._call.initial_metadata().Assign(tuple(metadata))
        self._metadata_sent = True
        future = Future(loop=self._event_loop)
        self._call.SendInitialMetadata(<PyObject*>future)
        await future

    async def abort(self, code, str details="", tuple trailing_metadata=()):
        if self._abort_exception is not None:
            raise self.usage_error("Abort already called!")
        number = self._status_number_of(code)
        if trailing_metadata or not self._trailing:
            self._trailing = _checked_trailing_metadata(trailing_metadata)
        if details or not self._status_details:
            self._status_details = details
        self._status = code
        self._abort_exception = self.abort_error("Locally aborted.")
        if not self.done():
            self._send_reply(number, self._status_details, None)
        raise self._abort_exception

    async def abort_with_status(self, status):
        await self.abort(status.code, status.details, status.trailing_metadata)

    # ---- what the server calls

    cdef _check_running(self):
        if self._abort_exception is not None:
            raise self._abort_exception
        if self.done():
            raise self.usage_error("RPC already finished.")

    cdef _send_reply(self, int code, details, message):
        """Ends the RPC; `message` is the serialized response, for code 0."""
        cdef CReply* reply = self._call.reply()
        reply.code = <grpc_status_code>code
        if details:
            reply.details = details.encode(errors="replace")
        if self._trailing:
            reply.trailing_metadata.Assign(self._trailing)
        if message is not None:
            if not isinstance(message, bytes):
                raise TypeError(f"a serialized response must be bytes, got {type(message).__name__}")
            reply.message = CSliceFromBytes(self._server._loop._context.get(), message)
            reply.has_message = True
            if self._no_compression:
                reply.message_flags = GRPC_WRITE_NO_COMPRESS
        self._metadata_sent = True
        self._call.SendReply()

    cdef _refuse(self):
        self._send_reply(_RESOURCE_EXHAUSTED, "Concurrent RPC limit exceeded!", None)

    cdef _request_bytes(self):
        cdef grpc_byte_buffer* message = self._call.request()
        return None if message == NULL else CBytesFromByteBuffer(message)

    cdef _handle_closed(self):
        task = self._task
        if self._call.is_cancelled() and task is not None and not task.done():
            task.cancel()
        self._run_callbacks_when_over()

    cdef _leave(self):
        """The handler is over: breaks the cycle with its task."""
        self._task = None
        self._handler_over = True
        self._server._running.discard(self)
        self._run_callbacks_when_over()

    cdef _run_callbacks_when_over(self):
        if self._callbacks is None or not self._handler_over:
            return
        if not self._call.is_closed():
            # Nothing else holds the context between its handler's end and its RPC's.
            self._server._closing.add(self)
            return
        self._server._closing.discard(self)
        callbacks = self._callbacks
        self._callbacks = None
        for callback in callbacks:
            self._event_loop.call_soon(callback, self)

    cdef _handle_error(self, error):
        """Reports what a handler raised, as grpc.aio does."""
        _log.exception(
            "Unexpected [%s] raised by servicer method [%s]", type(error).__name__, self._method_name
        )
        if self.done():
            return
        number = _UNKNOWN if self._status is None else self._status_number_of(self._status)
        if number == _OK:
            number = _UNKNOWN
        try:
            text = f"Unexpected {type(error)}: {error}"
        except Exception:
            # The exception's own __str__ fails.
            text = f"Unexpected {type(error)}"
        self._send_reply(number, text, None)


def _checked_trailing_metadata(metadata):
    if not isinstance(metadata, tuple):
        raise TypeError(f"Invalid trailing metadata type, expected tuple: {metadata}")
    for entry in metadata:
        if not isinstance(entry, tuple) or len(entry) != 2:
            raise TypeError(f"Invalid trailing metadata, expected tuples of key and value: {entry!r}")
    return metadata


async def _serve_generic(ServicerContext context):
    """Serves an RPC whose method core does not know."""
    try:
        path = CStrFromSlice(context._call.generic_path())
        context._method_name = path
        try:
            handler = context._server._find_handler(path, context.invocation_metadata())
        except Exception as error:
            context._handle_error(error)
            return
        if handler is None:
            context._send_reply(_UNIMPLEMENTED, "Method not found!", None)
            return
        limit = context._server._limit
        if limit is not None and len(context._server._running) > limit:
            context._refuse()
            return
        method = Method(path, handler)
        if method.is_unary_unary:
            future = Future(loop=context._event_loop)
            context._call.ReceiveMessage(<PyObject*>future)
            await future
        await _serve_unary_unary(context, method)
    except CancelledError:
        if not context.done():
            context._send_reply(_CANCELLED, "", None)
    finally:
        context._leave()


async def _serve_unary_unary(ServicerContext context, Method method):
    """Runs a handler of one request and one response."""
    context._method_name = method.name
    try:
        if not method.is_unary_unary:
            context._send_reply(_UNIMPLEMENTED, "uvgrpc does not serve streams yet", None)
            return
        if not method._is_async:
            context._send_reply(
                _UNIMPLEMENTED, "uvgrpc does not serve handlers that are not async yet", None
            )
            return
        data = context._request_bytes()
        if data is None:
            context._send_reply(_INTERNAL, "The client sent no request message.", None)
            return
        deserializer = method._request_deserializer
        request = data if deserializer is None else deserializer(data)
        response = await method._behavior(request, context)
        if context._abort_exception is not None:
            _log.error("Abort error unexpectedly suppressed in servicer method [%s]", method.name)
            return
        if context._call.is_closed():
            return
        number = _OK if context._status is None else context._status_number_of(context._status)
        if number == _OK:
            serializer = method._response_serializer
            if serializer is not None:
                response = serializer(response)
            context._send_reply(_OK, context._status_details, response)
        else:
            context._send_reply(number, context._status_details, None)
    except CancelledError:
        # The client's doing, or the handler raised it by itself.
        if not context.done():
            context._send_reply(_CANCELLED, context._status_details, None)
    except Exception as error:
        if error is not context._abort_exception:
            context._handle_error(error)
    finally:
        context._leave()


g_python.on_request = &_on_request
g_python.on_server_call_closed = &_on_server_call_closed
g_python.on_server_shutdown = &_on_server_shutdown
g_python.on_client_call_done = &_on_client_call_done
g_python.resolve = &_resolve
CInitCore()
