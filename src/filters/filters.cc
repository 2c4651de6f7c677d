// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/filters/filters.h"

#include "src/core/config/core_configuration.h"
#include "src/core/lib/surface/channel_stack_type.h"
#include "src/filters/client_filter.h"
#include "src/filters/server_filter.h"

namespace uvgrpc {

void RegisterFilters() {
  grpc_core::CoreConfiguration::RegisterPersistentBuilder(
      [](grpc_core::CoreConfiguration::Builder* builder) {
        auto& init = *builder->channel_init();
        init.RegisterFusedFilter(GRPC_SERVER_CHANNEL, ServerFilter());
        init.RegisterFusedFilter(GRPC_SERVER_CHANNEL,
                                 ServerFilterWithoutLimits());
        init.RegisterFusedFilter(GRPC_CLIENT_SUBCHANNEL, ClientFilter());
        init.RegisterFusedFilter(GRPC_CLIENT_DIRECT_CHANNEL, ClientFilter());
      });
}

}  // namespace uvgrpc
