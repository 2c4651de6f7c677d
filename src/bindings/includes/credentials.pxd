# Declarations only: credentials, of gRPC's C API and of src/bindings.
from libcpp cimport bool
from libcpp.memory cimport shared_ptr
from libcpp.string cimport string
from libcpp.vector cimport vector

from src.bindings.includes.grpc cimport grpc_arg


cdef extern from "grpc/credentials.h" nogil:
    ctypedef struct grpc_channel_credentials:
        pass

    ctypedef struct grpc_server_credentials:
        pass

    ctypedef struct grpc_call_credentials:
        pass

    grpc_channel_credentials* grpc_insecure_credentials_create()
    void grpc_channel_credentials_release(grpc_channel_credentials*)
    grpc_server_credentials* grpc_insecure_server_credentials_create()
    void grpc_server_credentials_release(grpc_server_credentials*)
    grpc_channel_credentials* grpc_xds_credentials_create(grpc_channel_credentials*)
    grpc_server_credentials* grpc_xds_server_credentials_create(grpc_server_credentials*)

    ctypedef enum grpc_local_connect_type:
        pass

    grpc_channel_credentials* grpc_local_credentials_create(grpc_local_connect_type)
    grpc_server_credentials* grpc_local_server_credentials_create(grpc_local_connect_type)

    ctypedef struct grpc_ssl_session_cache:
        pass

    grpc_ssl_session_cache* grpc_ssl_session_cache_create_lru(size_t)
    void grpc_ssl_session_cache_destroy(grpc_ssl_session_cache*)
    grpc_arg grpc_ssl_session_cache_create_channel_arg(grpc_ssl_session_cache*)

    grpc_call_credentials* grpc_access_token_credentials_create(const char*, void*)
    grpc_call_credentials* grpc_composite_call_credentials_create(
        grpc_call_credentials*, grpc_call_credentials*, void*
    )
    grpc_channel_credentials* grpc_composite_channel_credentials_create(
        grpc_channel_credentials*, grpc_call_credentials*, void*
    )


cdef extern from "grpc/private_key_signer.h" namespace "grpc_core" nogil:
    cdef cppclass CPrivateKeySigner "grpc_core::PrivateKeySigner":
        pass


cdef extern from "src/bindings/credentials/credentials.h" namespace "uvgrpc" nogil:
    ctypedef shared_ptr[grpc_call_credentials] CSharedCallCredentials "uvgrpc::SharedCallCredentials"
    CSharedCallCredentials CShareCallCredentials "uvgrpc::ShareCallCredentials"(grpc_call_credentials*)
    void CSetDefaultRootsFile "uvgrpc::SetDefaultRootsFile"(const string&)
    grpc_channel_credentials* CNewTlsChannelCredentials "uvgrpc::NewTlsChannelCredentials"(
        const char*, const char*, const char*, const shared_ptr[CPrivateKeySigner]&
    )

    cdef cppclass CServerCertificates "uvgrpc::ServerCertificates":
        void set_root_certificates(string)
        void AddIdentity(string, string)

    grpc_server_credentials* CNewTlsServerCredentials "uvgrpc::NewTlsServerCredentials"(
        const CServerCertificates&, bool
    )
    grpc_channel_credentials* CNewAltsChannelCredentials "uvgrpc::NewAltsChannelCredentials"(
        const vector[string]&
    )
    grpc_server_credentials* CNewAltsServerCredentials "uvgrpc::NewAltsServerCredentials"()
    grpc_channel_credentials* CNewComputeEngineChannelCredentials "uvgrpc::NewComputeEngineChannelCredentials"(
        const CSharedCallCredentials&
    )
