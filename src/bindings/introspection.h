// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// What this core tells of its channels, servers and xDS clients.
//
// Any thread, without the GIL. The functions take core's own locks, briefly,
// under which nothing waits for a loop or for Python; what they ask of a
// transport goes through its engine's Run, and so to the transport's loop.

#ifndef UVGRPC_BINDINGS_INTROSPECTION_H_
#define UVGRPC_BINDINGS_INTROSPECTION_H_

#include <cstdint>
#include <string>

namespace uvgrpc {

// channelz: JSON of the responses of grpc.channelz.v1, for objects with the
// ids of this core. Empty when there is no such object. Lists begin with the
// first id that is not smaller than the one given.
std::string ChannelzTopChannels(int64_t start_channel_id);
std::string ChannelzServers(int64_t start_server_id);
std::string ChannelzServer(int64_t server_id);
// `max_results` 0 is no limit.
std::string ChannelzServerSockets(int64_t server_id, int64_t start_socket_id,
                                  int64_t max_results);
std::string ChannelzChannel(int64_t channel_id);
std::string ChannelzSubchannel(int64_t subchannel_id);
std::string ChannelzSocket(int64_t socket_id);

// A serialized envoy.service.status.v3.ClientStatusResponse.
std::string XdsConfigs();

}  // namespace uvgrpc

#endif  // UVGRPC_BINDINGS_INTROSPECTION_H_
