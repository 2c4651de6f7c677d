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


cdef const char* _pem(bytes text) except? NULL:
    """Borrowed; null for None and for the empty text."""
    return <const char*>text if text else NULL


def set_default_roots_file(str path):
    """Names the file of PEM certificates that TLS channels trust by default."""
    CSetDefaultRootsFile(path.encode())


def insecure_channel_credentials():
    return _channel_credentials(grpc_insecure_credentials_create())


def tls_channel_credentials(bytes root_certificates, bytes private_key, bytes certificate_chain):
    """Everything is PEM text or None. Without roots the default ones are trusted.

    Raises ValueError for a key without a certificate chain, or the reverse.
    """
    if bool(private_key) != bool(certificate_chain):
        raise ValueError("a private key and a certificate chain must be given together")
    return _channel_credentials(
        CNewTlsChannelCredentials(_pem(root_certificates), _pem(private_key), _pem(certificate_chain))
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
