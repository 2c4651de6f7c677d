// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/iomgr_uv/uv_resolver.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "src/core/config/config_vars.h"
#include "src/core/util/host_port.h"
#include "src/iomgr_uv/hosts_file.h"
#include "src/iomgr_uv/uv_polled_fd.h"

namespace uvgrpc {
namespace {

constexpr absl::string_view kDnsPort = "53";

absl::Status LoopClosed() {
  return absl::UnavailableError("DNS lookup: the event loop is closed");
}

absl::Status NotBlocking(absl::string_view what, absl::string_view name) {
  return absl::UnimplementedError(absl::StrCat(
      "cannot look up the ", what, " record of \"", name,
      "\" while the event loop waits; use the asynchronous lookup"));
}

// Has `callback` get `result` on the loop thread.
template <typename Callback, typename Result>
void PostResult(LoopBridge& bridge, Callback callback, Result result) {
  bridge.Post(
      [callback = std::move(callback), result = std::move(result)]() mutable {
        callback(std::move(result));
      });
}

}  // namespace

absl::StatusOr<std::unique_ptr<EventEngine::DNSResolver>> UvResolver::Create(
    std::shared_ptr<LoopBridge> bridge, std::shared_ptr<EventEngine> engine,
    const EventEngine::DNSResolver::ResolverOptions& options,
    const char* nsswitch_path) {
  std::string dns_server;
  if (!options.dns_server.empty()) {
    absl::StatusOr<HostnameQuery> server =
        HostnameQuery::Parse(options.dns_server, kDnsPort);
    if (!server.ok()) return server.status();
    if (!server->LookupNumeric(bridge->uv()).has_value()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "the DNS server \"", options.dns_server, "\" is not an address"));
    }
    absl::StatusOr<int> port = server->LookupPort(bridge->uv());
    if (!port.ok()) return port.status();
    dns_server = grpc_core::JoinHostPort(server->host, *port);
  }
  auto resolver =
      std::make_unique<UvResolver>(std::move(bridge), std::move(engine),
                                   std::move(dns_server), nsswitch_path);
  if (!options.dns_server.empty()) {
    const absl::Status status = resolver->Ares().status();
    if (!status.ok()) return status;
  }
  return resolver;
}

UvResolver::UvResolver(std::shared_ptr<LoopBridge> bridge,
                       std::shared_ptr<EventEngine> engine,
                       std::string dns_server, const char* nsswitch_path)
    : bridge_(std::move(bridge)),
      engine_(std::move(engine)),
      dns_server_(std::move(dns_server)),
      nsswitch_path_(nsswitch_path),
      order_(OrderFor(dns_server_)),
      lookups_(std::make_shared<AddrinfoLookups>(bridge_)) {}

UvResolver::~UvResolver() { lookups_->CancelAll(); }

void UvResolver::LookupHostname(LookupHostnameCallback on_resolve,
                                absl::string_view name,
                                absl::string_view default_port) {
  absl::StatusOr<HostnameQuery> query =
      HostnameQuery::Parse(name, default_port);
  if (!query.ok()) {
    return PostResult(*bridge_, std::move(on_resolve), query.status());
  }
  std::optional<absl::StatusOr<ResolvedAddresses>> numeric =
      query->LookupNumeric(bridge_->uv());
  if (numeric.has_value()) {
    return PostResult(*bridge_, std::move(on_resolve), *std::move(numeric));
  }
  if (bridge_->is_closed()) {
    return PostResult(*bridge_, std::move(on_resolve), LoopClosed());
  }
  const absl::StatusOr<int> port = query->LookupPort(bridge_->uv());
  if (!port.ok()) {
    return PostResult(*bridge_, std::move(on_resolve), port.status());
  }
  if (IsForSystemAtOnce(*query)) {
    return lookups_->Start(*std::move(query), std::move(on_resolve));
  }
  std::optional<ResolvedAddresses> of_file =
      LookupInHostsFile(bridge_->uv(), HostsFilePath(), *query, *port);
  if (of_file.has_value()) {
    return PostResult(*bridge_, std::move(on_resolve),
                      absl::StatusOr<ResolvedAddresses>(*std::move(of_file)));
  }
  const absl::StatusOr<AresResolver*> ares = Ares();
  if (!ares.ok()) {
    if (order_ == Order::kAres) {
      return PostResult(*bridge_, std::move(on_resolve), ares.status());
    }
    return lookups_->Start(*std::move(query), std::move(on_resolve));
  }
  const std::string host = query->host;
  if (order_ == Order::kAresThenSystem) {
    on_resolve = OrAskSystem(*std::move(query), std::move(on_resolve));
  }
  (*ares)->LookupHostname(std::move(on_resolve), host, absl::StrCat(*port));
}

