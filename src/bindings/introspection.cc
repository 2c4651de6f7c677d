// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/bindings/introspection.h"

#include <grpc/grpc.h>
#include <grpc/slice.h>
#include <grpc/support/alloc.h>

#include "src/iomgr_uv/orphan_queue.h"

namespace uvgrpc {
namespace {

// `query` may have dropped the last reference to something of a closed loop.
// It takes intptr_t, which is another type than int64_t on some systems.
template <typename... Ids, typename... Numbers>
std::string Ask(char* (*query)(Ids...), Numbers... numbers) {
  char* text = query(static_cast<Ids>(numbers)...);
  OrphanQueue::Get().Drain();
  if (text == nullptr) return std::string();
  std::string result(text);
  gpr_free(text);
  return result;
}

}  // namespace

std::string ChannelzTopChannels(int64_t start_channel_id) {
  return Ask(&grpc_channelz_get_top_channels, start_channel_id);
}

std::string ChannelzServers(int64_t start_server_id) {
  return Ask(&grpc_channelz_get_servers, start_server_id);
}

std::string ChannelzServer(int64_t server_id) {
  return Ask(&grpc_channelz_get_server, server_id);
}

std::string ChannelzServerSockets(int64_t server_id, int64_t start_socket_id,
                                  int64_t max_results) {
  return Ask(&grpc_channelz_get_server_sockets, server_id, start_socket_id,
             max_results);
}

std::string ChannelzChannel(int64_t channel_id) {
  return Ask(&grpc_channelz_get_channel, channel_id);
}

std::string ChannelzSubchannel(int64_t subchannel_id) {
  return Ask(&grpc_channelz_get_subchannel, subchannel_id);
}

std::string ChannelzSocket(int64_t socket_id) {
  return Ask(&grpc_channelz_get_socket, socket_id);
}

std::string XdsConfigs() {
  const grpc_slice configs = grpc_dump_xds_configs();
  OrphanQueue::Get().Drain();
  std::string result(
      reinterpret_cast<const char*>(GRPC_SLICE_START_PTR(configs)),
      GRPC_SLICE_LENGTH(configs));
  grpc_slice_unref(configs);
  return result;
}

}  // namespace uvgrpc
