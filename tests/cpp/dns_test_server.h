// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// A DNS server for tests, on the loopback interface.

#ifndef UVGRPC_TESTS_CPP_DNS_TEST_SERVER_H_
#define UVGRPC_TESTS_CPP_DNS_TEST_SERVER_H_

#include <atomic>
#include <cstdint>
#include <map>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"

namespace uvgrpc {

// Answers what it was taught before Start, and NXDOMAIN to everything else. Has
// a thread for UDP and one for TCP, which serves one connection at a time.
class DnsTestServer {
 public:
  DnsTestServer();
  // Stops the thread.
  ~DnsTestServer();
  DnsTestServer(const DnsTestServer&) = delete;
  DnsTestServer& operator=(const DnsTestServer&) = delete;

  void AddA(absl::string_view name, absl::string_view address);
  void AddAaaa(absl::string_view name, absl::string_view address);
  void AddSrv(absl::string_view name, uint16_t priority, uint16_t weight,
              uint16_t port, absl::string_view target);
  // Each element becomes one string of the record (255 bytes at most).
  void AddTxt(absl::string_view name, const std::vector<std::string>& strings);
  // Queries for `name` get no answer.
  void Ignore(absl::string_view name);
  // Answers to `name` are truncated over UDP: the client must come by TCP.
  void Truncate(absl::string_view name);
  void Start();

  // "127.0.0.1:port"
  std::string address() const;
  int queries() const { return queries_; }
  int tcp_queries() const { return tcp_queries_; }

 private:
  using Key = std::pair<std::string, uint16_t>;  // name and type
  enum class Treatment { kAnswer, kIgnore, kTruncate };

  void ServeUdp();
  void ServeTcp();
  // Until the client ends it.
  void ServeConnection(int fd);
  // Empty when the query is to be ignored or makes no sense.
  std::string AnswerTo(absl::string_view query, bool over_udp) const;

  int udp_ = -1;
  int tcp_ = -1;
  uint16_t port_ = 0;
  std::multimap<Key, std::string> records_;
  std::map<std::string, Treatment> names_;
  std::atomic<int> queries_{0};
  std::atomic<int> tcp_queries_{0};
  absl::Mutex mu_;
  int connection_ ABSL_GUARDED_BY(mu_) = -1;
  std::thread udp_thread_;
  std::thread tcp_thread_;
};

}  // namespace uvgrpc

#endif  // UVGRPC_TESTS_CPP_DNS_TEST_SERVER_H_
