# Declarations only: the C++ classes of src/bindings.
from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libcpp cimport bool
from libcpp.memory cimport shared_ptr
from libcpp.string cimport string
from libcpp.vector cimport vector

from src.bindings.includes.absl cimport StatusOr
from src.bindings.includes.credentials cimport (
    CPrivateKeySigner,
    CServerCertificates,
    CSharedCallCredentials,
    grpc_call_credentials,
    grpc_channel_credentials,
    grpc_server_credentials,
)
from src.bindings.includes.grpc cimport (
    gpr_timespec,
    grpc_arg,
    grpc_byte_buffer,
    grpc_connectivity_state,
    grpc_metadata_array,
    grpc_slice,
    grpc_status_code,
)


cdef extern from "uv.h" nogil:
    ctypedef struct uv_loop_t:
        pass


cdef extern from "src/iomgr_uv/uv_api.h" namespace "uvgrpc" nogil:
    cdef cppclass CUvApi "uvgrpc::UvApi":
        pass


cdef extern from "src/iomgr_uv/turn_stats.h" namespace "uvgrpc" nogil:
    cdef cppclass CMilliseconds "uvgrpc::TurnStats::Milliseconds":
        int64_t count() const
    cdef cppclass CHistogram "uvgrpc::TurnStats::Histogram":
        uint64_t operator[](size_t) const
        size_t size() const
    cdef cppclass CTurnStats "uvgrpc::TurnStats":
        CMilliseconds last() const
        CMilliseconds worst() const
        const CHistogram& histogram() const


cdef extern from "src/iomgr_uv/loop_bridge.h" namespace "uvgrpc" nogil:
    cdef cppclass CLoopBridge "uvgrpc::LoopBridge":
        bool HandleFork()
        int handle_count() const
        uint64_t callback_count() const
        const CTurnStats& turn_stats() const
        size_t posted_count() const
        size_t unsent_bytes() const
        string DescribeHandles() const


cdef extern from "src/iomgr_uv/socket_registry.h" namespace "uvgrpc" nogil:
    vector[int] CNotedSockets "uvgrpc::NotedSockets"()
    int CReplaceSockets "uvgrpc::ReplaceSockets"()


cdef extern from "src/engine/core_init.h" namespace "uvgrpc" nogil:
    void CInitCore "uvgrpc::InitCore"()


cdef extern from "src/bindings/loop_capsule.h" namespace "uvgrpc":
    StatusOr[uv_loop_t*] CLoopFromCapsule "uvgrpc::LoopFromCapsule"(object)
    StatusOr[CUvApi] CUvApiOfModule "uvgrpc::UvApiOfModule"(const char*)


cdef extern from "src/bindings/loop_context.h" namespace "uvgrpc" nogil:
    cdef cppclass CLoopContext "uvgrpc::LoopContext":
        @staticmethod
        StatusOr[shared_ptr[CLoopContext]] Create(uv_loop_t*, const CUvApi&)
        CLoopBridge* bridge() const
        bool is_closed() const
        bool InLoopThread() const
        void Claim()
        void Disclaim()
        void set_loop(PyObject*)
        void StartNow()
        bool DeliverPending() except False
        void NoteException()
        int resident_count() const
        int collected_count() const
        int waiting_completions() const
        uint64_t start_count() const
        uint64_t delivery_count() const
        int64_t buffered_bytes() const
        void Shutdown()


cdef extern from "src/bindings/waiters.h" namespace "uvgrpc":
    PyObject* CStepTask "uvgrpc::StepTask"(PyObject*, PyObject*) noexcept


cdef extern from "src/bindings/channel_args.h" namespace "uvgrpc" nogil:
    cdef cppclass CChannelArgs "uvgrpc::ChannelArgs":
        void AddInteger(const string& key, int value)
        void AddString(const string& key, const string& value)
        void Add(const grpc_arg&)


