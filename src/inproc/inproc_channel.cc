// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/inproc/inproc_channel.h"

#include <grpc/credentials.h>
#include <grpc/grpc_security.h>
#include <grpc/grpc_security_constants.h>
#include <grpc/impl/channel_arg_names.h>

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "src/core/call/metadata_info.h"
#include "src/core/config/core_configuration.h"
#include "src/core/credentials/transport/security_connector.h"
#include "src/core/credentials/transport/transport_credentials.h"
#include "src/core/lib/channel/channel_args.h"
#include "src/core/lib/channel/channel_args_preconditioning.h"
#include "src/core/lib/iomgr/exec_ctx.h"
#include "src/core/lib/surface/channel.h"
#include "src/core/lib/surface/channel_create.h"
#include "src/core/lib/surface/channel_stack_type.h"
#include "src/core/lib/transport/connectivity_state.h"
#include "src/core/server/server.h"
#include "src/core/transport/auth_context.h"
#include "src/core/util/orphanable.h"
#include "src/core/util/ref_counted_ptr.h"
#include "src/inproc/inproc_transport.h"

namespace uvgrpc {
namespace {

using grpc_core::ChannelArgs;
using grpc_core::MakeRefCounted;
using grpc_core::RefCountedPtr;

class StateWatcher final : public grpc_core::ConnectivityStateWatcherInterface {
 public:
  explicit StateWatcher(
      absl::AnyInvocable<void(grpc_connectivity_state)> on_state)
      : on_state_(std::move(on_state)) {}

  void Notify(grpc_connectivity_state state, const absl::Status&) override {
    on_state_(state);
  }

 private:
  absl::AnyInvocable<void(grpc_connectivity_state)> on_state_;
};

// That of a connection with insecure credentials.
RefCountedPtr<grpc_auth_context> InsecureContext() {
  auto context = MakeRefCounted<grpc_auth_context>(nullptr);
  grpc_auth_context_add_cstring_property(
      context.get(), GRPC_TRANSPORT_SECURITY_TYPE_PROPERTY_NAME, "insecure");
  grpc_auth_context_add_cstring_property(
      context.get(), GRPC_TRANSPORT_SECURITY_LEVEL_PROPERTY_NAME,
      "TSI_SECURITY_NONE");
  return context;
}

ChannelArgs ClientArgs(const grpc_channel_args* args) {
  RefCountedPtr<grpc_channel_credentials> credentials(
      grpc_insecure_credentials_create());
  ChannelArgs result = grpc_core::CoreConfiguration::Get()
                           .channel_args_preconditioning()
                           .PreconditionChannelArgs(args)
                           .SetIfUnset(GRPC_ARG_DEFAULT_AUTHORITY, "localhost")
                           .SetObject(credentials->Ref());
  auto connector =
      credentials->create_security_connector(nullptr, "inproc", &result);
  return result.SetObject(std::move(connector)).SetObject(InsecureContext());
}

ChannelArgs ServerArgs(const grpc_core::Server& server) {
  // A connection that is not shared needs no end, as those of HTTP/2 do.
  return server.channel_args()
      .Remove(GRPC_ARG_MAX_CONNECTION_IDLE_MS)
      .Remove(GRPC_ARG_MAX_CONNECTION_AGE_MS)
      .Remove(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS)
      .SetObject(RefCountedPtr<grpc_server_credentials>(
          grpc_insecure_server_credentials_create()))
      .SetObject(InsecureContext());
}

grpc_channel* Lame(const absl::Status& status) {
  return grpc_lame_client_channel_create(
      "inproc", static_cast<grpc_status_code>(status.code()),
      std::string(status.message()).c_str());
}

}  // namespace

grpc_channel* CreateInprocChannel(
    grpc_server* server, const grpc_channel_args* args,
    absl::AnyInvocable<void(grpc_connectivity_state)> on_state) {
  grpc_core::ExecCtx exec_ctx;
  grpc_core::Server* const core_server = grpc_core::Server::FromC(server);
  const ChannelArgs client_args = ClientArgs(args);
  const ChannelArgs server_args = ServerArgs(*core_server);
  auto connection = MakeRefCounted<InprocConnection>(
      grpc_core::GetHardLimitFromChannelArgs(client_args),
      grpc_core::GetHardLimitFromChannelArgs(server_args));
  auto client = grpc_core::MakeOrphanable<InprocTransport>(connection, true);
  auto* const server_end = new InprocTransport(connection, false);
  const absl::Status status = core_server->SetupTransport(
      server_end, /*accepting_pollset=*/nullptr, server_args);
  if (!status.ok()) {
    server_end->Orphan();
    return Lame(status);
  }
  client->StartConnectivityWatch(
      grpc_core::MakeOrphanable<StateWatcher>(std::move(on_state)));
  auto channel = grpc_core::ChannelCreate(
      "inproc", client_args, GRPC_CLIENT_DIRECT_CHANNEL, client.release());
  // Core has taken the end, or destroyed it.
  if (!channel.ok()) return Lame(channel.status());
  return channel->release()->c_ptr();
}

}  // namespace uvgrpc
