// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/bindings/channel_args.h"

#include <grpc/impl/channel_arg_names.h>

#include <climits>
#include <cstring>

#include "src/core/ext/transport/chttp2/transport/internal_channel_arg_names.h"

namespace uvgrpc {

char* ChannelArgs::Keep(const std::string& text) {
  strings_.push_back(text);
  return strings_.back().data();
}

void ChannelArgs::AddInteger(const std::string& key, int value) {
  grpc_arg arg;
  std::memset(&arg, 0, sizeof(arg));
  arg.type = GRPC_ARG_INTEGER;
  arg.key = Keep(key);
  arg.value.integer = value;
  args_.push_back(arg);
}

void ChannelArgs::AddString(const std::string& key, const std::string& value) {
  grpc_arg arg;
  std::memset(&arg, 0, sizeof(arg));
  arg.type = GRPC_ARG_STRING;
  arg.key = Keep(key);
  arg.value.string = Keep(value);
  args_.push_back(arg);
}

int ChannelArgs::IntegerOr(const char* key, int fallback) const {
  int value = fallback;
  for (const grpc_arg& arg : args_) {
    if (arg.type == GRPC_ARG_INTEGER && std::strcmp(arg.key, key) == 0) {
      value = arg.value.integer;
    }
  }
  return value;
}

void ChannelArgs::MakeKeepaliveEffective() {
  // Core's default. INT_MAX stands for never, in both.
  constexpr int kDefaultTimeout = 20'000;
  const int time = IntegerOr(GRPC_ARG_KEEPALIVE_TIME_MS, 0);
  const int timeout = IntegerOr(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 0);
  if ((time <= 0 && timeout <= 0) || time == INT_MAX ||
      IntegerOr(GRPC_ARG_PING_TIMEOUT_MS, -1) >= 0) {
    return;
  }
  AddInteger(GRPC_ARG_PING_TIMEOUT_MS, timeout > 0 ? timeout : kDefaultTimeout);
}

const grpc_channel_args* ChannelArgs::core() {
  MakeKeepaliveEffective();
  core_.num_args = args_.size();
  core_.args = args_.data();
  return &core_;
}

}  // namespace uvgrpc
