// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// What an endpoint can tell about its writes.

#ifndef UVGRPC_IOMGR_UV_ENDPOINT_TELEMETRY_H_
#define UVGRPC_IOMGR_UV_ENDPOINT_TELEMETRY_H_

#include <grpc/event_engine/event_engine.h>

#include <memory>

namespace uvgrpc {

// Names and keys of the metrics that WriteTracer reports, with the names that
// gRPC's own engine uses. One object for all endpoints; any thread.
std::shared_ptr<
    grpc_event_engine::experimental::EventEngine::Endpoint::TelemetryInfo>
GetEndpointTelemetryInfo();

// Reports the events of one write to the sink that came with it:
//
//   kSendMsg  the first bytes are about to be given to the kernel
//   kSent     the kernel has taken the last byte
//   kClosed   the write failed, or the endpoint was closed before kSent
//
// kScheduled and kAcked are never reported: they need time stamps from the
// socket's error queue, which libuv does not read. Metrics are the connection's
// TCP_INFO at the time of the event, which Linux has. Loop thread.
class WriteTracer {
 public:
  using Endpoint = grpc_event_engine::experimental::EventEngine::Endpoint;

  explicit WriteTracer(Endpoint::WriteEventSink sink);

  // `fd` is the connection's socket; -1 when it is closed already.
  void Record(Endpoint::WriteEvent event, int fd);

 private:
  const std::shared_ptr<Endpoint::MetricsSet> metrics_;
  const Endpoint::WriteEventSet events_;
  const Endpoint::WriteEventCallback on_event_;
};

}  // namespace uvgrpc

#endif  // UVGRPC_IOMGR_UV_ENDPOINT_TELEMETRY_H_
