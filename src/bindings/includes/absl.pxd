# Declarations only: what of abseil the module touches.
from libcpp cimport bool
from libcpp.string cimport string


cdef extern from "absl/status/status.h" namespace "absl" nogil:
    cdef cppclass Status:
        bool ok() const
        string ToString() const


cdef extern from "absl/status/statusor.h" namespace "absl" nogil:
    cdef cppclass StatusOr[T]:
        bool ok() const
        const Status& status() const
        T& value()
