// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// Arguments of a channel or server, as core wants them.

#ifndef UVGRPC_BINDINGS_CHANNEL_ARGS_H_
#define UVGRPC_BINDINGS_CHANNEL_ARGS_H_

#include <grpc/grpc.h>

#include <deque>
#include <string>
#include <vector>

namespace uvgrpc {

// Owns the text; core copies what it wants. A later entry of the same key wins.
class ChannelArgs {
 public:
  void AddInteger(const std::string& key, int value);
  void AddString(const std::string& key, const std::string& value);
  // An entry whose key and value outlive this object.
  void Add(const grpc_arg& arg) { args_.push_back(arg); }

  // Valid until the next change.
  const grpc_channel_args* core();

 private:
  char* Keep(const std::string& text);
  // What an integer argument says last, or `fallback`.
  int IntegerOr(const char* key, int fallback) const;
  // Has a ping that is not answered within the keepalive time-out end the
  // connection. Core 1.85 never sets the timer that is for it (end_write in
  // chttp2's writing.cc asks for one that is set already), and waits for the
  // time-out of pings in general, a minute by default.
  void MakeKeepaliveEffective();

  std::deque<std::string> strings_;  // never moves its elements
  std::vector<grpc_arg> args_;
  grpc_channel_args core_{};
};

}  // namespace uvgrpc

#endif  // UVGRPC_BINDINGS_CHANNEL_ARGS_H_