cdef extern from "src/bindings/metadata.h" namespace "uvgrpc":
    cdef cppclass COutgoingMetadata "uvgrpc::OutgoingMetadata":
        bool Assign(object) except False
        bool Check() except False
        void Swap(COutgoingMetadata*)
    bool CCheckMetadata "uvgrpc::CheckMetadata"(object) except False
    object CMetadataToTuple "uvgrpc::MetadataToTuple"(const grpc_metadata_array&, PyObject*)


cdef extern from "src/bindings/message.h" namespace "uvgrpc":
    grpc_slice CSliceFromBytes "uvgrpc::SliceFromBytes"(CLoopContext*, object)
    object CBytesFromByteBuffer "uvgrpc::BytesFromByteBuffer"(grpc_byte_buffer*)
    object CStrFromSlice "uvgrpc::StrFromSlice"(const grpc_slice&)


cdef extern from "src/bindings/channel.h" namespace "uvgrpc" nogil:
    cdef cppclass CChannel "uvgrpc::Channel":
        @staticmethod
        shared_ptr[CChannel] New(
            shared_ptr[CLoopContext], const string&, grpc_channel_credentials*, CChannelArgs*
        )
        @staticmethod
        shared_ptr[CChannel] NewInproc(shared_ptr[CLoopContext], CServer*, CChannelArgs*)
        @staticmethod
        StatusOr[shared_ptr[CChannel]] NewConnected(
            shared_ptr[CLoopContext], int, grpc_channel_credentials*, CChannelArgs*
        )
        void Close()
        bool is_closed() const
        void* RegisterMethod(const string&)
        grpc_connectivity_state CheckConnectivity(bool)
        object CallOwners()
        void WatchConnectivity(grpc_connectivity_state, PyObject*)


cdef extern from "src/bindings/incoming_messages.h" namespace "uvgrpc":
    cdef cppclass CIncomingMessages "uvgrpc::IncomingMessages":
        bool has_message() const
        bool at_end() const
        grpc_byte_buffer* Take()
        void ReadAhead()
        bool has_room() const
        void Wait(PyObject*)


cdef extern from "src/bindings/outgoing_messages.h" namespace "uvgrpc":
    cdef cppclass COutgoingMessages "uvgrpc::OutgoingMessages":
        void Push(grpc_slice, uint32_t)
        void NoteActivity()
        bool failed() const
        bool MustWait() const
        void Wait(PyObject*)


cdef extern from "src/bindings/client_call.h" namespace "uvgrpc" nogil:
    cdef cppclass CClientCallArguments "uvgrpc::ClientCall::Arguments":
        void* method
        grpc_slice path
        gpr_timespec deadline
        uint32_t initial_metadata_flags
        bool request_streaming
        bool response_streaming
        grpc_slice request
        CSharedCallCredentials credentials

    cdef cppclass CClientCall "uvgrpc::ClientCall":
        @staticmethod
        CClientCall* New(shared_ptr[CChannel], const CClientCallArguments&, COutgoingMetadata*)
        COutgoingMessages* outgoing()
        void HalfClose()
        CIncomingMessages* incoming()
        void Cancel(const char*)
        void Relinquish(const char*)
        void Abandon()
        void set_owner(PyObject*)
        bool has_status() const
        bool is_done() const
        bool is_connected() const
        bool has_initial_metadata() const
        void set_wants_progress()
        grpc_status_code code() const
        const grpc_slice& details() const
        const char* error_string() const
        const grpc_metadata_array& initial_metadata() const
        const grpc_metadata_array& trailing_metadata() const
        grpc_byte_buffer* response() const


