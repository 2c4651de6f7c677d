# What this core tells of itself. From any thread; core is asked without the GIL.


cdef bytes _found(string text):
    """The text as bytes; None when there was none."""
    return <bytes>text if text.size() else None


def channelz_get_top_channels(int64_t start_channel_id):
    cdef string text
    with nogil:
        text = CChannelzTopChannels(start_channel_id)
    return _found(text)


def channelz_get_servers(int64_t start_server_id):
    cdef string text
    with nogil:
        text = CChannelzServers(start_server_id)
    return _found(text)


def channelz_get_server(int64_t server_id):
    cdef string text
    with nogil:
        text = CChannelzServer(server_id)
    return _found(text)


def channelz_get_server_sockets(int64_t server_id, int64_t start_socket_id, int64_t max_results):
    cdef string text
    with nogil:
        text = CChannelzServerSockets(server_id, start_socket_id, max_results)
    return _found(text)


def channelz_get_channel(int64_t channel_id):
    cdef string text
    with nogil:
        text = CChannelzChannel(channel_id)
    return _found(text)


def channelz_get_subchannel(int64_t subchannel_id):
    cdef string text
    with nogil:
        text = CChannelzSubchannel(subchannel_id)
    return _found(text)


def channelz_get_socket(int64_t socket_id):
    cdef string text
    with nogil:
        text = CChannelzSocket(socket_id)
    return _found(text)


def dump_xds_configs():
    cdef string text
    with nogil:
        text = CXdsConfigs()
    return <bytes>text
