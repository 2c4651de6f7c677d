// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#ifndef UVGRPC_BENCH_PEERS_GRPCPP_CALLBACK_SERVICES_H_
#define UVGRPC_BENCH_PEERS_GRPCPP_CALLBACK_SERVICES_H_

#include <grpcpp/impl/service_type.h>

#include <memory>
#include <string_view>

// One of the services of bench.proto, by the harness's name for it. Null for
// one that is not here.
std::unique_ptr<grpc::Service> MakeService(std::string_view name);

#endif  // UVGRPC_BENCH_PEERS_GRPCPP_CALLBACK_SERVICES_H_
