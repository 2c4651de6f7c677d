// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/bindings/connected_channel.h"

#include <grpc/event_engine/event_engine.h>
#include <grpc/impl/channel_arg_names.h>

#include <climits>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "src/core/client_channel/connector.h"
#include "src/core/config/core_configuration.h"
#include "src/core/credentials/transport/transport_credentials.h"
#include "src/core/ext/transport/chttp2/client/chttp2_connector.h"
#include "src/core/lib/channel/channel_args.h"
#include "src/core/lib/channel/channel_args_preconditioning.h"
#include "src/core/lib/event_engine/channel_args_endpoint_config.h"
#include "src/core/lib/event_engine/endpoint_channel_arg_wrapper.h"
#include "src/core/lib/event_engine/extensions/supports_fd.h"
#include "src/core/lib/event_engine/query_extensions.h"
#include "src/core/lib/event_engine/tcp_socket_utils.h"
#include "src/core/lib/iomgr/closure.h"
#include "src/core/lib/iomgr/exec_ctx.h"
#include "src/core/lib/surface/channel.h"
#include "src/core/lib/surface/channel_create.h"
#include "src/core/lib/surface/channel_stack_type.h"
#include "src/core/transport/endpoint_transport_client_channel_factory.h"
#include "src/core/util/debug_location.h"
#include "src/core/util/orphanable.h"
#include "src/core/util/ref_counted.h"
#include "src/core/util/ref_counted_ptr.h"
#include "src/core/util/useful.h"
#include "src/iomgr_uv/owned_fd.h"

namespace uvgrpc {
namespace {

using grpc_core::ChannelArgs;
using grpc_core::ExecCtx;
using grpc_core::MakeRefCounted;
using grpc_core::RefCountedPtr;
using grpc_event_engine::experimental::EndpointChannelArgWrapper;
using grpc_event_engine::experimental::EventEngine;

// What a target is without an address to name it by, as the ends of a
// socketpair() are.
constexpr char kUnnamedTarget[] = "unix-abstract:uvgrpc-connected-socket";

// The channel argument that holds the connection until it is used, and then how
// that went wrong. Loop thread.
class OneEndpoint final : public grpc_core::RefCounted<OneEndpoint> {
 public:
  explicit OneEndpoint(std::unique_ptr<EventEngine::Endpoint> endpoint)
      : endpoint_(std::move(endpoint)) {}

  static absl::string_view ChannelArgName() { return "uvgrpc.one_endpoint"; }
  static int ChannelArgsCompare(const OneEndpoint* a, const OneEndpoint* b) {
    return grpc_core::QsortCompare(a, b);
  }

  // Null when it was taken.
  std::unique_ptr<EventEngine::Endpoint> Take() { return std::move(endpoint_); }
  void set_failure(absl::Status failure) { failure_ = std::move(failure); }

  absl::Status Lost() const {
    constexpr char kText[] =
        "the connection that this channel was made from is lost";
    if (failure_.ok()) return absl::UnavailableError(kText);
    return absl::UnavailableError(
        absl::StrCat(kText, ": ", failure_.message()));
  }

 private:
  std::unique_ptr<EventEngine::Endpoint> endpoint_;
  absl::Status failure_;
};

// Connects once, by what it finds in the arguments.
class OneConnector final : public grpc_core::SubchannelConnector {
 public:
  void Connect(const Args& args, Result* result,
               grpc_closure* notify) override {
    auto one = args.channel_args.GetObjectRef<OneEndpoint>();
    std::unique_ptr<EventEngine::Endpoint> endpoint = one->Take();
    if (endpoint == nullptr) {
      ExecCtx::Run(DEBUG_LOCATION, notify, one->Lost());
      return;
    }
    Args with_endpoint = args;
    with_endpoint.channel_args = args.channel_args.SetObject(
        MakeRefCounted<EndpointChannelArgWrapper>(std::move(endpoint)));
    http2_ = grpc_core::MakeOrphanable<grpc_core::Chttp2Connector>();
    http2_->Connect(with_endpoint, result,
                    grpc_core::NewClosure(
                        [one = std::move(one), notify](absl::Status status) {
                          if (!status.ok()) one->set_failure(status);
                          ExecCtx::Run(DEBUG_LOCATION, notify, status);
                        }));
  }

  void Shutdown(grpc_error_handle error) override {
    if (http2_ != nullptr) http2_->Shutdown(error);
  }

 private:
  grpc_core::OrphanablePtr<grpc_core::Chttp2Connector> http2_;
};

std::string TargetOf(const EventEngine::Endpoint& endpoint) {
  const absl::StatusOr<std::string> uri =
      grpc_event_engine::experimental::ResolvedAddressToURI(
          endpoint.GetPeerAddress());
  // "unix:" is what an address without a name becomes.
  return uri.ok() && !uri->empty() && uri->back() != ':' ? *uri
                                                         : kUnnamedTarget;
}

}  // namespace

absl::StatusOr<grpc_channel*> CreateConnectedChannel(
    int fd, grpc_channel_credentials* credentials,
    const grpc_channel_args* args) {
  OwnedFd owned(fd);
  ExecCtx exec_ctx;
  ChannelArgs channel_args = grpc_core::CoreConfiguration::Get()
                                 .channel_args_preconditioning()
                                 .PreconditionChannelArgs(args);
  auto* const engine = grpc_event_engine::experimental::QueryExtension<
      grpc_event_engine::experimental::EventEngineSupportsFdExtension>(
      channel_args.GetObject<EventEngine>());
  auto endpoint = engine->CreateEndpointFromFd(
      owned.Take(),
      grpc_event_engine::experimental::ChannelArgsEndpointConfig(channel_args));
  if (!endpoint.ok()) return endpoint.status();
  const std::string target = TargetOf(**endpoint);
  channel_args =
      channel_args
          // A channel that is not used keeps what it could not get again.
          .SetIfUnset(GRPC_ARG_CLIENT_IDLE_TIMEOUT_MS, INT_MAX)
          // Whoever connected the socket has dealt with proxies.
          .Set(GRPC_ARG_ENABLE_HTTP_PROXY, 0)
          .Set(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1)
          .SetObject(MakeRefCounted<OneEndpoint>(*std::move(endpoint)))
          .SetObject(credentials->Ref())
          .SetObject(
              grpc_core::EndpointTransportClientChannelFactory<OneConnector>());
  auto channel = grpc_core::ChannelCreate(
      target, credentials->update_arguments(std::move(channel_args)),
      GRPC_CLIENT_CHANNEL, nullptr);
  if (!channel.ok()) return channel.status();
  grpc_channel* const result = channel->release()->c_ptr();
  // The peer may not wait for long.
  grpc_channel_check_connectivity_state(result, /*try_to_connect=*/1);
  return result;
}

}  // namespace uvgrpc
