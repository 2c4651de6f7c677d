// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/iomgr_uv/tcp_options.h"

#include <fcntl.h>
#include <grpc/impl/channel_arg_names.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <climits>
#include <memory>
#include <vector>

#include "gtest/gtest.h"
#include "src/core/lib/channel/channel_args.h"
#include "src/core/lib/event_engine/channel_args_endpoint_config.h"
#include "src/iomgr_uv/owned_fd.h"

namespace uvgrpc {
namespace {

using grpc_event_engine::experimental::ChannelArgsEndpointConfig;

TcpOptions From(const grpc_core::ChannelArgs& args) {
  return TcpOptions(ChannelArgsEndpointConfig(args));
}

int Get(const OwnedFd& fd, int level, int option) {
  int value = -1;
  socklen_t size = sizeof(value);
  EXPECT_EQ(getsockopt(fd.get(), level, option, &value, &size), 0);
  return value;
}

OwnedFd Tcp(int family = AF_INET) {
  return OwnedFd(socket(family, SOCK_STREAM, 0));
}

TEST(TcpOptionsTest, DefaultsWithoutArguments) {
  const TcpOptions options = From({});
  EXPECT_EQ(options.read_chunk_size, 8192);
  EXPECT_EQ(options.min_read_chunk_size, 256);
  EXPECT_EQ(options.max_read_chunk_size, 64 * 1024);
  EXPECT_EQ(options.receive_buffer_size, TcpOptions::kUnset);
  EXPECT_EQ(options.dscp, TcpOptions::kUnset);
  EXPECT_TRUE(options.allow_reuse_port);
  EXPECT_FALSE(options.expand_wildcard_addresses);
  EXPECT_EQ(options.socket_mutator, nullptr);
}

TEST(TcpOptionsTest, ReadChunkSizesAreKeptInOrder) {
  const TcpOptions options =
      From(grpc_core::ChannelArgs()
               .Set(GRPC_ARG_TCP_READ_CHUNK_SIZE, 100000)
               .Set(GRPC_ARG_TCP_MIN_READ_CHUNK_SIZE, 5000)
               .Set(GRPC_ARG_TCP_MAX_READ_CHUNK_SIZE, 4000));
  EXPECT_EQ(options.max_read_chunk_size, 4000);
  EXPECT_EQ(options.min_read_chunk_size, 4000);
  EXPECT_EQ(options.read_chunk_size, 4000);
}

TEST(TcpOptionsTest, ValuesOutOfRangeCountAsNotGiven) {
  const TcpOptions options = From(grpc_core::ChannelArgs()
                                      .Set(GRPC_ARG_TCP_READ_CHUNK_SIZE, 0)
                                      .Set(GRPC_ARG_TCP_RECEIVE_BUFFER_SIZE, -5)
                                      .Set(GRPC_ARG_DSCP, 64)
                                      .Set(GRPC_ARG_KEEPALIVE_TIME_MS, -1));
  EXPECT_EQ(options.read_chunk_size, 8192);
  EXPECT_EQ(options.receive_buffer_size, TcpOptions::kUnset);
  EXPECT_EQ(options.dscp, TcpOptions::kUnset);
  EXPECT_EQ(options.keepalive_time_ms, 0);
}

TEST(TcpOptionsTest, SocketsDoNotBlockOrDelayOrSurviveExec) {
  for (int family : {AF_INET, AF_INET6}) {
    OwnedFd client = Tcp(family);
    OwnedFd listener = Tcp(family);
    if (!client.is_open()) continue;
    EXPECT_TRUE(PrepareClientSocket(client.get(), family, {}).ok());
    EXPECT_TRUE(PrepareListenerSocket(listener.get(), family, {}).ok());
    for (const OwnedFd* fd : {&client, &listener}) {
      EXPECT_EQ(Get(*fd, IPPROTO_TCP, TCP_NODELAY), 1);
      EXPECT_NE(fcntl(fd->get(), F_GETFL) & O_NONBLOCK, 0);
      EXPECT_NE(fcntl(fd->get(), F_GETFD) & FD_CLOEXEC, 0);
    }
    EXPECT_EQ(Get(client, SOL_SOCKET, SO_REUSEPORT), 0);
    EXPECT_EQ(Get(listener, SOL_SOCKET, SO_REUSEPORT), 1);
  }
}

TEST(TcpOptionsTest, UnixSocketsArePreparedToo) {
  OwnedFd client = Tcp(AF_UNIX);
  OwnedFd listener = Tcp(AF_UNIX);
  TcpOptions options;
  options.dscp = 10;
  EXPECT_TRUE(PrepareClientSocket(client.get(), AF_UNIX, options).ok());
  EXPECT_TRUE(PrepareListenerSocket(listener.get(), AF_UNIX, options).ok());
  EXPECT_TRUE(PrepareAcceptedSocket(client.get(), AF_UNIX, options).ok());
}

TEST(TcpOptionsTest, ReusePortCanBeSwitchedOff) {
  const TcpOptions options =
      From(grpc_core::ChannelArgs().Set(GRPC_ARG_ALLOW_REUSEPORT, 0));
  OwnedFd listener = Tcp();
  EXPECT_TRUE(PrepareListenerSocket(listener.get(), AF_INET, options).ok());
  EXPECT_EQ(Get(listener, SOL_SOCKET, SO_REUSEPORT), 0);
}

TEST(TcpOptionsTest, UserTimeoutFollowsKeepalive) {
  const auto timeout = [](const grpc_core::ChannelArgs& args, bool is_client) {
    OwnedFd fd = Tcp();
    const TcpOptions options = From(args);
    EXPECT_TRUE((is_client ? PrepareClientSocket(fd.get(), AF_INET, options)
                           : PrepareListenerSocket(fd.get(), AF_INET, options))
                    .ok());
    return Get(fd, IPPROTO_TCP, TCP_USER_TIMEOUT);
  };
  const grpc_core::ChannelArgs none;
  const auto on = none.Set(GRPC_ARG_KEEPALIVE_TIME_MS, 1000)
                      .Set(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 3456);
  const auto off = none.Set(GRPC_ARG_KEEPALIVE_TIME_MS, INT_MAX);
  EXPECT_EQ(timeout(none, /*is_client=*/true), 0);
  EXPECT_EQ(timeout(none, /*is_client=*/false), 20000);
  EXPECT_EQ(timeout(on, /*is_client=*/true), 3456);
  EXPECT_EQ(timeout(on, /*is_client=*/false), 3456);
  EXPECT_EQ(timeout(off, /*is_client=*/false), 0);
}

TEST(TcpOptionsTest, DscpReachesBothIpVersions) {
  TcpOptions options;
  options.dscp = 46;
  OwnedFd v4 = Tcp();
  EXPECT_TRUE(PrepareClientSocket(v4.get(), AF_INET, options).ok());
  EXPECT_EQ(Get(v4, IPPROTO_IP, IP_TOS) >> 2, 46);
  OwnedFd v6 = Tcp(AF_INET6);
  if (!v6.is_open()) GTEST_SKIP() << "no IPv6";
  EXPECT_TRUE(PrepareListenerSocket(v6.get(), AF_INET6, options).ok());
  EXPECT_EQ(Get(v6, IPPROTO_IPV6, IPV6_TCLASS) >> 2, 46);
  EXPECT_EQ(Get(v6, IPPROTO_IP, IP_TOS) >> 2, 46);
}

TEST(TcpOptionsTest, ReceiveBufferOfClients) {
  TcpOptions options;
  options.receive_buffer_size = 32768;
  OwnedFd fd = Tcp();
  EXPECT_TRUE(PrepareClientSocket(fd.get(), AF_INET, options).ok());
  EXPECT_EQ(Get(fd, SOL_SOCKET, SO_RCVBUF), 2 * 32768);
}

struct RecordingMutator {
  grpc_socket_mutator base;
  std::vector<grpc_fd_usage> usages;
  bool succeed = true;
  bool* destroyed = nullptr;

