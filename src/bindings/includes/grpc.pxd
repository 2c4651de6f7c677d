# Declarations only: what of gRPC's C API the module touches.
from libc.stdint cimport int64_t, uint32_t


cdef extern from "grpc/support/time.h" nogil:
    ctypedef enum gpr_clock_type:
        GPR_CLOCK_MONOTONIC
        GPR_TIMESPAN

    ctypedef struct gpr_timespec:
        int64_t tv_sec

    gpr_timespec gpr_now(gpr_clock_type clock)
    gpr_timespec gpr_inf_future(gpr_clock_type clock)
    gpr_timespec gpr_time_from_nanos(int64_t ns, gpr_clock_type clock)
    gpr_timespec gpr_time_add(gpr_timespec a, gpr_timespec b)
    gpr_timespec gpr_time_sub(gpr_timespec a, gpr_timespec b)
    double gpr_timespec_to_micros(gpr_timespec t)
    int gpr_time_cmp(gpr_timespec a, gpr_timespec b)


cdef extern from "grpc/grpc.h" nogil:
    ctypedef struct grpc_slice:
        pass

    ctypedef struct grpc_byte_buffer:
        pass

    ctypedef struct grpc_arg:
        pass

    ctypedef struct grpc_call:
        pass

    ctypedef struct grpc_metadata_array:
        size_t count

    ctypedef enum grpc_status_code:
        GRPC_STATUS_OK

    ctypedef enum grpc_connectivity_state:
        GRPC_CHANNEL_SHUTDOWN

    uint32_t GRPC_INITIAL_METADATA_WAIT_FOR_READY
    uint32_t GRPC_INITIAL_METADATA_WAIT_FOR_READY_EXPLICITLY_SET
    uint32_t GRPC_WRITE_NO_COMPRESS

    const char* grpc_version_string()


cdef extern from "grpc/byte_buffer.h" nogil:
    void grpc_byte_buffer_destroy(grpc_byte_buffer*)
