// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "tests/cpp/dns_test_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "absl/log/check.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace uvgrpc {
namespace {

constexpr uint16_t kA = 1;
constexpr uint16_t kTxt = 16;
constexpr uint16_t kAaaa = 28;
constexpr uint16_t kSrv = 33;
constexpr size_t kHeaderSize = 12;

std::string U16(uint16_t value) {
  return {static_cast<char>(value >> 8), static_cast<char>(value & 0xff)};
}

// "a.bc" as "\1a\2bc\0".
std::string Labels(absl::string_view name) {
  std::string result;
  for (absl::string_view label : absl::StrSplit(name, '.')) {
    absl::StrAppend(&result, std::string(1, static_cast<char>(label.size())),
                    label);
  }
  return result + '\0';
}

std::string InetBytes(int family, absl::string_view address, size_t size) {
  std::string bytes(size, '\0');
  CHECK_EQ(inet_pton(family, std::string(address).c_str(), bytes.data()), 1);
  return bytes;
}

sockaddr_in LoopbackAt(uint16_t port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

}  // namespace

DnsTestServer::DnsTestServer() {
  // A TCP port that is free for UDP too.
  sockaddr_in address;
  socklen_t length = sizeof(address);
  do {
    if (udp_ >= 0) close(udp_);
    if (tcp_ >= 0) close(tcp_);
    udp_ = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    tcp_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address = LoopbackAt(0);
    CHECK_EQ(bind(tcp_, reinterpret_cast<sockaddr*>(&address), length), 0);
    CHECK_EQ(getsockname(tcp_, reinterpret_cast<sockaddr*>(&address), &length),
             0);
  } while (bind(udp_, reinterpret_cast<sockaddr*>(&address), length) != 0);
  port_ = ntohs(address.sin_port);
  CHECK_EQ(listen(tcp_, 8), 0);
}

DnsTestServer::~DnsTestServer() {
  if (udp_thread_.joinable()) {
    // An empty datagram ends the thread.
    const sockaddr_in self = LoopbackAt(port_);
    sendto(udp_, nullptr, 0, 0, reinterpret_cast<const sockaddr*>(&self),
           sizeof(self));
    udp_thread_.join();
    shutdown(tcp_, SHUT_RDWR);
    {
      absl::MutexLock lock(mu_);
      if (connection_ >= 0) shutdown(connection_, SHUT_RDWR);
    }
    tcp_thread_.join();
  }
  close(udp_);
  close(tcp_);
}

void DnsTestServer::AddA(absl::string_view name, absl::string_view address) {
  names_.emplace(name, Treatment::kAnswer);
  records_.emplace(Key(name, kA), InetBytes(AF_INET, address, 4));
}

void DnsTestServer::AddAaaa(absl::string_view name, absl::string_view address) {
  names_.emplace(name, Treatment::kAnswer);
  records_.emplace(Key(name, kAaaa), InetBytes(AF_INET6, address, 16));
}

void DnsTestServer::AddSrv(absl::string_view name, uint16_t priority,
                           uint16_t weight, uint16_t port,
                           absl::string_view target) {
  names_.emplace(name, Treatment::kAnswer);
  records_.emplace(Key(name, kSrv),
                   U16(priority) + U16(weight) + U16(port) + Labels(target));
}

void DnsTestServer::AddTxt(absl::string_view name,
                           const std::vector<std::string>& strings) {
  std::string data;
  for (const std::string& text : strings) {
    CHECK_LE(text.size(), 255u);
    data += static_cast<char>(text.size());
    data += text;
  }
  names_.emplace(name, Treatment::kAnswer);
  records_.emplace(Key(name, kTxt), data);
}

void DnsTestServer::Ignore(absl::string_view name) {
  names_[std::string(name)] = Treatment::kIgnore;
}

void DnsTestServer::Truncate(absl::string_view name) {
  names_[std::string(name)] = Treatment::kTruncate;
}

void DnsTestServer::Start() {
  udp_thread_ = std::thread([this] { ServeUdp(); });
  tcp_thread_ = std::thread([this] { ServeTcp(); });
}

std::string DnsTestServer::address() const {
  return absl::StrCat("127.0.0.1:", port_);
}

void DnsTestServer::ServeUdp() {
  while (true) {
    char buffer[1024];
    sockaddr_storage peer;
    socklen_t length = sizeof(peer);
    const ssize_t size = recvfrom(udp_, buffer, sizeof(buffer), 0,
                                  reinterpret_cast<sockaddr*>(&peer), &length);
    if (size == 0) return;
    if (size < 0) continue;
    ++queries_;
    const std::string answer =
        AnswerTo(absl::string_view(buffer, static_cast<size_t>(size)), true);
    if (answer.empty()) continue;
    sendto(udp_, answer.data(), answer.size(), 0,
           reinterpret_cast<sockaddr*>(&peer), length);
  }
}

void DnsTestServer::ServeTcp() {
  while (true) {
    const int fd = accept4(tcp_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) return;
    {
      absl::MutexLock lock(mu_);
      connection_ = fd;
    }
    ServeConnection(fd);
    absl::MutexLock lock(mu_);
    connection_ = -1;
    close(fd);
  }
}

void DnsTestServer::ServeConnection(int fd) {
  while (true) {
    // Each message comes after its length.
    unsigned char size[2];
    if (recv(fd, size, sizeof(size), MSG_WAITALL) != sizeof(size)) return;
    std::string query(static_cast<size_t>(size[0] << 8 | size[1]), '\0');
    if (recv(fd, query.data(), query.size(), MSG_WAITALL) !=
        static_cast<ssize_t>(query.size())) {
      return;
    }
    ++tcp_queries_;
    const std::string answer = AnswerTo(query, false);
    const std::string message =
        U16(static_cast<uint16_t>(answer.size())) + answer;
    if (send(fd, message.data(), message.size(), MSG_NOSIGNAL) < 0) return;
  }
}

std::string DnsTestServer::AnswerTo(absl::string_view query,
                                    bool over_udp) const {
  if (query.size() < kHeaderSize) return {};
  std::string name;
  size_t at = kHeaderSize;
  while (at < query.size() && query[at] != 0) {
    const size_t label = static_cast<unsigned char>(query[at]);
    absl::StrAppend(&name, name.empty() ? "" : ".",
                    query.substr(at + 1, label));
    at += 1 + label;
  }
  at += 1;  // the empty label
  if (at + 4 > query.size()) return {};
  const uint16_t type =
      static_cast<uint16_t>(static_cast<unsigned char>(query[at]) << 8 |
                            static_cast<unsigned char>(query[at + 1]));
  const absl::string_view question =
      query.substr(kHeaderSize, at + 4 - kHeaderSize);
  const auto known = names_.find(absl::AsciiStrToLower(name));
  const Treatment treatment =
      known == names_.end() ? Treatment::kAnswer : known->second;
  if (treatment == Treatment::kIgnore) return {};
  std::string answers;
  uint16_t count = 0;
  const auto range =
      records_.equal_range(Key(absl::AsciiStrToLower(name), type));
  for (auto it = range.first; it != range.second; ++it, ++count) {
    // The name is a pointer to the question's.
    absl::StrAppend(&answers, U16(0xc000 | kHeaderSize), U16(type), U16(1),
                    U16(0), U16(60),
                    U16(static_cast<uint16_t>(it->second.size())), it->second);
  }
  // Response, recursion desired and available; NXDOMAIN for unknown names.
  uint16_t flags = known == names_.end() ? 0x8183 : 0x8180;
  if (treatment == Treatment::kTruncate && over_udp) {
    flags |= 0x0200;
    answers.clear();
    count = 0;
  }
  return absl::StrCat(query.substr(0, 2), U16(flags), U16(1), U16(count),
                      U16(0), U16(0), question, answers);
}

}  // namespace uvgrpc
