// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/iomgr_uv/endpoint_telemetry.h"

#ifdef __linux__
#include <linux/tcp.h>
#endif
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/clock.h"

namespace uvgrpc {
namespace {

using Endpoint = grpc_event_engine::experimental::EventEngine::Endpoint;

#ifndef __linux__
// There is nothing that we read of a connection.
struct tcp_info {};
#endif

// A metric: its name, where in tcp_info it ends (an older kernel fills in
// less), and how to get it. The key is the position in the table.
struct Metric {
  absl::string_view name;
  size_t needed_size;
  int64_t (*value)(const tcp_info& info);
};

#ifdef __linux__

#define UVGRPC_METRIC(name, field)                               \
  Metric {                                                       \
    name, offsetof(tcp_info, field) + sizeof(tcp_info::field),   \
        [](const tcp_info& info) { return int64_t(info.field); } \
  }

constexpr std::array kMetrics = {
    UVGRPC_METRIC("delivery_rate", tcpi_delivery_rate),
    // A bit field, without an address of its own.
    Metric{"is_delivery_rate_app_limited",
           offsetof(tcp_info, tcpi_delivery_rate) + sizeof(uint64_t),
           [](const tcp_info& info) {
             return int64_t(info.tcpi_delivery_rate_app_limited);
           }},
    UVGRPC_METRIC("packet_retx", tcpi_total_retrans),
    UVGRPC_METRIC("packet_spurious_retx", tcpi_dsack_dups),
    UVGRPC_METRIC("packet_sent", tcpi_data_segs_out),
    UVGRPC_METRIC("packet_delivered", tcpi_delivered),
    UVGRPC_METRIC("packet_delivered_ce", tcpi_delivered_ce),
    UVGRPC_METRIC("data_retx", tcpi_bytes_retrans),
    UVGRPC_METRIC("data_sent", tcpi_bytes_sent),
    UVGRPC_METRIC("data_notsent", tcpi_notsent_bytes),
    UVGRPC_METRIC("pacing_rate", tcpi_pacing_rate),
    UVGRPC_METRIC("min_rtt", tcpi_min_rtt),
    UVGRPC_METRIC("srtt", tcpi_rtt),
    UVGRPC_METRIC("congestion_window", tcpi_snd_cwnd),
    UVGRPC_METRIC("snd_ssthresh", tcpi_snd_ssthresh),
    UVGRPC_METRIC("reordering", tcpi_reordering),
    UVGRPC_METRIC("recurring_retrans", tcpi_retransmits),
    UVGRPC_METRIC("busy_usec", tcpi_busy_time),
    UVGRPC_METRIC("rwnd_limited_usec", tcpi_rwnd_limited),
    UVGRPC_METRIC("sndbuf_limited_usec", tcpi_sndbuf_limited),
};
#undef UVGRPC_METRIC

bool ReadInfo(int fd, tcp_info* info, socklen_t* size) {
  return getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, size) == 0;
}

#else

constexpr std::array<Metric, 0> kMetrics = {};

bool ReadInfo(int /*fd*/, tcp_info* /*info*/, socklen_t* /*size*/) {
  return false;
}

#endif

constexpr size_t kMetricCount = kMetrics.size();

class Metrics final : public Endpoint::MetricsSet {
 public:
  bool IsSet(size_t key) const override {
    return key < kMetricCount && set_.test(key);
  }
  void Set(size_t key) {
    if (key < kMetricCount) set_.set(key);
  }
  void SetAll() { set_.set(); }

 private:
  std::bitset<kMetricCount> set_;
};

class Info final : public Endpoint::TelemetryInfo {
 public:
  std::vector<size_t> AllWriteMetrics() const override {
    std::vector<size_t> keys;
    for (size_t key = 0; key < kMetricCount; ++key) keys.push_back(key);
    return keys;
  }
  std::optional<absl::string_view> GetMetricName(size_t key) const override {
    if (key >= kMetricCount) return std::nullopt;
    return kMetrics[key].name;
  }
  std::optional<size_t> GetMetricKey(absl::string_view name) const override {
    for (size_t key = 0; key < kMetricCount; ++key) {
      if (kMetrics[key].name == name) return key;
    }
    return std::nullopt;
  }
  std::shared_ptr<Endpoint::MetricsSet> GetMetricsSet(
      absl::Span<const size_t> keys) const override {
    auto metrics = std::make_shared<Metrics>();
    for (size_t key : keys) metrics->Set(key);
    return metrics;
  }
  std::shared_ptr<Endpoint::MetricsSet> GetFullMetricsSet() const override {
    auto metrics = std::make_shared<Metrics>();
    metrics->SetAll();
    return metrics;
  }
};

}  // namespace

std::shared_ptr<Endpoint::TelemetryInfo> GetEndpointTelemetryInfo() {
  static const auto* const info =
      new std::shared_ptr<Endpoint::TelemetryInfo>(std::make_shared<Info>());
  return *info;
}

WriteTracer::WriteTracer(Endpoint::WriteEventSink sink)
    : metrics_(sink.requested_metrics()),
      events_(sink.requested_events_mask()),
      on_event_(sink.TakeEventCallback()) {}

void WriteTracer::Record(Endpoint::WriteEvent event, int fd) {
  if (!events_.test(static_cast<size_t>(event))) return;
  std::vector<Endpoint::WriteMetric> values;
  tcp_info info{};
  socklen_t size = sizeof(info);
  if (metrics_ != nullptr && fd >= 0 && ReadInfo(fd, &info, &size)) {
    for (size_t key = 0; key < kMetricCount; ++key) {
      if (!metrics_->IsSet(key) || kMetrics[key].needed_size > size) continue;
      const int64_t value = kMetrics[key].value(info);
      // The kernel's way to say that there was no sample yet.
      if (kMetrics[key].name == "min_rtt" &&
          value == std::numeric_limits<uint32_t>::max()) {
        continue;
      }
      values.push_back(Endpoint::WriteMetric{key, value});
    }
  }
  on_event_(event, absl::Now(), std::move(values));
}

}  // namespace uvgrpc
