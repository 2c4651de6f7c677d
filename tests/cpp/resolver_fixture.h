// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// A loop with an engine, whose resolvers the test asks for names.

#ifndef UVGRPC_TESTS_CPP_RESOLVER_FIXTURE_H_
#define UVGRPC_TESTS_CPP_RESOLVER_FIXTURE_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "src/core/lib/event_engine/tcp_socket_utils.h"
#include "src/iomgr_uv/uv_engine.h"
#include "src/iomgr_uv/uv_resolver.h"
#include "tests/cpp/loop_fixture.h"

namespace uvgrpc {

// "127.0.0.1:80", "[::1]:80"
inline std::vector<std::string> Texts(const ResolvedAddresses& addresses) {
  std::vector<std::string> texts;
  for (const auto& address : addresses) {
    texts.push_back(
        grpc_event_engine::experimental::ResolvedAddressToString(address)
            .value());
  }
  return texts;
}

class ResolverFixture : public LoopFixture {
 protected:
  using DNSResolver = EventEngine::DNSResolver;

  // What a lookup said, once it said it.
  template <typename T>
  struct Reply {
    bool done = false;
    int times = 0;
    absl::StatusOr<T> result = absl::UnknownError("no reply yet");

    absl::AnyInvocable<void(absl::StatusOr<T>)> Callback() {
      return [this](absl::StatusOr<T> value) {
        ++times;
        done = true;
        result = std::move(value);
      };
    }
  };
  using HostnameReply = Reply<ResolvedAddresses>;
  using SrvReply = Reply<std::vector<DNSResolver::SRVRecord>>;
  using TxtReply = Reply<std::vector<std::string>>;

  const std::shared_ptr<UvEventEngine>& engine() {
    if (engine_ == nullptr) {
      auto created = UvEventEngine::Create(loop(), uv());
      EXPECT_TRUE(created.ok()) << created.status();
      engine_ = *std::move(created);
      Watch(engine_->bridge()->shared_from_this());
    }
    return engine_;
  }

  std::unique_ptr<DNSResolver> MakeResolver(std::string dns_server = "") {
    auto resolver = engine()->GetDNSResolver({std::move(dns_server)});
    EXPECT_TRUE(resolver.ok()) << resolver.status();
    return *std::move(resolver);
  }

  absl::StatusOr<std::vector<std::string>> Lookup(
      DNSResolver* resolver, absl::string_view name,
      absl::string_view default_port = "") {
    HostnameReply reply;
    resolver->LookupHostname(reply.Callback(), name, default_port);
    EXPECT_FALSE(reply.done) << "called back inside";
    EXPECT_TRUE(RunUntil([&] { return reply.done; }));
    if (!reply.result.ok()) return reply.result.status();
    return Texts(*reply.result);
  }

  void TearDown() override {
    CloseLoop();
    engine_.reset();
  }

 private:
  std::shared_ptr<UvEventEngine> engine_;
};

}  // namespace uvgrpc

#endif  // UVGRPC_TESTS_CPP_RESOLVER_FIXTURE_H_