cdef extern from "src/bindings/server_call.h" namespace "uvgrpc" nogil:
    cdef cppclass CReply "uvgrpc::ServerCall::Reply":
        grpc_status_code code
        string details
        COutgoingMetadata trailing_metadata

    cdef cppclass CServerCall "uvgrpc::ServerCall":
        void Ref()
        void Abandon()
        void set_owner(PyObject*)
        const grpc_slice& generic_path() const
        gpr_timespec deadline() const
        const grpc_metadata_array& request_metadata() const
        CIncomingMessages* incoming()
        COutgoingMessages* outgoing()
        COutgoingMetadata* initial_metadata()
        void SendInitialMetadata()
        void WaitForEnd()
        CReply* reply()
        void SendReply()
        void set_wants_close()
        bool reply_sent() const
        bool is_closed() const
        bool is_cancelled() const
        string Peer() const


cdef extern from "src/bindings/server.h" namespace "uvgrpc" nogil:
    cdef cppclass CServer "uvgrpc::Server":
        @staticmethod
        CServer* New(shared_ptr[CLoopContext], CChannelArgs*, PyObject*)
        void set_max_waiting(int)
        void Abandon()
        int AddPort(const string&, grpc_server_credentials*)
        StatusOr[int] AddSocket(int, grpc_server_credentials*)
        int AddMethod(const string&, bool)
        void Start()
        void Drain()
        void Shutdown()
        void CancelAllCalls()


cdef extern from "src/bindings/credentials/auth_context.h" namespace "uvgrpc":
    object CPeerIdentities "uvgrpc::PeerIdentities"(const CServerCall*)
    object CPeerIdentityKey "uvgrpc::PeerIdentityKey"(const CServerCall*)
    object CAuthContext "uvgrpc::AuthContext"(const CServerCall*)


cdef extern from "src/bindings/credentials/python_request.h" namespace "uvgrpc":
    cdef cppclass CPythonRequest "uvgrpc::PythonRequest":
        void Ref()
        void Unref()
        bool Claim()
        void Answer(const char*)


cdef extern from "src/bindings/credentials/private_key_signer.h" namespace "uvgrpc":
    cdef cppclass CSignRequest "uvgrpc::SignRequest"(CPythonRequest):
        const string& data() const
        int algorithm() const
        void set_signature(string)
        bool SetCancelNotice(PyObject*)

    shared_ptr[CPrivateKeySigner] CNewPythonSigner "uvgrpc::NewPythonSigner"(
        shared_ptr[CLoopContext], PyObject*
    )


cdef extern from "src/bindings/credentials/plugin_credentials.h" namespace "uvgrpc":
    cdef cppclass CMetadataRequest "uvgrpc::MetadataRequest"(CPythonRequest):
        const string& service_url() const
        const string& method_name() const
        COutgoingMetadata* metadata()

    grpc_call_credentials* CNewPluginCallCredentials "uvgrpc::NewPluginCallCredentials"(
        shared_ptr[CLoopContext], PyObject*
    )


cdef extern from "src/bindings/credentials/reloading_credentials.h" namespace "uvgrpc":
    grpc_server_credentials* CNewReloadingTlsServerCredentials "uvgrpc::NewReloadingTlsServerCredentials"(
        shared_ptr[CLoopContext], PyObject*, bool
    )


cdef extern from "src/bindings/python_hooks.h" namespace "uvgrpc":
    cdef enum class CFetchResult "uvgrpc::FetchResult":
        kNew
        kUnchanged
        kFailed

    cdef cppclass CPythonHooks "uvgrpc::PythonHooks":
        bool (*schedule_delivery)(PyObject*) except False
        void (*on_request)(PyObject*, CServerCall*, int) except *
        void (*on_server_call_closed)(PyObject*) except *
        void (*on_server_shutdown)(PyObject*) except *
        void (*on_client_call_done)(PyObject*) except *
        void (*on_metadata_request)(PyObject*, CMetadataRequest*) except *
        void (*on_sign_request)(PyObject*, CSignRequest*) except *
        CFetchResult (*fetch_certificates)(PyObject*, CServerCertificates*) noexcept
        void (*on_client_call_progress)(PyObject*) except *
        void (*resolve)(PyObject*, bool) noexcept
        bool (*is_done)(PyObject*) noexcept
    CPythonHooks g_python
