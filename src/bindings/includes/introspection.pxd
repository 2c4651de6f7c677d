# Declarations only: src/bindings/introspection.h.
from libc.stdint cimport int64_t
from libcpp.string cimport string


cdef extern from "src/bindings/introspection.h" namespace "uvgrpc" nogil:
    string CChannelzTopChannels "uvgrpc::ChannelzTopChannels"(int64_t)
    string CChannelzServers "uvgrpc::ChannelzServers"(int64_t)
    string CChannelzServer "uvgrpc::ChannelzServer"(int64_t)
    string CChannelzServerSockets "uvgrpc::ChannelzServerSockets"(int64_t, int64_t, int64_t)
    string CChannelzChannel "uvgrpc::ChannelzChannel"(int64_t)
    string CChannelzSubchannel "uvgrpc::ChannelzSubchannel"(int64_t)
    string CChannelzSocket "uvgrpc::ChannelzSocket"(int64_t)
    string CXdsConfigs "uvgrpc::XdsConfigs"()
