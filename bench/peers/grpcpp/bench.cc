// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "bench.h"

#include <csignal>
#include <cstdio>
#include <fstream>
#include <iterator>

namespace {

sigset_t StopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  return signals;
}

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

void Answer(const bench::Request& request, bench::Reply* reply) {
  reply->set_message("Hello, " + request.name() + "!");
}

void Answer(int requests, bench::Reply* reply) {
  reply->set_message("Hello, " + std::to_string(requests) + "!");
}

Flags ReadFlags(int argc, char** argv) {
  Flags flags;
  for (int i = 2; i + 1 < argc; i += 2) {
    flags[std::string(argv[i]).substr(2)] = argv[i + 1];
  }
  return flags;
}

int NotYet(std::string_view what) {
  std::printf("{\"not_yet\": \"%s\"}\n", std::string(what).c_str());
  return kNotYet;
}

std::shared_ptr<grpc::ServerCredentials> Credentials(const Flags& flags) {
  if (flags.count("certificate") == 0) return grpc::InsecureServerCredentials();
  grpc::SslServerCredentialsOptions options;
  options.pem_key_cert_pairs.push_back(
      {ReadFile(flags.at("key")), ReadFile(flags.at("certificate"))});
  return grpc::SslServerCredentials(options);
}

void BlockStop() {
  const sigset_t signals = StopSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

void WaitForStop() {
  const sigset_t signals = StopSignals();
  int signal = 0;
  sigwait(&signals, &signal);
}

void PrintPort(int port) {
  std::printf("{\"port\": %d, %s}\n", port, Versions().c_str());
  std::fflush(stdout);
}

std::string Versions() {
  return R"("versions": {"grpc++": ")" + grpc::Version() + "\"}";
}
