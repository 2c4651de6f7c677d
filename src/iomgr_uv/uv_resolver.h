// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// gRPC's DNS resolver on the loop.

#ifndef UVGRPC_IOMGR_UV_UV_RESOLVER_H_
#define UVGRPC_IOMGR_UV_UV_RESOLVER_H_

#include <grpc/event_engine/event_engine.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "src/core/lib/event_engine/ares_resolver.h"
#include "src/core/lib/event_engine/extensions/blocking_dns.h"
#include "src/core/lib/event_engine/query_extensions.h"
#include "src/core/util/orphanable.h"
#include "src/iomgr_uv/hostname_query.h"
#include "src/iomgr_uv/loop_bridge.h"
#include "src/iomgr_uv/name_sources.h"
#include "src/iomgr_uv/uv_addrinfo.h"

namespace uvgrpc {

// Names are looked up in /etc/hosts, and then by c-ares on the loop: with the
// DNS servers and search domains of resolv.conf, or the server that the user
// names. It gives up after some seconds. Addresses are sorted by RFC 6724.
// Addresses in numbers are answered from a post.
//
// The system's resolver, through libuv's thread pool, is asked for hostnames
// - instead of c-ares when GRPC_DNS_RESOLVER is "native";
// - unless it is "ares", when c-ares cannot be set up, or nsswitch.conf names a
//   source that c-ares does not have, and c-ares has said that it cannot find
//   the name, or the name is under .local.
// A named DNS server is never bypassed, and SRV and TXT records, which the
// system's interface does not know, are c-ares's in any case.
//
// Any thread. Callbacks run on the loop thread, never before the method that
// takes them returned. Destruction cancels: callbacks that are owed get
// CANCELLED soon. So does the closing of the loop; lookups that are asked for
// afterwards fail with UNAVAILABLE.
class UvResolver final
    : public grpc_event_engine::experimental::ExtendedType<
          EventEngine::DNSResolver,
          grpc_event_engine::experimental::ResolverSupportsBlockingLookups> {
 public:
  // INVALID_ARGUMENT when options.dns_server is not an address. Without a port
  // it is asked on port 53.
  static absl::StatusOr<std::unique_ptr<EventEngine::DNSResolver>> Create(
      std::shared_ptr<LoopBridge> bridge, std::shared_ptr<EventEngine> engine,
      const EventEngine::DNSResolver::ResolverOptions& options,
      const char* nsswitch_path = kNsswitchPath);
  // Use Create.
  UvResolver(std::shared_ptr<LoopBridge> bridge,
             std::shared_ptr<EventEngine> engine, std::string dns_server,
             const char* nsswitch_path);
  ~UvResolver() override;

  // EventEngine::DNSResolver
  void LookupHostname(LookupHostnameCallback on_resolve, absl::string_view name,
                      absl::string_view default_port) override;
  void LookupSRV(LookupSRVCallback on_resolve, absl::string_view name) override;
  void LookupTXT(LookupTXTCallback on_resolve, absl::string_view name) override;

  // ResolverSupportsBlockingLookups. Core calls the first on the loop thread
  // when a server adds a port: it asks the system without waiting for the loop.
  // Only c-ares can do the others, and it needs the loop: UNIMPLEMENTED.
  absl::StatusOr<std::vector<EventEngine::ResolvedAddress>>
  LookupHostnameBlocking(absl::string_view name,
                         absl::string_view default_port) override;
  absl::StatusOr<std::vector<EventEngine::DNSResolver::SRVRecord>>
  LookupSRVBlocking(absl::string_view name) override;
  absl::StatusOr<std::vector<std::string>> LookupTXTBlocking(
      absl::string_view name) override;

 private:
  using AresResolver = grpc_event_engine::experimental::AresResolver;

  // Who is asked for hostnames.
  enum class Order { kAres, kAresThenSystem, kSystem };
  static Order OrderFor(const std::string& dns_server);

  // Made on first use, since it reads the system's configuration. The pointer
  // lives as long as this.
  absl::StatusOr<AresResolver*> Ares();
  // Ares(), or why it must not be asked any more.
  absl::StatusOr<AresResolver*> OpenAres();
  // Whether c-ares is left out for this name.
  bool IsForSystemAtOnce(const HostnameQuery& query) const;
  // `on_resolve` for c-ares: asks the system when c-ares finds nothing.
  LookupHostnameCallback OrAskSystem(HostnameQuery query,
                                     LookupHostnameCallback on_resolve) const;

  const std::shared_ptr<LoopBridge> bridge_;
  const std::shared_ptr<EventEngine> engine_;
  const std::string dns_server_;
  const char* const nsswitch_path_;
  const Order order_;
  const std::shared_ptr<AddrinfoLookups> lookups_;

  absl::Mutex mu_;
  grpc_core::OrphanablePtr<AresResolver> ares_ ABSL_GUARDED_BY(mu_);
};

}  // namespace uvgrpc

#endif  // UVGRPC_IOMGR_UV_UV_RESOLVER_H_
