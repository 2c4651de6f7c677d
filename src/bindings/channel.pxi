# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
# Part of _core.pyx: channels.


# Core keeps what is registered with a channel as long as the channel.
cdef int _MAX_REGISTERED_METHODS = 1000


cdef class Channel:
    """A channel of core's. The event loop is the one that `loop` was made for."""

    cdef shared_ptr[CChannel] _channel
    cdef Loop _loop
    cdef readonly object event_loop
    cdef dict _methods

    def __init__(self, Loop loop, event_loop, str target, ChannelCredentials credentials not None, options):
        cdef CChannelArgs args
        loop._enter()
        _fill_args(&args, options)
        self._take(loop, event_loop, CChannel.New(loop._context, target.encode(), credentials._core, &args))

    cdef _take(self, Loop loop, event_loop, shared_ptr[CChannel] channel):
        self._loop = loop
        self.event_loop = event_loop
        self._methods = {}
        self._channel = channel

    @staticmethod
    def inproc(Loop loop, event_loop, Server server not None, options):
        """A channel to a server of the same loop, which runs: no socket is between them."""
        cdef CChannelArgs args
        loop._enter()
        if server._loop is not loop:
            raise RuntimeError("the server belongs to another event loop: an in-process channel needs both on one")
        if not server.is_started or server.is_shutting_down or server.is_stopped:
            raise RuntimeError("the server does not run: start it before a channel inside the process is made to it")
        _fill_args(&args, options)
        cdef Channel self = Channel.__new__(Channel)
        self._take(loop, event_loop, CChannel.NewInproc(loop._context, server._server, &args))
        return self

    @staticmethod
    def connected(Loop loop, event_loop, int fd, ChannelCredentials credentials not None, options):
        """A channel over a connected socket, which is taken over in any case, and no other.

        Raises OSError if it is not fit for that.
        """
        cdef CChannelArgs args
        cdef StatusOr[shared_ptr[CChannel]] channel
        try:
            loop._enter()
            _fill_args(&args, options)
        except BaseException:
            close(fd)
            raise
        channel = CChannel.NewConnected(loop._context, fd, credentials._core, &args)
        if not channel.ok():
            raise OSError(channel.status().ToString().decode())
        cdef Channel self = Channel.__new__(Channel)
        self._take(loop, event_loop, channel.value())
        return self

    @property
    def is_closed(self):
        return self._channel.get().is_closed()

    def start_now(self):
        """Hands to core what calls have been given to send, as far as core takes it."""
        self._loop.start_now()

    def cancel_calls(self):
        """Ends the calls that are not over with CANCELLED. After start_now()."""
        for call in self.active_calls():
            (<ClientCall>call)._relinquish()

    def close(self):
        """Destroys core's channel; watches resolve. Idempotent."""
        self._loop._enter()
        self._methods = {}
        self._channel.get().Close()

    def check_connectivity(self, cbool try_to_connect):
        """The number of the state. Any thread; on another than the loop's connecting starts later."""
        self._loop._may_enter()
        return <int>self._channel.get().CheckConnectivity(try_to_connect)

    def watch_connectivity(self, int last):
        """A future that resolves with True when the state is no longer `last`, with False if it ends."""
        self._loop._enter()
        future = Future(loop=self.event_loop)
        if self._channel.get().is_closed():
            future.set_result(False)
            return future
        self._channel.get().WatchConnectivity(<grpc_connectivity_state>last, <PyObject*>future)
        return future

    def active_calls(self):
        """The ClientCall objects of this channel that are not over."""
        self._loop._enter()
        return self._channel.get().CallOwners()

    cdef void* _method(self, bytes method) except? NULL:
        """The handle of a method; NULL for one that is not to be registered any more."""
        if self._channel.get().is_closed():
            return NULL
        handle = self._methods.get(method)
        if handle is None:
            if len(self._methods) >= _MAX_REGISTERED_METHODS:
                return NULL
            handle = <size_t>self._channel.get().RegisterMethod(<string>method)
            self._methods[method] = handle
        return <void*><size_t>handle
