// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#ifndef UVGRPC_BENCH_PEERS_GRPCPP_BENCH_H_
#define UVGRPC_BENCH_PEERS_GRPCPP_BENCH_H_

#include <grpcpp/grpcpp.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "bench.pb.h"

// What both peers in C++ share. The harness starts them as it starts every
// peer (see peers/program.py); they print lines of JSON.

constexpr int kNotYet = 3;      // the exit code for a part that a peer lacks
constexpr int kReplies = 1000;  // of a streaming call; requests of an upload

// The reply to a request, as every peer gives it.
void Answer(const bench::Request& request, bench::Reply* reply);

// The reply to an upload.
void Answer(int requests, bench::Reply* reply);

// Flags by their names without dashes: --load unary is {"load", "unary"}.
using Flags = std::map<std::string, std::string, std::less<>>;
Flags ReadFlags(int argc, char** argv);

// Says that this peer lacks something; the exit code for that.
int NotYet(std::string_view what);

// Of --certificate FILE --key FILE; insecure without them.
std::shared_ptr<grpc::ServerCredentials> Credentials(const Flags& flags);

// Has SIGTERM wait for WaitForStop(). To be called before any thread is there,
// so that all of them leave the signal to it.
void BlockStop();
void WaitForStop();

// Prints a server's line with its port.
void PrintPort(int port);

// grpc++'s version as a member of a JSON object.
std::string Versions();

#endif  // UVGRPC_BENCH_PEERS_GRPCPP_BENCH_H_
