# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
# Part of _core.pyx: credentials of channels and servers.


cdef class ChannelCredentials:
    """How a channel's connections are secured. Any thread; made by functions only.

    `_core` is null when core refused to make them; calls then fail.
    """

    cdef grpc_channel_credentials* _core

    def __dealloc__(self):
        grpc_channel_credentials_release(self._core)


cdef class ServerCredentials:
    """How the connections to a port are secured. Any thread; made by functions only.

    `_core` is null when core refused to make them; no port can be bound then.
    """

    cdef grpc_server_credentials* _core

    def __dealloc__(self):
        grpc_server_credentials_release(self._core)


cdef class CallCredentials:
    """Metadata that goes with calls. Made by functions only.

    Those of a plugin are for the loop that they were made for.
    """

    cdef CSharedCallCredentials _core


cdef ChannelCredentials _channel_credentials(grpc_channel_credentials* core):
    """Takes over a reference."""
    credentials = ChannelCredentials()
    credentials._core = core
    return credentials


cdef ServerCredentials _server_credentials(grpc_server_credentials* core):
    """Takes over a reference."""
    credentials = ServerCredentials()
    credentials._core = core
    return credentials


cdef CallCredentials _call_credentials(grpc_call_credentials* core):
    """Takes over a reference."""
    credentials = CallCredentials()
    credentials._core = CShareCallCredentials(core)
    return credentials


cdef const char* _pem(bytes text) except? NULL:
    """Borrowed; null for None and for the empty text."""
    return <const char*>text if text else NULL


def set_default_roots_file(str path):
    """Names the file of PEM certificates that TLS channels trust by default."""
    CSetDefaultRootsFile(path.encode())


def insecure_channel_credentials():
    return _channel_credentials(grpc_insecure_credentials_create())


def tls_channel_credentials(
    Loop loop not None, bytes root_certificates, bytes private_key, bytes certificate_chain, signer
):
    """Everything is PEM text or None. Without roots the default ones are trusted.

    With a `signer` in place of the key, the loop calls `signer(request)` with a
    SignRequest in each handshake. If that raises, the handshake fails.

    Raises ValueError for a chain without key or signer, or the reverse, or both.
    """
    cdef shared_ptr[CPrivateKeySigner] core_signer
    if (private_key and signer is not None) or (
        bool(certificate_chain) != (bool(private_key) or signer is not None)
    ):
        raise ValueError("a private key and a certificate chain must be given together")
    if signer is not None:
        core_signer = CNewPythonSigner(loop._context, <PyObject*>signer)
    return _channel_credentials(
        CNewTlsChannelCredentials(
            _pem(root_certificates), _pem(private_key), _pem(certificate_chain), core_signer
        )
    )


cdef _fill_certificates(CServerCertificates* certificates, bytes root_certificates, identities):
    if root_certificates is not None:
        certificates.set_root_certificates(<string>root_certificates)
    for private_key, certificate_chain in identities:
        certificates.AddIdentity(<string><bytes?>private_key, <string><bytes?>certificate_chain)


def insecure_server_credentials():
    return _server_credentials(grpc_insecure_server_credentials_create())


def tls_server_credentials(bytes root_certificates, identities, bint require_client_certificate):
    """`identities` are pairs of a private key and its certificate chain. All PEM."""
    cdef CServerCertificates certificates
    _fill_certificates(&certificates, root_certificates, identities)
    return _server_credentials(CNewTlsServerCredentials(certificates, require_client_certificate))


def reloading_tls_server_credentials(Loop loop not None, fetcher, bint require_client_certificate):
    """TLS for one port on `loop`, with certificates that may change.

    `fetcher()` is called on the loop when the port is bound and before each handshake.
    It returns None for no change, or a pair: roots, and identities as of
    tls_server_credentials(). If it raises, that is logged and nothing changes.
    """
    return _server_credentials(
        CNewReloadingTlsServerCredentials(loop._context, <PyObject*>fetcher, require_client_certificate)
    )


cdef CFetchResult _fetch_certificates(PyObject* fetcher, CServerCertificates* certificates) noexcept:
    try:
        fetched = (<object>fetcher)()
        if fetched is None:
            return CFetchResult.kUnchanged
        root_certificates, identities = fetched
        _fill_certificates(certificates, root_certificates, identities)
        return CFetchResult.kNew
    except BaseException as error:
        event_loop = _get_running_loop()
        if isinstance(error, _EXITS) and event_loop is not None:
            # Core's stack is below: the exit is raised where it can get through.
            event_loop.call_soon(_raise, error)
        else:
            _log.exception("fetching the certificates of a server")
        return CFetchResult.kFailed


def _raise(error):
    raise error


def local_channel_credentials(int kind):
    """For connections that do not leave the machine; `kind` as in grpc_local_connect_type."""
    return _channel_credentials(grpc_local_credentials_create(<grpc_local_connect_type>kind))


def local_server_credentials(int kind):
    return _server_credentials(grpc_local_server_credentials_create(<grpc_local_connect_type>kind))


def alts_channel_credentials(service_accounts):
    """`service_accounts` are those that a server may run as; empty for any."""
    cdef vector[string] accounts
    for account in service_accounts:
        accounts.push_back(<string>account.encode("ascii"))
    return _channel_credentials(CNewAltsChannelCredentials(accounts))


def alts_server_credentials():
    return _server_credentials(CNewAltsServerCredentials())


def compute_engine_channel_credentials(CallCredentials call not None):
    return _channel_credentials(CNewComputeEngineChannelCredentials(call._core))


def xds_channel_credentials(ChannelCredentials fallback not None):
    """What the control plane says; `fallback` where it says nothing."""
    if fallback._core == NULL:
        return fallback
    return _channel_credentials(grpc_xds_credentials_create(fallback._core))


def xds_server_credentials(ServerCredentials fallback not None):
    if fallback._core == NULL:
        return fallback
    return _server_credentials(grpc_xds_server_credentials_create(fallback._core))


cdef class SslSessionCache:
    """Sessions of TLS clients, to be resumed; the value of a channel argument. Any thread."""

    cdef grpc_ssl_session_cache* _cache

    def __cinit__(self, size_t capacity):
        self._cache = grpc_ssl_session_cache_create_lru(capacity)

    def __dealloc__(self):
        grpc_ssl_session_cache_destroy(self._cache)


def composite_channel_credentials(ChannelCredentials channel not None, CallCredentials call not None):
    """The security of `channel`, with the metadata of `call` in every call."""
    if channel._core == NULL:
        return channel
    return _channel_credentials(
        grpc_composite_channel_credentials_create(channel._core, call._core.get(), NULL)
    )


def composite_call_credentials(CallCredentials first not None, CallCredentials second not None):
    return _call_credentials(
        grpc_composite_call_credentials_create(first._core.get(), second._core.get(), NULL)
    )


def access_token_call_credentials(bytes token not None):
    """An authorization header with a bearer token, which must be printable ASCII."""
    return _call_credentials(grpc_access_token_credentials_create(<const char*>token, NULL))


def plugin_call_credentials(Loop loop not None, plugin):
    """Metadata that Python gives, for calls on `loop`.

    For each call the loop calls `plugin(request)`, with a MetadataRequest. If that
    raises, the call fails.
    """
    return _call_credentials(CNewPluginCallCredentials(loop._context, <PyObject*>plugin))
