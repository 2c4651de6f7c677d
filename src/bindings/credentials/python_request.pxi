# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
# Part of _core.pyx: what core asks Python for while it makes a connection or a call.


cdef class PythonRequest:
    """A question of core's. To be answered once, on any thread.

    Core waits for the answer, but not beyond a deadline of its own. If the object dies
    unanswered, the answer is an error.
    """

    cdef CPythonRequest* _base

    def __dealloc__(self):
        if self._base != NULL:
            if self._base.Claim():
                self._base.Answer(b"Python has let go of its callback without calling it")
            self._base.Unref()

    def fail(self, str details):
        """Answers with an error. Does nothing once answered."""
        if self._base.Claim():
            self._answer_with_error(details)

    cdef _answer_with_error(self, str details):
        self._base.Answer(details.encode(errors="replace"))


cdef class MetadataRequest(PythonRequest):
    """What a call asks a plugin. An error ends the call with UNAVAILABLE."""

    cdef CMetadataRequest* _request

    @property
    def service_url(self):
        return self._request.service_url().decode(errors="replace")

    @property
    def method_name(self):
        return self._request.method_name().decode(errors="replace")

    def succeed(self, metadata):
        """Sends pairs, or nothing for None, with the call. Does nothing once answered.

        Raises TypeError for anything else; the call fails then.
        """
        if not self._request.Claim():
            return
        try:
            self._request.metadata().Assign(metadata)
        except BaseException as error:
            self._answer_with_error(str(error))
            raise
        self._request.Answer(NULL)


cdef class SignRequest(PythonRequest):
    """What a handshake asks the keeper of a private key. An error fails the handshake."""

    cdef CSignRequest* _request

    @property
    def data(self):
        """What is to be signed."""
        cdef bytes data = self._request.data()
        return data

    @property
    def algorithm(self):
        """A value of grpc.experimental.PrivateKeySignatureAlgorithm."""
        return self._request.algorithm()

    def succeed(self, bytes signature not None):
        """Does nothing once answered."""
        if self._request.Claim():
            self._request.set_signature(<string>signature)
            self._request.Answer(NULL)

    def set_cancel_notice(self, notice):
        """Has the loop call `notice()` if the handshake ends before there is an answer.

        Returns False if it has ended; then it is not called.
        """
        return self._request.SetCancelNotice(<PyObject*>notice)


cdef void _on_metadata_request(PyObject* plugin, CMetadataRequest* core) except *:
    request = <MetadataRequest>MetadataRequest.__new__(MetadataRequest)
    core.Ref()
    request._base = request._request = core
    _ask(<object>plugin, request)


cdef void _on_sign_request(PyObject* signer, CSignRequest* core) except *:
    request = <SignRequest>SignRequest.__new__(SignRequest)
    core.Ref()
    request._base = request._request = core
    _ask(<object>signer, request)


cdef void _ask(function, PythonRequest request) except *:
    try:
        function(request)
    except BaseException as error:
        request.fail(f"{type(error).__name__}: {error}")
        if isinstance(error, _EXITS):
            raise
        _log.exception("asking Python on behalf of gRPC")