  static bool Mutate(const grpc_mutate_socket_info* info,
                     grpc_socket_mutator* mutator) {
    auto* self = reinterpret_cast<RecordingMutator*>(mutator);
    self->usages.push_back(info->usage);
    return self->succeed;
  }
  static int Compare(grpc_socket_mutator* a, grpc_socket_mutator* b) {
    return a == b ? 0 : (a < b ? -1 : 1);
  }
  static void Destroy(grpc_socket_mutator* mutator) {
    auto* self = reinterpret_cast<RecordingMutator*>(mutator);
    *self->destroyed = true;
    delete self;
  }
};

TEST(TcpOptionsTest, TheSocketMutatorIsHeldAndAskedForEachUse) {
  static const grpc_socket_mutator_vtable vtable = {
      nullptr, &RecordingMutator::Compare, &RecordingMutator::Destroy,
      &RecordingMutator::Mutate};
  bool destroyed = false;
  auto* mutator = new RecordingMutator;
  mutator->destroyed = &destroyed;
  grpc_socket_mutator_init(&mutator->base, &vtable);
  {
    TcpOptions copy;
    {
      grpc_arg arg = grpc_socket_mutator_to_arg(&mutator->base);
      const TcpOptions options = From(grpc_core::ChannelArgs().Set(arg));
      copy = options;
    }
    grpc_socket_mutator_unref(&mutator->base);
    EXPECT_FALSE(destroyed);
    OwnedFd fd = Tcp();
    EXPECT_TRUE(PrepareClientSocket(fd.get(), AF_INET, copy).ok());
    EXPECT_TRUE(PrepareListenerSocket(fd.get(), AF_INET, copy).ok());
    EXPECT_TRUE(PrepareAcceptedSocket(fd.get(), AF_INET, copy).ok());
    EXPECT_EQ(mutator->usages, (std::vector{GRPC_FD_CLIENT_CONNECTION_USAGE,
                                            GRPC_FD_SERVER_LISTENER_USAGE,
                                            GRPC_FD_SERVER_CONNECTION_USAGE}));
    mutator->succeed = false;
    EXPECT_FALSE(PrepareClientSocket(fd.get(), AF_INET, copy).ok());
  }
  EXPECT_TRUE(destroyed);
}

}  // namespace
}  // namespace uvgrpc
