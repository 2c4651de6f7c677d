# Declarations only: credentials, of gRPC's C API and of src/bindings.
from libcpp cimport bool
from libcpp.string cimport string


cdef extern from "grpc/credentials.h" nogil:
    ctypedef struct grpc_channel_credentials:
        pass

    ctypedef struct grpc_server_credentials:
        pass

    grpc_channel_credentials* grpc_insecure_credentials_create()
    void grpc_channel_credentials_release(grpc_channel_credentials*)
    grpc_server_credentials* grpc_insecure_server_credentials_create()
    void grpc_server_credentials_release(grpc_server_credentials*)


cdef extern from "src/bindings/credentials.h" namespace "uvgrpc" nogil:
    void CSetDefaultRootsFile "uvgrpc::SetDefaultRootsFile"(const string&)
    grpc_channel_credentials* CNewTlsChannelCredentials "uvgrpc::NewTlsChannelCredentials"(
        const char*, const char*, const char*
    )

    cdef cppclass CServerCertificates "uvgrpc::ServerCertificates":
        void set_root_certificates(string)
        void AddIdentity(string, string)

    grpc_server_credentials* CNewTlsServerCredentials "uvgrpc::NewTlsServerCredentials"(
        const CServerCertificates&, bool
    )