UvResolver::Order UvResolver::OrderFor(const std::string& dns_server) {
  if (!dns_server.empty()) return Order::kAres;
  if (!ShouldUseAresDnsResolver()) return Order::kSystem;
  return grpc_core::ConfigVars::Get().DnsResolver().empty()
             ? Order::kAresThenSystem
             : Order::kAres;
}

bool UvResolver::IsForSystemAtOnce(const HostnameQuery& query) const {
  return order_ == Order::kSystem ||
         (order_ == Order::kAresThenSystem && IsForOtherSources(query.host) &&
          SystemHasOtherSources(nsswitch_path_));
}

UvResolver::LookupHostnameCallback UvResolver::OrAskSystem(
    HostnameQuery query, LookupHostnameCallback on_resolve) const {
  return [lookups = lookups_, nsswitch_path = nsswitch_path_,
          query = std::move(query), on_resolve = std::move(on_resolve)](
             absl::StatusOr<ResolvedAddresses> found) mutable {
    if (found.ok() || !IsAnswer(found.status()) ||
        !SystemHasOtherSources(nsswitch_path)) {
      return on_resolve(std::move(found));
    }
    lookups->Start(
        std::move(query),
        [on_resolve = std::move(on_resolve), error = found.status()](
            absl::StatusOr<ResolvedAddresses> of_system) mutable {
          if (of_system.ok() || absl::IsCancelled(of_system.status())) {
            return on_resolve(std::move(of_system));
          }
          on_resolve(std::move(error));
        });
  };
}

void UvResolver::LookupSRV(LookupSRVCallback on_resolve,
                           absl::string_view name) {
  absl::StatusOr<AresResolver*> ares = OpenAres();
  if (!ares.ok()) {
    return PostResult(*bridge_, std::move(on_resolve), ares.status());
  }
  (*ares)->LookupSRV(std::move(on_resolve), name);
}

void UvResolver::LookupTXT(LookupTXTCallback on_resolve,
                           absl::string_view name) {
  absl::StatusOr<AresResolver*> ares = OpenAres();
  if (!ares.ok()) {
    return PostResult(*bridge_, std::move(on_resolve), ares.status());
  }
  (*ares)->LookupTXT(std::move(on_resolve), name);
}

absl::StatusOr<std::vector<EventEngine::ResolvedAddress>>
UvResolver::LookupHostnameBlocking(absl::string_view name,
                                   absl::string_view default_port) {
  absl::StatusOr<HostnameQuery> query =
      HostnameQuery::Parse(name, default_port);
  if (!query.ok()) return query.status();
  return query->LookupBlocking(bridge_->uv());
}

absl::StatusOr<std::vector<EventEngine::DNSResolver::SRVRecord>>
UvResolver::LookupSRVBlocking(absl::string_view name) {
  return NotBlocking("SRV", name);
}

absl::StatusOr<std::vector<std::string>> UvResolver::LookupTXTBlocking(
    absl::string_view name) {
  return NotBlocking("TXT", name);
}

absl::StatusOr<UvResolver::AresResolver*> UvResolver::OpenAres() {
  if (bridge_->is_closed()) return LoopClosed();
  return Ares();
}

absl::StatusOr<UvResolver::AresResolver*> UvResolver::Ares() {
  absl::MutexLock lock(mu_);
  if (ares_ == nullptr) {
    auto created = AresResolver::CreateAresResolver(
        dns_server_, std::make_unique<UvPolledFdFactory>(bridge_), engine_);
    if (!created.ok()) return created.status();
    ares_ = *std::move(created);
  }
  return ares_.get();
}

}  // namespace uvgrpc
