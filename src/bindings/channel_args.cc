// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/bindings/channel_args.h"

#include <cstring>

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

const grpc_channel_args* ChannelArgs::core() {
  core_.num_args = args_.size();
  core_.args = args_.data();
  return &core_;
}

}  // namespace uvgrpc
